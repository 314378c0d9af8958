package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

//go:embed migrations/2.sql
var migrate2 string

//go:embed migrations/3.sql
var migrate3 string

// migrations lead from the version of the schema that is their index, plus 1, to the
// next. They are only ever added to.
var migrations = []string{migrate2, migrate3}

// migrate brings a database of an older version up to the present one, in one transaction,
// or leaves it as it is. Before that it leaves a copy of it, checked, beside the file.
func migrate(ctx context.Context, db *sql.DB, path string) (err error) {
	var version int
	if err := db.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&version); err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	if version == schemaVersion {
		return nil
	}
	before, err := keepBefore(ctx, path, version)
	if err != nil {
		return fmt.Errorf("copy it before its schema is changed: %w", err)
	}
	// Tables that others refer to are made anew: https://www.sqlite.org/lang_altertable.html#otheralter
	if _, err := db.ExecContext(ctx, `PRAGMA foreign_keys = OFF`); err != nil {
		return fmt.Errorf("migrate from schema %d: %w", version, err)
	}
	defer func() {
		_, errOn := db.ExecContext(ctx, `PRAGMA foreign_keys = ON`)
		err = errors.Join(err, errOn)
	}()
	t, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("migrate from schema %d: %w", version, err)
	}
	defer func() { _ = t.Rollback() }() // unless it is committed; what it says has been said
	if err = runMigrations(ctx, t, version, before); err == nil {
		err = t.Commit()
	}
	if err != nil {
		return fmt.Errorf("migrate from schema %d; it was left as it is: %w", version, err)
	}
	return nil
}

// runMigrations does within the transaction all that a migration from the version does.
func runMigrations(ctx context.Context, t *sql.Tx, version int, before Contents) error {
	var seq int64
	var now int
	if err := t.QueryRowContext(ctx, `SELECT seq, user_version FROM state, pragma_user_version`).Scan(&seq, &now); err != nil {
		return err
	}
	if seq != before.Seq || now != version {
		return errors.New("another program has written to it since the copy was made; stop that first")
	}
	for _, m := range migrations[version-1:] {
		if _, err := t.ExecContext(ctx, m); err != nil {
			return err
		}
	}
	if err := wholeReferences(ctx, t); err != nil {
		return err
	}
	_, err := t.ExecContext(ctx, fmt.Sprintf(`PRAGMA user_version = %d`, schemaVersion))
	return err
}

// keepBefore leaves a copy of the database beside it and says what is in it. Where there
// is such a copy of the same content, as when a migration is tried again, that will do.
func keepBefore(ctx context.Context, path string, version int) (Contents, error) {
	name := fmt.Sprintf("%s.schema-%d.bak", path, version)
	part, c, err := copyOf(ctx, path, name)
	if err != nil {
		return c, err
	}
	for n := 2; ; n++ {
		if err = part.Create(name); !errors.Is(err, fs.ErrExist) {
			break
		}
		if equal, readErr := sameContent(name, part.Path()); readErr != nil || equal {
			err = readErr
			break
		}
		name = fmt.Sprintf("%s.schema-%d.bak.%d", path, version, n)
	}
	return c, errors.Join(err, part.Discard())
}

// sameContent compares two files.
func sameContent(a, b string) (bool, error) {
	sums := [2][sha256.Size]byte{}
	for i, path := range []string{a, b} {
		f, err := os.Open(path)
		if err != nil {
			return false, err
		}
		h := sha256.New()
		_, err = io.Copy(h, f)
		if err = errors.Join(err, f.Close()); err != nil {
			return false, err
		}
		h.Sum(sums[i][:0])
	}
	return sums[0] == sums[1], nil
}

// keepZone has the periods in totals be those of the time zone that the store is opened
// with: where it is another one, or they were never worked out, they are from the ledger.
func (w *writer) keepZone(ctx context.Context) error {
	zone := w.s.opts.Location.String()
	var was string
	if err := w.conn.QueryRowContext(ctx, `SELECT zone FROM state`).Scan(&was); err != nil {
		return fmt.Errorf("read time zone: %w", err)
	}
	if was == zone {
		return nil
	}
	_, err := w.conn.ExecContext(ctx, `BEGIN IMMEDIATE`)
	if err == nil {
		err = w.rebuildPeriods(ctx)
	}
	if err == nil {
		_, err = w.conn.ExecContext(ctx, `UPDATE state SET zone = ?`, zone)
	}
	if err == nil {
		_, err = w.conn.ExecContext(ctx, `COMMIT`)
	}
	if err != nil {
		_, undo := w.conn.ExecContext(ctx, `ROLLBACK`)
		return errors.Join(fmt.Errorf("work out the periods in the time zone %s: %w", zone, err), undo)
	}
	return nil
}
