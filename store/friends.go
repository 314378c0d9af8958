package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Friendship is one that began or ended.
type Friendship struct {
	A, B     uint32
	AID, BID string
	On       bool
}

// Befriend makes the two users friends, or ends that. It changes nothing where it is
// so already. An *Error with UserNotFound where there is no such user, and with
// OwnFriend where both are the same.
func (s *Store) Befriend(ctx context.Context, id, other string, on bool) error {
	return s.do(ctx, 1, func(ctx context.Context, t *tx) error {
		f, err := t.friendship(ctx, id, other, 0)
		if err != nil {
			return err
		}
		f.On = on
		return t.befriend(ctx, f, t.at)
	})
}

// Pair is two users who have been friends since then; the zero value is now.
type Pair struct {
	ID, Other string
	Since     time.Time
}

// BefriendAll makes the users friends, all or none, as Befriend does. The Index of an
// *Error is that of the pair.
func (s *Store) BefriendAll(ctx context.Context, pairs []Pair) error {
	pairs = slices.Clone(pairs) // the caller may be gone before the writer is done
	return s.do(ctx, len(pairs), func(ctx context.Context, t *tx) error {
		all := make([]*Friendship, len(pairs))
		for i, p := range pairs {
			var err error
			if all[i], err = t.friendship(ctx, p.ID, p.Other, i); err != nil {
				return err
			}
			all[i].On = true
		}
		for i, f := range all {
			since := t.at
			if at := pairs[i].Since; !at.IsZero() {
				since = min(at.UnixMilli(), t.at)
			}
			if err := t.befriend(ctx, f, since); err != nil {
				return err
			}
		}
		return nil
	})
}

// friendship finds the two users, or refuses the input of that index.
func (t *tx) friendship(ctx context.Context, id, other string, index int) (*Friendship, error) {
	f := &Friendship{AID: id, BID: other}
	if id == other {
		return nil, refuse(OwnFriend, index, "other", "nobody can be a friend of themselves; give another user")
	}
	for _, u := range []struct {
		number *uint32
		id     string
		field  string
	}{{&f.A, id, "id"}, {&f.B, other, "other"}} {
		var err error
		if *u.number, err = t.numberOf(ctx, u.id, u.field); err != nil {
			if refusal, ok := errors.AsType[*Error](err); ok {
				refusal.Index = index
			}
			return nil, err
		}
	}
	return f, nil
}

func (t *tx) befriend(ctx context.Context, f *Friendship, since int64) error {
	query := `DELETE FROM friends WHERE user = ?1 AND friend = ?2 OR user = ?2 AND friend = ?1`
	args := []any{f.A, f.B}
	if f.On {
		query = `INSERT OR IGNORE INTO friends (user, friend, since) VALUES (?1, ?2, ?3), (?2, ?1, ?3)`
		args = append(args, since)
	}
	result, err := t.conn.ExecContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("befriend: %w", err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return err
	}
	t.add(Change{Friendship: f})
	return nil
}
