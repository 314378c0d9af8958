package live_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"marcador/live"
	"marcador/store"
)

// The cached pages of all boards together stay below the bound, however long their rows are.
func TestService_Page_cacheIsBounded(t *testing.T) {
	inBubble(t, live.Options{}, func(t *testing.T, f *fixture) {
		var people []store.Profile
		for i := range 500 {
			people = append(people, store.Profile{
				ID: fmt.Sprint("u", i), Username: "x", Avatar: "https://x/" + strings.Repeat("a", 2000),
				Groups: map[string][]string{"school": {"1"}},
			})
		}
		if _, err := f.PutProfiles(t.Context(), people); err != nil {
			t.Fatal(err)
		}
		most := 0
		for _, board := range []string{live.Global, "school:1"} {
			for offset := range 25 {
				if _, err := f.Page(t.Context(), live.Query{Board: board, Period: store.AllTime, Offset: offset, Limit: 1000}); err != nil {
					t.Fatal(err)
				}
				most = max(most, live.CacheBytes(f.Service))
			}
		}
		if most > live.MaxCacheBytes || most < live.MaxCacheBytes/2 {
			t.Errorf("at most %d bytes were cached, want more than half of %d and no more", most, live.MaxCacheBytes)
		}
	})
}

// Hiding a user and dropping a board cost the same, however much is cached of other boards.
func TestCache_dropIgnoresOtherEntries(t *testing.T) {
	inBubble(t, live.Options{}, func(t *testing.T, f *fixture) {
		for i := range 50 {
			f.enrol(store.Profile{ID: fmt.Sprint("u", i)}, "1")
		}
		for offset := range 50 {
			if _, err := f.Page(t.Context(), live.Query{Board: "school:1", Period: store.AllTime, Offset: offset, Limit: 1}); err != nil {
				t.Fatal(err)
			}
		}
		before := live.CacheBytes(f.Service)
		if allocs := testing.AllocsPerRun(10, func() {
			live.ForgetFinals(f.Service)
			live.DropPages(f.Service, store.Weekly)
		}); allocs > 0 {
			t.Errorf("%.0f allocations", allocs)
		}
		if now := live.CacheBytes(f.Service); now != before || before == 0 {
			t.Errorf("%d bytes are cached, want %d as before", now, before)
		}
	})
}

// Pages past the last entry are not cached, since there is one for every offset.
func TestService_pagesPastTheEndAreNotCached(t *testing.T) {
	inBubble(t, live.Options{}, func(t *testing.T, f *fixture) {
		f.enrol(store.Profile{ID: "a"}, "1")
		f.give("a", 5)
		began := time.Now()
		time.Sleep(24 * time.Hour)
		f.give("a", 1) // the day is over
		synctest.Wait()
		read := func(offset int) {
			t.Helper()
			q := live.Query{Board: "school:1", Period: store.Daily, Offset: offset, Limit: 10}
			if _, err := f.Page(t.Context(), q); err != nil {
				t.Fatal(err)
			}
			if _, err := f.Final(t.Context(), q, began); err != nil {
				t.Fatal(err)
			}
		}
		read(0)
		before := live.CacheBytes(f.Service)
		for offset := range 20 {
			read(offset + 10)
		}
		if now := live.CacheBytes(f.Service); now != before {
			t.Errorf("%d bytes more are cached", now-before)
		}
	})
}

// Cached finals show nobody who was hidden or erased later, and show a user again who is no longer
// hidden.
func TestService_Final_cacheFollowsVisibility(t *testing.T) {
	inBubble(t, live.Options{}, func(t *testing.T, f *fixture) {
		for _, id := range []string{"a", "b", "c"} {
			f.enrol(store.Profile{ID: id}, "1")
			f.give(id, 5)
		}
		began := time.Now()
		time.Sleep(24 * time.Hour)
		f.give("a", 1) // the day is over
		synctest.Wait()
		shown := func(caller string) (ids string) {
			t.Helper()
			p, err := f.Final(t.Context(), live.Query{Board: "school:1", Period: store.Daily, Limit: 10, Caller: caller}, began)
			if err != nil || p.TotalEntries != 3 {
				t.Fatalf("%d entries in total (%v), want 3", p.TotalEntries, err)
			}
			for _, e := range p.Entries {
				ids += e.UserID
			}
			if p.Me != nil {
				ids += " me " + p.Me.UserID
			}
			return ids
		}
		want := func(caller, want string) {
			t.Helper()
			for range 2 { // from the database, and from the cache
				if got := shown(caller); got != want {
					t.Errorf("%q is shown %q, want %q", caller, got, want)
				}
			}
		}
		want("", "abc")
		want("b", "abc me b")
		f.enrol(store.Profile{ID: "b", Hidden: true}, "1")
		want("", "ac")
		want("b", "ac me b")
		f.enrol(store.Profile{ID: "b"}, "1")
		want("", "abc")
		if err := f.Erase(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		want("", "bc")
		want("b", "bc me b")
	})
}
