package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"marcador/store"
)

// contents returns everything that a store says about its users.
func contents(path string) (string, error) {
	ctx := context.Background()
	s, err := store.Open(ctx, path, store.Options{})
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintln(&b, s.Epoch(), s.Seq())
	err = s.Inspect(ctx)
	for i := range 20 {
		if err != nil {
			break
		}
		var u store.User
		var rows []store.Row
		if u, err = s.User(ctx, fmt.Sprintf("u%d", i)); err == nil {
			rows, err = s.History(ctx, u.ID, 0, 100)
		}
		fmt.Fprintf(&b, "%+v %+v\n", u, rows)
	}
	return b.String(), errors.Join(err, s.Close())
}

// twentyUsers makes a database with twenty users who have points, and returns its path.
func twentyUsers(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "good.db")
	s := open(t, path, store.Options{})
	for i := range 20 {
		put(t, s, fmt.Sprintf("u%d", i))
		give(t, s, fmt.Sprintf("u%d", i), int64(i+1))
	}
	closeStore(t, s)
	return path
}

// A file with one changed byte is opened as the same database, or it is refused and left as it is.
func TestOpen_damagedByte(t *testing.T) {
	good := twentyUsers(t)
	want, err := contents(good)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	chance := rand.New(rand.NewPCG(seed, 0))
	var offsets []int
	for i := range 100 { // the header: https://www.sqlite.org/fileformat.html#the_database_header
		offsets = append(offsets, i)
	}
	for range 60 {
		offsets = append(offsets, chance.IntN(len(whole)))
	}
	refused, changed := 0, 0
	path := filepath.Join(t.TempDir(), "damaged.db") // always the same path, so nothing of it may stay open
	for _, at := range offsets {
		for _, suffix := range []string{"-wal", "-shm"} {
			_ = os.Remove(path + suffix) // there may be none
		}
		damaged := bytes.Clone(whole)
		damaged[at] ^= byte(1 + chance.IntN(255))
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := contents(path)
		if err == nil && got != want {
			// SQLite has no checksums of values, so a changed letter in a name is not
			// found.
			changed++
			if strings.Count(got, "\n") != strings.Count(want, "\n") {
				t.Errorf("byte %d: opened as\n%s", at, got)
			}
		}
		if err == nil {
			continue
		}
		refused++
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("byte %d: the error has more than a line: %v", at, err)
		}
		if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, damaged) {
			t.Errorf("byte %d: the file was changed (%v)", at, err)
		}
	}
	t.Logf("%d of %d refused, %d with other content", refused, len(offsets), changed)
	if refused < 40 {
		t.Errorf("only %d of %d were refused", refused, len(offsets))
	}
}

// When writes begin to fail, Options.Fault is called once with the reason, and once with nil when
// they work again.
func TestStore_reportsFaultOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.db")
	var told []error
	s := open(t, path, store.Options{Fault: func(err error) { told = append(told, err) }}) // read after the answers
	put(t, s, "u1")
	for range 2 {
		if err := os.Rename(path, path+".away"); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if err := s.Touch(t.Context()); !errors.Is(err, store.ErrGone) || !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("error = %v, want ErrGone", err)
			}
		}
		if err := os.Rename(path+".away", path); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if err := s.Touch(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
	if len(told) != 4 || !errors.Is(told[0], store.ErrGone) || told[1] != nil || !errors.Is(told[2], store.ErrGone) || told[3] != nil {
		t.Errorf("told = %v", told)
	}
}
