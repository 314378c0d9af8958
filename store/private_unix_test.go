//go:build unix

package store_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"marcador/store"
)

// Only the owner can read a new database, its log and a copy, whatever the process's umask. A file
// that exists keeps its rights.
func TestOpen_private(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	folder := t.TempDir()
	path := filepath.Join(folder, "m.db")
	s := open(t, path, store.Options{})
	put(t, s, "ana")
	_, err := store.Backup(t.Context(), path, filepath.Join(folder, "copy.db"))
	mustDo(t, err)
	for _, name := range names(t, path) {
		info, err := os.Stat(filepath.Join(folder, name))
		mustDo(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s is %v, want -rw-------", name, info.Mode())
		}
	}
	if got := len(names(t, path)); got != 4 {
		t.Errorf("files = %v, want the database, its -wal and -shm, and the copy", names(t, path))
	}
	closeStore(t, s)

	mustDo(t, os.Chmod(path, 0o640))
	s = open(t, path, store.Options{})
	put(t, s, "leo")
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + suffix)
		mustDo(t, err)
		if info.Mode().Perm() != 0o640 {
			t.Errorf("%s of a database that its group can read is %v", suffix, info.Mode())
		}
	}
}
