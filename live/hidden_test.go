package live_test

import (
	"errors"
	"testing"
	"time"

	"marcador/live"
	"marcador/store"
)

// A hidden user sees their own rank, and nobody else sees the user.
func TestService_hiddenUserSeesOwnRank(t *testing.T) {
	inBubble(t, live.Options{Throttle: -1}, func(t *testing.T, f *fixture) {
		f.put("a", "b", "c")
		f.give("a", 30)
		f.give("b", 20)
		f.give("c", 10)
		fl, own := f.followAs("c", 0), f.followAs("b", 0)
		defer fl.leave()
		defer own.leave()
		fl.want("0s: 1 a:30 2 b:20 3 c:10 ")
		own.want("0s: 1 a:30 2 b:20 3 c:10 ")
		f.hide("b", true)
		fl.want("0s: rank 3>2 +0", "0s: 1 a:30 2 c:10 ")
		own.want("0s: 1 a:30 2 c:10 ") // b has the rank that b would have if visible
		if r := f.give("b", 15); r.OldRank != 2 || r.NewRank != 1 {
			t.Errorf("answer = %+v, want 2 to 1", r)
		}
		own.want("0s: rank 2>1 +15")
		fl.want()
		p := f.page(0, 10, "b")
		if brief(p.Entries) != "1 a:30 2 c:10 " || p.TotalEntries != 2 || p.Me == nil || p.Me.Rank != 1 || p.Me.Percentile != 100 || p.Me.PointsToNext != nil {
			t.Errorf("page = %+v, me = %+v", p, p.Me)
		}
		if got := f.page(0, 10, "c"); got.Me.Rank != 2 || *got.Me.PointsToNext != 21 {
			t.Errorf("me = %+v", got.Me)
		}
		if _, err := f.Page(t.Context(), live.Query{Board: live.Global, Period: store.AllTime, Around: "b", Neighbours: 1, Caller: "c"}); !errors.Is(err, live.ErrNotOnBoard) {
			t.Errorf("error = %v, want ErrNotOnBoard", err)
		}
		f.hide("b", false)
		fl.want("0s: rank 2>3 +0", "0s: 1 b:35 2 a:30 3 c:10 ")
	})
}

func TestService_pseudonymReplacesNameAndPicture(t *testing.T) {
	inBubble(t, live.Options{}, func(t *testing.T, f *fixture) {
		if _, err := f.PutProfiles(t.Context(), []store.Profile{{ID: "a", Username: "Ana", Avatar: "https://x/ana.png", Pseudonym: "Jaguar"}}); err != nil {
			t.Fatal(err)
		}
		if e := f.page(0, 1, "").Entries[0]; e.Username != "Jaguar" || e.Avatar != "" {
			t.Errorf("entry = %+v, want the pseudonym and no picture", e)
		}
		if u, err := f.User(t.Context(), "a"); err != nil || u.Username != "Ana" || u.Pseudonym != "Jaguar" {
			t.Errorf("user = %+v (%v)", u, err)
		}
	})
}

// After a transaction with several updates, each board has the version of its own last change.
func TestService_version_ofBatch(t *testing.T) {
	inBubble(t, live.Options{}, func(t *testing.T, f *fixture) {
		f.in("1", "a")
		f.in("2", "b")
		f.enrol(store.Profile{ID: "hid", Hidden: true}, "1")
		f.shownTo(reader{board: "school:1"}, reader{board: "school:2"})
		results, err := f.AddPoints(t.Context(), []store.Write{{Updates: []store.Update{{UserID: "a", XP: 1}, {UserID: "b", XP: 1}, {UserID: "hid", XP: 1}}}})
		if err != nil {
			t.Fatal(err)
		}
		for board, want := range map[string]int64{"school:1": results[0].Version, "school:2": results[1].Version, live.Global: results[1].Version} {
			if p := f.ask(live.Query{Board: board, Period: store.Daily, Limit: 9}); p.Version != want {
				t.Errorf("%s has version %d, want %d", board, p.Version, want)
			}
		}
	})
}

// A change below the limit of a board does not move its version. Only callers to whom the limit
// does not apply see a new version.
func TestService_version_limited(t *testing.T) {
	inBubble(t, live.Options{}, func(t *testing.T, f *fixture) {
		f.in("1", "a", "b", "c", "d")
		for i, id := range []string{"a", "b", "c", "d"} {
			f.give(id, int64(100-10*i))
		}
		if err := f.PutLimit(t.Context(), "school:*", 1); err != nil {
			t.Fatal(err)
		}
		page := func(all bool) live.PageBody {
			return f.ask(live.Query{Board: "school:1", Period: store.AllTime, Limit: 9, Caller: "b", All: all})
		}
		before := page(false)
		page(true)
		v := f.give("d", 1).Version
		if after := page(false); after.Version != before.Version || !after.LastUpdated.Equal(before.LastUpdated) {
			t.Errorf("version %d, want %d: the user who earned is not shown", after.Version, before.Version)
		}
		if whole := page(true); whole.Version != v || whole.Entries[3].Score != 71 {
			t.Errorf("a caller without the limit sees version %d, want %d: %+v", whole.Version, v, whole.Entries)
		}
		v = f.give("d", 40).Version // d is first now
		if after := page(false); after.Version != v || after.Entries[0].UserID != "d" {
			t.Errorf("version %d, want %d: %+v", after.Version, v, after.Entries)
		}
	})
}

// A hidden user is told of their own move. That begins no window, so the next change reaches others
// at once.
func TestService_hiddenUsersNewsDelaysNobody(t *testing.T) {
	inBubble(t, live.Options{Throttle: 10 * time.Second}, func(_ *testing.T, f *fixture) {
		f.in("1", "a", "b")
		f.enrol(store.Profile{ID: "hid", Hidden: true}, "1")
		f.give("a", 50)
		watcher := f.followBoard(live.Follow{Board: "school:1", Period: store.AllTime, User: "b", Seen: -1}, 0)
		defer watcher.leave()
		own := f.followBoard(live.Follow{Board: "school:1", Period: store.AllTime, User: "hid", Seen: -1}, 0)
		defer own.leave()
		watcher.want("0s: 1 a:50 2 b:0 ")
		time.Sleep(20 * time.Second)
		f.give("hid", 60)
		own.want("0s: 1 a:50 2 b:0 ", "20s: rank 3>1 +60")
		time.Sleep(time.Second)
		f.give("a", 1)
		watcher.want("21s: 1 a:51 2 b:0 ")
	})
}

// A hidden user is missing from the baseline as well, and is new after being shown again.
func TestService_hiddenUserIsNotInTheBaseline(t *testing.T) {
	inBubble(t, live.Options{}, func(t *testing.T, f *fixture) {
		f.in("1", "a", "b", "c")
		f.give("a", 30)
		f.give("b", 20)
		f.give("c", 10)
		f.changes("school:1", store.Daily) // loads the board
		time.Sleep(25 * time.Hour)
		f.give("b", 5)
		f.give("c", 4)
		hide := func(hidden bool) {
			t.Helper()
			if _, err := f.PutProfiles(t.Context(), []store.Profile{{ID: "a", Username: "a", Groups: map[string][]string{"school": {"1"}}, Hidden: hidden}}); err != nil {
				t.Fatal(err)
			}
		}
		hide(true)
		f.wantSameAfterRestart("b same0 c same0 ")
		hide(false)
		f.give("a", 9)
		f.wantSameAfterRestart("a new0 b down1 c down1 ")
	})
}

// wantSameAfterRestart checks how users have moved, before and after a restart.
func (f *fixture) wantSameAfterRestart(want string) {
	f.t.Helper()
	for _, when := range []string{"before", "after"} {
		for _, board := range []string{live.Global, "school:1"} {
			if got := f.changes(board, store.Daily); got != want {
				f.t.Errorf("%s a restart %s says %s, want %s", when, board, got, want)
			}
		}
		f.close()
		f.open(live.Options{})
	}
}
