package store

import (
	"errors"
	"os"

	winapi "golang.org/x/sys/windows" // the package has something else of this name
)

// openToLock opens what lockFile locks for the database at path.
func openToLock(path string) (*os.File, error) { return os.OpenFile(path, os.O_RDWR, 0) }

// lockFile locks a byte far behind the bytes that SQLite locks. Locks of Windows belong to
// the handle and keep others from reading and writing these bytes alone.
func lockFile(f *os.File) error {
	const flags = winapi.LOCKFILE_EXCLUSIVE_LOCK | winapi.LOCKFILE_FAIL_IMMEDIATELY
	err := winapi.LockFileEx(winapi.Handle(f.Fd()), flags, 0, 1, 0, &winapi.Overlapped{OffsetHigh: 1 << 30})
	if errors.Is(err, winapi.ERROR_LOCK_VIOLATION) {
		return errLocked
	}
	return err
}
