package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
	"syscall"
)

// lock keeps a second process from opening a database to write to it. SQLite alone would
// let both write, and each would show boards that the other has changed. The system drops
// the lock when the process ends, however it ends.
//
// It is a lock on the database file itself, where the system has a kind that leaves
// SQLite's own locks alone. So it does not matter by which path, link or mount the file
// was found.
type lock struct {
	file *os.File
	info os.FileInfo // of the database
}

// errLocked is returned by lockFile where another process has the lock.
var errLocked = errors.New("locked")

// locks are those that this process has. Each process loses all of SQLite's locks on a
// file when it closes any descriptor of it, so a second descriptor must not be opened
// beside a database that is open.
var locks struct {
	mu   sync.Mutex
	held []*lock // guarded by mu; one for each open Store
}

// takeLock makes the file where there is none, readable by its owner alone, and locks it.
// An error wraps ErrInUse where somebody else has the lock. The caller must release the
// lock only after SQLite has closed the file.
func takeLock(path string) (*lock, error) {
	if err := makePrivate(path); err != nil {
		return nil, err
	}
	locks.mu.Lock()
	defer locks.mu.Unlock()
	info, err := os.Stat(path)
	if err != nil {
		return nil, unusable(path, err)
	}
	inUse := fmt.Errorf("%w: another marcador has %q open; stop that first, or give another path", ErrInUse, path)
	if slices.ContainsFunc(locks.held, func(l *lock) bool { return os.SameFile(l.info, info) }) {
		return nil, inUse
	}
	l := &lock{info: info}
	if l.file, err = openToLock(path); err != nil {
		// SQLite can't write to it either, and says why.
		return l, nil
	}
	if err := lockFile(l.file); err != nil {
		err = errors.Join(err, l.file.Close())
		if errors.Is(err, errLocked) {
			return nil, inUse
		}
		return nil, fmt.Errorf("lock database %q: %w", path, err)
	}
	locks.held = append(locks.held, l)
	return l, nil
}

// of reports whether the lock is on the file that is at path now. A restore may have put
// another one there meanwhile.
func (l *lock) of(path string) bool {
	info, err := os.Stat(path)
	return err == nil && os.SameFile(info, l.info)
}

func (l *lock) release() error {
	locks.mu.Lock()
	defer locks.mu.Unlock()
	locks.held = slices.DeleteFunc(locks.held, func(other *lock) bool { return other == l })
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}

// makePrivate makes an empty file that only its owner may read, unless there is a file.
// What SQLite keeps beside a database gets the same rights as the database.
func makePrivate(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil
	case errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS):
		return unusable(path, fmt.Errorf("%w: %w", ErrReadOnly, err))
	case err != nil:
		return unusable(path, err)
	}
	return f.Close()
}
