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

// ErrInUse is wrapped where a database can't be replaced because a program has it open.
var ErrInUse = errors.New("the database is in use")

// Beside a database SQLite keeps these; none of them may be beside another one.
var besides = []string{"-wal", "-shm", "-journal"}

// Restore puts a copy of the database in the file at from, which it checks from end to
// end first, in the place of the one at path. What was there is kept beside it, with the
// name that is returned; "" where there was none. At each moment, and after a crash at
// any, one of the two is at path, whole.
//
// The restored database has a new epoch: its versions may come again, so streams begin
// from a fresh snapshot. An error that wraps ErrInUse says that a service, or another
// program, has the database at path open. O(database).
func Restore(ctx context.Context, from, path string) (c Contents, kept string, err error) {
	if path, err = resolve(path); err != nil {
		return c, "", err
	}
	if err := checkFile(path); err != nil {
		return c, "", err
	}
	if same(from, path) {
		return c, "", fmt.Errorf("%q is the database itself; give a backup of it", from)
	}
	if _, err := contentsOf(ctx, from); err != nil { // before the database is touched
		return c, "", unfit(from, err)
	}
	held, err := hold(ctx, path)
	if err != nil {
		return c, "", err
	}
	defer func() { err = errors.Join(err, held.release()) }()
	part, c, err := copyOf(ctx, from, path, setEpoch)
	if err != nil {
		return c, "", unfit(from, err)
	}
	defer func() { err = errors.Join(err, part.Discard()) }()
	if err := takeAfter(part.Path(), path); err != nil {
		return c, "", fmt.Errorf("give the restored database the rights of the one before: %w", err)
	}
	kept, err = exchange(part, path, held)
	return c, kept, err
}

// unfit words why a file is not restored.
func unfit(from string, err error) error {
	if errors.Is(err, ErrDamaged) {
		return fmt.Errorf("%q was not restored: %w; give another backup", from, err)
	}
	return err
}

func same(a, b string) bool {
	first, err := os.Stat(a)
	if err != nil {
		return false
	}
	second, err := os.Stat(b)
	return err == nil && os.SameFile(first, second)
}

// setEpoch gives the database in the file another epoch.
func setEpoch(ctx context.Context, path string) error {
	db, err := openExisting(path, []string{"synchronous(FULL)", "secure_delete(ON)"})
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, `UPDATE state SET epoch = ?`, newEpoch())
	return errors.Join(err, db.Close())
}

// newEpoch returns a name that no other database has.
func newEpoch() string { return rand.Text()[:10] }

// holder keeps others from opening a database. It belongs to one goroutine.
type holder struct {
	db     *sql.DB  // nil where there is none
	file   *os.File // the same, where it was opened to be copied
	beside []string // what may be beside the file; without a file, what is left of one
}

// hold opens the database at path alone and keeps it so until release: it returns an
// error that wraps ErrInUse where another has it open. What is in the write-ahead log is
// brought into the file. Of a damaged database it only knows that no service has it open.
// One of another program is refused, and left as it is.
func hold(ctx context.Context, path string) (*holder, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		// No service starts beside a log alone, so what is left now is of none that does
		// meanwhile.
		return &holder{beside: left(path)}, nil
	}
	if err := notAnothers(ctx, path); err != nil {
		return nil, err
	}
	db, err := openExisting(path, []string{"busy_timeout(500)", "locking_mode(EXCLUSIVE)"})
	if err != nil {
		return nil, err
	}
	h := &holder{db: db, beside: besides}
	// In WAL mode each connection holds a shared lock for as long as it is open. It
	// keeps this one from leaving that mode.
	var mode string
	err = db.QueryRowContext(ctx, `PRAGMA journal_mode = DELETE`).Scan(&mode)
	if err == nil {
		// With the lock for itself SQLite would keep its journal, and remove it, by its
		// name, when there is another database in this place.
		_, err = db.ExecContext(ctx, `PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE`)
	}
	if err == nil && mode == "delete" {
		for _, suffix := range []string{"-journal", "-shm"} { // of nobody now
			if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, errors.Join(err, h.release())
			}
		}
	}
	if err == nil {
		err = db.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema`).Scan(new(int)) // is it one?
	}
	switch {
	case isCode(err, sqlite3.SQLITE_BUSY) || isCode(err, sqlite3.SQLITE_LOCKED) || err == nil && mode != "delete":
		return nil, errors.Join(fmt.Errorf("%w: a service, or another program, has %q open; stop it first", ErrInUse, path), h.release())
	case isCode(err, sqlite3.SQLITE_NOTADB) || isCode(err, sqlite3.SQLITE_CORRUPT):
		return h, nil
	case err != nil:
		return nil, errors.Join(unusable(path, err), h.release())
	}
	return h, nil
}

// notAnothers returns an error where the file is known to be another program's database.
// It looks through connections that can't write: one that can would bring that program's
// log into its file. Only what a crash has left half undone has to be undone by one.
func notAnothers(ctx context.Context, path string) error {
	modes := []string{"ro", "rw"}
	if len(left(path)) == 0 { // ro would begin a log, and leave it there
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
			return nil // what else is wrong with it is for others to say
		}
	}
	return nil
}

// left returns what is beside the file and has something for it.
func left(path string) (suffixes []string) {
	for _, suffix := range []string{"-wal", "-journal"} {
		if info, err := os.Stat(path + suffix); err == nil && info.Size() > 0 {
			suffixes = append(suffixes, suffix)
		}
	}
	return suffixes
}

// keep gives the database at path a second name or, where the file system knows no such
// thing, to a copy. It never replaces anything.
func (h *holder) keep(path, name string) (err error) {
	if err = os.Link(path, name); err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	// Who closes a file loses all locks that its process has on it: that is for release.
	if h.file, err = os.Open(path); err != nil {
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
	_, err = io.Copy(to, h.file)
	if err = errors.Join(err, to.Close()); err != nil {
		return err
	}
	if err := takeAfter(part.Path(), path); err != nil {
		return err
	}
	return part.Create(name)
}

func (h *holder) release() (err error) {
	if h.db != nil {
		err = h.db.Close()
		h.db = nil
	}
	if h.file != nil {
		err = errors.Join(err, h.file.Close())
		h.file = nil
	}
	return err
}

// exchange puts the part in the place of the database at path, and returns the name that
// the latter has from then on. Where hold has found none it replaces nothing: a service
// may have made one since.
func exchange(part *atomicfile.Part, path string, held *holder) (kept string, err error) {
	none := held.db == nil
	now := time.Now().UTC()
	for taken := true; taken; now = now.Add(time.Millisecond) {
		kept = path + ".replaced-" + now.Format("20060102T150405.000Z")
		_, err := os.Lstat(kept)
		taken = err == nil
	}
	if !none {
		if err := held.keep(path, kept); err != nil {
			return "", fmt.Errorf("keep the database %q: %w", path, err)
		}
	}
	if runtime.GOOS == "windows" { // where an open file keeps its name
		if err := held.release(); err != nil {
			return "", fmt.Errorf("replace database %q: %w", path, err)
		}
	}
	for _, suffix := range held.beside {
		if err := os.Rename(path+suffix, kept+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("keep what is beside the database %q: %w", path, err)
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
		return "", fmt.Errorf("replace database %q, of which %q is another name: %w", path, kept, err)
	}
	return kept, nil
}

func madeMeanwhile(path string) error {
	return fmt.Errorf("%w: a service, or another program, has made %q meanwhile; stop it first", ErrInUse, path)
}
