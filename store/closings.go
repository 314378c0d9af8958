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

// Closing is a period that is over.
type Closing struct {
	Number      int64
	Period      Period
	Start, Ends time.Time
	Ranks       string // how equal scores are numbered
	Entries     int    // how many places there are
}

// Final is a place in a closed period.
type Final struct {
	User        uint32
	Position    int // from 1; past Closing.Entries for who was hidden
	Rank        int
	Prior       int // the rank in the period before; 0: was not there
	Score       int64
	Reached     int64 // the seq with which it was, which is not kept
	XP, MLCoins int64 // the totals at its end
}

// LastClosed returns when the last closed period of the kind ended; where none was
// closed yet, when the first points of all were given. ok is false if there are none.
func (s *Store) LastClosed(ctx context.Context, p Period) (at time.Time, ok bool, err error) {
	var ms sql.NullInt64
	err = s.read.QueryRowContext(ctx, `
		SELECT coalesce((SELECT max(ends) FROM closings WHERE period = ? AND complete),
		                (SELECT at FROM ledger ORDER BY seq LIMIT 1))`, p.String()).Scan(&ms)
	if err != nil {
		return at, false, fmt.Errorf("read last closing: %w", err)
	}
	return time.UnixMilli(ms.Int64), ms.Valid, nil
}

// BeginClosing returns a closing that has no places yet, and is not seen before
// EndClosing. What a former attempt has left is removed.
func (s *Store) BeginClosing(ctx context.Context, c *Closing) error {
	var old int64
	err := s.read.QueryRowContext(ctx, `SELECT number FROM closings WHERE period = ? AND start = ? AND NOT complete`,
		c.Period.String(), c.Start.UnixMilli()).Scan(&old)
	if err == nil {
		err = s.removeClosing(ctx, old)
	}
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("begin closing: %w", err)
	}
	return s.do(ctx, 1, func(ctx context.Context, t *tx) error {
		err := t.conn.QueryRowContext(ctx, `
			INSERT INTO closings (period, start, ends, ranks, entries, complete) VALUES (?, ?, ?, ?, 0, 0)
			RETURNING number`,
			c.Period.String(), c.Start.UnixMilli(), c.Ends.UnixMilli(), c.Ranks).Scan(&c.Number)
		if err != nil {
			return fmt.Errorf("begin closing: %w", err)
		}
		return nil
	})
}

// Outcome calls yield with everybody who gained points in the period, in no order: with
// User, Score, Reached and XP. Totals know the last two periods of each user; of who has
// gained points in later ones since, the ledger does. It reads some users at a time and
// rests as long in between: writes share SQLite's page cache with who reads, and wait
// for it; and while somebody reads, the write-ahead log grows.
func (s *Store) Outcome(ctx context.Context, c *Closing, yield func(*Final)) error {
	const some = 10_000
	last, err := s.LastNumber(ctx)
	if err != nil {
		return err
	}
	rows, err := s.rowsOf(ctx, c)
	if err != nil {
		return err
	}
	for from := int64(0); from < last; from += some {
		began := time.Now()
		if err := s.outcome(ctx, c, rows, from, from+some, yield); err != nil {
			return fmt.Errorf("read outcome: %w", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Since(began)):
		}
	}
	return nil
}

// rowsOf returns the first seq of the period, and the first behind it. Time in the
// ledger never goes back, so they are found by halving.
func (s *Store) rowsOf(ctx context.Context, c *Closing) (rows [2]int64, err error) {
	for i, at := range []time.Time{c.Start, c.Ends} {
		low, high := int64(0), s.Seq()+1
		for low < high {
			middle := low + (high-low)/2
			var found int64
			err := s.read.QueryRowContext(ctx, `SELECT at FROM ledger WHERE seq >= ? ORDER BY seq LIMIT 1`, middle).Scan(&found)
			switch {
			case errors.Is(err, sql.ErrNoRows) || err == nil && found >= at.UnixMilli():
				high = middle
			case err != nil:
				return rows, fmt.Errorf("find the rows of a period: %w", err)
			default:
				low = middle + 1
			}
		}
		rows[i] = low
	}
	return rows, nil
}

// outcome is Outcome of the users with numbers above from and up to to.
func (s *Store) outcome(ctx context.Context, c *Closing, rows [2]int64, from, to int64, yield func(*Final)) error {
	column := [...]string{"day", "week", "month"}[c.Period]
	return s.each(ctx, func(row []driver.Value) error {
		yield(&Final{User: uint32(number(row[0])), Score: number(row[1]), Reached: number(row[2]), XP: number(row[3])})
		return nil
	}, `
		SELECT user, iif(`+column+` = ?1, `+column+`_xp, prior_`+column+`_xp),
		       iif(`+column+` = ?1, reached, `+column+`_reached), iif(`+column+` = ?1, xp, xp - `+column+`_xp)
		FROM totals WHERE user > ?3 AND user <= ?4 AND (`+column+` = ?1 OR prior_`+column+` = ?1)
		UNION ALL -- xp_after is that of the row with the highest seq
		SELECT l.user, sum(l.xp), max(l.seq), l.xp_after FROM totals t CROSS JOIN ledger l ON l.user = t.user
		WHERE t.user > ?3 AND t.user <= ?4 AND t.prior_`+column+` > ?1 AND l.seq >= ?2 AND l.seq < ?5 AND l.xp <> 0 GROUP BY l.user`,
		c.Start.UnixMilli(), rows[0], from, to, rows[1])
}

// Complete fills in what finals lack: the coins that users had at the end, and their
// ranks in the period before.
func (s *Store) Complete(ctx context.Context, c *Closing, finals []Final) error {
	byUser := make(map[uint32]*Final, len(finals))
	users := make([]uint32, len(finals))
	for i := range finals {
		users[i] = finals[i].User
		byUser[users[i]] = &finals[i]
	}
	list, err := json.Marshal(users)
	if err != nil {
		return fmt.Errorf("complete finals: %w", err)
	}
	return s.each(ctx, func(row []driver.Value) error {
		f := byUser[uint32(number(row[0]))]
		f.MLCoins, f.Prior = number(row[1]), int(number(row[2]))
		return nil
	}, `
		SELECT u.value,
		       coalesce((SELECT ml_coins_after FROM ledger WHERE user = u.value AND at < ?1 ORDER BY seq DESC LIMIT 1), 0),
		       coalesce((SELECT f.rank FROM places p JOIN finals f USING (closing, position)
		                 WHERE p.user = u.value AND p.closing = before.number AND f.position <= before.entries), 0)
		FROM json_each(?2) u LEFT JOIN closings before ON before.period = ?3 AND before.ends = ?4 AND before.complete`,
		c.Ends.UnixMilli(), string(list), c.Period.String(), c.Start.UnixMilli())
}

// AddFinals adds places to a closing, by their position: some hundreds at once, for
// which writes wait. Who was erased meanwhile is left out.
func (s *Store) AddFinals(ctx context.Context, c *Closing, finals []Final) error {
	return s.do(ctx, 1, func(ctx context.Context, t *tx) (err error) {
		stmt, err := t.conn.PrepareContext(ctx, `
			INSERT INTO finals (closing, position, user, rank, prior, score, xp, ml_coins)
			SELECT ?1, ?2, number, ?4, ?5, ?6, ?7, ?8 FROM users WHERE number = ?3`)
		if err != nil {
			return fmt.Errorf("add finals: %w", err)
		}
		defer func() { err = errors.Join(err, stmt.Close()) }()
		for i := range finals {
			f := &finals[i]
			if _, err := stmt.ExecContext(ctx, c.Number, f.Position, f.User, f.Rank, f.Prior, f.Score, f.XP, f.MLCoins); err != nil {
				return fmt.Errorf("add finals: %w", err)
			}
		}
		return nil
	})
}

// AddPlaces adds where in the closing the users are, by their numbers: as AddFinals,
// after it. The final of who was erased meanwhile is removed.
func (s *Store) AddPlaces(ctx context.Context, c *Closing, finals []Final) error {
	return s.do(ctx, 1, func(ctx context.Context, t *tx) (err error) {
		stmt, err := t.conn.PrepareContext(ctx, `
			INSERT INTO places (closing, user, position) SELECT ?1, number, ?3 FROM users WHERE number = ?2`)
		if err != nil {
			return fmt.Errorf("add places: %w", err)
		}
		defer func() { err = errors.Join(err, stmt.Close()) }()
		for i := range finals {
			f := &finals[i]
			result, err := stmt.ExecContext(ctx, c.Number, f.User, f.Position)
			if err != nil {
				return fmt.Errorf("add places: %w", err)
			}
			if added, err := result.RowsAffected(); err != nil || added == 1 {
				continue // this driver has no such error
			}
			t.remnants = true
			if _, err := t.conn.ExecContext(ctx, `DELETE FROM finals WHERE closing = ? AND position = ?`, c.Number, f.Position); err != nil {
				return fmt.Errorf("remove final: %w", err)
			}
		}
		return nil
	})
}

// EndClosing makes the closing one that is seen.
func (s *Store) EndClosing(ctx context.Context, c *Closing) error {
	return s.do(ctx, 1, func(ctx context.Context, t *tx) error {
		result, err := t.conn.ExecContext(ctx, `UPDATE closings SET entries = ?, complete = 1 WHERE number = ?`, c.Entries, c.Number)
		if err != nil {
			return fmt.Errorf("end closing: %w", err)
		}
		if n, err := result.RowsAffected(); err != nil || n != 1 {
			return fmt.Errorf("end closing %d: it is gone (%w)", c.Number, err)
		}
		return nil
	})
}

// Prune removes the closings that ended before that time, and the memberships that did.
func (s *Store) Prune(ctx context.Context, before time.Time) error {
	for {
		var number int64
		err := s.read.QueryRowContext(ctx, `SELECT number FROM closings WHERE ends < ? ORDER BY ends LIMIT 1`, before.UnixMilli()).Scan(&number)
		if errors.Is(err, sql.ErrNoRows) {
			break
		}
		if err == nil {
			err = s.removeClosing(ctx, number)
		}
		if err != nil {
			return fmt.Errorf("prune: %w", err)
		}
	}
	last, err := s.LastNumber(ctx)
	if err != nil {
		return err
	}
	for from := int64(0); from < last; from += atOnce {
		if err := s.do(ctx, 1, func(ctx context.Context, t *tx) error {
			_, err := t.conn.ExecContext(ctx, `DELETE FROM memberships WHERE user > ? AND user <= ? AND until < ?`,
				from, from+atOnce, before.UnixMilli())
			return err
		}); err != nil {
			return fmt.Errorf("prune memberships: %w", err)
		}
	}
	return nil
}

// atOnce is how many rows are removed in one transaction, for which writes wait.
const atOnce = 2000

// removeClosing removes a closing with its places, some at a time.
func (s *Store) removeClosing(ctx context.Context, number int64) error {
	err := s.do(ctx, 1, func(ctx context.Context, t *tx) error {
		_, err := t.conn.ExecContext(ctx, `UPDATE closings SET complete = 0 WHERE number = ?`, number)
		return err
	})
	if err != nil {
		return err
	}
	for more := true; more; {
		err := s.do(ctx, 1, func(ctx context.Context, t *tx) error {
			removed := int64(0)
			for _, query := range []string{
				`DELETE FROM finals WHERE closing = ?1 AND position IN (SELECT position FROM finals WHERE closing = ?1 LIMIT ?2)`,
				`DELETE FROM gaps WHERE closing = ?1 AND (kind, group_id, position) IN (SELECT kind, group_id, position FROM gaps WHERE closing = ?1 LIMIT ?2)`,
				`DELETE FROM places WHERE closing = ?1 AND user IN (SELECT user FROM places WHERE closing = ?1 LIMIT ?2)`,
			} {
				result, err := t.conn.ExecContext(ctx, query, number, atOnce)
				if err != nil {
					return fmt.Errorf("remove closing: %w", err)
				}
				n, err := result.RowsAffected()
				if err != nil {
					return fmt.Errorf("remove closing: %w", err)
				}
				removed += n
			}
			if more = removed > 0; more {
				return nil
			}
			_, err := t.conn.ExecContext(ctx, `DELETE FROM closings WHERE number = ?`, number)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
