package store

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// lockedByte is far behind the bytes that SQLite locks, and behind the end of any database.
const lockedByte = 1 << 62

// openToLock opens the file that lockFile locks for the database at path.
func openToLock(path string) (*os.File, error) { return os.OpenFile(path, os.O_RDWR, 0) }

// lockFile locks a byte for the open file description. Locks of this kind belong to the description
// and not, as SQLite's do, to the process, so they last when SQLite closes a descriptor of the
// file.
func lockFile(f *os.File) error {
	err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Start: lockedByte, Len: 1})
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return errLocked
	}
	return err
}
