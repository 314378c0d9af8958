package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Row is a row of the ledger: one change of a user's points or coins.
type Row struct {
	Seq                   int64
	XP, MLCoins           int64 // added
	XPAfter, MLCoinsAfter int64 // the totals after it
	Reason                string
	At                    time.Time
}

// History returns a user's ledger rows with a seq below before: at most limit of them, newest
// first. It refuses with UserNotFound.
func (s *Store) History(ctx context.Context, userID string, before int64, limit int) (history []Row, err error) {
	u, err := s.User(ctx, userID)
	if err != nil {
		return nil, err
	}
	rows, err := s.read.QueryContext(ctx, `
		SELECT seq, xp, ml_coins, xp_after, ml_coins_after, reason, at FROM ledger
		WHERE user = ? AND seq < ? ORDER BY seq DESC LIMIT ?`, u.Number, before, limit)
	if err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var r Row
		var at int64
		if err := rows.Scan(&r.Seq, &r.XP, &r.MLCoins, &r.XPAfter, &r.MLCoinsAfter, &r.Reason, &at); err != nil {
			return nil, fmt.Errorf("read history: %w", err)
		}
		r.At = time.UnixMilli(at).UTC()
		history = append(history, r)
	}
	return history, rows.Err()
}
