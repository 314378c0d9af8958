package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"time"
)

// Snapshot is a database as it was at one moment, to read all of it. A service may go on writing
// meanwhile, but its write-ahead log grows until Close. Not safe for concurrent use.
type Snapshot struct {
	db   *sql.DB
	conn *sql.Conn
}

// OpenSnapshot opens the database at path. Its schema must have the present version.
func OpenSnapshot(ctx context.Context, path string) (*Snapshot, error) {
	db, err := openExisting(path, append([]string{"cache_size(-65536)"}, readerPragmas...))
	if err != nil {
		return nil, err
	}
	s := &Snapshot{db: db}
	if err := expect(ctx, db, path); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	var version int
	if s.conn, err = db.Conn(ctx); err == nil {
		_, err = s.conn.ExecContext(ctx, `BEGIN`)
	}
	if err == nil {
		err = s.conn.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&version) // the first read fixes the moment
	}
	if err == nil && version < schemaVersion {
		err = errors.New("it was written by an older version of marcador; marcador serve brings it up to date")
	}
	if err != nil {
		return nil, errors.Join(unusable(path, err), s.Close())
	}
	return s, nil
}

// Close closes the database.
func (s *Snapshot) Close() error {
	var err error
	if s.conn != nil {
		err = s.conn.Close() // ends its transaction
	}
	return errors.Join(err, s.db.Close())
}

// Users calls yield with each user and the user's groups, in the order of numbers. The profile
// belongs to the caller.
func (s *Snapshot) Users(ctx context.Context, yield func(p *Profile) error) error {
	return each(ctx, s.conn, func(row []driver.Value) error {
		p := &Profile{
			Number: uint32(number(row[0])), ID: text(row[1]), Username: text(row[2]), Avatar: text(row[3]), Email: text(row[4]),
			Pseudonym: text(row[5]), Hidden: number(row[6]) != 0, Created: time.UnixMilli(number(row[7])).UTC(),
		}
		var err error
		if p.Groups, err = groupsOf([]byte(text(row[8]))); err != nil {
			return err
		}
		return yield(p)
	}, `
		SELECT number, id, username, avatar, email, pseudonym, hidden, created_at,
		       (SELECT json_group_array(json_array(kind, group_id) ORDER BY kind, group_id) FROM memberships m WHERE m.user = u.number AND until IS NULL)
		FROM users u ORDER BY number`)
}

// Friends calls yield with each wish, in the order of the users. Two wishes of two users for each
// other at the same time are one pair.
func (s *Snapshot) Friends(ctx context.Context, yield func(Pair) error) error {
	return each(ctx, s.conn, func(row []driver.Value) error {
		return yield(Pair{text(row[0]), text(row[1]), time.UnixMilli(number(row[2])).UTC(), number(row[3]) != 0})
	}, `
		SELECT a.id, b.id, f.since, r.since IS NULL FROM friends f CROSS JOIN users a ON a.number = f.user CROSS JOIN users b ON b.number = f.friend
		LEFT JOIN friends r ON r.user = f.friend AND r.friend = f.user AND r.since = f.since
		WHERE f.user < f.friend OR r.since IS NULL ORDER BY f.user, f.friend`)
}

// Limits calls yield with each board's limit.
func (s *Snapshot) Limits(ctx context.Context, yield func(Limit) error) error {
	return each(ctx, s.conn, func(row []driver.Value) error {
		return yield(Limit{text(row[0]), int(number(row[1]))})
	}, `SELECT board, top FROM limits ORDER BY board`)
}

// Badges calls yield with each badge, lowest first.
func (s *Snapshot) Badges(ctx context.Context, yield func(Badge) error) error {
	return each(ctx, s.conn, func(row []driver.Value) error {
		return yield(Badge{number(row[0]), text(row[1])})
	}, `SELECT min_xp, name FROM badges ORDER BY min_xp`)
}

// Entry is a row of the ledger with everything that is needed to write it again.
type Entry struct {
	Update

	Key    string // idempotency key of the write that begins with this row, or empty
	Caller string // the key's caller, or empty
	Rows   int    // how many rows that write has; 0 without a key
}

// Ledger calls yield with each row, oldest first. Writes that have lost rows because a user was
// erased come without their key. The entry is the caller's until yield returns.
func (s *Snapshot) Ledger(ctx context.Context, yield func(e *Entry) error) error {
	var e Entry
	return each(ctx, s.conn, func(row []driver.Value) error {
		e.UserID, e.XP, e.MLCoins, e.Reason = text(row[0]), number(row[1]), number(row[2]), text(row[3])
		e.At, e.Key, e.Rows = time.UnixMilli(number(row[4])).UTC(), text(row[5]), int(number(row[6]))
		e.Caller = text(row[7])
		return yield(&e)
	}, `
		SELECT u.id, l.xp, l.ml_coins, l.reason, l.at, k.key, k.count, k.caller
		FROM ledger l CROSS JOIN users u ON u.number = l.user
		LEFT JOIN keys k ON k.seq = l.seq AND substr(k.key, 1, 1) <> char(31) AND substr(k.caller, 1, 1) <> char(31)
		     AND (k.count = 1 OR k.count = (SELECT count(*) FROM ledger WHERE seq >= k.seq AND seq < k.seq + k.count))
		ORDER BY l.seq`)
}
