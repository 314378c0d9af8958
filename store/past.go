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

// LastSeqBefore returns a seq up to which the ledger's rows are of before the moment, and
// above which they are not; 0 where there is no earlier row. It relies on time in the
// ledger never going back. O(log(seq)) looks into the ledger.
func (s *Store) LastSeqBefore(ctx context.Context, moment time.Time) (int64, error) {
	low, high := int64(0), s.Seq() // rows up to low are before, those above high are not
	for low < high {
		mid := low + (high-low)/2
		row := [2]int64{high + 1, moment.UnixMilli()} // where there is none
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

// Around returns the times of the last row of the ledger before the moment, and of the first
// one from it on, that gave or took points; the zero value for none. It relies on time in
// the ledger never going back.
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

// PastStandings calls yield with where the users stood at a seq, in no order; who had no
// points yet, or is gone, is missing. A look into an index for each, and one into the
// ledger for each row of coins alone that has come since their last points.
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
