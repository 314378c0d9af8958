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
		t.Error("the first profile is not reported as new")
	}
	give(t, s, "u1", 5)
	if put1(store.Profile{ID: "u1", Username: "Ana 😀 O'Neil\" ", Avatar: "https://x", Groups: map[string][]string{"club": {"chess", "chess"}}}) {
		t.Error("the second profile is reported as new")
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
		t.Errorf("changes = %+v", told)
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
		t.Errorf("another user's xp = %d, want 7", got)
	}
	// The process does not give the number to another user.
	put(t, s, "u3")
	if v, err := s.User(t.Context(), "u3"); err != nil || v.Number <= u.Number {
		t.Errorf("u3 has number %d (%v), u1 had %d", v.Number, err, u.Number)
	}
	store.CheckSums(t, s)
}

// secretPeople returns 200 profiles. Those with even indexes have texts with SECRET in every field,
// and avatars so long that they take pages of their own.
func secretPeople() (profiles []store.Profile) {
	avatar := strings.Repeat("SECRET-avatar ", 2000)
	for i := range 200 {
		if i%2 == 1 {
			profiles = append(profiles, store.Profile{ID: fmt.Sprintf("u%d", i), Username: "x"})
			continue
		}
		profiles = append(profiles, store.Profile{
			ID: fmt.Sprintf("SECRET-id-%d", i), Username: "SECRET-name", Avatar: avatar, Email: "SECRET-mail",
			Pseudonym: "SECRET-pseudonym", Groups: map[string][]string{"school": {"SECRET-group"}},
		})
	}
	return profiles
}

// Erasing users leaves nothing of them in the files: neither in free pages nor in the write-ahead
// log. If a transaction still reads their data, it is removed when that ends.
func TestStore_Erase_leavesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.db")
	s := open(t, path, store.Options{})
	profiles := secretPeople()
	putAll(t, s, profiles...)
	for _, p := range profiles {
		for range 3 {
			updates := []store.Update{{UserID: p.ID, XP: 1, Reason: "of " + p.ID}}
			if _, err := s.AddPoints(t.Context(), []store.Write{{Updates: updates}}); err != nil {
				t.Fatal(err)
			}
		}
		if p.ID != "u1" {
			befriend(t, s, p.ID, "u1", true)
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
			mustDo(t, s.Erase(t.Context(), p.ID))
		}
	}
	if found() == "" {
		t.Error("data that a transaction still reads is gone")
	}
	release()
	mustDo(t, s.Check(t.Context())) // as a service does now and then
	mustDo(t, s.Check(t.Context())) // after this one, the work that the first has left is done
	if where := found(); where != "" {
		t.Errorf("something is left in%s", where)
	}
}

// outcome is what a user gained in a period, or had at its start.
type outcome struct {
	xp, reached int64
	there       bool
}

// Totals have the points of the present period, of the period before, and of the moment at which
// the present period began.
func TestStore_People_active(t *testing.T) {
	merida, err := time.LoadLocation("America/Merida") // UTC-6
	mustDo(t, err)
	c := &clock{}
	s := open(t, filepath.Join(t.TempDir(), "m.db"), store.Options{Location: merida, Now: c.Now})
	c.set("2025-03-10T20:00:00Z") // a Monday
	put(t, s, "u1", "u2", "u4")
	give(t, s, "u1", 10)
	before := give(t, s, "u2", 20).Seq
	c.set("2025-03-11T05:59:59Z") // in Merida still the tenth
	late := give(t, s, "u1", 5).Seq
	c.set("2025-03-11T06:00:00Z") // the eleventh
	put(t, s, "u3")
	give(t, s, "u2", 100)
	now := give(t, s, "u2", -40).Seq

	today := store.Daily.Start(c.Now().In(merida)).UnixMilli()
	yesterday := store.Daily.Before(c.Now().In(merida)).UnixMilli()
	week := store.Weekly.Start(c.Now().In(merida)).UnixMilli()
	want := map[uint32][4]outcome{ // by number: today, yesterday, this week, when today began
		1: {{}, {15, late, true}, {15, late, true}, {15, late, true}},
		2: {{60, now, true}, {20, before, true}, {80, now, true}, {20, before, true}},
	}
	var mu sync.Mutex
	err = s.People(t.Context(), 1000, store.Monthly.Before(c.Now().In(merida)), func(_ int, p *store.Person) error {
		mu.Lock()
		defer mu.Unlock()
		if !p.Active {
			return nil
		}
		var got [4]outcome
		for i, of := range []struct {
			period store.Period
			start  int64
		}{{store.Daily, today}, {store.Daily, yesterday}, {store.Weekly, week}} {
			got[i].xp, got[i].reached, got[i].there = p.In(of.period, of.start)
		}
		got[3].xp, got[3].reached = p.At(store.Daily, today)
		got[3].there = true
		if got != want[p.User] {
			t.Errorf("user %d: %+v, want %+v", p.User, got, want[p.User])
		}
		delete(want, p.User)
		return nil
	})
	if err != nil || len(want) > 0 {
		t.Errorf("error %v, missing %v", err, want)
	}
}

// People ends with the error of yield.
func TestStore_People_stops(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "m.db"), store.Options{})
	put(t, s, "u1", "u2")
	stop := errors.New("stop")
	if err := s.People(t.Context(), 1000, time.Time{}, func(int, *store.Person) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("error = %v, want that of yield", err)
	}
}

// A user who was hidden and is shown again is seen since then.
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
	hide(false) // others see the user since now
	hide(false)
	if got, want := people(), base+"c 3 xp=0 reached=0 hidden=false seen=60"; got != want {
		t.Errorf("people = %s, want %s", got, want)
	}
}

// wantMembers fails the test unless a board has the members, each as "number:minutes", in order.
// The minutes are those from a moment until others saw the user on the board.
func wantMembers(t *testing.T, s *store.Store, began time.Time, board, want string) {
	t.Helper()
	var got []string
	err := s.Members(t.Context(), board, func(of *store.Totals) error {
		got = append(got, fmt.Sprintf("%d:%d", of.User, (of.Since-began.UnixMilli())/60_000))
		return nil
	})
	mustDo(t, err)
	slices.Sort(got)
	if g := strings.Join(got, " "); g != want {
		t.Errorf("members of %s = %s, want %s", board, g, want)
	}
}

// A membership begins when a profile first has the group, ends when it no longer has it, and is not
// interrupted by other changes.
func TestStore_Members(t *testing.T) {
	c := &clock{}
	s := open(t, filepath.Join(t.TempDir(), "m.db"), store.Options{Now: c.Now})
	began := time.Date(2025, 3, 10, 20, 0, 0, 0, time.UTC)
	at := func(minutes int) { c.set(began.Add(time.Duration(minutes) * time.Minute).Format(time.RFC3339)) }
	in := func(id string, groups map[string][]string) {
		t.Helper()
		putAll(t, s, store.Profile{ID: id, Username: id, Groups: groups})
	}
	members := func(board, want string) {
		t.Helper()
		wantMembers(t, s, began, board, want)
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
	in("u1", map[string][]string{"school": {"42"}, "class": {"a", "b:c"}}) // u1 comes back
	members("class:a", "1:2")
	members("school:42", "1:0 2:1")
	in("u1", nil)
	in("u1", map[string][]string{"class": {"a"}}) // in the same millisecond
	members("class:a", "1:2")
	members("school:42", "2:1")
	for board, want := range map[string]bool{"class:a": true, "school:42": false, "class:b:c": false, "class:": false} {
		if got, err := s.IsMember(t.Context(), board, "u1"); err != nil || got != want {
			t.Errorf("IsMember(%s) = %v, %v, want %v", board, got, err, want)
		}
	}
}

// A board of friends has the user and the friends, these since they are friends.
func TestStore_Members_friends(t *testing.T) {
	c := &clock{}
	s := open(t, filepath.Join(t.TempDir(), "m.db"), store.Options{Now: c.Now})
	began := time.Date(2025, 3, 10, 20, 0, 0, 0, time.UTC)
	c.set(began.Format(time.RFC3339))
	put(t, s, "u1", "u2")
	c.set(began.Add(3 * time.Minute).Format(time.RFC3339))
	for range 2 {
		befriend(t, s, "u1", "u2", true)
	}
	wantMembers(t, s, began, "friends:u1", "1:0 2:3")
	wantMembers(t, s, began, "friends:u2", "1:3 2:0")
	wantMembers(t, s, began, "friends:nobody", "")
	wantCode(t, s.Befriend(t.Context(), "u1", "u1", true), store.OwnFriend, 0)
	wantCode(t, s.Befriend(t.Context(), "nobody", "u1", true), store.UserNotFound, 0)
	mustDo(t, s.Unfriend(t.Context(), "u2", "u1"))
	wantMembers(t, s, began, "friends:u1", "1:0")
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
			t.Errorf("a change by another program was reported: %v, want %v", told, want)
		}
	}
	check(false)
	give(t, s, "u1", 1)
	check(false) // its own writes are not reported
	exec(t, path, `UPDATE users SET username = 'by hand'`)
	check(true)
	check(false)
	// The store notices the other program's writes before it writes, so it gives no seq twice.
	exec(t, path, `INSERT INTO users (number, id, username, avatar, email, created_at) VALUES (2, 'u2', '', '', '', 0)`)
	exec(t, path, `INSERT INTO ledger (seq, user, xp, ml_coins, xp_after, ml_coins_after, reason, at) VALUES (?, 1, 1, 0, 2, 0, '', 0)`, s.Seq()+1)
	put(t, s, "u3")
	give(t, s, "u3", 1)
	closeStore(t, s)
	exec(t, path, `INSERT INTO ledger (seq, user, xp, ml_coins, xp_after, ml_coins_after, reason, at) VALUES (?, 1, 1, 0, 2, 0, '', 0)`, s.Seq()+1)
	s = open(t, path, store.Options{})
	give(t, s, "u3", 1) // the same after writes while the store was closed
	exec(t, path, `UPDATE state SET seq = seq + 100`)
	if seq := s.Seq(); give(t, s, "u3", 1).Seq <= seq+100 {
		t.Errorf("Seq() = %d after another program took a hundred seqs", s.Seq())
	}
}

// The totals of day, week and month are the sums of the ledger, also across changes of the clocks.
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
		"2024-02-28T22:59:59Z", "2024-02-28T23:00:00Z", // midnight in Madrid
		"2024-02-29T23:00:00Z",                         // another month
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

// A user whom another program added without totals gets them with the first profile.
func TestStore_PutProfiles_addedByHand(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.db")
	s := open(t, path, store.Options{})
	exec(t, path, `INSERT INTO users (number, id, username, avatar, email, created_at) VALUES (77, 'u1', '', '', '', 0)`)
	created, err := s.PutProfiles(t.Context(), []store.Profile{{ID: "u1", Username: "x"}, {ID: "u2", Username: "y"}})
	if err != nil || created[0] || !created[1] {
		t.Fatalf("PutProfiles() = %v, %v, want false, true", created, err)
	}
	give(t, s, "u1", 5)
}

// LastOf finds the last row of many users whether it is one of the ledger's latest rows or not.
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
		var others []store.Update // more rows than LastOf reads first
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
