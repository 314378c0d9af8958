// Package verify works out from the ledger alone what a database's totals and
// boards have to be, and says where they are something else. It shares no code
// with what keeps them: everything is SQL over the ledger's rows.
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

	"marcador/store"
)

const (
	applicationID = 0x4d617263 // PRAGMA application_id of Marcador's databases
	schemaVersion = 3          // PRAGMA user_version that these checks are of
	connections   = 4
)

// How equal scores are numbered.
const (
	ordinal     = "ordinal"
	competition = "competition"
	dense       = "dense"
)

// Options says how the service is run that the database belongs to. The zero value
// of a field is its default.
type Options struct {
	// Location is where days begin. Default UTC.
	Location *time.Location

	// Baseline is the period at whose start stood what changes on the all-time
	// board are measured from: Daily, the default, Weekly or Monthly.
	Baseline store.Period

	// Numbering is how equal scores are numbered: ordinal, the default, 1 2 3 4;
	// competition 1 2 2 4; dense 1 2 2 3.
	Numbering string

	// Friends is when a friendship counts: mutual, the default, once both have asked for
	// it; group, once one has, among members of one group that has no limit; open, once
	// one has.
	Friends string

	// Now is the clock that Compare reads. Default time.Now.
	Now func() time.Time

	// Checked, where it is set, is called by Totals after each check that found no
	// difference, with what was checked and how many there are of it.
	Checked func(what string, count int64)
}

// Difference says in words where something is not what the ledger says. It is
// empty where there is no difference.
type Difference string

// DB is a database that is looked at, which a service may be running on. Safe for
// concurrent use.
type DB struct {
	db   *sql.DB
	opts Options
}

// Open opens the database at path for reading. The file must be there, and of the
// present version of the schema. Nothing in it is ever changed; but as with any
// program that closes an SQLite database last, what a crash has left in its -wal
// file may be moved into it.
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
	if int(opts.Baseline) >= store.Ending {
		return nil, fmt.Errorf("the baseline can't be %s; give daily, weekly or monthly", opts.Baseline)
	}
	// SQLite would word these poorly.
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
			// Not ro, with which a file in WAL mode can be read only while others
			// have it open; rw makes no new one.
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

// recognise returns an error where the database is not one that can be verified.
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
		return fmt.Errorf("the service that %q belongs to runs in the time zone %s, not in %s; give that", path, zone, location)
	}
	return nil
}

// moment is the database as it was at one moment.
type moment struct {
	tx   *sql.Tx
	opts Options
}

// at calls fn with the present moment. What a service writes meanwhile is not seen,
// and stays in its -wal file until fn returns.
func (d *DB) at(ctx context.Context, fn func(*moment) error) (err error) {
	tx, err := d.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("read database: %w", err)
	}
	defer func() { err = errors.Join(err, tx.Rollback()) }() // there is nothing to commit
	return fn(&moment{tx, d.opts})
}

// first scans the first row of a query's result and reports whether there is one.
func (m *moment) first(ctx context.Context, query string, args []any, dest ...any) (bool, error) {
	err := m.tx.QueryRowContext(ctx, query, args...).Scan(dest...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}
