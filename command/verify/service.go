package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	pageSize  = 1000     // the most entries that a service puts on a page
	maxAnswer = 16 << 20 // the most bytes of a page that are read

	attempts = 10                     // how often a board that changes is compared
	pause    = 200 * time.Millisecond // between two attempts
	agreed   = 2                      // how many attempts in a row must find a difference; see Compare
)

// ErrMoving is returned for a board that changes too fast to be compared.
var ErrMoving = errors.New("it changed during every comparison")

// Service is a running service.
type Service struct {
	URL    string                 // without a path
	Token  func() (string, error) // returns a token that may read every board
	Client *http.Client           // default http.DefaultClient
}

// Boards returns the boards of groups that have members, the largest first, at most so many.
func (d *DB) Boards(ctx context.Context, most int) (boards []string, err error) {
	rows, err := d.db.QueryContext(ctx, `
		SELECT kind || ':' || group_id FROM memberships WHERE until IS NULL
		GROUP BY kind, group_id ORDER BY count(*) DESC, kind, group_id LIMIT ?`, max(most, 0))
	if err != nil {
		return nil, fmt.Errorf("read groups: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, fmt.Errorf("read groups: %w", err)
		}
		boards = append(boards, name)
	}
	return boards, rows.Err()
}

// Compare compares a board of a service that runs on this database with the ledger, page by page.
// It returns the first difference and how many entries it has compared. The service must publish
// each write (recompute on write). If the board changes during the comparison, Compare starts
// again after a pause; if it changes every time, the error is ErrMoving.
//
// A difference counts only if the next comparison finds one as well. A service ranks a change a
// moment after it was committed, and its clock may begin a period a moment earlier or later than
// this process.
func (d *DB) Compare(ctx context.Context, s *Service, board string, period Period) (found Difference, entries int, err error) {
	seen := 0
	for range attempts {
		var still bool
		if still, found, entries, err = d.look(ctx, s, board, period); err != nil {
			return "", 0, fmt.Errorf("compare %s board %q: %w", period, board, err)
		}
		switch {
		case still && found == "":
			return "", entries, nil
		case still:
			if seen++; seen == agreed {
				return found, entries, nil
			}
		default:
			seen = 0
		}
		select {
		case <-ctx.Done():
			return "", 0, ctx.Err()
		case <-time.After(pause):
		}
	}
	return "", 0, fmt.Errorf("compare %s board %q: %w", period, board, ErrMoving)
}

// look compares a board once. still is false if the board changed meanwhile.
func (d *DB) look(ctx context.Context, s *Service, board string, period Period) (still bool, found Difference, entries int, err error) {
	before, err := s.pages(ctx, board, period)
	if err != nil {
		return false, "", 0, err
	}
	var seq int64
	var rows []Row
	err = d.at(ctx, func(v *verification) (err error) {
		if err = v.tx.QueryRowContext(ctx, `SELECT seq FROM state`).Scan(&seq); err != nil {
			return err
		}
		rows, err = v.board(ctx, board, period, d.opts.Now(), false)
		return err
	})
	if err != nil {
		return false, "", 0, err
	}
	after, err := s.pages(ctx, board, period)
	if err != nil {
		return false, "", 0, err
	}
	if !sameVersions(before, after) {
		return false, "", 0, nil
	}
	what := fmt.Sprintf("%s board %q at seq %d", period, board, seq)
	return true, differ(what, after, rows), len(rows), nil
}

// page has the fields of a service's page that are compared.
type page struct {
	Version      int64
	TotalEntries int
	Entries      []entry
}

type entry struct {
	Rank       int
	UserID     string
	RankBadge  string
	Score      int64
	XP         int64
	MLCoins    int64
	Change     int
	ChangeType string
}

// sameVersions reports whether two readings of a board's pages show the same state of it.
func sameVersions(before, after []page) bool {
	if len(before) != len(after) {
		return false
	}
	for i := range before {
		if before[i].Version != after[i].Version || before[i].TotalEntries != after[i].TotalEntries {
			return false
		}
	}
	return true
}

// differ returns the first difference between pages and rows.
func differ(what string, pages []page, rows []Row) Difference {
	n := 0
	for _, p := range pages {
		if p.TotalEntries != len(rows) {
			return Difference(fmt.Sprintf("totalEntries of %s is %d; the ledger says %d", what, p.TotalEntries, len(rows)))
		}
		for _, got := range p.Entries {
			if n == len(rows) {
				return Difference(fmt.Sprintf("%s has user %q at place %d; the ledger has %d places", what, got.UserID, n+1, len(rows)))
			}
			if want := rows[n].entry(); got != want {
				return Difference(fmt.Sprintf("%s has at place %d %s; the ledger says %s", what, n+1, got, want))
			}
			n++
		}
	}
	if n < len(rows) {
		return Difference(fmt.Sprintf("%s ends after place %d; the ledger has %d places, the next user %q", what, n, len(rows), rows[n].UserID))
	}
	return ""
}

// entry returns the row in the form that it has on a page.
func (r Row) entry() entry {
	e := entry{r.Rank, r.UserID, r.Badge, r.Score, r.XP, r.MLCoins, max(r.Prior-r.Rank, r.Rank-r.Prior), "same"}
	switch {
	case r.Prior == 0:
		e.Change, e.ChangeType = 0, "new"
	case r.Prior > r.Rank:
		e.ChangeType = "up"
	case r.Prior < r.Rank:
		e.ChangeType = "down"
	}
	return e
}

func (e entry) String() string {
	return fmt.Sprintf("user %q with rank %d, score %d, xp %d, mlCoins %d, rankBadge %q, change %d %s",
		e.UserID, e.Rank, e.Score, e.XP, e.MLCoins, e.RankBadge, e.Change, e.ChangeType)
}

// pages reads all pages of a board, at least one.
func (s *Service) pages(ctx context.Context, board string, period Period) (pages []page, err error) {
	for n, full := 0, true; full; {
		p, err := s.page(ctx, board, period, n)
		if err != nil {
			return nil, err
		}
		pages = append(pages, p)
		n += len(p.Entries)
		full = len(p.Entries) == pageSize
	}
	return pages, nil
}

func (s *Service) page(ctx context.Context, board string, period Period, offset int) (p page, err error) {
	query := url.Values{"period": {string(period)}, "limit": {strconv.Itoa(pageSize)}, "offset": {strconv.Itoa(offset)}}
	path := "/v1/leaderboards/" + url.PathEscape(board)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(s.URL, "/")+path+"?"+query.Encode(), http.NoBody)
	if err != nil {
		return p, err
	}
	token, err := s.Token()
	if err != nil {
		return p, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "application/json")
	client := s.Client
	if client == nil {
		client = http.DefaultClient
	}
	res, err := client.Do(req)
	if err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return p, fmt.Errorf("read %s: %w", path, err)
	}
	if res.StatusCode != http.StatusOK {
		return p, fmt.Errorf("the service answers %s to %s: %.200s", res.Status, path, body)
	}
	if err := json.Unmarshal(body, &p); err != nil {
		return p, fmt.Errorf("read %s: %w", path, err)
	}
	return p, nil
}
