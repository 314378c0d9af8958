package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// The reasons why a database can't be written. An error that wraps ErrUnavailable wraps one of
// these too, if the reason is known.
var (
	ErrDiskFull = errors.New("the disk is full")
	ErrReadOnly = errors.New("the database's file or folder can't be written")
	ErrLocked   = errors.New("another program holds the database's lock")
	ErrDamaged  = errors.New("the database is damaged")
	ErrGone     = errors.New("the database's file is gone, or another file has its name")
	ErrIO       = errors.New("the disk reports an error")
)

// faults maps SQLite's codes (https://www.sqlite.org/rescode.html) to reasons, and says what to do
// if one of them keeps the program from starting.
var faults = []struct {
	err    error
	codes  []int
	remedy string
}{
	{ErrDiskFull, []int{sqlite3.SQLITE_FULL}, "make room on it"},
	{ErrReadOnly, []int{sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN}, "let the user that runs this program write both"},
	{ErrLocked, []int{sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}, "end that program, or wait for it"},
	{ErrDamaged, []int{sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}, "it was left as it is; restore a backup with marcador restore"},
	{ErrGone, nil, "put the file back"},
	{ErrIO, []int{sqlite3.SQLITE_IOERR}, "see the system's log"},
}

// reasonOf returns the reason that the error wraps, errUnknown if it wraps none, and nil for nil.
func reasonOf(err error) error {
	if err == nil {
		return nil
	}
	for _, f := range faults {
		if errors.Is(err, f.err) {
			return f.err
		}
	}
	return errUnknown
}

var errUnknown = errors.New("the database can't be written")

// faultOf wraps the error together with its reason, if the reason is known.
func faultOf(err error) error {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return err
	}
	code := e.Code() & 0xff
	switch e.Code() {
	case sqlite3.SQLITE_IOERR_SHMSIZE: // the log's index can't grow
		code = sqlite3.SQLITE_FULL
	case sqlite3.SQLITE_IOERR_LOCK: // a file opened for reading can't be locked for writing
		code = sqlite3.SQLITE_READONLY
	}
	for _, f := range faults {
		if slices.Contains(f.codes, code) {
			return fmt.Errorf("%w: %w", f.err, err)
		}
	}
	return err
}

// unusableError is one line that says why a database can't be used, and what to do.
type unusableError struct {
	path, remedy string
	err          error
}

func (e *unusableError) Error() string {
	why := strings.Join(strings.Fields(e.err.Error()), " ") // SQLite may quote a schema with its line breaks
	return fmt.Sprintf("database %q: %s%s", e.path, why, e.remedy)
}

func (e *unusableError) Unwrap() error { return e.err }

// unusable wraps err in an unusableError, unless it is or wraps one.
func unusable(path string, err error) error {
	if _, done := errors.AsType[*unusableError](err); done {
		return err
	}
	err = faultOf(err)
	for _, f := range faults {
		if errors.Is(err, f.err) {
			return &unusableError{path, "; " + f.remedy, err}
		}
	}
	return &unusableError{path, "", err}
}

// files are the files of an open database. If one of them loses its name, every later commit is
// lost when the process ends.
type files struct {
	paths []string
	infos []os.FileInfo
}

// filesOf returns the files of the database at path, which must be open.
func filesOf(path string) (files, error) {
	f := files{paths: []string{path, path + "-wal"}}
	for _, p := range f.paths {
		info, err := os.Stat(p)
		if err != nil {
			return f, err
		}
		f.infos = append(f.infos, info)
	}
	return f, nil
}

// check returns an error that wraps ErrGone if one of the paths no longer leads to its file.
func (f files) check() error {
	for i, path := range f.paths {
		info, err := os.Stat(path)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if err != nil || !os.SameFile(info, f.infos[i]) {
			return fmt.Errorf("%w: %q", ErrGone, path)
		}
	}
	return nil
}

// Inspect reads the whole database. If it is damaged, the error wraps ErrDamaged, and from then on
// all writes are refused, since they could do more damage. A million users take a second or two.
func (s *Store) Inspect(ctx context.Context) error {
	return s.Fault(quickCheck(ctx, s.read))
}

func quickCheck(ctx context.Context, db *sql.DB) error {
	var verdict string
	err := db.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&verdict)
	if err == nil && verdict != "ok" {
		err = fmt.Errorf("%w: %s", ErrDamaged, verdict)
	}
	return err
}

// checkedAtOpen is the size in bytes up to which Open reads a whole database to check it. That
// takes less than half a second. Inspect checks larger ones.
const checkedAtOpen = 32 << 20

// looksWhole returns an error if a small database is damaged, so that it is not opened.
func looksWhole(ctx context.Context, db *sql.DB, path string) error {
	info, err := os.Stat(path)
	if err != nil || info.Size() > checkedAtOpen {
		return nil //nolint:nilerr // there is no file, or Inspect checks it
	}
	return quickCheck(ctx, db)
}

// Fault wraps an error of a reading method together with its reason, such as ErrDamaged, if the
// reason is known. Errors that wrap ErrUnavailable have their reason already. If the reason is
// damage, all writes are refused from then on.
func (s *Store) Fault(err error) error {
	if err = faultOf(err); errors.Is(err, ErrDamaged) {
		s.damage.CompareAndSwap(nil, &err)
	}
	return err
}

// damaged returns the damage that was found, or nil.
func (s *Store) damaged() error {
	if err := s.damage.Load(); err != nil {
		return *err
	}
	return nil
}
