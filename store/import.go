package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// importPrefix is the first character of keys that ImportKey made. It is a control character, which
// no caller's key can have.
const importPrefix = "\x1f"

// ImportKey returns the idempotency key of a write of rows from an imported file, for rows that
// have no key of their own. from is a hash of all rows of the file before them, and to a hash of
// all rows up to and including them. All hashes must have the same length.
func ImportKey(from, to string) string { return importPrefix + from + ":" + to }

// IsImportKey reports whether ImportKey made the key. The ranks that such a write was answered with
// are not stored: only an import repeats it, and an import does not use them.
func IsImportKey(key string) bool { return strings.HasPrefix(key, importPrefix) }

// Unknown returns the indexes of the ids that no user has.
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

// ImportedWrite is a write whose key ImportKey made.
type ImportedWrite struct {
	Rows int   // how many rows it had, with rows of users who were erased since
	Last int64 // seq of the last row
}

// Imported returns the imported writes that follow the rows with the hash from, by the hash to of
// each: see ImportKey. There may be several, since an import that was interrupted and started again
// may divide the rows differently.
func (s *Store) Imported(ctx context.Context, from string) (writes map[string]ImportedWrite, err error) {
	found, err := s.read.QueryContext(ctx, `SELECT key, count, seq + count - 1 FROM keys WHERE caller = '' AND key > ?1 AND key < ?2`,
		ImportKey(from, ""), importPrefix+from+";") // the colon's successor: all keys that begin with from and a colon
	if err != nil {
		return nil, fmt.Errorf("read keys of imports: %w", err)
	}
	defer func() { err = errors.Join(err, found.Close()) }()
	writes = map[string]ImportedWrite{}
	for found.Next() {
		var key string
		var w ImportedWrite
		if err := found.Scan(&key, &w.Rows, &w.Last); err != nil {
			return nil, fmt.Errorf("read keys of imports: %w", err)
		}
		writes[key[len(importPrefix)+len(from)+1:]] = w
	}
	return writes, found.Err()
}

// LastPoints returns the seq and the time of the ledger's last row, or zero values if the ledger is
// empty.
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

// Zone returns the time zone of the periods in the database at path. It is "" if there is no
// database, or if the periods have not been computed yet.
func Zone(ctx context.Context, path string) (zone string, err error) {
	if err := checkFile(path); err != nil {
		return "", err
	}
	db, err := openExisting(path, readerPragmas)
	if err != nil {
		return "", nil // there is no database yet
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

// Free returns an error that wraps ErrInUse if a program has the database at path open.
func Free(ctx context.Context, path string) error {
	path, err := resolve(path)
	if err != nil {
		return err
	}
	e, err := openExclusive(ctx, path)
	if err != nil {
		return err
	}
	return e.release()
}

// TimeFormat is the format of times in messages and files: RFC 3339, in UTC, with milliseconds.
const TimeFormat = "2006-01-02T15:04:05.000Z"

// earliest is the earliest time that an update may ask for.
type earliest struct {
	known  bool
	last   int64 // time of the ledger's last row
	closed int64 // end of the last period that is closed or being closed
}

// checkTime returns the time for the row of an update, or refuses the time that it asks for. That
// may not be earlier than the ledger's last row or in a closed period, since both are final.
func (a *addition) checkTime(ctx context.Context, u *Update, index int) (int64, error) {
	if u.At.IsZero() {
		a.earliest.last = max(a.earliest.last, a.at)
		return a.at, nil
	}
	if !a.earliest.known {
		err := a.conn.QueryRowContext(ctx, `
			SELECT max(?, coalesce((SELECT at FROM ledger ORDER BY seq DESC LIMIT 1), 0)),
			       coalesce((SELECT max(ends) FROM closings), 0)`, a.earliest.last).Scan(&a.earliest.last, &a.earliest.closed)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return 0, fmt.Errorf("read the last time: %w", err)
		}
		a.earliest.known = true
	}
	at := u.At.UnixMilli()
	say := func(ms int64) string { return time.UnixMilli(ms).UTC().Format(TimeFormat) }
	switch {
	case at > a.at:
		return 0, refuse(BadTime, index, "at", "%s lies in the future; give the time when the points were earned, or none for now", say(at))
	case at < a.earliest.closed:
		return 0, refuse(BadTime, index, "at", "%s lies in a period that is closed, which ended at %s; leave the time out for now", say(at), say(a.earliest.closed))
	case at < a.earliest.last:
		return 0, refuse(BadTime, index, "at", "%s is earlier than the points before it, which have %s, and the ledger's times never decrease; sort the rows by at, or import them into a new database",
			say(at), say(a.earliest.last))
	}
	a.earliest.last = at
	return at, nil
}
