package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// importPrefix begins the keys of what was imported from files whose rows have none. It is a
// control character, which no caller's key can have.
const importPrefix = "\x1f"

// ImportKey is the idempotency key of rows of a file that have none of their own. from and
// to stand for all rows before them, and for those and them; both have the same length.
func ImportKey(from, to string) string { return importPrefix + from + ":" + to }

// IsImportKey reports whether the key is one of ImportKey. Nobody repeats such a write but an
// import, to which it makes no difference what ranks there were: no answer is kept.
func IsImportKey(key string) bool { return strings.HasPrefix(key, importPrefix) }

// Unknown returns the index of each id that no user has.
func (s *Store) Unknown(ctx context.Context, ids []string) (indexes []int, err error) {
	err = s.do(ctx, 1, func(ctx context.Context, t *tx) error {
		for i, id := range ids {
			_, err := t.numberOf(ctx, id)
			if _, refused := errors.AsType[*Error](err); refused {
				indexes = append(indexes, i)
			} else if err != nil {
				return err
			}
		}
		return nil
	})
	return indexes, err
}

// ImportedWrite is a write that was made under a key of ImportKey. Rows of persons erased since
// count.
type ImportedWrite struct {
	Rows int   // how many it had
	Last int64 // the seq of the last of them
}

// Imported returns the writes that were made under a key of ImportKey with that from, by to.
func (s *Store) Imported(ctx context.Context, from string) (parts map[string]ImportedWrite, err error) {
	found, err := s.read.QueryContext(ctx, `SELECT key, count, seq + count - 1 FROM keys WHERE caller = '' AND key > ?1 AND key < ?2`,
		ImportKey(from, ""), importPrefix+from+";") // the character behind the colon
	if err != nil {
		return nil, fmt.Errorf("read keys of imports: %w", err)
	}
	defer func() { err = errors.Join(err, found.Close()) }()
	parts = map[string]ImportedWrite{}
	for found.Next() {
		var key string
		var p ImportedWrite
		if err := found.Scan(&key, &p.Rows, &p.Last); err != nil {
			return nil, fmt.Errorf("read keys of imports: %w", err)
		}
		parts[key[len(importPrefix)+len(from)+1:]] = p
	}
	return parts, found.Err()
}

// LastPoints returns the seq of the ledger's last row, and its time; 0 and the zero value
// where it has none.
func (s *Store) LastPoints(ctx context.Context) (seq int64, at time.Time, err error) {
	var ms int64
	err = s.read.QueryRowContext(ctx, `SELECT seq, at FROM ledger ORDER BY seq DESC LIMIT 1`).Scan(&seq, &ms)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, time.Time{}, nil
	}
	if err != nil {
		return 0, time.Time{}, fmt.Errorf("read the last points: %w", err)
	}
	return seq, time.UnixMilli(ms).UTC(), nil
}

// Zone returns the time zone that the periods of the database at path are of; "" where
// there is no database, or they were never worked out.
func Zone(ctx context.Context, path string) (zone string, err error) {
	if err := checkFile(path); err != nil {
		return "", err
	}
	db, err := openExisting(path, readerPragmas)
	if err != nil {
		return "", nil // it is to be made
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if empty, err := identify(ctx, db, path); err != nil || empty {
		return "", err
	}
	var there bool
	err = db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM pragma_table_info('state') WHERE name = 'zone')`).Scan(&there)
	if err == nil && there {
		err = db.QueryRowContext(ctx, `SELECT zone FROM state`).Scan(&zone)
	}
	if err != nil {
		return "", unusable(path, err)
	}
	return zone, nil
}

// Free returns an error that wraps ErrInUse where a program has the database at path open.
func Free(ctx context.Context, path string) error {
	path, err := resolve(path)
	if err != nil {
		return err
	}
	h, err := hold(ctx, path)
	if err != nil {
		return err
	}
	return h.release()
}

// TimeFormat is how times are written: RFC 3339, in UTC, with milliseconds.
const TimeFormat = "2006-01-02T15:04:05.000Z"

// past is what rows with a time of their own have to come after.
type past struct {
	known  bool
	last   int64 // of the ledger's last row
	closed int64 // when the last period ended that is closed, or being closed
}

// checkTime returns the time of a row that is to get its own, or refuses it: what the
// ledger says of a moment, once said, stays.
func (a *addition) checkTime(ctx context.Context, u *Update, index int) (int64, error) {
	if u.At.IsZero() {
		a.past.last = max(a.past.last, a.at)
		return a.at, nil
	}
	if !a.past.known {
		err := a.conn.QueryRowContext(ctx, `
			SELECT max(?, coalesce((SELECT at FROM ledger ORDER BY seq DESC LIMIT 1), 0)),
			       coalesce((SELECT max(ends) FROM closings), 0)`, a.past.last).Scan(&a.past.last, &a.past.closed)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return 0, fmt.Errorf("read the last time: %w", err)
		}
		a.past.known = true
	}
	at := u.At.UnixMilli()
	say := func(ms int64) string { return time.UnixMilli(ms).UTC().Format(TimeFormat) }
	switch {
	case at > a.at:
		return 0, refuse(BadTime, index, "at", "%s lies in the future; give the time when the points were earned, or none for now", say(at))
	case at < a.past.closed:
		return 0, refuse(BadTime, index, "at", "%s lies in a period whose places are final, up to %s; leave the time out for now", say(at), say(a.past.closed))
	case at < a.past.last:
		return 0, refuse(BadTime, index, "at", "%s is before the points that come before it, of %s, and time in the ledger never goes back; sort the rows by at, or import them into a new database",
			say(at), say(a.past.last))
	}
	a.past.last = at
	return at, nil
}
