package store_test

import (
	"path/filepath"
	"strings"
	"testing"

	"marcador/store"
)

// of returns the write with a caller.
func of(caller string, w store.Write) store.Write {
	w.Caller = caller
	return w
}

// If two callers use the same key, both writes count, each once.
func TestStore_AddPoints_keyOfAnotherCaller(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.db")
	s := open(t, path, store.Options{Committed: ranker})
	put(t, s, "u1", "u2")
	maths, music := of("maths", keyed("week-1", "u1", 50)), of("music", keyed("week-1", "u1", 50))
	first, second := addOne(t, s, maths), addOne(t, s, music)
	if got := xpOf(t, s, "u1"); got != 100 || first.Seq == second.Seq {
		t.Errorf("xp = %d, want 100", got)
	}
	for range 2 {
		if again := addOne(t, s, maths); again != first {
			t.Errorf("again = %+v, want %+v", again, first)
		}
		if again := addOne(t, s, music); again != second {
			t.Errorf("again = %+v, want %+v", again, second)
		}
		give(t, s, "u2", 1) // the answers are read from the database from here on
		path = crash(t, path)
		s = open(t, path, store.Options{Committed: ranker})
	}
	_, err := s.AddPoints(t.Context(), []store.Write{of("maths", keyed("week-1", "u2", 50))})
	wantCode(t, err, store.KeyReused, 0)
}

// A key without a caller, from before keys had callers, matches every caller's key.
func TestStore_AddPoints_keyWithoutCaller(t *testing.T) {
	path := oldest(t)
	exec(t, path, `UPDATE keys SET digest = x'`+store.DigestOf([]store.Update{{UserID: "leo", XP: 3}})+`'`)
	s := open(t, path, store.Options{Committed: ranker})
	for _, caller := range []string{"", "maths", "music"} {
		if again := addOne(t, s, of(caller, keyed("k", "leo", 3))); again.Seq != 6 {
			t.Errorf("again, by %q = %+v", caller, again)
		}
		_, err := s.AddPoints(t.Context(), []store.Write{of(caller, keyed("k", "ana", 3))})
		wantCode(t, err, store.KeyReused, 0)
	}
	// The same within one transaction.
	both := []store.Write{keyed("both", "leo", 1), of("maths", keyed("both", "leo", 1))}
	if points, err := s.AddPoints(t.Context(), both); err != nil || points[0].Seq != points[1].Seq {
		t.Errorf("points = %v, %v", points, err)
	}
	// A caller's own key is found first.
	addOne(t, s, of("maths", keyed("own", "ana", 1)))
	addOne(t, s, keyed("own", "ana", 2))
	addOne(t, s, of("maths", keyed("own", "ana", 1)))
	addOne(t, s, of("music", keyed("own", "ana", 2)))
	if got := xpOf(t, s, "ana"); got != 12+1+2 {
		t.Errorf("xp = %d, want 15", got)
	}
}

// When a caller is erased, the keys of other users' points stay, but the caller's id does not.
func TestStore_Erase_caller(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.db")
	s := open(t, path, store.Options{})
	put(t, s, "u1", "SECRET-caller")
	w := of("SECRET-caller", keyed("k", "u1", 5))
	addOne(t, s, w)
	if err := s.Erase(t.Context(), "SECRET-caller"); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	if strings.Contains(bytesOf(t, path), "SECRET") {
		t.Error("the caller's id is in the file")
	}
	// Another user gets the same id, and has no keys.
	s = mustOpen(t, path)
	defer closeStore(t, s)
	addOne(t, s, w)
	if got := xpOf(t, s, "u1"); got != 10 {
		t.Errorf("xp = %d, want 10", got)
	}
}

// Erasing a caller gives the same result on every copy of a database, and does not show which keys
// had the same caller.
func TestStore_Erase_sameOnEveryCopy(t *testing.T) {
	var first string
	for n := range 2 {
		path := filepath.Join(t.TempDir(), "m.db")
		s := open(t, path, store.Options{})
		put(t, s, "u1", "maths")
		for _, key := range []string{"k", "l"} {
			addOne(t, s, of("maths", keyed(key, "u1", 5)))
		}
		if err := s.Erase(t.Context(), "maths"); err != nil {
			t.Fatal(err)
		}
		callers := store.Callers(t, s)
		if n == 0 {
			first = callers
		}
		if callers != first || strings.Contains(callers, "maths") {
			t.Errorf("the callers of keys are %q, and %q elsewhere", callers, first)
		}
		if list := strings.Fields(callers); len(list) != 2 || list[0] == list[1] {
			t.Errorf("the callers are %q: they show that one person made both", callers)
		}
	}
}
