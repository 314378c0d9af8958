package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"time"
)

// maxAhead is how far the last change may be ahead of the clock when a database is opened. The
// clocks of two machines may differ by as much.
const maxAhead = time.Minute

// ErrAhead is returned if the last change in a database is ahead of the clock. The ledger's times
// never decrease, so all new rows would get the time of that change, and no period would end before
// it.
var ErrAhead = errors.New("the last change in it lies ahead of this machine's clock")

// checkClock returns an error if the last change is ahead of the clock.
func checkClock(last, now time.Time) error {
	ahead := last.Sub(now)
	if ahead <= maxAhead {
		return nil
	}
	by := ahead.Round(time.Second).String()
	if days := ahead / (24 * time.Hour); days >= 2 {
		by = fmt.Sprintf("%d days", days)
	}
	return fmt.Errorf("%w by %s: it was made at %s, and the clock says %s; if the clock is wrong, set it, and start again;"+
		" if it was ahead once, run marcador redate, which gives the changes of that time the present time", ErrAhead, by,
		last.UTC().Format(TimeFormat), now.UTC().Format(TimeFormat))
}

// Redated counts what Redate has changed.
type Redated struct {
	Rows     int64 // rows of the ledger
	Closings int64 // closed periods that were opened again
}

// Redate changes every time in the database at path that is later than a moment to that moment.
// Periods that were closed too early are opened again, and a service closes them when they end.
//
// It changes a copy, checks the copy from end to end and replaces the database by it, as Restore
// does. former is the name of the former database, or "" after an error. The new database has a new
// epoch. The error wraps ErrInUse if a program has the database open. O(database).
func Redate(ctx context.Context, path string, to time.Time) (r Redated, former string, err error) {
	if path, err = resolve(path); err != nil {
		return r, "", err
	}
	zone, err := Zone(ctx, path)
	if err != nil {
		return r, "", err
	}
	location, err := time.LoadLocation(zone)
	if err != nil {
		return r, "", unusable(path, fmt.Errorf("load its time zone: %w", err))
	}
	if err := Free(ctx, path); err != nil {
		return r, "", err
	}
	part, c, err := copyOf(ctx, path, path, func(ctx context.Context, copied string) error {
		if r, err = redate(ctx, copied, to); err != nil {
			return err
		}
		return rebuild(ctx, copied, location, to)
	}, setEpoch)
	if err != nil {
		return r, "", err
	}
	defer func() { err = errors.Join(err, part.Discard()) }()
	database, err := openExclusive(ctx, path)
	if err != nil {
		return r, "", err
	}
	defer func() { err = errors.Join(err, database.release()) }()
	if err := takeAfter(part.Path(), path); err != nil {
		return r, "", fmt.Errorf("give the new database the rights of the former: %w", err)
	}
	if err := database.unchanged(ctx, c.Seq); err != nil {
		return r, "", err
	}
	former, err = replace(part, path, database)
	return r, former, err
}

// unchanged returns an error if the database has another seq.
func (e *exclusive) unchanged(ctx context.Context, seq int64) error {
	if e.db == nil {
		return fmt.Errorf("%w: it was moved away meanwhile", ErrGone)
	}
	var now int64
	if err := e.db.QueryRowContext(ctx, `SELECT seq FROM state`).Scan(&now); err != nil {
		return fmt.Errorf("read seq: %w", err)
	}
	if now != seq {
		return fmt.Errorf("%w: another program has written to it meanwhile; try again", ErrInUse)
	}
	return nil
}

// redate changes the times in the database at path, which no other program has open.
func redate(ctx context.Context, path string, to time.Time) (r Redated, err error) {
	db, err := openExisting(path, []string{"synchronous(FULL)", "foreign_keys(ON)"})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	t, err := db.BeginTx(ctx, nil)
	if err != nil {
		return r, fmt.Errorf("redate: %w", err)
	}
	defer func() { _ = t.Rollback() }() // has no effect after Commit
	var version int
	if err := t.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&version); err != nil || version != schemaVersion {
		return r, errors.Join(fmt.Errorf("it was written by an older version (schema %d); start the service on it once, which brings it up to date", version), err)
	}
	// Dropped, and made again below with the same text.
	const trigger = "ledger_is_append_only"
	var definition string
	if err := t.QueryRowContext(ctx, `SELECT sql FROM sqlite_schema WHERE name = ?`, trigger).Scan(&definition); err != nil {
		return r, fmt.Errorf("redate: %w", err)
	}
	at := sql.Named("to", to.UnixMilli())
	if _, err := t.ExecContext(ctx, `DROP TRIGGER `+trigger); err != nil {
		return r, fmt.Errorf("redate: %w", err)
	}
	for _, change := range []struct {
		query string
		rows  *int64
	}{
		{`UPDATE ledger SET at = :to WHERE at > :to`, &r.Rows},
		{`UPDATE users SET created_at = min(created_at, :to), seen_since = min(seen_since, :to)`, nil},
		{`UPDATE friends SET since = :to WHERE since > :to`, nil},
		// Memberships that began and ended after the moment are removed.
		{`DELETE FROM memberships WHERE since > :to AND until IS NOT NULL`, nil},
		{`UPDATE OR REPLACE memberships SET since = :to WHERE since > :to`, nil},
		{`UPDATE memberships SET until = :to WHERE until > :to`, nil},
		{`DELETE FROM finals WHERE closing IN (SELECT number FROM closings WHERE ends > :to)`, nil},
		{`DELETE FROM places WHERE closing IN (SELECT number FROM closings WHERE ends > :to)`, nil},
		{`DELETE FROM gaps WHERE closing IN (SELECT number FROM closings WHERE ends > :to)`, nil},
		{`DELETE FROM closings WHERE ends > :to`, &r.Closings},
		{`UPDATE state SET at = min(at, :to), seen_at = min(seen_at, :to), zone = ''`, nil}, // without a zone, rebuild computes the periods again
	} {
		result, err := t.ExecContext(ctx, change.query, at)
		if err != nil {
			return r, fmt.Errorf("redate: %w", err)
		}
		if change.rows != nil {
			if *change.rows, err = result.RowsAffected(); err != nil {
				return r, fmt.Errorf("redate: %w", err)
			}
		}
	}
	if _, err := t.ExecContext(ctx, definition); err != nil {
		return r, fmt.Errorf("redate: %w", err)
	}
	return r, t.Commit()
}

// rebuild computes the periods in totals of the database at path, by opening it.
func rebuild(ctx context.Context, path string, location *time.Location, now time.Time) error {
	s, err := Open(ctx, path, Options{Location: location, Now: func() time.Time { return now }})
	if err != nil {
		return err
	}
	err = s.Close()
	_ = os.Remove(path + "-lock") // on systems where the lock is a file of its own
	return err
}
