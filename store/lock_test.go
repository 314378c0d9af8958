package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"marcador/store"
)

// A database that is open is refused by whatever name it is given, the one that has it
// open goes on, and it can be opened again once it is closed.
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
	// SQLite still has its own locks, by which a restore sees that it is open.
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

// What is refused for another reason can be opened once that is gone.
func TestOpen_lockIsGivenBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.db")
	mustDo(t, os.WriteFile(path, []byte("This is a letter, not a database, and it is long enough to be told from an empty file by SQLite."), 0o600))
	if _, err := store.Open(t.Context(), path, store.Options{}); err == nil {
		t.Fatal("a letter was opened")
	}
	mustDo(t, os.Truncate(path, 0))
	open(t, path, store.Options{})
}
