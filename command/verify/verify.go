// Package verify checks a database of Marcador against its own ledger.
//
// The ledger has every change of points that was ever made. Totals, the boards of the present
// periods and the final places of closed periods follow from it. This package computes them a
// second time, from the ledger alone, and reports the first value in the database, or on a page
// of a running service, that differs.
//
// It shares no code with the packages that maintain those values: sums and ranks are SQL over the
// ledger's rows, and days, weeks and months come from a calendar of its own. So a fault in store,
// rank or live does not hide itself here.
//
//	db, err := verify.Open(ctx, "marcador.db", verify.Options{Location: zone})
//	…
//	difference, err := db.Totals(ctx) // "" if everything agrees
//
// Reading never changes the database, and a service may be running on it.
package verify

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // the driver
)

const (
	applicationID = 0x4d617263 // PRAGMA application_id of Marcador's databases
	schemaVersion = 4          // PRAGMA user_version that these checks are written for
	connections   = 4
)

// How equal scores are numbered.
const (
	ordinal     = "ordinal"
	competition = "competition"
	dense       = "dense"
)

// Options repeats the settings of the service that the database belongs to. The zero value of a
// field is its default.
type Options struct {
	// Location is the time zone in which days begin. Default UTC.
	Location *time.Location

	// Baseline says since when a change of rank on the all-time board is counted: since the
	// present day began (Daily, the default), the present week or the present month.
	Baseline Period

	// Numbering is how equal scores are numbered: ordinal, the default, 1 2 3 4;
	// competition 1 2 2 4; dense 1 2 2 3.
	Numbering string

	// Friends says when two users are friends: mutual, the default, once both have asked for
	// it; open, once one of them has; group, once one of them has, if both are members of a
	// group whose board has no limit.
	Friends string

	// Now is the clock that Compare reads. Default time.Now.
	Now func() time.Time

	// Checked is called by Totals after each check that found no difference, with a name for
	// what was checked and the number of rows or pages. Default: nothing is called.
	Checked func(what string, count int64)
}

// Difference is a sentence that names one value that differs from what the ledger says. It is
// empty if there is no difference.
type Difference string

// DB is a database that is open for reading. Safe for concurrent use.
type DB struct {
	db   *sql.DB
	opts Options
}

// Open opens the database at path for reading. The file must exist and have the present version
// of the schema. No row is ever changed. But if a crash has left changes in the -wal file and no
// other program has the database open, SQLite moves them into the file when it is closed.
func Open(ctx context.Context, path string, opts Options) (_ *DB, err error) {
	if opts.Location == nil {
		opts.Location = time.UTC
	}
	if opts.Numbering == "" {
		opts.Numbering = ordinal
	}
	if opts.Friends == "" {
		opts.Friends = "mutual"
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if n := opts.Numbering; n != ordinal && n != competition && n != dense {
		return nil, fmt.Errorf("ranks can't be numbered %q; give %s, %s or %s", n, ordinal, competition, dense)
	}
	if opts.Baseline == "" {
		opts.Baseline = Daily
	}
	if !opts.Baseline.ends() {
		return nil, fmt.Errorf("the baseline can't be %s; give daily, weekly or monthly", opts.Baseline)
	}
	// SQLite's own messages for these do not say what to do.
	switch info, err := os.Stat(path); {
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("there is no database %q; give the path of one", path)
	case err != nil:
		return nil, fmt.Errorf("open database: %w", err)
	case info.IsDir():
		return nil, fmt.Errorf("the database %q is a folder; give the path of a file", path)
	}
	db, err := connect(path)
	if err != nil {
		return nil, fmt.Errorf("open database %q: %w", path, err)
	}
	if err := recognise(ctx, db, path, opts.Location); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &DB{db, opts}, nil
}

// Close closes the database.
func (d *DB) Close() error { return d.db.Close() }

func connect(path string) (*sql.DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	dsn := url.URL{
		Scheme:   "file",
		OmitHost: true,
		Path:     filepath.ToSlash(abs),
		RawQuery: url.Values{
			// With ro a file in WAL mode can be read only while another program has it
			// open. Unlike rwc, rw does not make a missing file.
			"mode":    {"rw"},
			"_pragma": {"busy_timeout(5000)", "query_only(ON)", "cache_size(-131072)"}, // KiB
		}.Encode(),
	}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}

// recognise returns an error if the database can't be verified by this package.
func recognise(ctx context.Context, db *sql.DB, path string, location *time.Location) error {
	var application, version int
	err := db.QueryRowContext(ctx, `
		SELECT (SELECT application_id FROM pragma_application_id),
		       (SELECT user_version FROM pragma_user_version)`).Scan(&application, &version)
	switch {
	case err != nil:
		return fmt.Errorf("open database %q: %w", path, err)
	case application != applicationID:
		return fmt.Errorf("%q is not a database of marcador; give another path", path)
	case version > schemaVersion:
		return fmt.Errorf("the database %q was written by a newer version of marcador; update marcador", path)
	case version < schemaVersion:
		return fmt.Errorf("the database %q was written by an older version of marcador; marcador serve brings it up to date", path)
	}
	var zone string
	if err := db.QueryRowContext(ctx, `SELECT coalesce((SELECT zone FROM state), '')`).Scan(&zone); err != nil {
		return fmt.Errorf("read the time zone of %q: %w", path, err)
	}
	if zone != "" && zone != location.String() {
		return fmt.Errorf("the service that %q belongs to runs in the time zone %s, not in %s; give %[2]s", path, zone, location)
	}
	return nil
}

// verification reads the database as it was at one moment, in one transaction.
type verification struct {
	tx   *sql.Tx
	opts Options
}

// at calls fn with a verification of the present moment. It does not show what a service writes
// meanwhile, and those writes stay in the -wal file until fn returns.
func (d *DB) at(ctx context.Context, fn func(*verification) error) (err error) {
	tx, err := d.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("read database: %w", err)
	}
	defer func() { err = errors.Join(err, tx.Rollback()) }() // there is nothing to commit
	return fn(&verification{tx, d.opts})
}

// first scans the first row of a query's result. It returns false if there is no row.
func (v *verification) first(ctx context.Context, query string, args []any, dest ...any) (bool, error) {
	err := v.tx.QueryRowContext(ctx, query, args...).Scan(dest...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}
