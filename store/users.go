package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// Profile is what is known of a person beside their points.
type Profile struct {
	Number   uint32 // given by the store
	ID       string
	Username string
	Avatar   string
	Email    string
	Groups   map[string][]string // group ids by kind, as in {"school": ["42"]}
}

// User is a profile with its totals.
type User struct {
	Profile
	XP, MLCoins int64
}

// PutProfiles creates the profiles, or replaces those whose ID there is already,
// all or none. created says of each whether it is new.
func (s *Store) PutProfiles(ctx context.Context, profiles []Profile) (created []bool, err error) {
	profiles = slices.Clone(profiles) // the caller may be gone before the writer is done
	made := make([]bool, len(profiles))
	err = s.do(ctx, func(ctx context.Context, t *tx) (err error) {
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
	err = t.conn.QueryRowContext(ctx, `
		UPDATE users SET username = ?, avatar = ?, email = ? WHERE id = ? RETURNING number`,
		p.Username, p.Avatar, p.Email, p.ID).Scan(&p.Number)
	if created = errors.Is(err, sql.ErrNoRows); created {
		err = t.conn.QueryRowContext(ctx, `
			INSERT INTO users (number, id, username, avatar, email, created_at)
			VALUES (max(?, (SELECT coalesce(max(number), 0) FROM users)) + 1, ?, ?, ?, ?, ?)
			RETURNING number`,
			t.lastNumber, p.ID, p.Username, p.Avatar, p.Email, t.at).Scan(&p.Number)
	}
	if err != nil {
		return false, fmt.Errorf("put user: %w", err)
	}
	t.lastNumber = max(t.lastNumber, p.Number) // also where this is undone: numbers may have gaps
	for _, query := range []string{
		`INSERT OR IGNORE INTO totals (user, xp, ml_coins, reached, day, day_xp, day_reached,
		                               week, week_xp, week_reached, month, month_xp, month_reached)
		 VALUES (?, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)`,
		`DELETE FROM memberships WHERE user = ?`,
	} {
		if _, err := t.conn.ExecContext(ctx, query, p.Number); err != nil {
			return false, fmt.Errorf("put user: %w", err)
		}
	}
	for kind, ids := range p.Groups {
		for _, id := range ids {
			if _, err := t.conn.ExecContext(ctx, `
				INSERT OR IGNORE INTO memberships (user, kind, group_id) VALUES (?, ?, ?)`,
				p.Number, kind, id); err != nil {
				return false, fmt.Errorf("put membership: %w", err)
			}
		}
	}
	shown := *p
	t.add(Change{Profile: &shown})
	return created, nil
}

// Erase removes everything about the person: profile, memberships, totals and
// ledger. An *Error with UserNotFound where there is no such user.
func (s *Store) Erase(ctx context.Context, id string) error {
	return s.do(ctx, func(ctx context.Context, t *tx) error {
		var number uint32
		err := t.conn.QueryRowContext(ctx, `SELECT number FROM users WHERE id = ?`, id).Scan(&number)
		if errors.Is(err, sql.ErrNoRows) {
			return refuse(UserNotFound, 0, "id", "there is no user %q", id)
		}
		if err != nil {
			return fmt.Errorf("find user: %w", err)
		}
		for _, query := range []string{
			`DELETE FROM keys WHERE count = 1 AND seq IN (SELECT seq FROM ledger WHERE user = ?)`,
			`DELETE FROM users WHERE number = ?`, // and by it all else
		} {
			if _, err := t.conn.ExecContext(ctx, query, number); err != nil {
				return fmt.Errorf("erase user: %w", err)
			}
		}
		t.add(Change{Erased: number})
		return nil
	})
}

// User returns the user with that id, or an *Error with UserNotFound.
func (s *Store) User(ctx context.Context, id string) (User, error) {
	u := User{Profile: Profile{ID: id, Groups: map[string][]string{}}}
	var groups []byte
	err := s.read.QueryRowContext(ctx, `
		SELECT u.number, u.username, u.avatar, u.email, t.xp, t.ml_coins,
		       (SELECT json_group_array(json_array(kind, group_id)) FROM memberships m WHERE m.user = u.number)
		FROM users u JOIN totals t ON t.user = u.number WHERE u.id = ?`, id).
		Scan(&u.Number, &u.Username, &u.Avatar, &u.Email, &u.XP, &u.MLCoins, &groups)
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

// Shown is the part of a profile that others see.
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
		SELECT number, username, avatar FROM users
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
