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

// What keeps a database from being written. ErrUnavailable comes with one of
// these, where it is known which.
var (
	ErrDiskFull = errors.New("the disk is full")
	ErrReadOnly = errors.New("the database's file or folder can't be written")
	ErrLocked   = errors.New("another program holds the database's lock")
	ErrDamaged  = errors.New("the database is damaged")
	ErrGone     = errors.New("the database's file is gone, or another one is in its place")
	ErrIO       = errors.New("the disk reports an error")
)

// faults are what SQLite's codes come down to (https://www.sqlite.org/rescode.html), and
// what to do where they keep the program from starting.
var faults = []struct {
	err    error
	codes  []int
	remedy string
}{
	{ErrDiskFull, []int{sqlite3.SQLITE_FULL}, "make room on it"},
	{ErrReadOnly, []int{sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN}, "give the user that runs this the right to write both"},
	{ErrLocked, []int{sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}, "end that program, or wait for it"},
	{ErrDamaged, []int{sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}, "it was left as it is; restore a backup with marcador restore"},
	{ErrGone, nil, "put the file back"},
	{ErrIO, []int{sqlite3.SQLITE_IOERR}, "look into the system's log"},
}

// reasonOf returns which of the faults the error wraps, or errUnknown for none; nil of nil.
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

// faultOf puts what the error comes down to in front of it, where that is known.
func faultOf(err error) error {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return err
	}
	code := e.Code() & 0xff
	switch e.Code() {
	case sqlite3.SQLITE_IOERR_SHMSIZE: // the index of the log can't grow
		code = sqlite3.SQLITE_FULL
	case sqlite3.SQLITE_IOERR_LOCK: // a file that is open for reading can't be locked for writing
		code = sqlite3.SQLITE_READONLY
	}
	for _, f := range faults {
		if slices.Contains(f.codes, code) {
			return fmt.Errorf("%w: %w", f.err, err)
		}
	}
	return err
}

// unusableError says in one line why a database can't be used, and what to do.
type unusableError struct {
	path, remedy string
	err          error
}

func (e *unusableError) Error() string {
	why := strings.Join(strings.Fields(e.err.Error()), " ") // SQLite may quote a schema as it stands
	return fmt.Sprintf("database %q: %s%s", e.path, why, e.remedy)
}

func (e *unusableError) Unwrap() error { return e.err }

// unusable words why a database can't be used, unless that is done.
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

// files are those that a database is in while it is open. What is committed to a
// file that has lost its name is lost with the process.
type files struct {
	paths []string
	infos []os.FileInfo
}

// filesOf returns the files of the database at path, which is open.
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

// there returns an error that wraps ErrGone if one of the files is not where it was.
func (f files) there() error {
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

// Inspect reads the whole database and returns an error that wraps ErrDamaged where
// something in it can't be. From then on writes are refused, lest they make it worse,
// and Ready says why. It takes a second or two for a million users.
func (s *Store) Inspect(ctx context.Context) error {
	return s.noteDamage(quickCheck(ctx, s.read))
}

func quickCheck(ctx context.Context, db *sql.DB) error {
	var verdict string
	err := db.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&verdict)
	if err == nil && verdict != "ok" {
		err = fmt.Errorf("%w: %s", ErrDamaged, verdict)
	}
	return err
}

// soonChecked is up to how many bytes a database is read through before it is opened:
// that takes less than half a second. A larger one is left to Inspect.
const soonChecked = 32 << 20

// looksWhole reads a small database through, so that a damaged one is not opened.
func looksWhole(ctx context.Context, db *sql.DB, path string) error {
	info, err := os.Stat(path)
	if err != nil || info.Size() > soonChecked {
		return nil //nolint:nilerr // it is not there, or is looked at later
	}
	return quickCheck(ctx, db)
}

// Fault returns an error of a reading method with what it comes down to, such as
// ErrDamaged, in front, where that is known; with ErrUnavailable it comes already. Damage
// has writes refused from now on, as Inspect does.
func (s *Store) Fault(err error) error { return s.noteDamage(err) }

// noteDamage returns the error with what it comes down to, and has writes refused from
// now on where that is damage.
func (s *Store) noteDamage(err error) error {
	if err = faultOf(err); errors.Is(err, ErrDamaged) {
		s.damage.CompareAndSwap(nil, &err)
	}
	return err
}

// damaged returns the damage that was found, if any was.
func (s *Store) damaged() error {
	if err := s.damage.Load(); err != nil {
		return *err
	}
	return nil
}
