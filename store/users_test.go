package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
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

// Erasing a person leaves nothing of them in the files: neither in pages that are free
// now nor in the write-ahead log. While somebody reads what was, it waits.
func TestStore_Erase_leavesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.db")
	s := open(t, path, store.Options{})
	long := strings.Repeat("SECRET-avatar ", 2000) // it takes pages of its own
	var profiles []store.Profile
	for i := range 200 {
		id := fmt.Sprintf("SECRET-id-%d", i)
		if i%2 == 1 {
			id = fmt.Sprintf("u%d", i)
		}
		profiles = append(profiles, store.Profile{ID: id, Username: "SECRET-name", Avatar: long, Email: "SECRET-mail", Pseudonym: "SECRET-pseudonym", Groups: map[string][]string{"school": {"SECRET-group"}}})
		if i%2 == 1 {
			profiles[i] = store.Profile{ID: id, Username: "x"}
		}
	}
	if _, err := s.PutProfiles(t.Context(), profiles); err != nil {
		t.Fatal(err)
	}
	for _, p := range profiles {
		for range 3 {
			if _, err := s.AddPoints(t.Context(), []store.Write{{Updates: []store.Update{{UserID: p.ID, XP: 1, Reason: "of " + p.ID}}}}); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Befriend(t.Context(), p.ID, "u1", p.ID != "u1"); err != nil && p.ID != "u1" {
			t.Fatal(err)
		}
	}
	found := func() (where string) {
		for _, suffix := range []string{"", "-wal"} {
			b, err := os.ReadFile(path + suffix)
			if err == nil && bytes.Contains(b, []byte("SECRET")) {
				where += " " + suffix + "(file)"
			}
		}
		return where
	}
	if found() == "" {
		t.Fatal("the secret was never written")
	}
	release := store.Reading(t, s)
	for _, p := range profiles {
		if strings.HasPrefix(p.ID, "SECRET") {
			if err := s.Erase(t.Context(), p.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	if found() == "" {
		t.Error("what a reader still reads is gone")
	}
	release()
	if err := s.Check(t.Context()); err != nil { // as happens now and then
		t.Fatal(err)
	}
	if err := s.Check(t.Context()); err != nil { // when this is answered, what the one before left to do is done
		t.Fatal(err)
	}
	if where := found(); where != "" {
		t.Errorf("something is left in%s", where)
	}
}

// The totals know what was gained in the present period, in the one before, and what
// there was when the present one began.
func TestStore_People_active(t *testing.T) {
	merida, err := time.LoadLocation("America/Merida") // UTC-6
	if err != nil {
		t.Fatal(err)
	}
	c := &clock{}
	s := open(t, filepath.Join(t.TempDir(), "m.db"), store.Options{Location: merida, Now: c.Now})
	c.set("2025-03-10T20:00:00Z") // a Monday
	put(t, s, "u1", "u2", "u4")
	give(t, s, "u1", 10)
	before := give(t, s, "u2", 20).Seq
	c.set("2025-03-11T05:59:59Z") // still the tenth there
	late := give(t, s, "u1", 5).Seq
	c.set("2025-03-11T06:00:00Z") // the eleventh
	put(t, s, "u3")
	give(t, s, "u2", 100)
	now := give(t, s, "u2", -40).Seq

	type outcome struct {
		xp, reached int64
		there       bool
	}
	today := store.Daily.Start(c.Now().In(merida)).UnixMilli()
	yesterday := store.Daily.Before(c.Now().In(merida)).UnixMilli()
	week := store.Weekly.Start(c.Now().In(merida)).UnixMilli()
	want := map[string][4]outcome{ // today, yesterday, this week, when today began
		"u1": {{}, {15, late, true}, {15, late, true}, {15, late, true}},
		"u2": {{60, now, true}, {20, before, true}, {80, now, true}, {20, before, true}},
	}
	var mu sync.Mutex
	err = s.People(t.Context(), 1000, store.Monthly.Before(c.Now().In(merida)), func(_ int, p *store.Person) error {
		mu.Lock()
		defer mu.Unlock()
		st := &p.Totals
		if !p.Active {
			return nil
		}
		var got [4]outcome
		for i, of := range []struct {
			period store.Period
			start  int64
		}{{store.Daily, today}, {store.Daily, yesterday}, {store.Weekly, week}} {
			got[i].xp, got[i].reached, got[i].there = st.In(of.period, of.start)
		}
		got[3].xp, got[3].reached = st.At(store.Daily, today)
		got[3].there = true
		id := map[uint32]string{1: "u1", 2: "u2"}[st.User]
		if got != want[id] {
			t.Errorf("%s: %+v, want %+v", id, got, want[id])
		}
		delete(want, id)
		return nil
	})
	if err != nil || len(want) > 0 {
		t.Errorf("error %v, missing %v", err, want)
	}
	stop := errors.New("stop")
	if err := s.People(t.Context(), 1000, time.Time{}, func(int, *store.Person) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("error = %v, want that of yield", err)
	}
}

func TestStore_People(t *testing.T) {
	c := &clock{}
	c.set("2025-03-10T20:00:00Z")
	s := open(t, filepath.Join(t.TempDir(), "m.db"), store.Options{Now: c.Now})
	put(t, s, "a", "b", "c")
	seq := give(t, s, "b", 5).Seq
	began := c.Now().UnixMilli()
	hide := func(hidden bool) {
		t.Helper()
		if _, err := s.PutProfiles(t.Context(), []store.Profile{{ID: "c", Username: "C", Hidden: hidden}}); err != nil {
			t.Fatal(err)
		}
	}
	hide(true)
	people := func() string {
		t.Helper()
		var mu sync.Mutex
		var got []string
		if err := s.People(t.Context(), 1000, time.UnixMilli(began), func(_ int, p *store.Person) error {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, fmt.Sprintf("%s %d xp=%d reached=%d hidden=%v seen=%d", p.ID, p.User, p.XP, p.Reached, p.Hidden, max(p.Since-began, -1)/1000))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		slices.Sort(got)
		return strings.Join(got, ", ")
	}
	base := fmt.Sprintf("a 1 xp=0 reached=0 hidden=false seen=0, b 2 xp=5 reached=%d hidden=false seen=0, ", seq)
	if got, want := people(), base+"c 3 xp=0 reached=0 hidden=true seen=0"; got != want {
		t.Errorf("people = %s, want %s", got, want)
	}
	c.set("2025-03-10T20:01:00Z")
	hide(false) // is seen anew
	hide(false)
	if got, want := people(), base+"c 3 xp=0 reached=0 hidden=false seen=60"; got != want {
		t.Errorf("people = %s, want %s", got, want)
	}
}

// Memberships have a beginning and an end, and last over what does not change them.
func TestStore_Members(t *testing.T) {
	c := &clock{}
	s := open(t, filepath.Join(t.TempDir(), "m.db"), store.Options{Now: c.Now})
	began := time.Date(2025, 3, 10, 20, 0, 0, 0, time.UTC)
	at := func(minutes int) { c.set(began.Add(time.Duration(minutes) * time.Minute).Format(time.RFC3339)) }
	in := func(id string, groups map[string][]string) {
		t.Helper()
		if _, err := s.PutProfiles(t.Context(), []store.Profile{{ID: id, Username: id, Groups: groups}}); err != nil {
			t.Fatal(err)
		}
	}
	members := func(board, want string) {
		t.Helper()
		var got []string
		if err := s.Members(t.Context(), board, func(st *store.Totals) error {
			got = append(got, fmt.Sprintf("%d:%d", st.User, (st.Since-began.UnixMilli())/60_000))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		slices.Sort(got)
		if g := strings.Join(got, " "); g != want {
			t.Errorf("members of %s = %s, want %s", board, g, want)
		}
	}
	at(0)
	in("u1", map[string][]string{"school": {"42"}, "class": {"a", "b:c"}})
	in("u2", nil)
	at(1)
	in("u2", map[string][]string{"school": {"42", "42"}})
	in("u1", map[string][]string{"school": {"42"}, "class": {"b:c"}})
	members("school:42", "1:0 2:1")
	members("class:a", "")
	members("class:b:c", "1:0")
	at(2)
	in("u1", map[string][]string{"school": {"42"}, "class": {"a", "b:c"}}) // back
	members("class:a", "1:2")
	members("school:42", "1:0 2:1")
	in("u1", nil)
	in("u1", map[string][]string{"class": {"a"}}) // in the same moment
	members("class:a", "1:2")
	members("school:42", "2:1")
	for board, want := range map[string]bool{"class:a": true, "school:42": false, "class:b:c": false, "class:": false} {
		if got, err := s.IsMember(t.Context(), board, "u1"); err != nil || got != want {
			t.Errorf("IsMember(%s) = %v, %v, want %v", board, got, err, want)
		}
	}

	at(3)
	for range 2 {
		if err := s.Befriend(t.Context(), "u1", "u2", true); err != nil {
			t.Fatal(err)
		}
	}
	members("friends:u1", "1:0 2:3")
	members("friends:u2", "1:3 2:0")
	members("friends:nobody", "")
	wantCode(t, s.Befriend(t.Context(), "u1", "u1", true), store.OwnFriend, 0)
	wantCode(t, s.Befriend(t.Context(), "nobody", "u1", true), store.UserNotFound, 0)
	if err := s.Unfriend(t.Context(), "u2", "u1"); err != nil {
		t.Fatal(err)
	}
	members("friends:u1", "1:0")
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

// The last row of any of the users is found whether one of many has written lately or not.
func TestStore_LastOf(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "m.db"), store.Options{})
	var many []uint32
	var profiles []store.Profile
	for i := range 600 {
		many = append(many, uint32(i+1))
		profiles = append(profiles, store.Profile{ID: fmt.Sprint("u", i+1), Username: "x"})
	}
	if _, err := s.PutProfiles(t.Context(), append(profiles, store.Profile{ID: "else", Username: "x"})); err != nil {
		t.Fatal(err)
	}
	first, second := give(t, s, "u5", 1).Seq, give(t, s, "u6", 1).Seq
	want := func(users []uint32, upTo, want int64) {
		t.Helper()
		if got, err := s.LastOf(t.Context(), users, upTo); err != nil || got.Seq != want || (want > 0) != got.At.After(time.UnixMilli(1)) {
			t.Errorf("LastOf(%d users, %d) = %+v (%v), want %d", len(users), upTo, got, err, want)
		}
	}
	for range 2 {
		want(many, s.Seq(), second)
		want(many[:5], s.Seq(), first)
		want(many, first, first)
		want(many, first-1, 0)
		want(nil, s.Seq(), 0)
		var others []store.Update // more than are looked at
		for range 6000 {
			others = append(others, store.Update{UserID: "else", XP: 1})
		}
		if _, err := s.AddPoints(t.Context(), []store.Write{{Updates: others}}); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := s.LastSeen(t.Context(), s.Seq()); err != nil || got.Seq != s.Seq() {
		t.Errorf("LastSeen = %+v (%v)", got, err)
	}
}
