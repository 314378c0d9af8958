//go:build unix

package store_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"marcador/store"
)

// If root restores a database where there was none, the folder's owner becomes its owner, so that a
// service of that user can open it.
func TestRestore_owner(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give a file to another owner")
	}
	backup, folder := stock(t), t.TempDir()
	mustDo(t, os.Chown(folder, 1234, 2345))
	path := filepath.Join(folder, "m.db")
	_, _, err := store.Restore(t.Context(), backup, path)
	mustDo(t, err)
	info, err := os.Stat(path)
	mustDo(t, err)
	if owner, ok := info.Sys().(*syscall.Stat_t); !ok || owner.Uid != 1234 || owner.Gid != 2345 || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, owner %+v", info.Mode(), owner)
	}
}
