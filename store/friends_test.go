package store_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"marcador/store"
)

// friendsOf returns the numbers of a user's friends, from the board of friends.
func friendsOf(tb testing.TB, s *store.Store, id string) string {
	tb.Helper()
	u, err := s.User(tb.Context(), id)
	if err != nil {
		tb.Fatal(err)
	}
	var list []string
	err = s.Members(tb.Context(), "friends:"+id, func(st *store.Totals) error {
		if st.User != u.Number {
			list = append(list, fmt.Sprint(st.User))
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

// The rule decides which wishes make friends, and another rule after a restart decides anew.
func TestStore_Befriend_rules(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.db")
	for _, rule := range []store.FriendsRule{store.FriendsMutual, store.FriendsInGroup, store.FriendsOpen} {
		s := open(t, path, store.Options{Friends: rule})
		if rule == store.FriendsMutual {
			groups := func(class string) map[string][]string {
				return map[string][]string{"class": {class}}
			}
			putAll(t, s, store.Profile{ID: "u1", Username: "x", Groups: groups("7a")}, store.Profile{ID: "u2", Username: "x", Groups: groups("7a")},
				store.Profile{ID: "u3", Username: "x", Groups: groups("8a")}, store.Profile{ID: "u4", Username: "x", Groups: groups("8a")})
			for _, other := range []string{"u2", "u3"} { // a classmate and another user
				befriend(t, s, "u1", other, false)
			}
			befriend(t, s, "u1", "u4", true)
		}
		want := map[store.FriendsRule]string{store.FriendsMutual: "4", store.FriendsInGroup: "2 4", store.FriendsOpen: "2 3 4"}[rule]
		if got := friendsOf(t, s, "u1"); got != want {
			t.Errorf("%s: u1 has %s, want %s", rule, got, want)
		}
		for other, want := range map[string]bool{"u2": rule != store.FriendsMutual, "u3": rule == store.FriendsOpen, "u4": true} {
			if got := friendsOf(t, s, other) == "1"; got != want {
				t.Errorf("%s: %s has u1: %v, want %v", rule, other, got, want)
			}
		}
		if rule == store.FriendsInGroup { // a group with a limit makes no friends
			for _, board := range []string{"class:7a", "class:*"} {
				limit(t, s, board, 1)
				if got := friendsOf(t, s, "u1"); got != "4" {
					t.Errorf("with a limit on %s u1 has %s", board, got)
				}
				limit(t, s, board, 0)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A wish takes one commit whether or not the other user exists, so time does not tell.
func TestStore_Befriend_tellsNothing(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "m.db"), store.Options{})
	putAll(t, s, store.Profile{ID: "u1", Username: "x"}, store.Profile{ID: "u2", Username: "x"}, store.Profile{ID: "u3", Username: "x", Hidden: true})
	for range 2 {
		for _, other := range []string{"u2", "u3", "nobody"} {
			for _, do := range []func() error{
				func() error { return s.Befriend(t.Context(), "u1", other, false) },
				func() error { return s.Unfriend(t.Context(), "u1", other) },
				func() error { return s.Befriend(t.Context(), "u1", other, false) },
			} {
				before := s.Seq()
				if err := do(); err != nil || s.Seq() != before+1 {
					t.Errorf("%s: %v, %d numbers", other, err, s.Seq()-before)
				}
			}
		}
	}
	// A hidden friend is not counted.
	befriend(t, s, "u3", "u1", false)
	if u, err := s.User(t.Context(), "u1"); err != nil || u.Friends != 0 {
		t.Errorf("u1 has %d friends (%v), and the only one is hidden", u.Friends, err)
	}
}

// A wish reads and writes as many pages of the database whether or not the other user exists.
func TestStore_Befriend_sameWork(t *testing.T) {
	for _, rule := range []store.FriendsRule{store.FriendsMutual, store.FriendsInGroup, store.FriendsOpen} {
		s := open(t, filepath.Join(t.TempDir(), "m.db"), store.Options{Friends: rule})
		groups := map[string][]string{"class": {"7a"}}
		people := []store.Profile{{ID: "u1", Username: "x", Groups: groups}, {ID: "somebody", Username: "x"}, {ID: "mate", Username: "x", Groups: groups}}
		var pairs []store.Pair
		for n := range 50 {
			id := fmt.Sprint("friend", n)
			people = append(people, store.Profile{ID: id, Username: "x"})
			pairs = append(pairs, store.Pair{ID: "u1", Other: id})
		}
		putAll(t, s, people...)
		if err := s.BefriendAll(t.Context(), pairs); err != nil {
			t.Fatal(err)
		}
		for name, do := range map[string]func(other string) error{
			"a wish":       func(other string) error { return s.Befriend(t.Context(), "u1", other, false) },
			"taken back":   func(other string) error { return s.Unfriend(t.Context(), "u1", other) },
			"nothing done": func(other string) error { return s.Unfriend(t.Context(), "u1", other) },
		} {
			work := map[string][2]int{}
			for _, other := range []string{"nobody", "somebody", "mate"} {
				if name == "taken back" {
					befriend(t, s, "u1", other, false)
				}
				work[other] = store.Work(t, s, func() error { return do(other) })
			}
			for other, got := range work {
				more := got[0] - work["nobody"][0]
				if more < -20 || more > 20 || got[1] != work["nobody"][1] {
					t.Errorf("%s, %s for %s reads %d pages and writes %d; for nobody %v", rule, name, other, got[0], got[1], work["nobody"])
				}
			}
		}
		closeStore(t, s)
	}
}

func putAll(tb testing.TB, s *store.Store, profiles ...store.Profile) {
	tb.Helper()
	if _, err := s.PutProfiles(tb.Context(), profiles); err != nil {
		tb.Fatal(err)
	}
}

func befriend(tb testing.TB, s *store.Store, id, other string, both bool) {
	tb.Helper()
	if err := s.Befriend(tb.Context(), id, other, both); err != nil {
		tb.Fatal(err)
	}
}

func limit(tb testing.TB, s *store.Store, board string, top int) {
	tb.Helper()
	if err := s.PutLimit(tb.Context(), store.Limit{Board: board, Top: top}); err != nil {
		tb.Fatal(err)
	}
}

// A wish beyond MaxWishes does not tell whether the wish before it was for a user who exists.
func TestStore_Befriend_boundTellsNothing(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "m.db"), store.Options{})
	var all []store.Profile
	for i := range store.MaxWishes + 2 {
		all = append(all, store.Profile{ID: fmt.Sprint("u", i), Username: "x"})
	}
	putAll(t, s, all...)
	for i := range store.MaxWishes - 1 {
		befriend(t, s, "u0", fmt.Sprint("u", i+1), false)
	}
	last := fmt.Sprint("u", store.MaxWishes+1)
	for _, id := range []string{"nobody", fmt.Sprint("u", store.MaxWishes)} {
		for range 2 { // the same wish counts once
			befriend(t, s, "u0", id, false)
		}
		err := s.Befriend(t.Context(), "u0", last, false)
		if refusal, _ := errors.AsType[*store.Error](err); refusal == nil || refusal.Code != store.TooManyFriends {
			t.Errorf("after the wish for %s one more gives %v", id, err)
		}
		if err := s.Unfriend(t.Context(), "u0", id); err != nil {
			t.Fatal(err)
		}
	}
	befriend(t, s, "u0", "later", false)
	putAll(t, s, store.Profile{ID: "later", Username: "x"})
	befriend(t, s, "u0", "later", false) // now it is stored, and still counts once
	if err := s.Unfriend(t.Context(), "u0", "later"); err != nil {
		t.Fatal(err)
	}
	befriend(t, s, "u0", last, false)
}

// A refused batch reports every refusal, each with its index.
func TestStore_refusesWithEveryReason(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "m.db"), store.Options{})
	putAll(t, s, store.Profile{ID: "u1", Username: "x"})
	given := func(updates ...store.Update) error {
		writes := []store.Write{{Caller: "c", Key: "k", Updates: updates[:1]}, {Caller: "c", Key: "k", Updates: updates[:1]}}
		for _, u := range updates {
			writes = append(writes, store.Write{Updates: []store.Update{u}})
		}
		_, err := s.AddPoints(t.Context(), writes)
		return err
	}
	reasons := func(err error) (list []string) {
		first, _ := errors.AsType[*store.Error](err)
		if first == nil {
			t.Fatalf("not a refusal: %v", err)
		}
		for _, e := range append([]*store.Error{first}, first.Others...) {
			list = append(list, fmt.Sprint(e.Index, e.Code))
		}
		return list
	}
	got := reasons(given(store.Update{UserID: "no", XP: 1}, store.Update{UserID: "u1", XP: 5}, store.Update{UserID: "u1", XP: -6}, store.Update{UserID: "u1", XP: -5}))
	want := []string{"0user_not_found", "1user_not_found", "2user_not_found", "4negative_total"}
	if !slices.Equal(got, want) {
		t.Errorf("points: %v, want %v", got, want)
	}
	many := make([]store.Update, 150)
	for i := range many {
		many[i] = store.Update{UserID: fmt.Sprint("no", i), XP: 1}
	}
	if got := reasons(given(many...)); len(got) != 100 {
		t.Errorf("%d refusals are reported, want 100", len(got))
	}
	_, err := s.PatchProfiles(t.Context(), []store.Patch{{ID: "n1"}, {ID: "u1"}, {ID: "n2"}})
	if got, want := reasons(err), []string{"0invalid_input", "2invalid_input"}; !slices.Equal(got, want) {
		t.Errorf("profiles: %v, want %v", got, want)
	}
	if _, err := s.AddPoints(t.Context(), []store.Write{{Updates: []store.Update{{UserID: "u1", XP: 1}}}}); err != nil || s.Seq() != 2 {
		t.Errorf("a refused batch left something: seq %d, %v", s.Seq(), err)
	}
}
