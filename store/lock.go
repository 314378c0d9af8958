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

// lock keeps a second service from opening a database that one has open. SQLite would let both
// write, and each would show boards that the other has changed. The system drops the lock when the
// process ends, however it ends.
//
// On systems with a kind of lock that does not disturb SQLite's own, it is a lock on the database
// file. There it does not matter through which path, link or mount the file was opened.
type lock struct {
	file *os.File
	info os.FileInfo // of the database
}

// errLocked is returned by lockFile if another process has the lock.
var errLocked = errors.New("locked")

// locks are the locks of this process. A process that closes any descriptor of a file loses all of
// SQLite's locks on it, so takeLock must know without opening the file that it is open here.
var locks struct {
	mu  sync.Mutex
	all []*lock // guarded by mu; one for each open Store
}

// takeLock locks the file at path. If there is no file, it makes one that only its owner can read.
// The error wraps ErrInUse if another Store or process has the lock. The lock must be released only
// after SQLite has closed the file.
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
	inUse := fmt.Errorf("%w: another marcador has %q open; stop it first, or give another path", ErrInUse, path)
	if slices.ContainsFunc(locks.all, func(l *lock) bool { return os.SameFile(l.info, info) }) {
		return nil, inUse
	}
	l := &lock{info: info}
	if l.file, err = openToLock(path); err != nil {
		// SQLite can't write to it either, and its error says why.
		return l, nil
	}
	if err := lockFile(l.file); err != nil {
		err = errors.Join(err, l.file.Close())
		if errors.Is(err, errLocked) {
			return nil, inUse
		}
		return nil, fmt.Errorf("lock database %q: %w", path, err)
	}
	locks.all = append(locks.all, l)
	return l, nil
}

// of reports whether the lock is on the file that is at path now. A restore may have replaced the
// file since.
func (l *lock) of(path string) bool {
	info, err := os.Stat(path)
	return err == nil && os.SameFile(info, l.info)
}

func (l *lock) release() error {
	locks.mu.Lock()
	defer locks.mu.Unlock()
	locks.all = slices.DeleteFunc(locks.all, func(other *lock) bool { return other == l })
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}

// makePrivate makes an empty file that only its owner can read, unless there is a file. The files
// that SQLite makes beside a database get the rights of the database.
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
