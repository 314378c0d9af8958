package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Standing is where a user stands, now and at the start of the day.
type Standing struct {
	User        uint32
	ID          string
	XP, MLCoins int64
	Reached     int64

	// At the start of the day that Standings was asked about.
	There       bool // whether there was such a user
	XPThen      int64
	ReachedThen int64
}

// Standings calls yield with every user, in no order, until it returns an
// error. day is the start of a day; users must not have gained points after it.
func (s *Store) Standings(ctx context.Context, day time.Time, yield func(Standing) error) (err error) {
	rows, err := s.read.QueryContext(ctx, `
		SELECT u.number, u.id, u.created_at < ?1, t.xp, t.ml_coins, t.reached,
		       t.xp - iif(t.day >= ?1, t.day_xp, 0), iif(t.day >= ?1, t.day_reached, t.reached)
		FROM users u JOIN totals t ON t.user = u.number`, day.UnixMilli())
	if err != nil {
		return fmt.Errorf("read standings: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var st Standing
		if err := rows.Scan(&st.User, &st.ID, &st.There, &st.XP, &st.MLCoins, &st.Reached, &st.XPThen, &st.ReachedThen); err != nil {
			return fmt.Errorf("read standings: %w", err)
		}
		if err := yield(st); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Past is where a user stood once.
type Past struct {
	User        uint32
	XP, Reached int64
}

// Before returns, of the users whose points changed with a seq above after and up
// to upTo, where they stood at the seq version, in no order. Who is erased since
// is missing.
func (s *Store) Before(ctx context.Context, version, after, upTo int64) (list []Past, err error) {
	rows, err := s.read.QueryContext(ctx, `
		SELECT u.user,
		       coalesce((SELECT xp_after FROM ledger WHERE user = u.user AND seq <= ?1 ORDER BY seq DESC LIMIT 1), 0),
		       coalesce((SELECT seq FROM ledger WHERE user = u.user AND seq <= ?1 AND xp <> 0 ORDER BY seq DESC LIMIT 1), 0)
		FROM (SELECT DISTINCT user FROM ledger WHERE seq > ?2 AND seq <= ?3 AND xp <> 0) u`, version, after, upTo)
	if err != nil {
		return nil, fmt.Errorf("read past scores: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var p Past
		if err := rows.Scan(&p.User, &p.XP, &p.Reached); err != nil {
			return nil, fmt.Errorf("read past scores: %w", err)
		}
		list = append(list, p)
	}
	return list, rows.Err()
}

// XPAt returns the user's points at a seq, 0 where there were none or there is no
// such user.
func (s *Store) XPAt(ctx context.Context, userID string, seq int64) (xp int64, err error) {
	err = s.read.QueryRowContext(ctx, `
		SELECT xp_after FROM ledger WHERE user = (SELECT number FROM users WHERE id = ?) AND seq <= ?
		ORDER BY seq DESC LIMIT 1`, userID, seq).Scan(&xp)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("read past points: %w", err)
	}
	return xp, nil
}

// Badge is a rank that a total earns.
type Badge struct {
	MinXP int64
	Name  string
}

// Badges returns the table of badges, lowest first.
func (s *Store) Badges(ctx context.Context) (badges []Badge, err error) {
	rows, err := s.read.QueryContext(ctx, `SELECT min_xp, name FROM badges ORDER BY min_xp`)
	if err != nil {
		return nil, fmt.Errorf("read badges: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var b Badge
		if err := rows.Scan(&b.MinXP, &b.Name); err != nil {
			return nil, fmt.Errorf("read badges: %w", err)
		}
		badges = append(badges, b)
	}
	return badges, rows.Err()
}
