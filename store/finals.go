package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Closings returns the closed periods of a kind that began before a time: at most limit of them,
// newest first.
func (s *Store) Closings(ctx context.Context, p Period, before time.Time, limit int) (list []Closing, err error) {
	return s.closings(ctx, p, before, limit, ``)
}

// ClosingsOf is Closings for the periods at whose end the user was a member of the group. The
// board's name is the group's kind, a colon and its id.
func (s *Store) ClosingsOf(ctx context.Context, p Period, before time.Time, limit int, board, userID string) (list []Closing, err error) {
	kind, id, _ := strings.Cut(board, ":")
	return s.closings(ctx, p, before, limit, `AND EXISTS (
		SELECT 1 FROM memberships WHERE user = (SELECT number FROM users WHERE id = ?) AND kind = ? AND group_id = ?
		AND since < ends AND (until IS NULL OR until >= ends))`, userID, kind, id)
}

// closings is Closings with another condition and its arguments.
func (s *Store) closings(ctx context.Context, p Period, before time.Time, limit int, and string, args ...any) (list []Closing, err error) {
	//nolint:gosec // the condition is one of the two above
	rows, err := s.read.QueryContext(ctx, `
		SELECT number, start, ends, ranks, entries FROM closings
		WHERE period = ? AND start < ? AND complete `+and+` ORDER BY start DESC LIMIT ?`,
		append(append([]any{p.String(), before.UnixMilli()}, args...), limit)...)
	if err != nil {
		return nil, fmt.Errorf("read closings: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		c := Closing{Period: p}
		var start, ends int64
		if err := rows.Scan(&c.Number, &start, &ends, &c.Ranks, &c.Entries); err != nil {
			return nil, fmt.Errorf("read closings: %w", err)
		}
		c.Start, c.Ends = time.UnixMilli(start), time.UnixMilli(ends)
		list = append(list, c)
	}
	return list, rows.Err()
}

// NamedFinal is a place with its user's id.
type NamedFinal struct {
	Final

	ID string
}

// Finals returns the places from offset+1 to offset+limit of a board in a closed period, and how
// many places the board has. Places and ranks are as they were when the period closed. Users who
// were hidden or erased since are left out, so their places are gaps.
//
// A group's board has the users who were members when the period closed; a board of friends has the
// friends of now. me is the place of the user with the id own, hidden or not, or nil.
//
// O(limit) for the global board, O(members) for another one.
func (s *Store) Finals(ctx context.Context, c *Closing, board string, offset, limit int, own string) (me *NamedFinal, finals []NamedFinal, total int, err error) {
	if total, err = s.CountFinals(ctx, c, board); err != nil {
		return nil, nil, 0, err
	}
	places, args := s.placesOf(c, board)
	finals, err = s.finals(ctx, `
		SELECT d.user, u.id, d.place, d.rank, d.score, d.xp, d.ml_coins, d.prior
		FROM `+places+` d JOIN users u ON u.number = d.user
		WHERE d.place > ? AND d.place <= ? AND NOT u.hidden ORDER BY d.place`, append(args, offset, offset+limit)...)
	if err != nil {
		return nil, nil, 0, err
	}
	all := pointers(finals)
	if own != "" {
		if me, err = s.ownFinal(ctx, c, board, own); err != nil {
			return nil, nil, 0, err
		}
		if me != nil {
			all = append(all, me)
		}
	}
	return me, finals, total, s.priors(ctx, c, board, all)
}

// CountFinals returns how many places a board has in a closed period.
func (s *Store) CountFinals(ctx context.Context, c *Closing, board string) (total int, err error) {
	if board == Global {
		return c.Entries, nil
	}
	places, args := s.placesOf(c, board)
	if err := s.read.QueryRowContext(ctx, `SELECT count(*) FROM `+places, args...).Scan(&total); err != nil {
		return 0, fmt.Errorf("count places: %w", err)
	}
	return total, nil
}

// Global is the board of everybody.
const Global = "global"

// placesOf returns a query, in brackets, for the places and ranks of a board when a period closed.
// Users who were hidden since are among them. If a user was erased since, their place has the user
// NULL, or is missing on the global board. Column overall is the rank on the global board.
func (s *Store) placesOf(c *Closing, board string) (query string, args []any) {
	if board == Global {
		return `(SELECT user, position AS place, rank, rank AS overall, score, xp, ml_coins, prior FROM finals
			WHERE closing = ? AND position <= ?)`, []any{c.Number, c.Entries}
	}
	members, args := s.membersOf(c, board)
	// Of two users the one with the better overall rank had more points, so gaps need no
	// scores.
	rank := map[string]string{
		"ordinal":     `row_number() OVER (ORDER BY position)`,
		"competition": `rank() OVER (ORDER BY overall)`,
		"dense":       `dense_rank() OVER (ORDER BY overall)`,
	}[c.Ranks]
	kind, id, _ := strings.Cut(board, ":")
	return `(SELECT user, row_number() OVER (ORDER BY position) AS place, ` + rank + ` AS rank, overall, score, xp, ml_coins, 0 AS prior
		FROM (SELECT f.user, f.position, f.rank AS overall, f.score, f.xp, f.ml_coins
		      FROM (` + members + `) m JOIN places p ON p.user = m.user AND p.closing = ?
		      JOIN finals f ON f.closing = p.closing AND f.position = p.position WHERE f.position <= ?
		      UNION ALL
		      SELECT NULL, position, rank, 0, 0, 0 FROM gaps WHERE closing = ? AND kind = ? AND group_id = ?))`,
		append(args, c.Number, c.Entries, c.Number, kind, id)
}

// membersOf returns a query for the users of a board when the period closed.
func (s *Store) membersOf(c *Closing, board string) (query string, args []any) {
	if board == Global {
		return `SELECT number AS user FROM users`, nil
	}
	kind, id, _ := strings.Cut(board, ":")
	members, args := `SELECT DISTINCT user FROM memberships
		WHERE kind = ? AND group_id = ? AND since < ? AND (until IS NULL OR until >= ?)`,
		[]any{kind, id, c.Ends.UnixMilli(), c.Ends.UnixMilli()}
	if kind == Friends {
		members, args = `SELECT user FROM `+s.opts.Friends.friendsOf(`(SELECT number FROM users WHERE id = :owner)`)+`
			UNION SELECT number FROM users WHERE id = :owner`, []any{sql.Named("owner", id)}
	}
	return members, args
}

func (s *Store) finals(ctx context.Context, query string, args ...any) (finals []NamedFinal, err error) {
	rows, err := s.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read finals: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var f NamedFinal
		if err := rows.Scan(&f.User, &f.ID, &f.Position, &f.Rank, &f.Score, &f.XP, &f.MLCoins, &f.Prior); err != nil {
			return nil, fmt.Errorf("read finals: %w", err)
		}
		finals = append(finals, f)
	}
	return finals, rows.Err()
}

// ownFinal returns the place of one user, or nil. A user who was hidden when the period closed has
// no place, and gets the rank that they would have had.
func (s *Store) ownFinal(ctx context.Context, c *Closing, board, own string) (*NamedFinal, error) {
	places, args := s.placesOf(c, board)
	found, err := s.finals(ctx, `
		SELECT d.user, u.id, d.place, d.rank, d.score, d.xp, d.ml_coins, d.prior
		FROM `+places+` d JOIN users u ON u.number = d.user WHERE u.id = ?`, append(args, own)...)
	if err != nil || len(found) == 1 {
		return first(found), err
	}
	members, membersArgs := s.membersOf(c, board)
	found, err = s.finals(ctx, `
		SELECT f.user, u.id, 0, f.rank, f.score, f.xp, f.ml_coins, 0
		FROM users u JOIN places p ON p.user = u.number AND p.closing = ?
		JOIN finals f ON f.closing = p.closing AND f.position = p.position
		WHERE u.id = ? AND f.position > ? AND u.number IN (`+members+`)`, append([]any{c.Number, own, c.Entries}, membersArgs...)...)
	if err != nil || len(found) == 0 || board == Global {
		return first(found), err
	}
	ahead := `count(*)`
	if c.Ranks == "dense" {
		ahead = `count(DISTINCT overall)`
	}
	me := &found[0]
	if err := s.read.QueryRowContext(ctx, `SELECT 1 + `+ahead+` FROM `+places+` WHERE overall < ?`, append(args, me.Rank)...).Scan(&me.Rank); err != nil {
		return nil, fmt.Errorf("read own final: %w", err)
	}
	return me, nil
}

func first(finals []NamedFinal) *NamedFinal {
	if len(finals) == 0 {
		return nil
	}
	return &finals[0]
}

func pointers(finals []NamedFinal) (list []*NamedFinal) {
	for i := range finals {
		list = append(list, &finals[i])
	}
	return list
}

// priors sets Prior of finals: the ranks in the period before. Only the global board's are stored.
func (s *Store) priors(ctx context.Context, c *Closing, board string, finals []*NamedFinal) (err error) {
	if board == Global {
		return nil
	}
	before := Closing{Period: c.Period}
	err = s.read.QueryRowContext(ctx, `
		SELECT number, ends, ranks, entries FROM closings WHERE period = ? AND ends = ? AND complete`,
		c.Period.String(), c.Start.UnixMilli()).Scan(&before.Number, new(int64), &before.Ranks, &before.Entries)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read closing before: %w", err)
	}
	before.Ends = c.Start
	users := make([]uint32, len(finals))
	byUser := make(map[uint32][]*NamedFinal, len(finals)) // a user may be on the page and be the own user as well
	for i, f := range finals {
		users[i] = f.User
		byUser[f.User] = append(byUser[f.User], f)
	}
	list, err := json.Marshal(users)
	if err != nil {
		return fmt.Errorf("read ranks before: %w", err)
	}
	places, args := s.placesOf(&before, board)
	//nolint:gosec // places is one of placesOf's
	rows, err := s.read.QueryContext(ctx, `
		SELECT user, rank FROM `+places+` WHERE user IN (SELECT value FROM json_each(?))`, append(args, list)...)
	if err != nil {
		return fmt.Errorf("read ranks before: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var user uint32
		var rank int
		if err := rows.Scan(&user, &rank); err != nil {
			return fmt.Errorf("read ranks before: %w", err)
		}
		for _, f := range byUser[user] {
			f.Prior = rank
		}
	}
	return rows.Err()
}
