package store

import (
	"context"
	"fmt"
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
		if id == other {
			return refuse(OwnFriend, 0, "other", "nobody can be a friend of themselves; give another user")
		}
		a, err := t.numberOf(ctx, id, "id")
		if err != nil {
			return err
		}
		b, err := t.numberOf(ctx, other, "other")
		if err != nil {
			return err
		}
		query := `DELETE FROM friends WHERE user = ?1 AND friend = ?2 OR user = ?2 AND friend = ?1`
		args := []any{a, b}
		if on {
			query = `INSERT OR IGNORE INTO friends (user, friend, since) VALUES (?1, ?2, ?3), (?2, ?1, ?3)`
			args = append(args, t.at)
		}
		result, err := t.conn.ExecContext(ctx, query, args...)
		if err != nil {
			return fmt.Errorf("befriend: %w", err)
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return err
		}
		t.add(Change{Friendship: &Friendship{a, b, id, other, on}})
		return nil
	})
}
