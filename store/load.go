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
	Active  bool // whether Periods are known: those who have gained points lately
}

// Parts is how many readers share a table between them when all of it is read.
const Parts = 2

// LastNumber returns the highest user number there is, 0 for none.
func (s *Store) LastNumber(ctx context.Context) (last int64, err error) {
	if err := s.read.QueryRowContext(ctx, `SELECT coalesce(max(number), 0) FROM users`).Scan(&last); err != nil {
		return 0, fmt.Errorf("read last number: %w", err)
	}
	return last, nil
}

// People calls yield with every user, in no order, until it returns an error. It is
// called by Parts goroutines at once, each of which has its own part, from 0. Those are
// active who have gained points since, which must be the start of a month. Numbers above
// last are left out: they are of who has come meanwhile.
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
			       -- One column, since each costs as much as reading it.
			       iif(t.month >= ?, format('%d %d %d %d %d %d %d %d %d %d %d %d %d %d %d', `+periodColumns+`), NULL)
			FROM users u JOIN totals t ON t.user = u.number
			WHERE u.number > ? AND u.number <= ?`, since.UnixMilli(), from, to)
	})
}

// unpack reads the columns of windows from where they stand in one text.
func (st *Totals) unpack(packed string) {
	for i := range st.Periods {
		w := &st.Periods[i]
		for _, to := range []*int64{&w.Start, &w.XP, &w.Reached, &w.PriorStart, &w.PriorXP} {
			var word string
			word, packed, _ = strings.Cut(packed, " ")
			*to, _ = strconv.ParseInt(word, 10, 64) // it was a number
		}
	}
}

// inParts calls read for each part of the users' numbers, at the same time.
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

// Totals is a user's totals with the points of the periods.
type Totals struct {
	User        uint32
	Hidden      bool
	Since       int64 // when the user was first seen on the board; Unix milliseconds
	XP, Reached int64
	Periods     [Ending]PeriodTotals
}

// In returns what the user had gained in the period that began then, and the seq with
// which that was reached; ok is false where it was nothing, or is not known any more.
func (st *Totals) In(p Period, start int64) (xp, reached int64, ok bool) {
	switch w := &st.Periods[p]; start {
	case w.Start:
		return w.XP, st.Reached, w.Start != 0
	case w.PriorStart:
		return w.PriorXP, w.Reached, w.PriorStart != 0
	}
	return 0, 0, false
}

// At returns the user's total when the period began that is given by its start, and
// has not ended.
func (st *Totals) At(p Period, start int64) (xp, reached int64) {
	if w := &st.Periods[p]; w.Start == start {
		return st.XP - w.XP, w.Reached
	}
	return st.XP, st.Reached
}

// Members calls yield with every member of a board: of the group that its name has
// behind its kind, or, of the kind friends, of the user and the friends that count.
func (s *Store) Members(ctx context.Context, board string, yield func(st *Totals) error) error {
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
	var st Totals
	return s.each(ctx, func(row []driver.Value) error {
		st.User, st.Hidden, st.Since = uint32(number(row[0])), number(row[1]) != 0, number(row[2])
		st.XP, st.Reached = number(row[3]), number(row[4])
		for i := range st.Periods {
			w := row[5+5*i:]
			st.Periods[i] = PeriodTotals{number(w[0]), number(w[1]), number(w[2]), number(w[3]), number(w[4])}
		}
		return yield(&st)
	}, query, args...)
}

// each calls yield with each row of a query, which is the driver's until the next one.
// database/sql would double the time that a million rows take.
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
		rows, err := driverConn.(driver.QueryerContext).QueryContext(ctx, query, named) //nolint:errcheck // this driver's are
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

// number is a column that the schema says is an integer.
func number(v driver.Value) int64 {
	n, _ := v.(int64)
	return n
}

// text is a column that the schema says is a text.
func text(v driver.Value) string {
	s, _ := v.(string)
	return s
}

// IsMember reports whether the user is in the group that the board's name has behind
// its kind.
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

// PastStanding is where a user stood once.
type PastStanding struct {
	User        uint32
	XP, Reached int64
	At          int64 // when it was reached; Unix milliseconds
}

// Before returns, of the users whose points changed with a seq above after and up
// to upTo, where they stood at the seq version, in no order. Who is erased since
// is missing.
func (s *Store) PastStandingsOfChanged(ctx context.Context, version, after, upTo int64) (list []PastStanding, err error) {
	rows, err := s.read.QueryContext(ctx, `
		SELECT u.user, coalesce(l.xp_after, 0), coalesce(l.seq, 0), coalesce(l.at, 0)
		FROM (SELECT DISTINCT user FROM ledger WHERE seq > ?2 AND seq <= ?3 AND xp <> 0) u
		LEFT JOIN ledger l ON l.seq = (
			SELECT seq FROM ledger WHERE user = u.user AND seq <= ?1 AND xp <> 0 ORDER BY seq DESC LIMIT 1)`, version, after, upTo)
	if err != nil {
		return nil, fmt.Errorf("read past scores: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var p PastStanding
		if err := rows.Scan(&p.User, &p.XP, &p.Reached, &p.At); err != nil {
			return nil, fmt.Errorf("read past scores: %w", err)
		}
		list = append(list, p)
	}
	return list, rows.Err()
}

// LastSeen returns the ledger's last row, up to a seq, of a user who is not hidden; the
// zero value for none. O(1) and the rows of hidden users behind it.
func (s *Store) LastSeen(ctx context.Context, upTo int64) (last Stamp, err error) {
	return last, s.each(ctx, func(row []driver.Value) error {
		last = Stamp{number(row[0]), time.UnixMilli(number(row[1])).UTC()}
		return nil
	}, `
		SELECT l.seq, l.at FROM ledger l CROSS JOIN users u ON u.number = l.user AND NOT u.hidden
		WHERE l.seq <= ? ORDER BY l.seq DESC LIMIT 1`, upTo)
}

// LastOf returns the ledger's last row, up to a seq, of any of the users; the zero value
// for none. Of many users one has written lately, most likely: that is looked at first.
// Else O(users).
func (s *Store) LastOf(ctx context.Context, users []uint32, upTo int64) (last Stamp, err error) {
	const many = 500 // as many looks into an index take as long as reading ten times as many rows
	take := func(row []driver.Value) {
		if seq := number(row[0]); seq > last.Seq {
			last = Stamp{seq, time.UnixMilli(number(row[1])).UTC()}
		}
	}
	if len(users) > many {
		is := make(map[uint32]struct{}, len(users))
		for _, user := range users {
			is[user] = struct{}{}
		}
		err = s.each(ctx, func(row []driver.Value) error {
			if _, one := is[uint32(number(row[2]))]; one {
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
