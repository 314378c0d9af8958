package store

import (
	"context"
	"database/sql"
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
	XP, MLCoins int64 // the totals at its end
	Hidden      bool
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
	return s.do(ctx, func(ctx context.Context, t *tx) error {
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

// Outcome calls yield with everybody who gained points in the period, best first:
// Position and Rank are the caller's to give. Totals know the last two periods of each
// user; of who has gained points in later ones since, it reads the ledger. It holds up
// no write.
func (s *Store) Outcome(ctx context.Context, c *Closing, yield func(*Final) error) (err error) {
	column := [...]string{"day", "week", "month"}[c.Period]
	rows, err := s.read.QueryContext(ctx, `
		WITH gained (user, score, reached, xp) AS (
			SELECT user, `+column+`_xp, reached, xp FROM totals WHERE `+column+` = ?1
			UNION ALL
			SELECT user, prior_`+column+`_xp, `+column+`_reached, xp - `+column+`_xp FROM totals WHERE prior_`+column+` = ?1
			UNION ALL -- xp_after is that of the row with the highest seq
			SELECT l.user, sum(l.xp), max(l.seq), l.xp_after FROM totals t CROSS JOIN ledger l ON l.user = t.user
			WHERE t.prior_`+column+` > ?1 AND l.at >= ?1 AND l.at < ?2 AND l.xp <> 0 GROUP BY l.user
		)
		SELECT g.user, u.hidden, g.score, g.reached, g.xp,
		       coalesce((SELECT ml_coins_after FROM ledger WHERE user = g.user AND at < ?2 ORDER BY seq DESC LIMIT 1), 0),
		       coalesce((SELECT f.rank FROM places p JOIN finals f USING (closing, position)
		                 WHERE p.user = g.user AND p.closing = before.number AND f.position <= before.entries), 0)
		FROM gained g JOIN users u ON u.number = g.user
		LEFT JOIN closings before ON before.period = ?3 AND before.ends = ?1 AND before.complete
		ORDER BY g.score DESC, g.reached`,
		c.Start.UnixMilli(), c.Ends.UnixMilli(), c.Period.String())
	if err != nil {
		return fmt.Errorf("read outcome: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var f Final
	var reached int64
	for rows.Next() {
		if err := rows.Scan(&f.User, &f.Hidden, &f.Score, &reached, &f.XP, &f.MLCoins, &f.Prior); err != nil {
			return fmt.Errorf("read outcome: %w", err)
		}
		if err := yield(&f); err != nil {
			return err
		}
	}
	return rows.Err()
}

// AddFinals adds places to a closing, by their position: some hundreds at once, for
// which writes wait. Who was erased meanwhile is left out.
func (s *Store) AddFinals(ctx context.Context, c *Closing, finals []Final) error {
	return s.do(ctx, func(ctx context.Context, t *tx) (err error) {
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

// Place is where in a closing a user is.
type Place struct {
	User     uint32
	Position int
}

// AddPlaces adds what finals say the other way round, by the users' numbers: as
// AddFinals.
func (s *Store) AddPlaces(ctx context.Context, c *Closing, places []Place) error {
	return s.do(ctx, func(ctx context.Context, t *tx) (err error) {
		stmt, err := t.conn.PrepareContext(ctx, `
			INSERT INTO places (closing, user, position)
			SELECT closing, user, position FROM finals WHERE closing = ?1 AND position = ?2`)
		if err != nil {
			return fmt.Errorf("add places: %w", err)
		}
		defer func() { err = errors.Join(err, stmt.Close()) }()
		for _, p := range places {
			if _, err := stmt.ExecContext(ctx, c.Number, p.Position); err != nil {
				return fmt.Errorf("add places: %w", err)
			}
		}
		return nil
	})
}

// EndClosing makes the closing one that is seen.
func (s *Store) EndClosing(ctx context.Context, c *Closing) error {
	return s.do(ctx, func(ctx context.Context, t *tx) error {
		if _, err := t.conn.ExecContext(ctx, `UPDATE closings SET entries = ?, complete = 1 WHERE number = ?`, c.Entries, c.Number); err != nil {
			return fmt.Errorf("end closing: %w", err)
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
		if err := s.do(ctx, func(ctx context.Context, t *tx) error {
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
	err := s.do(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.conn.ExecContext(ctx, `UPDATE closings SET complete = 0 WHERE number = ?`, number)
		return err
	})
	if err != nil {
		return err
	}
	for more := true; more; {
		err := s.do(ctx, func(ctx context.Context, t *tx) error {
			removed := int64(0)
			for _, query := range []string{
				`DELETE FROM finals WHERE closing = ?1 AND position IN (SELECT position FROM finals WHERE closing = ?1 LIMIT ?2)`,
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
