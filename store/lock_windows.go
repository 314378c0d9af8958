package store

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// openToLock opens the file that lockFile locks for the database at path.
func openToLock(path string) (*os.File, error) { return os.OpenFile(path, os.O_RDWR, 0) }

// lockFile locks a byte far behind the bytes that SQLite locks. On Windows a lock belongs to the
// handle, and keeps others from reading and writing the locked bytes only.
func lockFile(f *os.File) error {
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	err := windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, &windows.Overlapped{OffsetHigh: 1 << 30})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return errLocked
	}
	return err
}
