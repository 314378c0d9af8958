package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Badge is a title that users have from a number of points on.
type Badge struct {
	MinXP int64 // the least points in all
	Name  string
}

// Badges returns all badges, lowest first.
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

// PutBadges replaces all badges. They must be in order, lowest first, and the first must have MinXP
// 0.
func (s *Store) PutBadges(ctx context.Context, badges []Badge) error {
	return s.do(ctx, 1, func(ctx context.Context, t *tx) error {
		if _, err := t.conn.ExecContext(ctx, `DELETE FROM badges`); err != nil {
			return fmt.Errorf("put badges: %w", err)
		}
		for _, b := range badges {
			if _, err := t.conn.ExecContext(ctx, `INSERT INTO badges (min_xp, name) VALUES (?, ?)`, b.MinXP, b.Name); err != nil {
				return fmt.Errorf("put badge: %w", err)
			}
		}
		t.add(Change{Badges: badges})
		return nil
	})
}

// Limit is how many of a board's best users are shown.
type Limit struct {
	Board string
	Top   int // 0 for all
}

// PutLimit sets how many of a board's best users are shown.
func (s *Store) PutLimit(ctx context.Context, limit Limit) error {
	return s.PutLimits(ctx, []Limit{limit})
}

// PutLimits sets all the limits, or none of them after an error.
func (s *Store) PutLimits(ctx context.Context, limits []Limit) error {
	limits = slices.Clone(limits) // the caller may return before the writer reads it
	return s.do(ctx, len(limits), func(ctx context.Context, t *tx) error {
		for i := range limits {
			if err := t.putLimit(ctx, &limits[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (t *tx) putLimit(ctx context.Context, limit *Limit) error {
	query, args := `DELETE FROM limits WHERE board = ?`, []any{limit.Board}
	if limit.Top > 0 {
		query, args = `INSERT OR REPLACE INTO limits (board, top) VALUES (?, ?)`, append(args, limit.Top)
	}
	if _, err := t.conn.ExecContext(ctx, query, args...); err != nil {
		return fmt.Errorf("put limit: %w", err)
	}
	t.add(Change{Limit: limit})
	return nil
}

// Limits returns the limits of all boards that have one.
func (s *Store) Limits(ctx context.Context) (limits []Limit, err error) {
	rows, err := s.read.QueryContext(ctx, `SELECT board, top FROM limits`)
	if err != nil {
		return nil, fmt.Errorf("read limits: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var l Limit
		if err := rows.Scan(&l.Board, &l.Top); err != nil {
			return nil, fmt.Errorf("read limits: %w", err)
		}
		limits = append(limits, l)
	}
	return limits, rows.Err()
}
