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

// How a period is closed:
//
//	          BeginClosing             EndClosing             Prune
//	(no row) ─────────────▶ incomplete ──────────▶ complete ─────────▶ incomplete ─▶ (no row)
//	                        │        ▲               readers           places are
//	             AddFinals, │        │ BeginClosing  see it            removed, some
//	             AddPlaces  │        │ starts again                    at a time
//	                        └────────┘
//	                    a crash in between
//
// Each arrow is one or more transactions. So other writes never wait for a whole closing, and a
// crash at any moment leaves either no closing that readers see, or a whole one.

// Closing is a period that is over.
type Closing struct {
	Number      int64
	Period      Period
	Start, Ends time.Time // Ends is when the next period starts
	Ranks       string    // how equal scores are numbered: ordinal, competition or dense
	Entries     int       // the number of places, without hidden users
}

// Final is a user's place in a closed period.
type Final struct {
	User        uint32
	Position    int // from 1; hidden users come behind Closing.Entries
	Rank        int
	Prior       int   // the rank in the period before; 0 if the user was not on that board
	Score       int64 // points gained in the period
	Reached     int64 // the seq of the last change of the score; not stored
	XP, MLCoins int64 // total points and coins at the end of the period
}

// LastClosed returns when the last closed period of the kind ended. If none was closed yet, it
// returns when the first points were given. ok is false if no points were given yet.
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

// BeginClosing adds a closing without places and sets its Number. Readers do not see it before
// EndClosing. It first removes what an attempt that was interrupted has left.
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

// Outcome calls yield with each user whose points changed in the period, in no order, with User,
// Score, Reached and XP set. Totals have the last two periods of each user. For users who gained
// points in two later periods it sums the ledger's rows.
//
// It reads 10,000 users at a time and then rests as long as that took. Otherwise writes would wait,
// since they share the page cache with readers, and the write-ahead log would grow all the while.
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

// rowsOf returns the seqs between which the period's ledger rows lie: the first is included, the
// second is not. The ledger's times never decrease, so a binary search finds both.
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

// outcome is Outcome for the users with numbers above from, up to and including to.
func (s *Store) outcome(ctx context.Context, c *Closing, rows [2]int64, from, to int64, yield func(*Final)) error {
	column := [...]string{"day", "week", "month"}[c.Period]
	return s.each(ctx, func(row []driver.Value) error {
		yield(&Final{User: uint32(number(row[0])), Score: number(row[1]), Reached: number(row[2]), XP: number(row[3])})
		return nil
	}, `
		SELECT user, iif(`+column+` = ?1, `+column+`_xp, prior_`+column+`_xp),
		       iif(`+column+` = ?1, reached, `+column+`_reached), iif(`+column+` = ?1, xp, xp - `+column+`_xp)
		FROM totals WHERE user > ?3 AND user <= ?4 AND (`+column+` = ?1 OR prior_`+column+` = ?1)
		UNION ALL -- beside max(l.seq), SQLite takes xp_after from the row with that seq
		SELECT l.user, sum(l.xp), max(l.seq), l.xp_after FROM totals t CROSS JOIN ledger l ON l.user = t.user
		WHERE t.user > ?3 AND t.user <= ?4 AND t.prior_`+column+` > ?1 AND l.seq >= ?2 AND l.seq < ?5 AND l.xp <> 0 GROUP BY l.user`,
		c.Start.UnixMilli(), rows[0], from, to, rows[1])
}

// Complete sets MLCoins and Prior of finals: the coins at the end of the period, and the rank in
// the period before.
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

// AddFinals adds places to a closing, in the order of their positions. Other writes wait for it, so
// it should get some hundreds at a time. Users who were erased meanwhile are left out.
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

// AddPlaces adds the position of each user, in the order of their numbers, after AddFinals has
// added all places. It also gets some hundreds at a time. If a user was erased since AddFinals, it
// removes their place.
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
				continue // err is always nil with this driver
			}
			t.remnants = true
			if _, err := t.conn.ExecContext(ctx, `DELETE FROM finals WHERE closing = ? AND position = ?`, c.Number, f.Position); err != nil {
				return fmt.Errorf("remove final: %w", err)
			}
		}
		return nil
	})
}

// EndClosing makes readers see the closing. Its Entries must be set.
func (s *Store) EndClosing(ctx context.Context, c *Closing) error {
	return s.do(ctx, 1, func(ctx context.Context, t *tx) error {
		result, err := t.conn.ExecContext(ctx, `UPDATE closings SET entries = ?, complete = 1 WHERE number = ?`, c.Entries, c.Number)
		if err != nil {
			return fmt.Errorf("end closing: %w", err)
		}
		if n, err := result.RowsAffected(); err != nil || n != 1 {
			return fmt.Errorf("end closing %d: it was removed (%w)", c.Number, err)
		}
		return nil
	})
}

// Prune removes the closings and the memberships that ended before a time.
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

// atOnce is how many rows are removed in one transaction. Other writes wait for it.
const atOnce = 2000

// removeClosing removes a closing and its places, in several transactions.
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
