package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Person is a user with their totals.
type Person struct {
	Totals

	ID      string
	MLCoins int64
	Active  bool // whether Periods is set: the user's points have changed lately
}

// Parts is how many goroutines share the users when all of them are read.
const Parts = 2

// LastNumber returns the highest user number, or 0 if there are no users.
func (s *Store) LastNumber(ctx context.Context) (last int64, err error) {
	if err := s.read.QueryRowContext(ctx, `SELECT coalesce(max(number), 0) FROM users`).Scan(&last); err != nil {
		return 0, fmt.Errorf("read last number: %w", err)
	}
	return last, nil
}

// People calls yield with every user up to the number last, in no order, until yield returns an
// error. Parts goroutines call it at the same time, each with its own part, from 0; the person is
// the caller's until yield returns. Users are Active if their points have changed since a time,
// which must be the start of a month.
func (s *Store) People(ctx context.Context, last int64, since time.Time, yield func(part int, p *Person) error) error {
	return inParts(ctx, last, func(ctx context.Context, part int, from, to int64) error {
		var p Person
		return s.each(ctx, func(row []driver.Value) error {
			p.User, p.ID, p.Since = uint32(number(row[0])), text(row[1]), number(row[2])
			p.Hidden = p.Since < 0
			p.XP, p.MLCoins, p.Reached = number(row[3]), number(row[4]), number(row[5])
			packed := text(row[6])
			if p.Active = packed != ""; p.Active {
				p.unpack(packed)
			}
			return yield(part, &p)
		}, `
			SELECT u.number, u.id, iif(u.hidden, -1, u.seen_since), t.xp, t.ml_coins, t.reached,
			       -- One column for 15: each column of a result costs as much as reading it.
			       iif(t.month >= ?, format('%d %d %d %d %d %d %d %d %d %d %d %d %d %d %d', `+periodColumns+`), NULL)
			FROM users u JOIN totals t ON t.user = u.number
			WHERE u.number > ? AND u.number <= ?`, since.UnixMilli(), from, to)
	})
}

// unpack sets Periods from the values of periodColumns in one text.
func (t *Totals) unpack(packed string) {
	for i := range t.Periods {
		p := &t.Periods[i]
		for _, to := range []*int64{&p.Start, &p.XP, &p.Reached, &p.PriorStart, &p.PriorXP} {
			var word string
			word, packed, _ = strings.Cut(packed, " ")
			*to, _ = strconv.ParseInt(word, 10, 64) // SQLite wrote it with %d
		}
	}
}

// inParts calls read at the same time for each part of the users: those with numbers above from, up
// to and including to.
func inParts(ctx context.Context, last int64, read func(ctx context.Context, part int, from, to int64) error) error {
	var err error
	failures := make(chan error, Parts)
	for part := range int64(Parts) {
		go func() { failures <- read(ctx, int(part), last*part/Parts, last*(part+1)/Parts) }()
	}
	for range Parts {
		err = errors.Join(err, <-failures)
	}
	return err
}

// Totals are a user's points: in all, and in the last periods.
type Totals struct {
	User        uint32
	Hidden      bool
	Since       int64 // since when others see the user on the board, in Unix milliseconds
	XP, Reached int64 // Reached is the seq of the last change of XP
	Periods     [Ending]PeriodTotals
}

// In returns the user's points in the period that begins at start, and the seq of their last
// change. ok is false if the user's points did not change in that period, or changed in two later
// ones.
func (t *Totals) In(p Period, start int64) (xp, reached int64, ok bool) {
	switch of := &t.Periods[p]; start {
	case of.Start:
		return of.XP, t.Reached, of.Start != 0
	case of.PriorStart:
		return of.PriorXP, of.Reached, of.PriorStart != 0
	}
	return 0, 0, false
}

// At returns the user's total, and the seq of its last change, when the present period began.
// start is the beginning of that period.
func (t *Totals) At(p Period, start int64) (xp, reached int64) {
	if of := &t.Periods[p]; of.Start == start {
		return t.XP - of.XP, of.Reached
	}
	return t.XP, t.Reached
}

// Members calls yield with every user of a group's board, or of a board of friends: the user whose
// board it is, and that user's friends. The totals are the caller's until yield returns.
func (s *Store) Members(ctx context.Context, board string, yield func(t *Totals) error) error {
	kind, id, _ := strings.Cut(board, ":")
	if kind == Friends {
		return s.totalsOf(ctx, `
			SELECT u.number, u.hidden, max(u.seen_since, m.since), t.xp, t.reached, `+periodColumns+`
			FROM (SELECT user, since FROM `+s.friendsOf+`
			      UNION ALL SELECT number, 0 FROM users WHERE id = ?1) m
			JOIN users u ON u.number = m.user JOIN totals t ON t.user = m.user`, yield, id)
	}
	return s.totalsOf(ctx, `
		SELECT u.number, u.hidden, max(u.seen_since, m.since), t.xp, t.reached, `+periodColumns+`
		FROM memberships m JOIN users u ON u.number = m.user JOIN totals t ON t.user = m.user
		WHERE m.kind = ? AND m.group_id = ? AND m.until IS NULL`, yield, kind, id)
}

// Friends is the kind of the boards of friends.
const Friends = "friends"

const periodColumns = `
	t.day, t.day_xp, t.day_reached, t.prior_day, t.prior_day_xp,
	t.week, t.week_xp, t.week_reached, t.prior_week, t.prior_week_xp,
	t.month, t.month_xp, t.month_reached, t.prior_month, t.prior_month_xp`

func (s *Store) totalsOf(ctx context.Context, query string, yield func(*Totals) error, args ...any) error {
	var t Totals
	return s.each(ctx, func(row []driver.Value) error {
		t.User, t.Hidden, t.Since = uint32(number(row[0])), number(row[1]) != 0, number(row[2])
		t.XP, t.Reached = number(row[3]), number(row[4])
		for i := range t.Periods {
			p := row[5+5*i:]
			t.Periods[i] = PeriodTotals{number(p[0]), number(p[1]), number(p[2]), number(p[3]), number(p[4])}
		}
		return yield(&t)
	}, query, args...)
}

// each calls yield with each row of a query. The row is valid until yield returns. It uses the
// driver directly, since database/sql would double the time that a million rows take.
func (s *Store) each(ctx context.Context, yield func(row []driver.Value) error, query string, args ...any) error {
	conn, err := s.read.Conn(ctx)
	if err != nil {
		return fmt.Errorf("read rows: %w", err)
	}
	return errors.Join(each(ctx, conn, yield, query, args...), conn.Close())
}

// each is Store.each through a connection.
func each(ctx context.Context, conn *sql.Conn, yield func(row []driver.Value) error, query string, args ...any) error {
	named := make([]driver.NamedValue, len(args))
	for i, arg := range args {
		named[i] = driver.NamedValue{Ordinal: i + 1, Value: arg}
	}
	return conn.Raw(func(driverConn any) (err error) {
		rows, err := driverConn.(driver.QueryerContext).QueryContext(ctx, query, named) //nolint:errcheck // this driver's connections are
		if err != nil {
			return fmt.Errorf("read rows: %w", err)
		}
		defer func() { err = errors.Join(err, rows.Close()) }()
		row := make([]driver.Value, len(rows.Columns()))
		for {
			err := rows.Next(row)
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return fmt.Errorf("read rows: %w", err)
			}
			if err := yield(row); err != nil {
				return err
			}
		}
	})
}

// number returns a column that the schema declares as INTEGER; 0 for NULL.
func number(v driver.Value) int64 {
	n, _ := v.(int64)
	return n
}

// text returns a column that the schema declares as TEXT; "" for NULL.
func text(v driver.Value) string {
	s, _ := v.(string)
	return s
}

// IsMember reports whether the user is a member of the group that a board belongs to.
func (s *Store) IsMember(ctx context.Context, board, userID string) (is bool, err error) {
	kind, id, _ := strings.Cut(board, ":")
	err = s.read.QueryRowContext(ctx, `
		SELECT EXISTS (SELECT 1 FROM memberships m JOIN users u ON u.number = m.user
		               WHERE u.id = ? AND m.kind = ? AND m.group_id = ? AND m.until IS NULL)`, userID, kind, id).Scan(&is)
	if err != nil {
		return false, fmt.Errorf("read membership: %w", err)
	}
	return is, nil
}

// LastSeen returns the stamp of the last ledger row, up to a seq, of a user who is not hidden; the
// zero stamp for none. O(rows of hidden users that are later).
func (s *Store) LastSeen(ctx context.Context, upTo int64) (last Stamp, err error) {
	return last, s.each(ctx, func(row []driver.Value) error {
		last = Stamp{number(row[0]), time.UnixMilli(number(row[1])).UTC()}
		return nil
	}, `
		SELECT l.seq, l.at FROM ledger l CROSS JOIN users u ON u.number = l.user AND NOT u.hidden
		WHERE l.seq <= ? ORDER BY l.seq DESC LIMIT 1`, upTo)
}

// LastOf returns the stamp of the last ledger row, up to a seq, of any of the users; the zero stamp
// for none. If there are many users, it first reads the ledger's latest rows, since one of them is
// most likely by one of the users. Otherwise O(users).
func (s *Store) LastOf(ctx context.Context, users []uint32, upTo int64) (last Stamp, err error) {
	const many = 500 // reading as many index entries takes as long as reading ten times as many rows
	take := func(row []driver.Value) {
		if seq := number(row[0]); seq > last.Seq {
			last = Stamp{seq, time.UnixMilli(number(row[1])).UTC()}
		}
	}
	if len(users) > many {
		wanted := make(map[uint32]struct{}, len(users))
		for _, user := range users {
			wanted[user] = struct{}{}
		}
		err = s.each(ctx, func(row []driver.Value) error {
			if _, ok := wanted[uint32(number(row[2]))]; ok {
				take(row)
			}
			return nil
		}, `SELECT seq, at, user FROM ledger WHERE seq <= ? ORDER BY seq DESC LIMIT ?`, upTo, int64(10*many))
		if err != nil || last.Seq > 0 {
			return last, err
		}
	}
	list, err := json.Marshal(users)
	if err != nil {
		return last, fmt.Errorf("read last rows: %w", err)
	}
	return last, s.each(ctx, func(row []driver.Value) error {
		take(row)
		return nil
	}, `
		SELECT l.seq, l.at FROM json_each(?) u CROSS JOIN ledger l ON l.seq = (
			SELECT seq FROM ledger WHERE user = u.value AND seq <= ? ORDER BY seq DESC LIMIT 1)`, string(list), upTo)
}
