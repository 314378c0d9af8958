package live_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"marcador/live"
)

// Pages of all boards together take no more than their bound, however long their rows are and
// whichever entries are asked for.
func TestService_Page_bytes(t *testing.T) {
	inBubble(t, live.Options{}, func(t *testing.T, f *fixture) {
		var people []live.Profile
		for i := range 500 {
			people = append(people, live.Profile{
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
				if _, err := f.Page(t.Context(), live.Query{Board: board, Period: live.AllTime, Offset: offset, Limit: 1000}); err != nil {
					t.Fatal(err)
				}
				most = max(most, live.CacheBytes(f.Service))
			}
		}
		if most > live.MaxCacheBytes || most < live.MaxCacheBytes/2 {
			t.Errorf("%d bytes were kept, where %d may be", most, live.MaxCacheBytes)
		}
	})
}

// To hide somebody, or to let go of a board, takes no longer the more is kept of others.
func TestService_forgetsWithoutLooking(t *testing.T) {
	inBubble(t, live.Options{}, func(t *testing.T, f *fixture) {
		for i := range 50 {
			f.enrol(live.Profile{ID: fmt.Sprint("u", i)}, "1")
		}
		for offset := range 50 {
			if _, err := f.Page(t.Context(), live.Query{Board: "school:1", Period: live.AllTime, Offset: offset, Limit: 1}); err != nil {
				t.Fatal(err)
			}
		}
		kept := live.CacheBytes(f.Service)
		if allocs := testing.AllocsPerRun(10, func() {
			live.ForgetFinals(f.Service)
			live.DropPages(f.Service, live.Weekly)
		}); allocs > 0 {
			t.Errorf("%.0f allocations", allocs)
		}
		if now := live.CacheBytes(f.Service); now != kept || kept == 0 {
			t.Errorf("of %d bytes %d are still kept", kept, now)
		}
	})
}

// Behind the last place there are more offsets than can be kept: none is.
func TestService_keepsNothingBehindTheEnd(t *testing.T) {
	inBubble(t, live.Options{}, func(t *testing.T, f *fixture) {
		f.enrol(live.Profile{ID: "a"}, "1")
		f.give("a", 5)
		began := time.Now()
		time.Sleep(24 * time.Hour)
		f.give("a", 1) // the day is over
		synctest.Wait()
		read := func(offset int) {
			t.Helper()
			q := live.Query{Board: "school:1", Period: live.Daily, Offset: offset, Limit: 10}
			if _, err := f.Page(t.Context(), q); err != nil {
				t.Fatal(err)
			}
			if _, err := f.Final(t.Context(), q, began); err != nil {
				t.Fatal(err)
			}
		}
		read(0)
		kept := live.CacheBytes(f.Service)
		for offset := range 20 {
			read(offset + 10)
		}
		if now := live.CacheBytes(f.Service); now != kept {
			t.Errorf("%d bytes more are kept", now-kept)
		}
	})
}

// What is kept of a closed period shows nobody who is hidden or erased since, and shows again who
// is not hidden any more.
func TestService_Final_kept(t *testing.T) {
	inBubble(t, live.Options{}, func(t *testing.T, f *fixture) {
		for _, id := range []string{"a", "b", "c"} {
			f.enrol(live.Profile{ID: id}, "1")
			f.give(id, 5)
		}
		began := time.Now()
		time.Sleep(24 * time.Hour)
		f.give("a", 1) // the day is over
		synctest.Wait()
		shown := func(caller string) (ids string) {
			t.Helper()
			p, err := f.Final(t.Context(), live.Query{Board: "school:1", Period: live.Daily, Limit: 10, Caller: caller}, began)
			if err != nil || p.TotalEntries != 3 {
				t.Fatalf("%d places (%v)", p.TotalEntries, err)
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
			for range 2 { // read, and kept
				if got := shown(caller); got != want {
					t.Errorf("to %q are shown %q, want %q", caller, got, want)
				}
			}
		}
		want("", "abc")
		want("b", "abc me b")
		f.enrol(live.Profile{ID: "b", Hidden: true}, "1")
		want("", "ac")
		want("b", "ac me b")
		f.enrol(live.Profile{ID: "b"}, "1")
		want("", "abc")
		if err := f.Erase(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		want("", "bc")
		want("b", "bc me b")
	})
}
