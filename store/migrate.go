package store

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
)

//go:embed migrate_2.sql
var migrate2 string

// migrations lead from the version of the schema that is their index, plus 1, to the
// next. They are only ever added to.
var migrations = []string{migrate2}

// migrate brings a database of an older version up to the present one, or leaves it as
// it is.
func migrate(ctx context.Context, db *sql.DB, path string) (err error) {
	var version int
	if err := db.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&version); err != nil {
		return fmt.Errorf("read the schema's version of %q: %w", path, err)
	}
	from := version
	if version == schemaVersion {
		return nil
	}
	// Tables that others refer to are made anew: https://www.sqlite.org/lang_altertable.html#otheralter
	if _, err := db.ExecContext(ctx, `PRAGMA foreign_keys = OFF`); err != nil {
		return fmt.Errorf("migrate database %q: %w", path, err)
	}
	defer func() {
		_, errOn := db.ExecContext(ctx, `PRAGMA foreign_keys = ON`)
		err = errors.Join(err, errOn)
	}()
	t, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("migrate database %q: %w", path, err)
	}
	for ; version < schemaVersion && err == nil; version++ {
		_, err = t.ExecContext(ctx, migrations[version-1])
	}
	if err == nil {
		_, err = t.ExecContext(ctx, fmt.Sprintf(`PRAGMA user_version = %d`, schemaVersion))
	}
	if err == nil {
		err = t.Commit()
	}
	if err != nil {
		return errors.Join(fmt.Errorf("migrate database %q from schema %d; it was left as it is: %w", path, from, err), t.Rollback())
	}
	return nil
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
		err = w.rebuildWindows(ctx)
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
