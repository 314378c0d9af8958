package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// PastStanding is a user's points as of a moment in the past.
type PastStanding struct {
	User        uint32
	XP, Reached int64 // Reached is the seq of the row that changed XP last
	At          int64 // the time of that row, in Unix milliseconds
}

// LastSeqBefore returns the seq of the last ledger row that is earlier than a moment, or 0 if there
// is none. It relies on the ledger's times never decreasing. O(log seq) reads.
func (s *Store) LastSeqBefore(ctx context.Context, moment time.Time) (int64, error) {
	low, high := int64(0), s.Seq() // rows up to low are earlier than the moment, rows above high are not
	for low < high {
		mid := low + (high-low)/2
		row := [2]int64{high + 1, moment.UnixMilli()} // if no row follows mid
		err := s.each(ctx, func(found []driver.Value) error {
			row = [2]int64{number(found[0]), number(found[1])}
			return nil
		}, `SELECT seq, at FROM ledger WHERE seq > ? ORDER BY seq LIMIT 1`, mid)
		if err != nil {
			return 0, fmt.Errorf("find a moment in the ledger: %w", err)
		}
		if row[1] < moment.UnixMilli() {
			low = row[0]
		} else {
			high = mid
		}
	}
	return low, nil
}

// PointsAround returns the time of the last change of points before a moment, and of the first one
// at the moment or after it; the zero time for none. It relies on the ledger's times never
// decreasing.
func (s *Store) PointsAround(ctx context.Context, moment time.Time) (before, after time.Time, err error) {
	seq, err := s.LastSeqBefore(ctx, moment)
	if err != nil {
		return before, after, err
	}
	for _, side := range []struct {
		at    *time.Time
		query string
	}{
		{&before, `SELECT at FROM ledger WHERE seq <= ? AND xp <> 0 ORDER BY seq DESC LIMIT 1`},
		{&after, `SELECT at FROM ledger WHERE seq > ? AND xp <> 0 ORDER BY seq LIMIT 1`},
	} {
		var ms int64
		err := s.read.QueryRowContext(ctx, side.query, seq).Scan(&ms)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return before, after, fmt.Errorf("find the points around a moment: %w", err)
		}
		*side.at = time.UnixMilli(ms)
	}
	return before, after, nil
}

// PastStandings calls yield with each user's past standing at a seq, in no order. Users who had no
// points yet, or who were erased since, are left out. For each user it reads ledger rows from that
// seq back to the last one that changed points: usually one.
func (s *Store) PastStandings(ctx context.Context, users []uint32, seq int64, yield func(PastStanding)) error {
	list, err := json.Marshal(users)
	if err != nil {
		return fmt.Errorf("read past points: %w", err)
	}
	return s.each(ctx, func(row []driver.Value) error {
		yield(PastStanding{User: uint32(number(row[0])), XP: number(row[1]), Reached: number(row[2]), At: number(row[3])})
		return nil
	}, `
		SELECT l.user, l.xp_after, l.seq, l.at FROM json_each(?) u CROSS JOIN ledger l ON l.seq = (
			SELECT seq FROM ledger WHERE user = u.value AND seq <= ? AND xp <> 0 ORDER BY seq DESC LIMIT 1)`, string(list), seq)
}

// PastStandingsOfChanged returns the standings at version, in no order, of the users whose points
// changed after the seq after, up to and including upTo. A user who had no points at version has a
// standing of zero. Users who were erased since are left out.
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
