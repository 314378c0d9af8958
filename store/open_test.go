package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"marcador/store"
)

// A file that is no database of this program and version is refused, and not changed.
func TestOpen_refuses(t *testing.T) {
	folder := t.TempDir()
	other := filepath.Join(folder, "other.db")
	newer := filepath.Join(folder, "newer.db")
	none, negative := filepath.Join(folder, "none.db"), filepath.Join(folder, "negative.db")
	text := filepath.Join(folder, "text.db")
	if err := os.WriteFile(text, []byte(strings.Repeat("This is a letter, not a database.\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{newer, none, negative} {
		closeStore(t, mustOpen(t, path))
	}
	for path, query := range map[string]string{
		other:    `CREATE TABLE things (id INTEGER)`,
		newer:    `PRAGMA user_version = 99`,
		none:     `PRAGMA user_version = 0`,
		negative: `PRAGMA user_version = -9`,
	} {
		exec(t, path, query)
	}
	for name, c := range map[string]struct{ path, want string }{
		"no path":           {"", "path is empty"},
		"folder missing":    {filepath.Join(folder, "nowhere", "m.db"), "does not exist"},
		"folder is a file":  {filepath.Join(text, "m.db"), "not a folder"},
		"path is a folder":  {folder, "is a folder"},
		"not a database":    {text, "not an SQLite database"},
		"another program's": {other, "another program"},
		"newer":             {newer, "newer version"},
		"no version":        {none, "the database is damaged"},
		"negative version":  {negative, "the database is damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			before, _ := os.ReadFile(c.path)
			_, err := store.Open(t.Context(), c.path, store.Options{})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("Open(%q) = %v, want an error with %q", c.path, err, c.want)
			}
			after, _ := os.ReadFile(c.path)
			if !slices.Equal(before, after) {
				t.Error("the file was changed")
			}
		})
	}
}

// If there is a write-ahead log but no database, Open does not take the log for a leftover and
// remove it: the database was moved away.
func TestOpen_logAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.db")
	s := mustOpen(t, path)
	put(t, s, "u1")
	give(t, s, "u1", 5)
	for suffix, to := range map[string]string{"": ".away", "-wal": ".log"} { // the files as a crash leaves them
		b, err := os.ReadFile(path + suffix)
		if err == nil {
			err = os.WriteFile(path+to, b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	closeStore(t, s)
	for _, empty := range []bool{false, true} {
		err := errors.Join(os.Remove(path), os.Rename(path+".log", path+"-wal"))
		if empty {
			err = errors.Join(err, os.WriteFile(path, nil, 0o600))
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.Open(t.Context(), path, store.Options{}); err == nil || !strings.Contains(err.Error(), "put the file back") {
			t.Fatalf("error = %v, want an error that the database is missing", err)
		}
		if err := os.Rename(path+"-wal", path+".log"); err != nil {
			t.Fatal(err)
		}
		if !empty {
			if err := os.WriteFile(path, nil, 0o600); err != nil { // for the Remove of the next round
				t.Fatal(err)
			}
		}
	}
	if err := errors.Join(os.Rename(path+".away", path), os.Rename(path+".log", path+"-wal")); err != nil {
		t.Fatal(err)
	}
	if got := xpOf(t, open(t, path, store.Options{}), "u1"); got != 5 {
		t.Errorf("after the file was put back u1 has %d, want 5", got)
	}
}

// A database can be opened through a symbolic link, if the link leads to a file.
func TestOpen_link(t *testing.T) {
	folder := t.TempDir()
	target, link := filepath.Join(folder, "target.db"), filepath.Join(folder, "link.db")
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(t.Context(), link, store.Options{}); err == nil || !strings.Contains(err.Error(), "is a link to a file that is not there") {
		t.Errorf("error = %v", err)
	}
	closeStore(t, mustOpen(t, target))
	s := open(t, link, store.Options{})
	put(t, s, "u1")
	give(t, s, "u1", 5)
	if err := s.Ready(t.Context()); err != nil {
		t.Error(err)
	}
}

// A path may have characters that mean something in a URL, such as the DSN.
func TestOpen_namesWithMeaningInURLs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a?b=c#d %41&.db")
	s := open(t, path, store.Options{})
	put(t, s, "u1")
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
}

func TestOpen_pragmas(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.db")
	s := open(t, path, store.Options{})
	put(t, s, "u1")
	got := store.WriterPragmas(t, s)
	if got != "wal 2 1" { // synchronous 2 is FULL
		t.Errorf("journal_mode, synchronous, foreign_keys = %s, want wal 2 1", got)
	}
}
