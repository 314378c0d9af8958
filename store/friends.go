package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// FriendsRule says which wishes make two users friends. A row of table friends is a wish: one user
// has asked to be friends with another. Friendships always go both ways.
type FriendsRule uint8

// The rules.
const (
	// FriendsMutual: two users are friends once both have asked for it.
	FriendsMutual FriendsRule = iota

	// FriendsInGroup: one wish is enough if both users are in a group whose board has no limit.
	FriendsInGroup

	// FriendsOpen: one wish is enough.
	FriendsOpen
)

var friendsRules = []string{"mutual", "group", "open"}

// String is the rule's name.
func (r FriendsRule) String() string { return friendsRules[r] }

// ParseFriendsRule returns the rule with that name. ok is false for any other name.
func ParseFriendsRule(name string) (r FriendsRule, ok bool) {
	i := slices.Index(friendsRules, name)
	return FriendsRule(max(i, 0)), i >= 0
}

// MaxWishes is how many others a user may ask to be friends with. Imports may exceed it.
const MaxWishes = 500

// Friendship is a friendship of two users that began or ended.
type Friendship struct {
	A, B     uint32 // numbers of the users
	AID, BID string // their ids
	On       bool   // whether it began
}

// friendsOf returns a query, in brackets, for a user's friends by the rule and since when they are
// friends. me is an SQL expression for the user's number.
//
// Under FriendsInGroup a group whose board has a limit makes no friends. Otherwise its members
// could befriend one after another the users whom the limit does not show them.
func (r FriendsRule) friendsOf(me string) string {
	mutual := `SELECT a.friend AS user, max(a.since, b.since) AS since
		FROM friends a JOIN friends b ON b.user = a.friend AND b.friend = a.user WHERE a.user = ` + me
	either := `SELECT friend AS user, since FROM friends WHERE user = ` + me + `
		UNION ALL SELECT user, since FROM friends WHERE friend = ` + me
	switch r {
	case FriendsMutual:
		return `(` + mutual + `)`
	case FriendsInGroup:
		either = mutual + ` UNION ALL
			SELECT w.user, max(w.since, m.since, n.since) FROM (` + either + `) w
			JOIN memberships m ON m.user = ` + me + ` AND m.until IS NULL
			JOIN memberships n ON n.user = w.user AND n.kind = m.kind AND n.group_id = m.group_id AND n.until IS NULL
			WHERE NOT EXISTS (SELECT 1 FROM limits WHERE board IN (m.kind || ':' || m.group_id, m.kind || ':*'))`
	}
	return `(SELECT user, min(since) AS since FROM (` + either + `) GROUP BY user)`
}

// Befriend enters the wish of the user with an id to be friends with another user, and if both is
// set the other's wish as well. It refuses with UserNotFound if no user has the id, with OwnFriend
// if the two are the same, and with TooManyFriends if a user who asks has MaxWishes wishes already.
//
// Whether the other user exists can't be told from the result or from the time that it takes. A
// wish for a user who does not exist is not stored, but counts towards MaxWishes until the next
// start.
func (s *Store) Befriend(ctx context.Context, id, other string, both bool) error {
	return s.do(ctx, 1, func(ctx context.Context, t *tx) error {
		f, err := t.friendship(ctx, id, other)
		if err != nil {
			return err
		}
		if err := t.mayWish(ctx, f.A, f.B, f.BID, "id"); err != nil {
			return err
		}
		if both && f.B != 0 {
			if err := t.mayWish(ctx, f.B, f.A, f.AID, "other"); err != nil {
				return err
			}
		}
		if f.B == 0 {
			t.strangers.add(f.A, f.BID)
		} else {
			t.strangers.remove(f.A, f.BID)
		}
		return t.alike(ctx, f, func() error { return t.wish(ctx, f, both, t.at) })
	})
}

// Unfriend removes the wishes of two users for each other, and so ends their friendship. Like
// Befriend it refuses with UserNotFound or OwnFriend, and does not tell whether the other user
// exists.
func (s *Store) Unfriend(ctx context.Context, id, other string) error {
	return s.do(ctx, 1, func(ctx context.Context, t *tx) error {
		f, err := t.friendship(ctx, id, other)
		if err != nil {
			return err
		}
		t.strangers.remove(f.A, f.BID)
		return t.alike(ctx, f, func() error {
			_, err := t.conn.ExecContext(ctx, `DELETE FROM friends WHERE user = ?1 AND friend = ?2 OR user = ?2 AND friend = ?1`, f.A, f.B)
			return err
		})
	})
}

// Pair is the wish of one user to be friends with another, or of each of the two.
type Pair struct {
	ID, Other string
	Since     time.Time // the zero time is now
	OneSided  bool      // only ID has asked for it
}

// BefriendAll enters the wishes of all pairs, or none after an error. MaxWishes does not apply. The
// Index of an *Error is the index of the pair.
func (s *Store) BefriendAll(ctx context.Context, pairs []Pair) error {
	pairs = slices.Clone(pairs) // the caller may return before the writer reads it
	return s.do(ctx, len(pairs), func(ctx context.Context, t *tx) error {
		all := make([]*Friendship, len(pairs))
		for i, p := range pairs {
			var err error
			if all[i], err = t.friendship(ctx, p.ID, p.Other); err == nil && all[i].B == 0 {
				err = refuse(UserNotFound, i, "other", "there is no user %q", p.Other)
			}
			if refusal, ok := errors.AsType[*Error](err); ok {
				refusal.Index = i
			}
			if err != nil {
				return err
			}
		}
		for i, f := range all {
			since := t.at
			if at := pairs[i].Since; !at.IsZero() {
				since = min(at.UnixMilli(), t.at)
			}
			if err := t.changeFriendship(ctx, f, func() error { return t.wish(ctx, f, !pairs[i].OneSided, since) }); err != nil {
				return err
			}
		}
		return nil
	})
}

// friendship finds the two users. If the other one does not exist, their number is 0.
func (t *tx) friendship(ctx context.Context, id, other string) (*Friendship, error) {
	f := &Friendship{AID: id, BID: other}
	if id == other {
		return nil, refuse(OwnFriend, 0, "other", "nobody can be a friend of themselves; give another user")
	}
	var err error
	if f.A, err = t.numberOf(ctx, id); err != nil {
		return nil, err
	}
	err = t.conn.QueryRowContext(ctx, `SELECT number FROM users WHERE id = ?`, other).Scan(&f.B)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("find the other user: %w", err)
	}
	return f, nil
}

// mayWish refuses a wish if the user has MaxWishes, whether or not the other user exists.
func (t *tx) mayWish(ctx context.Context, user, other uint32, otherID, field string) error {
	var count int
	var already bool
	err := t.conn.QueryRowContext(ctx, `
		SELECT count(*), coalesce(max(friend = ?2), 0) FROM friends WHERE user = ?1`, user, other).Scan(&count, &already)
	if err != nil {
		return fmt.Errorf("count wishes: %w", err)
	}
	strangers, asked := t.strangers.besides(user, otherID)
	if count+strangers >= MaxWishes && !already && !asked {
		return refuse(TooManyFriends, 0, field, "asks for %d friendships already; end one of them first", MaxWishes)
	}
	return nil
}

// wish enters the first user's wish, and if both is set the other's as well. If the other user does
// not exist, the same statement adds no row.
func (t *tx) wish(ctx context.Context, f *Friendship, both bool, since int64) error {
	query := `INSERT OR IGNORE INTO friends (user, friend, since) SELECT ?1, number, ?3 FROM users WHERE number = ?2`
	if both {
		query += ` UNION ALL SELECT number, ?1, ?3 FROM users WHERE number = ?2`
	}
	_, err := t.conn.ExecContext(ctx, query, f.A, f.B, since)
	return err
}

// alike is changeFriendship with the same amount of work whether or not the other user exists, so
// that the time of the answer does not tell. It reads the same pages, and it always writes to the
// page of the user's wishes: it adds a row and removes it again.
func (t *tx) alike(ctx context.Context, f *Friendship, change func() error) error {
	const passing = `INSERT OR IGNORE INTO friends (user, friend, since) VALUES (?1, ?1, 0)`
	if _, err := t.conn.ExecContext(ctx, passing, f.A); err != nil {
		return fmt.Errorf("change friendship: %w", err)
	}
	if err := t.changeFriendship(ctx, f, change); err != nil {
		return err
	}
	if _, err := t.conn.ExecContext(ctx, `DELETE FROM friends WHERE user = ?1 AND friend = ?1`, f.A); err != nil {
		return fmt.Errorf("change friendship: %w", err)
	}
	return nil
}

// changeFriendship runs change. If the friendship began or ended by it, it adds that as a Change,
// and otherwise an empty Change. So each call takes a seq and a commit.
func (t *tx) changeFriendship(ctx context.Context, f *Friendship, change func() error) error {
	before, err := t.between(ctx, f)
	if err == nil {
		err = change()
	}
	var after map[uint32]friend
	if err == nil {
		after, err = t.between(ctx, f)
	}
	if err != nil {
		return fmt.Errorf("change friendship: %w", err)
	}
	if f.On = len(after) > 0; f.On == (len(before) > 0) {
		t.touch()
		return nil
	}
	t.add(Change{Friendship: f, Hidden: before[f.B].unseen || after[f.B].unseen})
	return nil
}

// friend is one of a user's friends.
type friend struct {
	id     string
	unseen bool // the friend or the user is hidden
}

// friendsNow returns a user's friends by their numbers.
func (t *tx) friendsNow(ctx context.Context, user uint32) (map[uint32]friend, error) {
	return t.readFriends(ctx, ``, int64(user))
}

// between returns the second user, by number, if the two are friends now, else an empty map.
func (t *tx) between(ctx context.Context, f *Friendship) (map[uint32]friend, error) {
	return t.readFriends(ctx, ` WHERE f.user = ?2`, int64(f.A), int64(f.B))
}

// readFriends returns the friends of the user ?1 who meet a condition.
func (t *tx) readFriends(ctx context.Context, where string, args ...any) (friends map[uint32]friend, err error) {
	friends = map[uint32]friend{}
	return friends, each(ctx, t.conn, func(row []driver.Value) error {
		friends[uint32(number(row[0]))] = friend{text(row[1]), number(row[2]) != 0}
		return nil
	}, `
		SELECT u.number, u.id, u.hidden OR (SELECT hidden FROM users WHERE number = ?1)
		FROM `+t.s.opts.Friends.friendsOf("?1")+` f CROSS JOIN users u ON u.number = f.user`+where, args...)
}

// withFriends runs change, which writes an edit of a profile. It adds a Change for each friendship
// that begins or ends because the user's groups change.
func (t *tx) withFriends(ctx context.Context, e *edit, change func() error) error {
	p := e.become
	if t.s.opts.Friends != FriendsInGroup || e.isNew || maps.EqualFunc(e.was.Groups, p.Groups, slices.Equal) {
		return change()
	}
	before, err := t.friendsNow(ctx, p.Number)
	if err == nil {
		err = change()
	}
	var after map[uint32]friend
	if err == nil {
		after, err = t.friendsNow(ctx, p.Number)
	}
	if err != nil {
		return err
	}
	for _, list := range []struct {
		of, without map[uint32]friend
		on          bool
	}{{before, after, false}, {after, before, true}} {
		for number, with := range list.of {
			if _, same := list.without[number]; !same {
				t.add(Change{Friendship: &Friendship{p.Number, number, p.ID, with.id, list.on}, Hidden: with.unseen})
			}
		}
	}
	return nil
}
