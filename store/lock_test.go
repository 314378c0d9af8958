package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"marcador/store"
)

// A database that is open can't be opened again, through whatever path or link. The Store that has
// it open goes on, and after Close it can be opened again.
func TestOpen_inUse(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "m.db")
	s := open(t, path, store.Options{})
	put(t, s, "ana")
	symbolic, hard := filepath.Join(folder, "symbolic.db"), filepath.Join(t.TempDir(), "hard.db")
	mustDo(t, os.Symlink(path, symbolic))
	mustDo(t, os.Link(path, hard))
	t.Chdir(folder)
	for _, name := range []string{path, symbolic, hard, "m.db", "./././m.db"} {
		if _, err := store.Open(t.Context(), name, store.Options{}); !errors.Is(err, store.ErrInUse) {
			t.Errorf("Open(%q) = %v, want ErrInUse", name, err)
		}
	}
	// SQLite still has its own locks, from which a restore learns that the database is open.
	if _, _, err := store.Restore(t.Context(), stock(t), path); !errors.Is(err, store.ErrInUse) {
		t.Errorf("Restore = %v, want ErrInUse", err)
	}
	if _, err := store.Backup(t.Context(), path, filepath.Join(folder, "copy.db")); err != nil {
		t.Errorf("a copy of an open database: %v", err)
	}
	give(t, s, "ana", 5)
	closeStore(t, s)
	if got := xpOf(t, open(t, path, store.Options{}), "ana"); got != 5 {
		t.Errorf("opened again it has %d points, want 5", got)
	}
}

// An Open that fails gives the lock back: the path can be opened when the reason is gone.
func TestOpen_failureGivesLockBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.db")
	mustDo(t, os.WriteFile(path, []byte("This is a letter, not a database, and it is long enough to be told from an empty file by SQLite."), 0o600))
	if _, err := store.Open(t.Context(), path, store.Options{}); err == nil {
		t.Fatal("a letter was opened")
	}
	mustDo(t, os.Truncate(path, 0))
	open(t, path, store.Options{})
}
