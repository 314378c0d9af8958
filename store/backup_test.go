package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"marcador/store"
)

// stock makes a database with two users who have points, and returns its path. No program has it
// open.
func stock(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "m.db")
	stocked.Do(func() {
		s := mustOpen(t, path)
		put(t, s, "ana", "leo")
		give(t, s, "ana", 5)
		give(t, s, "leo", 7)
		closeStore(t, s)
		stockBytes = []byte(bytesOf(t, path))
	})
	mustDo(t, os.WriteFile(path, stockBytes, 0o600))
	return path
}

var (
	stocked    sync.Once
	stockBytes []byte // the file that stock makes, once for all tests
)

// names returns the names of the files in the folder of path.
func names(t *testing.T, path string) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

func bytesOf(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A backup made while writes go on has every write that was acknowledged before it began.
func TestBackup_underLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.db")
	s := open(t, path, store.Options{})
	const users = 4
	var acknowledged [users]atomic.Int64
	for u := range users {
		put(t, s, fmt.Sprint(u))
	}
	ctx, cancel := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	defer writers.Wait()
	defer cancel()
	for u := range users {
		writers.Go(func() {
			for ctx.Err() == nil {
				_, err := s.AddPoints(ctx, []store.Write{{Updates: []store.Update{{UserID: fmt.Sprint(u), XP: 1}}}})
				if err == nil {
					acknowledged[u].Add(1)
				} else if ctx.Err() == nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for round := range 3 {
		for acknowledged[0].Load() < int64(30*(round+1)) {
			if t.Failed() {
				return
			}
			runtime.Gosched()
		}
		var before [users]int64
		for u := range users {
			before[u] = acknowledged[u].Load()
		}
		to := filepath.Join(t.TempDir(), "copy.db")
		c, err := store.Backup(t.Context(), path, to)
		if err != nil {
			t.Fatal(err)
		}
		if got := names(t, to); !slices.Equal(got, []string{"copy.db"}) || c.Bytes == 0 || c.Users != users {
			t.Errorf("contents = %+v in %v", c, got)
		}
		other := mustOpen(t, to)
		store.CheckSums(t, other)
		var sum int64
		for u := range users {
			xp := xpOf(t, other, fmt.Sprint(u))
			if xp < before[u] {
				t.Errorf("user %d has %d in the copy; %d were acknowledged before", u, xp, before[u])
			}
			sum += xp
		}
		if c.Rows != sum || c.Seq != other.Seq() || c.Seq != sum+users {
			t.Errorf("contents = %+v; the copy has %d rows and stands at %d", c, sum, other.Seq())
		}
		closeStore(t, other)
	}
}

// damages are ways in which a file that should be copied or restored can be wrong.
var damages = []struct {
	name, want string
	do         func(t *testing.T, path string)
}{
	{"missing", "there is no file", func(t *testing.T, path string) { mustDo(t, os.Remove(path)) }},
	{"empty", "is empty", func(t *testing.T, path string) { mustDo(t, os.WriteFile(path, nil, 0o600)) }},
	{"folder", "is a folder", func(t *testing.T, path string) { mustDo(t, os.Remove(path)); mustDo(t, os.Mkdir(path, 0o700)) }},
	{"no database", "not an SQLite database", func(t *testing.T, path string) {
		mustDo(t, os.WriteFile(path, []byte(strings.Repeat("Dear Sir or Madam. ", 500)), 0o600))
	}},
	{"another program's", "another program", func(t *testing.T, path string) { exec(t, path, `PRAGMA application_id = 1`) }},
	{"newer", "update marcador", func(t *testing.T, path string) { exec(t, path, `PRAGMA user_version = 99`) }},
	{"cut short", store.ErrDamaged.Error(), func(t *testing.T, path string) { mustDo(t, os.Truncate(path, 8192)) }},
	{"a damaged page", store.ErrDamaged.Error(), func(t *testing.T, path string) {
		b := []byte(bytesOf(t, path))
		for i := range 4096 {
			b[len(b)/2/4096*4096+i] ^= 0x55
		}
		mustDo(t, os.WriteFile(path, b, 0o600))
	}},
	{"wrong totals", `user "ana" has 6 points and 0 coins, and the ledger says 5 and 0`, func(t *testing.T, path string) {
		exec(t, path, `UPDATE totals SET xp = 6 WHERE user = 1`)
	}},
	{"no totals", `user "ana" has no totals`, func(t *testing.T, path string) { exec(t, path, `DELETE FROM totals WHERE user = 1`) }},
	{"a reference to no row", "a row of the table memberships refers to a row of users", func(t *testing.T, path string) {
		exec(t, path, `INSERT INTO memberships (user, kind, group_id, since) VALUES (99, 'school', '1', 0)`)
	}},
	{"no state", "the table state is empty", func(t *testing.T, path string) { exec(t, path, `DELETE FROM state`) }},
}

// contentsOf returns the bytes of the files in the folder of path, by name, without SQLite's shared
// memory, which any program that reads a database makes again.
func contentsOf(t *testing.T, path string) map[string]string {
	t.Helper()
	m := map[string]string{}
	for _, name := range names(t, path) {
		if !strings.HasSuffix(name, "-shm") {
			m[name] = bytesOf(t, filepath.Join(filepath.Dir(path), name))
		}
	}
	return m
}

func mustDo(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantOneLine(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
		t.Errorf("err = %v; want %q in one line", err, want)
	}
}

// A backup of a file that is wrong fails with an error that says how, and leaves no copy.
func TestBackup_refuses(t *testing.T) {
	for _, d := range damages {
		t.Run(d.name, func(t *testing.T) {
			path := stock(t)
			d.do(t, path)
			to := filepath.Join(t.TempDir(), "copy.db")
			_, err := store.Backup(t.Context(), path, to)
			wantOneLine(t, err, d.want)
			if got := names(t, to); len(got) > 0 {
				t.Errorf("there is %v", got)
			}
		})
	}
	path := stock(t)
	was := bytesOf(t, path)
	_, err := store.Backup(t.Context(), path, path)
	wantOneLine(t, err, "there is a file")
	_, err = store.Backup(t.Context(), path, filepath.Join(t.TempDir(), "no", "copy.db"))
	wantOneLine(t, err, "make it first")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	to := filepath.Join(t.TempDir(), "copy.db")
	if _, err = store.Backup(ctx, path, to); !errors.Is(err, context.Canceled) || len(names(t, to)) > 0 {
		t.Errorf("err = %v, files %v", err, names(t, to))
	}
	if bytesOf(t, path) != was {
		t.Error("the database was changed")
	}
}

func TestRestore(t *testing.T) {
	path := stock(t)
	backup := filepath.Join(t.TempDir(), "copy.db")
	if _, err := store.Backup(t.Context(), path, backup); err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, path)
	epoch := s.Epoch()
	give(t, s, "ana", 100)
	crashed := crash(t, store.Path(t, s)) // its newest points are in the write-ahead log
	mustDo(t, os.Chmod(crashed, 0o640))
	closeStore(t, s)

	was := bytesOf(t, backup)
	c, former, err := store.Restore(t.Context(), backup, crashed)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := names(t, crashed), []string{filepath.Base(crashed), filepath.Base(former)}; !slices.Equal(got, want) {
		t.Errorf("files = %v, want %v", got, want)
	}
	if info, err := os.Stat(crashed); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode = %v (%v)", info.Mode(), err)
	}
	if bytesOf(t, backup) != was {
		t.Error("the backup was changed")
	}
	restored := mustOpen(t, crashed)
	defer closeStore(t, restored)
	if xpOf(t, restored, "ana") != 5 || c.Rows != 2 || restored.Seq() != c.Seq {
		t.Errorf("restored: ana has %d, %+v", xpOf(t, restored, "ana"), c)
	}
	if restored.Epoch() == epoch {
		t.Error("the restored database has the same epoch, so clients would take its versions for old ones")
	}
	old := mustOpen(t, former)
	defer closeStore(t, old)
	if xpOf(t, old, "ana") != 105 || old.Epoch() != epoch {
		t.Errorf("in the former database ana has %d", xpOf(t, old, "ana"))
	}
}

// A backup is restored also if there is no database or a damaged one, and the log of the former
// database does not become part of it.
func TestRestore_whateverIsThere(t *testing.T) {
	for name, c := range map[string]struct {
		make   func(t *testing.T, path string)
		former bool // whether there was a database, which gets another name
	}{
		"none":         {func(t *testing.T, path string) { mustDo(t, os.Remove(path)); mustDo(t, os.Remove(path+"-wal")) }, false},
		"only its log": {func(t *testing.T, path string) { mustDo(t, os.Remove(path)) }, false},
		"damaged": {func(t *testing.T, path string) {
			b := []byte(bytesOf(t, path))
			copy(b, "nothing that SQLite knows")
			mustDo(t, os.WriteFile(path, b, 0o600))
		}, true},
		"empty":         {func(t *testing.T, path string) { mustDo(t, os.WriteFile(path, nil, 0o600)) }, true},
		"a newer one's": {func(t *testing.T, path string) { exec(t, path, `PRAGMA user_version = 99`) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			backup := stock(t)
			s := mustOpen(t, filepath.Join(t.TempDir(), "m.db"))
			put(t, s, "other")
			path := crash(t, store.Path(t, s))
			closeStore(t, s)
			c.make(t, path)
			_, former, err := store.Restore(t.Context(), backup, path)
			if err != nil || (former != "") != c.former {
				t.Fatalf("the former database is %q, %v", former, err)
			}
			for _, suffix := range []string{"-wal", "-shm", "-journal"} {
				if _, err := os.Stat(path + suffix); err == nil {
					t.Errorf("there is a file %s beside the restored one", suffix)
				}
			}
			restored := mustOpen(t, path)
			defer closeStore(t, restored)
			if xpOf(t, restored, "leo") != 7 {
				t.Error("it does not have what the backup has")
			}
		})
	}
}

func TestRestore_refuses(t *testing.T) {
	for _, d := range damages {
		t.Run(d.name, func(t *testing.T) {
			backup := stock(t)
			s := mustOpen(t, stock(t))
			give(t, s, "ana", 100)
			path := crash(t, store.Path(t, s)) // with a log, which must not be changed either
			closeStore(t, s)
			was := contentsOf(t, path)
			d.do(t, backup)
			_, _, err := store.Restore(t.Context(), backup, path)
			wantOneLine(t, err, d.want)
			if !maps.Equal(contentsOf(t, path), was) {
				t.Errorf("the database was changed; there is %v", names(t, path))
			}
		})
	}
	path, backup := stock(t), stock(t)
	_, _, err := store.Restore(t.Context(), path, path)
	wantOneLine(t, err, "is the database itself")

	path = stock(t)
	s := mustOpen(t, path)
	defer closeStore(t, s)
	_, _, err = store.Restore(t.Context(), backup, path)
	if !errors.Is(err, store.ErrInUse) {
		t.Errorf("err = %v, want ErrInUse", err)
	}
	wantOneLine(t, err, "stop it first")
	give(t, s, "ana", 1) // the service goes on
	if err := s.Ready(t.Context()); err != nil {
		t.Error(err)
	}
	// A program that only reads has the database in use as well, whatever the journal mode: it
	// could write to the former file later.
	for _, mode := range []string{"WAL", "DELETE"} {
		path = stock(t)
		exec(t, path, `PRAGMA journal_mode = `+mode)
		reader, err := sql.Open("sqlite", path)
		mustDo(t, err)
		read, err := reader.BeginTx(t.Context(), nil)
		mustDo(t, err)
		mustDo(t, read.QueryRowContext(t.Context(), `SELECT count(*) FROM users`).Scan(new(int)))
		if _, _, err = store.Restore(t.Context(), backup, path); !errors.Is(err, store.ErrInUse) {
			t.Errorf("%s: err = %v, want ErrInUse", mode, err)
		}
		mustDo(t, errors.Join(read.Rollback(), reader.Close()))
	}
}

// Another program's database is refused and not changed in any byte: neither its journal mode nor
// its log.
func TestRestore_anotherProgramsDatabase(t *testing.T) {
	backup := stock(t)
	for name, statements := range map[string]string{
		"in WAL mode":       `CREATE TABLE a (b); PRAGMA journal_mode = WAL`,
		"with a log":        `PRAGMA journal_mode = WAL; CREATE TABLE a (b); INSERT INTO a VALUES (1)`,
		"in its first mode": `CREATE TABLE a (b)`,
		"with an id":        `PRAGMA application_id = 7; PRAGMA journal_mode = WAL; CREATE TABLE a (b)`,
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "m.db")
			db, err := sql.Open("sqlite", path)
			mustDo(t, err)
			_, err = db.ExecContext(t.Context(), statements)
			mustDo(t, err)
			if _, err := os.Stat(path + "-wal"); err == nil {
				path = crash(t, path)
			}
			mustDo(t, db.Close())
			was := contentsOf(t, path)
			for _, refused := range []func() error{
				func() error { _, _, err := store.Restore(t.Context(), backup, path); return err },
				func() error { return store.Free(t.Context(), path) },
			} {
				wantOneLine(t, refused(), "another program")
				if !maps.Equal(contentsOf(t, path), was) {
					t.Errorf("it was changed; there is %v", names(t, path))
				}
			}
		})
	}
}

// If a service makes a database at the path during a restore, the service's database stays.
func TestRestore_startedMeanwhile(t *testing.T) {
	backup, path := stock(t), filepath.Join(t.TempDir(), "m.db")
	var s *store.Store
	err := store.RestoreMeanwhile(t.Context(), backup, path, func() {
		s = mustOpen(t, path)
		put(t, s, "new")
	})
	if !errors.Is(err, store.ErrInUse) {
		t.Errorf("err = %v, want ErrInUse", err)
	}
	wantOneLine(t, err, "stop it first")
	give(t, s, "new", 3)
	if err := s.Ready(t.Context()); err != nil {
		t.Error(err)
	}
	closeStore(t, s)
	if got := names(t, path); !slices.Equal(got, []string{"m.db"}) {
		t.Errorf("there is %v", got)
	}
	s = mustOpen(t, path)
	defer closeStore(t, s)
	if xpOf(t, s, "new") != 3 {
		t.Error("the service's database has lost points that it acknowledged")
	}
}

// A restore to a symbolic link replaces the file that the link leads to, and finds out that this
// file is in use.
func TestRestore_link(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("only administrators make links on Windows")
	}
	backup, path := stock(t), stock(t)
	link := filepath.Join(t.TempDir(), "link.db")
	mustDo(t, os.Symlink(path, link))
	s := mustOpen(t, path)
	give(t, s, "ana", 100)
	_, _, err := store.Restore(t.Context(), backup, link)
	if free := store.Free(t.Context(), link); !errors.Is(err, store.ErrInUse) || !errors.Is(free, store.ErrInUse) {
		t.Errorf("err = %v and %v, want ErrInUse", err, free)
	}
	crashed := crash(t, path)
	closeStore(t, s)
	mustDo(t, os.Remove(link))
	mustDo(t, os.Symlink(crashed, link))
	if err := store.Free(t.Context(), link); err != nil { // the log is beside the file, not beside the link
		t.Error(err)
	}
	if got := names(t, crashed); !slices.Equal(got, []string{"after.db"}) {
		t.Errorf("there is %v", got)
	}
	_, former, err := store.Restore(t.Context(), backup, link)
	if info, statErr := os.Lstat(link); err != nil || statErr != nil || info.Mode()&os.ModeSymlink == 0 || !slices.Contains(names(t, crashed), filepath.Base(former)) {
		t.Errorf("the former database is %q (%v); the link is %v (%v)", former, err, info, statErr)
	}
	copied := filepath.Join(t.TempDir(), "copy.db")
	if _, err := store.Backup(t.Context(), link, copied); err != nil {
		t.Error(err)
	}
	restored := mustOpen(t, copied)
	defer closeStore(t, restored)
	if xpOf(t, restored, "ana") != 5 {
		t.Error("the copy does not have what was restored")
	}
	mustDo(t, os.Remove(crashed))
	_, _, err = store.Restore(t.Context(), backup, link)
	wantOneLine(t, err, "a link to a file that is not there")
}
