package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"time"
)

// maxAhead is how far the last change may lie ahead of the clock when a database is opened.
// Two machines' clocks may differ by as much.
const maxAhead = time.Minute

// ErrAhead is wrapped where the last change in a database lies ahead of the clock. Time in
// the ledger never goes back: all that would be written would get the time of that change,
// and no period would end before it.
var ErrAhead = errors.New("the last change in it lies ahead of this machine's clock")

// checkClock returns an error where the last change lies ahead of the clock.
func checkClock(last, now time.Time) error {
	ahead := last.Sub(now)
	if ahead <= maxAhead {
		return nil
	}
	by := ahead.Round(time.Second).String()
	if days := ahead / (24 * time.Hour); days >= 2 {
		by = fmt.Sprintf("%d days", days)
	}
	return fmt.Errorf("%w by %s: it is of %s, and the clock says %s; if the clock is wrong, set it, and start again;"+
		" if it was ahead once, run marcador redate, which dates what was written then to now", ErrAhead, by,
		last.UTC().Format(TimeFormat), now.UTC().Format(TimeFormat))
}

// Redated is what Redate has changed.
type Redated struct {
	Rows     int64 // of the ledger
	Closings int64 // closed periods that are opened again
}

// Redate gives all in the database at path that is dated later than a moment this moment
// instead. Periods that were closed too soon are opened again; a service closes them when
// they end. It works on a copy, which it checks from end to end and puts in place as
// Restore does: kept is the name that the database has from then on. The new one has a new
// epoch. An error that wraps ErrInUse says that a program has the database open. O(database).
func Redate(ctx context.Context, path string, to time.Time) (r Redated, kept string, err error) {
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
	held, err := hold(ctx, path)
	if err != nil {
		return r, "", err
	}
	defer func() { err = errors.Join(err, held.release()) }()
	if err := takeAfter(part.Path(), path); err != nil {
		return r, "", fmt.Errorf("give the new database the rights of the one before: %w", err)
	}
	if err := held.unchanged(ctx, c.Seq); err != nil {
		return r, "", err
	}
	kept, err = exchange(part, path, held)
	return r, kept, err
}

// unchanged returns an error where the database that is held is not at that seq.
func (h *holder) unchanged(ctx context.Context, seq int64) error {
	if h.db == nil {
		return fmt.Errorf("%w: it was moved away meanwhile", ErrGone)
	}
	var now int64
	if err := h.db.QueryRowContext(ctx, `SELECT seq FROM state`).Scan(&now); err != nil {
		return fmt.Errorf("read seq: %w", err)
	}
	if now != seq {
		return fmt.Errorf("%w: another program has written to it meanwhile; try again", ErrInUse)
	}
	return nil
}

// redate changes the dates in the database at path, which nobody else has open.
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
	defer func() { _ = t.Rollback() }() // unless it is committed
	var version int
	if err := t.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&version); err != nil || version != schemaVersion {
		return r, errors.Join(fmt.Errorf("it is of an older version (schema %d); start the service on it once, which brings it up to this one", version), err)
	}
	// The ledger's own guard against changes is put back as it was.
	const guard = "ledger_is_append_only"
	var asItWas string
	if err := t.QueryRowContext(ctx, `SELECT sql FROM sqlite_schema WHERE name = ?`, guard).Scan(&asItWas); err != nil {
		return r, fmt.Errorf("redate: %w", err)
	}
	at := sql.Named("to", to.UnixMilli())
	if _, err := t.ExecContext(ctx, `DROP TRIGGER `+guard); err != nil {
		return r, fmt.Errorf("redate: %w", err)
	}
	for _, change := range []struct {
		query string
		rows  *int64
	}{
		{`UPDATE ledger SET at = :to WHERE at > :to`, &r.Rows},
		{`UPDATE users SET created_at = min(created_at, :to), seen_since = min(seen_since, :to)`, nil},
		{`UPDATE friends SET since = :to WHERE since > :to`, nil},
		// Memberships that began and ended behind the moment have not been.
		{`DELETE FROM memberships WHERE since > :to AND until IS NOT NULL`, nil},
		{`UPDATE OR REPLACE memberships SET since = :to WHERE since > :to`, nil},
		{`UPDATE memberships SET until = :to WHERE until > :to`, nil},
		{`DELETE FROM finals WHERE closing IN (SELECT number FROM closings WHERE ends > :to)`, nil},
		{`DELETE FROM places WHERE closing IN (SELECT number FROM closings WHERE ends > :to)`, nil},
		{`DELETE FROM gaps WHERE closing IN (SELECT number FROM closings WHERE ends > :to)`, nil},
		{`DELETE FROM closings WHERE ends > :to`, &r.Closings},
		{`UPDATE state SET at = min(at, :to), seen_at = min(seen_at, :to), zone = ''`, nil}, // totals' periods are worked out again
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
	if _, err := t.ExecContext(ctx, asItWas); err != nil {
		return r, fmt.Errorf("redate: %w", err)
	}
	return r, t.Commit()
}

// rebuild works out the periods in the totals of the database at path.
func rebuild(ctx context.Context, path string, location *time.Location, now time.Time) error {
	s, err := Open(ctx, path, Options{Location: location, Now: func() time.Time { return now }})
	if err != nil {
		return err
	}
	err = s.Close()
	_ = os.Remove(path + "-lock") // where the lock is a file of its own
	return err
}
