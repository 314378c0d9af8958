package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// User is a profile with the user's totals.
type User struct {
	Profile
	XP, MLCoins int64
	Friends     int // number of friends who are not hidden
}

// Erase removes everything about a user: profile, memberships, friendships, totals, ledger rows,
// and places in closed periods. On the boards of groups and friends, a place leaves a gap that does
// not say whose it was. The data is overwritten in the file, and the write-ahead log is emptied as
// soon as no reader needs it. It refuses with UserNotFound.
func (s *Store) Erase(ctx context.Context, id string) error {
	return s.do(ctx, 1, func(ctx context.Context, t *tx) error {
		number, err := t.numberOf(ctx, id)
		if err != nil {
			return err
		}
		var hidden bool
		if err := t.conn.QueryRowContext(ctx, `SELECT hidden FROM users WHERE number = ?`, number).Scan(&hidden); err != nil {
			return fmt.Errorf("erase user: %w", err)
		}
		for _, query := range []string{
			// Without its key an import would count the file's other rows again.
			`DELETE FROM keys WHERE count = 1 AND substr(key, 1, 1) <> char(31) AND seq IN (SELECT seq FROM ledger WHERE user = ?)`,
			// Keys of which the user was the caller stay, because of the other users in
			// their writes. Each gets another text as its caller, made of its seq, so
			// nothing shows that one user made them.
			`UPDATE keys SET caller = char(31) || seq WHERE caller = (SELECT id FROM users WHERE number = ?)`,
			`INSERT OR IGNORE INTO gaps (closing, kind, group_id, position, rank)
			   SELECT c.number, m.kind, m.group_id, f.position, f.rank
			   FROM closings c JOIN places p ON p.closing = c.number AND p.user = ?1
			   JOIN finals f ON f.closing = p.closing AND f.position = p.position AND f.position <= c.entries
			   JOIN (SELECT kind, group_id, since, until FROM memberships WHERE user = ?1
			         UNION ALL SELECT 'friends', u.id, 0, NULL FROM ` + s.opts.Friends.friendsOf("?1") + ` w JOIN users u ON u.number = w.user) m
			     ON m.since < c.ends AND (m.until IS NULL OR m.until >= c.ends)`,
			`DELETE FROM gaps WHERE closing IN (SELECT number FROM closings) AND kind = 'friends'
			   AND group_id = (SELECT id FROM users WHERE number = ?1)`,
			`DELETE FROM finals WHERE (closing, position) IN (
			   SELECT closing, position FROM places WHERE user = ? AND closing IN (SELECT number FROM closings))`,
			`DELETE FROM places WHERE user = ? AND closing IN (SELECT number FROM closings)`,
			// But not the limit of all boards of friends, if the user has the id *.
			`DELETE FROM limits WHERE board = (SELECT 'friends:' || id FROM users WHERE number = ? AND id <> '*')`,
			`DELETE FROM users WHERE number = ?`, // REFERENCES … ON DELETE CASCADE remove the rest
		} {
			if _, err := t.conn.ExecContext(ctx, query, number); err != nil {
				return fmt.Errorf("erase user: %w", err)
			}
		}
		t.remnants = true
		t.forget(id)
		t.strangers.of.Remove(number) // the number may be given again
		t.add(Change{Erased: number, Hidden: hidden})
		return nil
	})
}

// numberOf returns the number of the user with an id. It refuses with UserNotFound and the field
// "id".
func (t *tx) numberOf(ctx context.Context, id string) (number uint32, err error) {
	err = t.conn.QueryRowContext(ctx, `SELECT number FROM users WHERE id = ?`, id).Scan(&number)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, refuse(UserNotFound, 0, "id", "there is no user %q", id)
	}
	if err != nil {
		return 0, fmt.Errorf("find user: %w", err)
	}
	return number, nil
}

// User returns the user with an id. It refuses with UserNotFound.
func (s *Store) User(ctx context.Context, id string) (User, error) {
	users, err := s.Users(ctx, []string{id})
	if err == nil && len(users) == 0 {
		err = refuse(UserNotFound, 0, "id", "there is no user %q", id)
	}
	if err != nil {
		return User{}, err
	}
	return users[0], nil
}

// Users returns the users with the ids, in the order of the ids. Users who do not exist are left
// out.
func (s *Store) Users(ctx context.Context, ids []string) (users []User, err error) {
	list, err := json.Marshal(ids)
	if err != nil {
		return nil, fmt.Errorf("read users: %w", err)
	}
	//nolint:gosec // friendsOf returns one of three constants
	rows, err := s.read.QueryContext(ctx, `
		SELECT u.number, u.id, u.username, u.avatar, u.email, u.pseudonym, u.hidden, t.xp, t.ml_coins,
		       (SELECT json_group_array(json_array(kind, group_id)) FROM memberships m WHERE m.user = u.number AND until IS NULL),
		       (SELECT count(*) FROM `+s.opts.Friends.friendsOf("u.number")+` f JOIN users v ON v.number = f.user AND NOT v.hidden)
		FROM json_each(?) asked CROSS JOIN users u ON u.id = asked.value JOIN totals t ON t.user = u.number`, list)
	if err != nil {
		return nil, fmt.Errorf("read users: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var u User
		var groups []byte
		if err := rows.Scan(&u.Number, &u.ID, &u.Username, &u.Avatar, &u.Email, &u.Pseudonym, &u.Hidden, &u.XP, &u.MLCoins, &groups, &u.Friends); err != nil {
			return nil, fmt.Errorf("read users: %w", err)
		}
		if u.Groups, err = groupsOf(groups); err != nil {
			return nil, err
		}
		users = append(users, u)
	}
	return users, rows.Err()
}

// Has reports whether there is a user with an id.
func (s *Store) Has(ctx context.Context, id string) (there bool, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM users WHERE id = ?)`, id).Scan(&there)
	if err != nil {
		return false, fmt.Errorf("look for a user: %w", err)
	}
	return there, nil
}

// HasBoard reports whether a group has or had members. For a board of friends, whose kind is
// Friends, it reports whether there is a user with the id.
func (s *Store) HasBoard(ctx context.Context, kind, id string) (there bool, err error) {
	if kind == Friends {
		return s.Has(ctx, id)
	}
	err = s.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM memberships WHERE kind = ? AND group_id = ?)`, kind, id).Scan(&there)
	if err != nil {
		return false, fmt.Errorf("look for a group: %w", err)
	}
	return there, nil
}

// Shown is the part of a profile that others see. If the user has a pseudonym, Username is that,
// and Avatar is empty.
type Shown struct {
	Number           uint32
	Username, Avatar string
}

// Shown returns what others see of the users with the numbers, in no order. Users who do not exist
// are left out. seen is the seq of Store.Seen when they were read; 0 if no user was found.
func (s *Store) Shown(ctx context.Context, numbers []uint32) (shown []Shown, seen int64, err error) {
	list, err := json.Marshal(numbers)
	if err != nil {
		return nil, 0, fmt.Errorf("read profiles: %w", err)
	}
	rows, err := s.read.QueryContext(ctx, `
		SELECT number, iif(pseudonym = '', username, pseudonym), iif(pseudonym = '', avatar, ''), (SELECT seen FROM state)
		FROM users WHERE number IN (SELECT value FROM json_each(?))`, list)
	if err != nil {
		return nil, 0, fmt.Errorf("read profiles: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	shown = slices.Grow(shown, len(numbers))
	for rows.Next() {
		var p Shown
		if err := rows.Scan(&p.Number, &p.Username, &p.Avatar, &seen); err != nil {
			return nil, 0, fmt.Errorf("read profiles: %w", err)
		}
		shown = append(shown, p)
	}
	return shown, seen, rows.Err()
}
