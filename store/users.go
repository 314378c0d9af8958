package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Profile is what is known of a person beside their points.
type Profile struct {
	Number   uint32 // given by the store
	ID       string
	Username string
	Avatar   string
	Email    string
	Groups   map[string][]string // group ids by kind, as in {"school": ["42"]}

	Pseudonym string // what others see instead of name and avatar, or empty
	Hidden    bool   // nobody else sees the person on a board

	// Created is when the user came, and the memberships that the profile has then; the
	// zero value is now. It is not changed in who is there already, nor returned by User.
	Created time.Time
}

// User is a profile with its totals.
type User struct {
	Profile
	XP, MLCoins int64
	Friends     int // how many
}

// PutProfiles creates the profiles, or replaces those whose ID there is already,
// all or none. created says of each whether it is new.
func (s *Store) PutProfiles(ctx context.Context, profiles []Profile) (created []bool, err error) {
	profiles = slices.Clone(profiles) // the caller may be gone before the writer is done
	made := make([]bool, len(profiles))
	err = s.do(ctx, len(profiles), func(ctx context.Context, t *tx) (err error) {
		for i := range profiles {
			if made[i], err = t.putProfile(ctx, &profiles[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return made, nil
}

func (t *tx) putProfile(ctx context.Context, p *Profile) (created bool, err error) {
	since := t.at
	err = t.stmt.putUser.QueryRowContext(ctx,
		p.Username, p.Avatar, p.Email, p.Pseudonym, p.Hidden, t.at, p.ID).Scan(&p.Number)
	if created = errors.Is(err, sql.ErrNoRows); created {
		if !p.Created.IsZero() {
			since = min(p.Created.UnixMilli(), t.at)
		}
		err = t.stmt.addUser.QueryRowContext(ctx,
			t.lastNumber, p.ID, p.Username, p.Avatar, p.Email, p.Pseudonym, p.Hidden, since).Scan(&p.Number)
	}
	if err != nil {
		return false, fmt.Errorf("put user: %w", err)
	}
	t.lastNumber = max(t.lastNumber, p.Number) // also where this is undone: numbers may have gaps
	if _, err := t.stmt.addTotals.ExecContext(ctx, p.Number); err != nil {
		return false, fmt.Errorf("put user: %w", err)
	}
	if err := t.putGroups(ctx, p, since); err != nil {
		return false, fmt.Errorf("put memberships: %w", err)
	}
	shown := *p
	t.add(Change{Profile: &shown})
	return created, nil
}

// putGroups ends the memberships that are not in the profile and begins those that
// are new in it.
func (t *tx) putGroups(ctx context.Context, p *Profile, since int64) error {
	pairs := [][2]string{}
	for kind, ids := range p.Groups {
		for _, id := range ids {
			pairs = append(pairs, [2]string{kind, id})
		}
	}
	list, err := json.Marshal(pairs)
	if err != nil {
		return err
	}
	if _, err := t.stmt.endMemberships.ExecContext(ctx, t.at, p.Number, list); err != nil || len(pairs) == 0 {
		return err
	}
	_, err = t.stmt.addMemberships.ExecContext(ctx, since, p.Number, list)
	return err
}

// Erase removes everything about the person: profile, memberships, friendships,
// totals, ledger, and places in closed periods. What held it is overwritten in the
// file, and the write-ahead log emptied as soon as no reader needs it. An *Error with
// UserNotFound where there is no such user.
func (s *Store) Erase(ctx context.Context, id string) error {
	return s.do(ctx, 1, func(ctx context.Context, t *tx) error {
		number, err := t.numberOf(ctx, id, "id")
		if err != nil {
			return err
		}
		for _, query := range []string{
			// An import's key stays, lest the file's other rows be counted again.
			`DELETE FROM keys WHERE count = 1 AND substr(key, 1, 1) <> char(31) AND seq IN (SELECT seq FROM ledger WHERE user = ?)`,
			`DELETE FROM finals WHERE (closing, position) IN (
			   SELECT closing, position FROM places WHERE user = ? AND closing IN (SELECT number FROM closings))`,
			`DELETE FROM places WHERE user = ? AND closing IN (SELECT number FROM closings)`,
			`DELETE FROM limits WHERE board = (SELECT 'friends:' || id FROM users WHERE number = ?)`,
			`DELETE FROM users WHERE number = ?`, // and by it all else
		} {
			if _, err := t.conn.ExecContext(ctx, query, number); err != nil {
				return fmt.Errorf("erase user: %w", err)
			}
		}
		t.remnants = true
		t.forget(id)
		t.add(Change{Erased: number})
		return nil
	})
}

// numberOf returns the number of the user with that id, which the field gave.
func (t *tx) numberOf(ctx context.Context, id, field string) (number uint32, err error) {
	err = t.conn.QueryRowContext(ctx, `SELECT number FROM users WHERE id = ?`, id).Scan(&number)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, refuse(UserNotFound, 0, field, "there is no user %q", id)
	}
	if err != nil {
		return 0, fmt.Errorf("find user: %w", err)
	}
	return number, nil
}

// User returns the user with that id, or an *Error with UserNotFound.
func (s *Store) User(ctx context.Context, id string) (User, error) {
	u := User{Profile: Profile{ID: id, Groups: map[string][]string{}}}
	var groups []byte
	err := s.read.QueryRowContext(ctx, `
		SELECT u.number, u.username, u.avatar, u.email, u.pseudonym, u.hidden, t.xp, t.ml_coins,
		       (SELECT json_group_array(json_array(kind, group_id)) FROM memberships m WHERE m.user = u.number AND until IS NULL),
		       (SELECT count(*) FROM friends WHERE user = u.number)
		FROM users u JOIN totals t ON t.user = u.number WHERE u.id = ?`, id).
		Scan(&u.Number, &u.Username, &u.Avatar, &u.Email, &u.Pseudonym, &u.Hidden, &u.XP, &u.MLCoins, &groups, &u.Friends)
	if errors.Is(err, sql.ErrNoRows) {
		return u, refuse(UserNotFound, 0, "id", "there is no user %q", id)
	}
	if err != nil {
		return u, fmt.Errorf("read user: %w", err)
	}
	var pairs [][2]string
	if err := json.Unmarshal(groups, &pairs); err != nil {
		return u, fmt.Errorf("read user's groups: %w", err)
	}
	for _, p := range pairs {
		u.Groups[p[0]] = append(u.Groups[p[0]], p[1])
	}
	return u, nil
}

// Shown is the part of a profile that others see: of who has a pseudonym, that.
type Shown struct {
	Number           uint32
	Username, Avatar string
}

// Shown returns what is shown of the users with these numbers, in no order.
// Those that are gone are left out.
func (s *Store) Shown(ctx context.Context, numbers []uint32) (shown []Shown, err error) {
	list, err := json.Marshal(numbers)
	if err != nil {
		return nil, fmt.Errorf("read profiles: %w", err)
	}
	rows, err := s.read.QueryContext(ctx, `
		SELECT number, iif(pseudonym = '', username, pseudonym), iif(pseudonym = '', avatar, '') FROM users
		WHERE number IN (SELECT value FROM json_each(?))`, list)
	if err != nil {
		return nil, fmt.Errorf("read profiles: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	shown = slices.Grow(shown, len(numbers))
	for rows.Next() {
		var p Shown
		if err := rows.Scan(&p.Number, &p.Username, &p.Avatar); err != nil {
			return nil, fmt.Errorf("read profiles: %w", err)
		}
		shown = append(shown, p)
	}
	return shown, rows.Err()
}
