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
	"time"
)

//go:embed migrations/2.sql
var migrate2 string

//go:embed migrations/3.sql
var migrate3 string

//go:embed migrations/4.sql
var migrate4 string

// migrations lead from one version of the schema to the next: the first from 1 to 2, and so on.
// They are only ever added to.
var migrations = []string{migrate2, migrate3, migrate4}

// migrate brings the schema of an older database up to date, in one transaction. After an error the
// database is as it was. Before it changes anything, it leaves a checked copy beside the file.
func migrate(ctx context.Context, db *sql.DB, path string) (err error) {
	var version int
	if err := db.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&version); err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	if version == schemaVersion {
		return nil
	}
	before, err := copyBefore(ctx, path, version)
	if err != nil {
		return fmt.Errorf("copy it before its schema is changed: %w", err)
	}
	// Migrations make tables anew that other tables refer to, see
	// https://www.sqlite.org/lang_altertable.html#otheralter
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
	defer func() { _ = t.Rollback() }() // has no effect after Commit
	if err = runMigrations(ctx, t, version, before); err == nil {
		err = t.Commit()
	}
	if err != nil {
		return fmt.Errorf("migrate from schema %d; it was left as it is: %w", version, err)
	}
	return nil
}

// runMigrations brings the schema up to date from a version, within a transaction. before is the
// copy that was made.
func runMigrations(ctx context.Context, t *sql.Tx, version int, before Contents) error {
	var seq int64
	var now int
	if err := t.QueryRowContext(ctx, `SELECT seq, user_version FROM state, pragma_user_version`).Scan(&seq, &now); err != nil {
		return err
	}
	if seq != before.Seq || now != version {
		return errors.New("another program has written to it since the copy was made; stop it first")
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

// copyBefore leaves a copy of the database beside it and returns a summary of it. If there is a
// copy with the same content, as after a migration that failed, it makes no other.
func copyBefore(ctx context.Context, path string, version int) (Contents, error) {
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

// sameContent reports whether two files have the same bytes.
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

// matchDisplay gives every board a new version if Options.Display has changed. Boards may then show
// the same data another way, and a version stands for one state of a board. A database from before
// the options were stored counts as changed.
func (w *writer) matchDisplay(ctx context.Context) error {
	now := max(w.at, w.s.opts.Now().UnixMilli())
	changed, err := w.conn.ExecContext(ctx,
		`UPDATE state SET seq = ?1, seen = ?1, at = ?2, seen_at = ?2, display = ?3 WHERE display <> ?3`,
		w.seq+1, now, w.s.opts.Display)
	if err != nil {
		return fmt.Errorf("remember how boards are shown: %w", err)
	}
	if n, err := changed.RowsAffected(); err != nil || n == 0 {
		return err
	}
	w.seq, w.at = w.seq+1, now
	w.s.seq.Store(w.seq)
	w.s.at.Store(w.at)
	w.s.seen.Store(&Stamp{w.seq, time.UnixMilli(now).UTC()})
	return nil
}

// matchZone makes the periods in totals those of Options.Location. If they were computed for
// another time zone, or never, it computes them from the ledger.
func (w *writer) matchZone(ctx context.Context) error {
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
		return errors.Join(fmt.Errorf("compute the periods in the time zone %s: %w", zone, err), undo)
	}
	return nil
}
