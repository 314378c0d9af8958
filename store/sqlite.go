package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

const (
	applicationID = 0x4d617263 // "Marc"; https://www.sqlite.org/pragma.html#pragma_application_id
	schemaVersion = 4          // PRAGMA user_version of what schema.sql makes
	readers       = 4          // connections for reading

	// lockTimeout is how long a transaction waits for another program's lock. It is short, so
	// that a write is answered with the reason before its caller gives up.
	lockTimeout = 3 * time.Second
)

// Pragmas are part of the DSN, so that every connection has them.
var (
	writerPragmas = []string{
		fmt.Sprintf("busy_timeout(%d)", lockTimeout.Milliseconds()),
		"journal_mode(WAL)",
		"synchronous(FULL)",
		"foreign_keys(ON)",
		"wal_autocheckpoint(8192)",     // pages, 32 MiB; writes wait for a checkpoint, fewer than one in a hundred
		"journal_size_limit(67108864)", // 64 MiB; a checkpoint cuts the log back to this size
		"secure_delete(ON)",            // deleted data is overwritten with zeros
		"cache_size(-65536)",           // KiB
	}
	readerPragmas = []string{"busy_timeout(5000)", "query_only(ON)"}
)

// SQLite's own build commits with fdatasync where the system has it, and this makes the driver do
// the same. The file's times need not be on the disk.
func init() { _, _ = sqlite.Fdatasync(true) } // an error on macOS and Windows, which lack it

func open(path string, connections int, pragmas []string) (*sql.DB, error) {
	return openAs(path, "rwc", connections, pragmas)
}

// openAs opens the file in one of SQLite's modes. rwc makes a missing file, rw does not, and ro
// never writes to the file. immutable does not even look at the files beside it: it ignores the log
// and takes no lock.
func openAs(path, mode string, connections int, pragmas []string) (*sql.DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("database %q: %w", path, err)
	}
	query := url.Values{"mode": {mode}, "_pragma": pragmas, "_txlock": {"immediate"}}
	if mode == "immutable" {
		query["mode"], query["immutable"] = []string{"ro"}, []string{"1"}
	}
	dsn := url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(abs), RawQuery: query.Encode()}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, fmt.Errorf("open database %q: %w", path, err)
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}

// checkFile finds errors for which SQLite's own messages do not say what to do.
func checkFile(path string) error {
	if path == "" {
		return errors.New("the database's path is empty; give a file, such as marcador.db")
	}
	folder := filepath.Dir(path)
	switch info, err := os.Stat(folder); {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("the folder %q of the database does not exist; make it first, or give another path", folder)
	case err != nil:
		return fmt.Errorf("database folder: %w", err)
	case !info.IsDir():
		return fmt.Errorf("%q is not a folder, so no database can be in it", folder)
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return fmt.Errorf("the database %q is a folder; give the path of a file", path)
	}
	return nil
}

// logAlone returns an error if there is a write-ahead log without its database, which was moved
// away. SQLite would take such a log for a leftover and remove it.
func logAlone(path string) error {
	info, err := os.Stat(path)
	log, logErr := os.Stat(path + "-wal")
	if logErr == nil && log.Size() > 0 && (errors.Is(err, os.ErrNotExist) || err == nil && info.Size() == 0) {
		return fmt.Errorf("the database %q is missing, but there is its log, %q; put the file back, or move the log away for a new database", path, path+"-wal")
	}
	return nil
}

// resolve follows symbolic links. The log and the lock are beside the file that they lead to.
func resolve(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	resolved, err := filepath.EvalSymlinks(path)
	if err == nil {
		return resolved, nil
	}
	if _, linkErr := os.Lstat(path); linkErr == nil && errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("the database %q is a link to a file that is not there; put the file there, or give its path", path)
	}
	return path, nil // there is no file yet, or SQLite says what is wrong with it
}

// recognise returns true for an empty or missing file, false for a database of this program, and an
// error for anything else. It leaves the file as it is: the connection that it reads through does
// not switch to WAL.
func recognise(ctx context.Context, path string) (empty bool, err error) {
	db, err := open(path, 1, readerPragmas)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	empty, err = identify(ctx, db, path)
	if err != nil || empty {
		return empty, err
	}
	if err := looksWhole(ctx, db, path); err != nil {
		return false, unusable(path, err)
	}
	return false, nil
}

// identify is recognise through an open connection. It reads only the first pages.
func identify(ctx context.Context, db *sql.DB, path string) (empty bool, err error) {
	h, err := headerOf(ctx, db)
	switch {
	case isCode(err, sqlite3.SQLITE_NOTADB):
		return false, fmt.Errorf("%q is not an SQLite database; it was left as it is, give another path", path)
	case err != nil:
		return false, unusable(path, err)
	case h.tables == 0 && h.application == 0:
		return true, nil
	case h.application != applicationID:
		return false, anothers(path)
	case h.version < 1:
		return false, unusable(path, fmt.Errorf("%w: its schema has the version %d", ErrDamaged, h.version))
	case h.version > schemaVersion:
		return false, fmt.Errorf("the database %q was written by a newer version of marcador (schema %d, this one knows %d); update marcador", path, h.version, schemaVersion)
	}
	return false, nil
}

// expect is identify for a file that must not be empty.
func expect(ctx context.Context, db *sql.DB, path string) error {
	empty, err := identify(ctx, db, path)
	if err == nil && empty {
		err = fmt.Errorf("%q is empty; give the path of a database", path)
	}
	return err
}

func anothers(path string) error {
	return fmt.Errorf("%q is an SQLite database of another program; it was left as it is, give another path", path)
}

// header is what tells whose database a file is.
type header struct{ application, version, tables int }

func headerOf(ctx context.Context, db *sql.DB) (h header, err error) {
	err = db.QueryRowContext(ctx, `
		SELECT (SELECT application_id FROM pragma_application_id),
		       (SELECT user_version FROM pragma_user_version),
		       (SELECT count(*) FROM sqlite_schema)`).Scan(&h.application, &h.version, &h.tables)
	return h, err
}

// createDatabase makes the tables of schema in the empty database at path.
func createDatabase(ctx context.Context, db *sql.DB, path string, opts Options) (err error) {
	if opts.Schema == "" {
		return fmt.Errorf("make database %q: Options.Schema is empty", path)
	}
	t, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("make database %q: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("make database %q: %w", path, err), t.Rollback())
		}
	}()
	if _, err = t.ExecContext(ctx, opts.Schema); err != nil {
		return err
	}
	if _, err = t.ExecContext(ctx, `INSERT INTO state (id, epoch, seq, at, answered, zone, seen, seen_at, display) VALUES (1, ?1, 0, ?2, 0, '', 0, ?2, ?3)`,
		newEpoch(), opts.Now().UnixMilli(), opts.Display); err != nil {
		return err
	}
	// A pragma takes no parameters; both are constants.
	if _, err = t.ExecContext(ctx, fmt.Sprintf(`PRAGMA application_id = %d; PRAGMA user_version = %d`,
		applicationID, schemaVersion)); err != nil {
		return err
	}
	return t.Commit()
}

func isCode(err error, primary int) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && e.Code()&0xff == primary
}
