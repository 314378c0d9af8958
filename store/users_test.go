package store_test

import (
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"marcador/store"
)

func TestStore_PutProfiles(t *testing.T) {
	var told []store.Change
	s := open(t, filepath.Join(t.TempDir(), "m.db"), store.Options{Committed: func(c store.Commit) { told = append(told, c.Changes...) }})
	put1 := func(p store.Profile) bool {
		t.Helper()
		created, err := s.PutProfiles(t.Context(), []store.Profile{p})
		if err != nil {
			t.Fatal(err)
		}
		return created[0]
	}
	if !put1(store.Profile{ID: "u1", Username: "Ana", Email: "a@b.c", Groups: map[string][]string{"school": {"42"}, "classroom": {"7a", "7b"}}}) {
		t.Error("the first is not said to be new")
	}
	give(t, s, "u1", 5)
	if put1(store.Profile{ID: "u1", Username: "Ana 😀 O'Neil\" ", Avatar: "https://x", Groups: map[string][]string{"club": {"chess", "chess"}}}) {
		t.Error("the second is said to be new")
	}
	u, err := s.User(t.Context(), "u1")
	if err != nil {
		t.Fatal(err)
	}
	if u.Username != "Ana 😀 O'Neil\" " || u.Avatar != "https://x" || u.Email != "" || u.XP != 5 {
		t.Errorf("User() = %+v", u)
	}
	if !maps.EqualFunc(u.Groups, map[string][]string{"club": {"chess"}}, slices.Equal) {
		t.Errorf("groups = %v", u.Groups)
	}
	if len(told) != 3 || told[2].Profile.Number != u.Number || told[2].Profile.Username != u.Username {
		t.Errorf("told %+v", told)
	}
	if _, err := s.User(t.Context(), "nobody"); err == nil {
		t.Error("User(nobody) has no error")
	} else {
		wantCode(t, err, store.UserNotFound, 0)
	}
}

func TestStore_Erase(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "m.db"), store.Options{})
	if _, err := s.PutProfiles(t.Context(), []store.Profile{{ID: "u1", Username: "x", Groups: map[string][]string{"school": {"1"}}}, {ID: "u2", Username: "y"}}); err != nil {
		t.Fatal(err)
	}
	addOne(t, s, keyed("k", "u1", 50))
	give(t, s, "u2", 7)
	u, err := s.User(t.Context(), "u1")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Erase(t.Context(), "u1"); err != nil {
		t.Fatal(err)
	}
	if n := store.Rows(t, s, u.Number); n != 0 {
		t.Errorf("%d rows are left", n)
	}
	wantCode(t, s.Erase(t.Context(), "u1"), store.UserNotFound, 0)
	if got := xpOf(t, s, "u2"); got != 7 {
		t.Errorf("another's xp = %d, want 7", got)
	}
	// The number is not given to anybody else while the process lives.
	put(t, s, "u3")
	if v, err := s.User(t.Context(), "u3"); err != nil || v.Number <= u.Number {
		t.Errorf("u3 has number %d (%v), u1 had %d", v.Number, err, u.Number)
	}
	store.CheckSums(t, s)
}

func TestStore_Standings(t *testing.T) {
	merida, err := time.LoadLocation("America/Merida") // UTC-6
	if err != nil {
		t.Fatal(err)
	}
	c := &clock{}
	s := open(t, filepath.Join(t.TempDir(), "m.db"), store.Options{Location: merida, Now: c.Now})
	c.set("2025-03-10T20:00:00Z")
	put(t, s, "u1", "u2")
	give(t, s, "u1", 10)
	before := give(t, s, "u2", 20).Seq
	c.set("2025-03-11T05:59:59Z") // still the tenth there
	late := give(t, s, "u1", 5).Seq
	c.set("2025-03-11T06:00:00Z") // the eleventh
	put(t, s, "u3")
	give(t, s, "u2", 100)
	now := give(t, s, "u2", -40).Seq

	want := map[string]store.Standing{
		"u1": {XP: 15, Reached: late, There: true, XPThen: 15, ReachedThen: late},
		"u2": {XP: 80, Reached: now, There: true, XPThen: 20, ReachedThen: before},
		"u3": {},
	}
	err = s.Standings(t.Context(), store.DayOf(c.Now().In(merida)), func(got store.Standing) error {
		w := want[got.ID]
		delete(want, got.ID)
		w.User, w.ID = got.User, got.ID
		if got != w {
			t.Errorf("standing = %+v, want %+v", got, w)
		}
		return nil
	})
	if err != nil || len(want) > 0 {
		t.Errorf("error %v, missing %v", err, want)
	}
	stop := errors.New("stop")
	if err := s.Standings(t.Context(), time.Time{}, func(store.Standing) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("error = %v, want that of yield", err)
	}
}

func TestStore_timeNeverGoesBack(t *testing.T) {
	c := &clock{}
	var times []time.Time
	s := open(t, filepath.Join(t.TempDir(), "m.db"), store.Options{Now: c.Now, Committed: func(cm store.Commit) { times = append(times, cm.At) }})
	for _, now := range []string{"2030-01-02T00:00:00Z", "2030-01-01T00:00:00Z", "2030-01-03T00:00:00Z"} {
		c.set(now)
		if err := s.Touch(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if !times[1].Equal(times[0]) || !times[2].After(times[1]) {
		t.Errorf("times = %v", times)
	}
}

func TestStore_Check(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.db")
	var commits []store.Commit
	s := open(t, path, store.Options{Committed: func(c store.Commit) { commits = append(commits, c) }})
	put(t, s, "u1")
	check := func(want bool) {
		t.Helper()
		n, seq := len(commits), s.Seq()
		if err := s.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		told := len(commits) > n && commits[len(commits)-1].Foreign && s.Seq() > seq
		if told != want {
			t.Errorf("told of a change by another program: %v, want %v", told, want)
		}
	}
	check(false)
	give(t, s, "u1", 1)
	check(false) // its own writes are no news
	exec(t, path, `UPDATE users SET username = 'by hand'`)
	check(true)
	check(false)
	// What another program does is noticed before anything is written, so that no
	// number is given twice.
	exec(t, path, `INSERT INTO users (number, id, username, avatar, email, created_at) VALUES (2, 'u2', '', '', '', 0)`)
	exec(t, path, `INSERT INTO ledger (seq, user, xp, ml_coins, xp_after, ml_coins_after, reason, at) VALUES (?, 1, 1, 0, 2, 0, '', 0)`, s.Seq()+1)
	put(t, s, "u3")
	give(t, s, "u3", 1)
	closeStore(t, s)
	exec(t, path, `INSERT INTO ledger (seq, user, xp, ml_coins, xp_after, ml_coins_after, reason, at) VALUES (?, 1, 1, 0, 2, 0, '', 0)`, s.Seq()+1)
	s = open(t, path, store.Options{})
	give(t, s, "u3", 1) // nor what it did while the service was down
	exec(t, path, `UPDATE state SET seq = seq + 100`)
	if seq := s.Seq(); give(t, s, "u3", 1).Seq <= seq+100 {
		t.Errorf("Seq() = %d after another program took a hundred numbers", s.Seq())
	}
}

// The totals of day, week and month are those of the ledger, whenever they are
// looked at.
func TestStore_periods(t *testing.T) {
	madrid, err := time.LoadLocation("Europe/Madrid")
	if err != nil {
		t.Fatal(err)
	}
	c := &clock{}
	s := open(t, filepath.Join(t.TempDir(), "m.db"), store.Options{Location: madrid, Now: c.Now})
	c.set("2024-02-28T12:00:00Z")
	put(t, s, "u1", "u2")
	for _, now := range []string{
		"2024-02-28T22:59:59Z", "2024-02-28T23:00:00Z", // midnight there
		"2024-02-29T23:00:00Z",                         // a month
		"2024-03-03T22:59:59Z", "2024-03-03T23:00:00Z", // a Monday
		"2024-03-30T22:59:59Z", "2024-03-30T23:00:00Z", "2024-03-31T21:59:59Z", "2024-03-31T22:00:00Z", // a day of 23 hours, then a Monday
		"2024-12-31T23:00:00Z",
	} {
		c.set(now)
		give(t, s, "u1", 10)
		give(t, s, "u1", -3)
		store.CheckSums(t, s)
	}
	give(t, s, "u2", 1)
	store.CheckSums(t, s)
}

// A person who was added by hand, without totals, is completed by a profile.
func TestStore_PutProfiles_addedByHand(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.db")
	s := open(t, path, store.Options{})
	exec(t, path, `INSERT INTO users (number, id, username, avatar, email, created_at) VALUES (77, 'u1', '', '', '', 0)`)
	created, err := s.PutProfiles(t.Context(), []store.Profile{{ID: "u1", Username: "x"}, {ID: "u2", Username: "y"}})
	if err != nil || created[0] || !created[1] {
		t.Fatalf("PutProfiles() = %v, %v, want an old one and a new one", created, err)
	}
	give(t, s, "u1", 5)
}
