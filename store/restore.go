package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"marcador/internal/atomicfile"
)

// ErrInUse is returned if a program has the database open.
var ErrInUse = errors.New("the database is in use")

// companions are the suffixes of SQLite's files beside a database. They belong to that one
// database.
var companions = []string{"-wal", "-shm", "-journal"}

// Restore replaces the database at path by a copy of the one in the file at from, which it first
// checks from end to end. The former database stays beside the new one: former is its name, or ""
// if there was none. At every moment, and after a crash at any moment, one of the two is at path,
// whole.
//
// The restored database has a new epoch, because it will give seqs again that clients have seen:
// streams begin with a new snapshot. The error wraps ErrInUse if a service or another program has
// the database at path open. O(database).
func Restore(ctx context.Context, from, path string) (c Contents, former string, err error) {
	if path, err = resolve(path); err != nil {
		return c, "", err
	}
	if err := checkFile(path); err != nil {
		return c, "", err
	}
	if same(from, path) {
		return c, "", fmt.Errorf("%q is the database itself; give a backup of it", from)
	}
	if _, err := contentsOf(ctx, from); err != nil { // before anything is done to the database
		return c, "", unfit(from, err)
	}
	database, err := openExclusive(ctx, path)
	if err != nil {
		return c, "", err
	}
	defer func() { err = errors.Join(err, database.release()) }()
	part, c, err := copyOf(ctx, from, path, setEpoch)
	if err != nil {
		return c, "", unfit(from, err)
	}
	defer func() { err = errors.Join(err, part.Discard()) }()
	if err := takeAfter(part.Path(), path); err != nil {
		return c, "", fmt.Errorf("give the restored database the rights of the former: %w", err)
	}
	former, err = replace(part, path, database)
	return c, former, err
}

// unfit returns the error for a file that can't be restored.
func unfit(from string, err error) error {
	if errors.Is(err, ErrDamaged) {
		return fmt.Errorf("%q was not restored: %w; give another backup", from, err)
	}
	return err
}

// same reports whether two paths lead to one file.
func same(a, b string) bool {
	first, err := os.Stat(a)
	if err != nil {
		return false
	}
	second, err := os.Stat(b)
	return err == nil && os.SameFile(first, second)
}

// setEpoch gives the database at path a new epoch.
func setEpoch(ctx context.Context, path string) error {
	db, err := openExisting(path, []string{"synchronous(FULL)", "secure_delete(ON)"})
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, `UPDATE state SET epoch = ?`, newEpoch())
	return errors.Join(err, db.Close())
}

// newEpoch returns a random name, so that no other database has it.
func newEpoch() string { return rand.Text()[:10] }

// exclusive is a database that no other program can open until release. It belongs to one
// goroutine.
type exclusive struct {
	db     *sql.DB  // nil if there is no file
	file   *os.File // the file, if preserve had to open it
	beside []string // suffixes of the files that may be beside the database
}

// openExclusive opens the database at path so that no other program can open it, and copies the
// write-ahead log into the file. The error wraps ErrInUse if a program has it open already. Of a
// damaged database it can only tell whether a service has it open, not whether another program has.
// A database that belongs to another program is refused, and left as it is.
func openExclusive(ctx context.Context, path string) (*exclusive, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		// A service does not start if there is a log without its database. So the files
		// that are here now do not belong to a service that starts meanwhile.
		return &exclusive{beside: left(path)}, nil
	}
	if err := notAnothers(ctx, path); err != nil {
		return nil, err
	}
	db, err := openExisting(path, []string{"busy_timeout(500)", "locking_mode(EXCLUSIVE)"})
	if err != nil {
		return nil, err
	}
	e := &exclusive{db: db, beside: companions}
	// In WAL mode each connection has a shared lock as long as it is open, and this connection
	// can't leave the mode while there is one.
	var mode string
	err = db.QueryRowContext(ctx, `PRAGMA journal_mode = DELETE`).Scan(&mode)
	if err == nil {
		// In exclusive mode SQLite would leave its journal there and remove it, by its
		// path, at the end. By then the path may belong to another database.
		_, err = db.ExecContext(ctx, `PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE`)
	}
	if err == nil && mode == "delete" {
		for _, suffix := range []string{"-journal", "-shm"} { // nobody uses them now
			if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, errors.Join(err, e.release())
			}
		}
	}
	if err == nil {
		err = db.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema`).Scan(new(int)) // fails if the file is no database
	}
	switch {
	case isCode(err, sqlite3.SQLITE_BUSY) || isCode(err, sqlite3.SQLITE_LOCKED) || err == nil && mode != "delete":
		return nil, errors.Join(fmt.Errorf("%w: a service, or another program, has %q open; stop it first", ErrInUse, path), e.release())
	case isCode(err, sqlite3.SQLITE_NOTADB) || isCode(err, sqlite3.SQLITE_CORRUPT):
		return e, nil
	case err != nil:
		return nil, errors.Join(unusable(path, err), e.release())
	}
	return e, nil
}

// notAnothers returns an error if the file is another program's database. It reads through
// connections that can't write, since others would copy that program's log into its file. Only
// after a crash that left a transaction half written does SQLite need one that can write.
func notAnothers(ctx context.Context, path string) error {
	modes := []string{"ro", "rw"}
	if len(left(path)) == 0 { // ro would make a log, and leave it there
		modes = []string{"immutable"}
	}
	for _, mode := range modes {
		db, err := openAs(path, mode, 1, []string{"busy_timeout(500)"})
		if err != nil {
			return err
		}
		h, err := headerOf(ctx, db)
		err = errors.Join(err, db.Close())
		switch {
		case err == nil && h.application != applicationID && h.tables > 0:
			return anothers(path)
		case !isCode(err, sqlite3.SQLITE_READONLY) && !isCode(err, sqlite3.SQLITE_CANTOPEN):
			return nil // other errors are reported by the caller's next step
		}
	}
	return nil
}

// left returns the suffixes of the files beside the database that have data for it.
func left(path string) (suffixes []string) {
	for _, suffix := range []string{"-wal", "-journal"} {
		if info, err := os.Stat(path + suffix); err == nil && info.Size() > 0 {
			suffixes = append(suffixes, suffix)
		}
	}
	return suffixes
}

// preserve gives the database at path a second name. If the file system has no second names, it
// makes a copy with that name. It never replaces a file.
func (e *exclusive) preserve(path, name string) (err error) {
	if err = os.Link(path, name); err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	// Only release may close it: by closing it the process loses all its locks on the file.
	if e.file, err = os.Open(path); err != nil {
		return err
	}
	part, err := atomicfile.Begin(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, part.Discard()) }()
	to, err := os.OpenFile(part.Path(), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, e.file)
	if err = errors.Join(err, to.Close()); err != nil {
		return err
	}
	if err := takeAfter(part.Path(), path); err != nil {
		return err
	}
	return part.Create(name)
}

// release closes the database, so that other programs can open it. Further calls do nothing.
func (e *exclusive) release() (err error) {
	if e.db != nil {
		err = e.db.Close()
		e.db = nil
	}
	if e.file != nil {
		err = errors.Join(err, e.file.Close())
		e.file = nil
	}
	return err
}

// replace replaces the database at path by the part, and returns the new name of the former
// database. If openExclusive found no database, it replaces no file: a service may have made one
// since.
func replace(part *atomicfile.Part, path string, database *exclusive) (former string, err error) {
	none := database.db == nil
	now := time.Now().UTC()
	for taken := true; taken; now = now.Add(time.Millisecond) {
		former = path + ".replaced-" + now.Format("20060102T150405.000Z")
		_, err := os.Lstat(former)
		taken = err == nil
	}
	if !none {
		if err := database.preserve(path, former); err != nil {
			return "", fmt.Errorf("give the database %q another name: %w", path, err)
		}
	}
	if runtime.GOOS == "windows" { // where an open file can't be replaced
		if err := database.release(); err != nil {
			return "", fmt.Errorf("replace database %q: %w", path, err)
		}
	}
	for _, suffix := range database.beside {
		if err := os.Rename(path+suffix, former+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("rename a file beside the database %q: %w", path, err)
		}
	}
	if none {
		if err := part.Create(path); errors.Is(err, fs.ErrExist) {
			return "", madeMeanwhile(path)
		} else if err != nil {
			return "", err
		}
		return "", nil
	}
	if err := part.Replace(path); err != nil {
		return "", fmt.Errorf("replace database %q, which is also called %q: %w", path, former, err)
	}
	return former, nil
}

// madeMeanwhile returns the error for a database that was made during a restore.
func madeMeanwhile(path string) error {
	return fmt.Errorf("%w: a service, or another program, has made %q meanwhile; stop it first", ErrInUse, path)
}
