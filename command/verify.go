package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"marcador/auth"
	"marcador/command/verify"
	"marcador/internal/validate"
)

// verifyTTL is how long a token that is signed for one request is valid.
const verifyTTL = 5 * time.Minute

// ErrDifference is the error of the verify command after it has printed a difference.
var ErrDifference = errors.New("the database does not agree with its ledger")

// verifyCommand compares a database, and the boards of its service, with the database's ledger.
type verifyCommand struct {
	DB             string `default:"marcador.db" name:"db" help:"SQLite file. A service may be running on it."`
	Timezone       string `default:"UTC" help:"As for the service."`
	ChangeBaseline string `default:"daily" enum:"daily,weekly,monthly" help:"As for the service: ${enum}."`
	Ranks          string `default:"ordinal" enum:"ordinal,competition,dense" help:"As for the service: ${enum}."`
	URL            string `name:"url" help:"Address of the service that runs on the file, to compare its boards as well. It must recompute on write."`
	Boards         int    `default:"100" help:"Most boards of groups to compare, the largest first."`

	tokenFlags
}

// Run implements the command.
func (c *verifyCommand) Run(ctx context.Context, out output) (err error) {
	opts := verify.Options{
		Baseline: verify.Period(c.ChangeBaseline), Numbering: c.Ranks,
		Checked: func(what string, count int64) { fmt.Fprintf(out.stdout, "%d %s\n", count, what) },
	}
	if opts.Location, err = time.LoadLocation(c.Timezone); err != nil {
		return fmt.Errorf("--timezone %q is not known; give an IANA name such as America/Merida or UTC", c.Timezone)
	}
	service, err := c.service()
	if err != nil {
		return err
	}
	db, err := verify.Open(ctx, c.DB, opts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	found, err := db.Totals(ctx)
	if err == nil && found == "" && service != nil {
		found, err = c.compare(ctx, db, service, out.stdout)
	}
	switch {
	case err != nil:
		return fmt.Errorf("verify %q: %w", c.DB, err)
	case found != "":
		fmt.Fprintf(out.stdout, "difference: %s\n", found)
		return ErrDifference
	}
	if err := printRemarks(ctx, db, out.stdout); err != nil {
		return fmt.Errorf("verify %q: %w", c.DB, err)
	}
	fmt.Fprintln(out.stdout, "no difference")
	return nil
}

// maxTwins bounds the twins that are listed.
const maxTwins = 100

// printRemarks prints what is no difference and may still surprise whoever runs the service.
func printRemarks(ctx context.Context, db *verify.DB, w io.Writer) error {
	odd, first, err := db.OddClosings(ctx)
	if err != nil {
		return err
	}
	if odd > 0 {
		fmt.Fprintf(w, "note: %d closed periods do not begin and end by the clocks of this time zone, the first of them %s: right only if the service ran in another zone then\n", odd, first)
	}
	twins, err := db.Twins(ctx)
	for i, t := range twins {
		if i == maxTwins {
			fmt.Fprintf(w, "note: and %d more\n", len(twins)-maxTwins)
			break
		}
		fmt.Fprintf(w, "note: %s\n", t)
	}
	if err != nil {
		return err
	}
	kinds, err := db.Any(ctx)
	for _, kind := range kinds {
		board := kind
		if kind == "user" {
			board = "friends"
		}
		fmt.Fprintf(w, "note: the id of a %s is %s, which stands for all: a limit on %s:%[2]s counts for each board of the kind\n", kind, validate.Any, board)
	}
	return err
}

// service returns the service that --url names, or nil.
func (c *verifyCommand) service() (*verify.Service, error) {
	if c.URL == "" {
		return nil, nil
	}
	if u, err := url.Parse(c.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("--url %q is not an address; give one such as http://127.0.0.1:8080", c.URL)
	}
	verifier, err := c.verifier()
	if err != nil {
		return nil, err
	}
	caller := auth.Caller{UserID: "marcador-verify", Scopes: []string{auth.ScopeAdmin}}
	return &verify.Service{
		URL:    c.URL,
		Token:  func() (string, error) { return verifier.Sign(caller, verifyTTL) },
		Client: &http.Client{Timeout: time.Minute},
	}, nil
}

// compare compares the global board and boards of groups in each period. It prints how many it
// has compared, and the boards that changed too fast to be compared.
func (c *verifyCommand) compare(ctx context.Context, db *verify.DB, service *verify.Service, w io.Writer) (verify.Difference, error) {
	defer service.Client.CloseIdleConnections()
	groups, err := db.Boards(ctx, c.Boards)
	if err != nil {
		return "", err
	}
	boards := append([]string{"global"}, groups...)
	for _, period := range []verify.Period{verify.Daily, verify.Weekly, verify.Monthly, verify.AllTime} {
		compared, entries := 0, 0
		for _, board := range boards {
			found, n, err := db.Compare(ctx, service, board, period)
			if errors.Is(err, verify.ErrMoving) {
				fmt.Fprintf(w, "not compared: the %s board %q, which changes too fast\n", period, board)
				continue
			}
			if found != "" || err != nil {
				return found, err
			}
			compared++
			entries += n
		}
		fmt.Fprintf(w, "%d %s boards, with %d entries\n", compared, period, entries)
	}
	return "", nil
}
