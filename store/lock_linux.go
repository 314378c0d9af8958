package store

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// lockedByte is far behind the bytes that SQLite locks, and behind any database's end.
const lockedByte = 1 << 62

// openToLock opens what lockFile locks for the database at path.
func openToLock(path string) (*os.File, error) { return os.OpenFile(path, os.O_RDWR, 0) }

// lockFile locks a byte by the open file description. SQLite's locks belong to the process,
// so closing one of its descriptors does not drop this one.
func lockFile(f *os.File) error {
	err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Start: lockedByte, Len: 1})
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return errLocked
	}
	return err
}
