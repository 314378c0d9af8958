package live_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"marcador/live"
	"marcador/sse"
)

// looks is all that ordinary readers are shown of boards, to the byte.
func (f *fixture) looks(readers ...[2]string) string {
	f.t.Helper()
	var all strings.Builder
	for _, r := range readers {
		for _, p := range periods {
			body, err := f.Page(f.t.Context(), live.Query{Board: r[0], Period: p, Limit: 100, Caller: r[1]})
			if err != nil {
				f.t.Fatal(err)
			}
			trend, err := f.Trend(f.t.Context(), live.TrendQuery{Board: r[0], Period: p, Limit: 9, Points: 2, Caller: r[1]})
			if err != nil {
				f.t.Fatal(err)
			}
			fmt.Fprintf(&all, "%s\n%d %d\n", body, trend.Version, len(trend.Series))
		}
	}
	return all.String()
}

// What a hidden person does is seen by nobody else: not in pages, not in versions and times
// of theirs, not in streams; whether boards move at once or by a cron expression, and also
// after a restart, and on boards that nobody has looked at before.
func TestService_hidden_watched(t *testing.T) {
	for _, recompute := range []string{"", "@every 10s"} {
		opts := live.Options{Recompute: recompute, Throttle: -1}
		inBubble(t, opts, func(t *testing.T, f *fixture) {
			f.in("1", "a", "b")
			f.in("2", "o")
			hid := live.Profile{ID: "hid", Hidden: true}
			f.enrol(hid, "1")
			f.befriend("a", "b")
			f.befriend("a", "hid")
			for _, id := range []string{"a", "b", "o"} {
				f.give(id, 50)
			}
			settle := func() { time.Sleep(11 * time.Second); synctest.Wait() }
			settle()
			school := live.Follow{Board: "school:1", Period: live.AllTime, Seen: -1}
			to := school
			to.User = "b"
			watcher := f.followBoard(to, 0)
			to.User = "hid"
			own := f.followBoard(to, 0)
			watcher.seen, own.seen = nil, nil
			readers := [][2]string{{"school:1", "b"}, {"school:2", "o"}, {"friends:a", "a"}, {live.Global, "a"}, {"school:3", ""}}
			ids := func() (all string) { // of streams that begin, to the letter
				for _, r := range readers {
					fl := f.followBoard(live.Follow{Board: r[0], User: r[1], Period: live.AllTime}, sse.Diff)
					all += fl.lastID() + "\n"
					fl.leave()
				}
				return all
			}
			before, named := f.looks(readers...), ids()
			for what, act := range map[string]func(){
				"earns":          func() { f.give("hid", 60) },
				"earns more":     func() { f.give("hid", 1) },
				"is given coins": func() { f.coins("hid", 1) },
				"is renamed": func() {
					f.enrol(live.Profile{ID: "hid", Hidden: true, Email: fmt.Sprint(time.Now().Unix(), "@x.mx")}, "1")
				},
				"moves":           func() { f.enrol(hid, "2"); f.enrol(hid, "1") },
				"ends friendship": func() { f.unfriend("hid", "a"); f.befriend("a", "hid") },
				"comes and goes": func() {
					f.enrol(live.Profile{ID: "other", Hidden: true}, "1")
					f.give("other", 70)
					if err := f.Erase(t.Context(), "other"); err != nil {
						t.Error(err)
					}
				},
				"of others": func() { f.befriend("o", "hid"); f.unfriend("o", "nobody") },
			} {
				act()
				settle()
				if after := ids(); after != named || strings.Count(named, ".") != len(readers) {
					t.Errorf("%q: it is seen by event ids that a hidden person %s:\n%s\nbefore:\n%s", recompute, what, after, named)
				}
				if after := f.looks(readers...); after != before {
					t.Errorf("%q: it is seen that a hidden person %s:\n%s\nbefore:\n%s", recompute, what, after, before)
				}
			}
			watcher.want()
			if len(own.seen) == 0 {
				t.Errorf("%q: the hidden person is not told of their own rank", recompute)
			}
			own.seen = nil
			class := f.looks(readers[0], readers[2])
			f.give("o", 1)
			settle()
			if after := f.looks(readers[0], readers[2]); after != class {
				t.Errorf("%q: another class's points are seen:\n%s\nbefore:\n%s", recompute, after, class)
			}
			before = f.looks(readers...)
			watcher.leave()
			own.leave()
			for range 2 {
				f.give("hid", 1)
				f.close()
				f.open(opts)
				settle()
				if after := f.looks(readers...); after != before {
					t.Errorf("%q: it is seen after a restart:\n%s\nbefore:\n%s", recompute, after, before)
				}
			}
			// And what others can see moves them.
			for what, act := range map[string]func(){"points": func() { f.give("b", 1) }, "a name": func() { f.enrol(live.Profile{ID: "b", Avatar: "https://x/y"}, "1") }} {
				was := f.ask(live.Query{Board: "school:1", Period: live.AllTime, Limit: 9})
				act()
				settle()
				if now := f.ask(live.Query{Board: "school:1", Period: live.AllTime, Limit: 9}); now.Version <= was.Version || !now.LastUpdated.After(was.LastUpdated) {
					t.Errorf("%q: after %s %d of %v, before %d of %v", recompute, what, now.Version, now.LastUpdated, was.Version, was.LastUpdated)
				}
			}
		})
	}
}

func (f *fixture) befriend(a, b string) {
	f.t.Helper()
	if err := f.Befriend(f.t.Context(), a, b, true); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) unfriend(a, b string) {
	f.t.Helper()
	if err := f.Unfriend(f.t.Context(), a, b); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) coins(id string, n int64) {
	f.t.Helper()
	if _, err := f.AddPoints(f.t.Context(), []live.Write{{Updates: []live.Update{{UserID: id, MLCoins: n}}}}); err != nil {
		f.t.Fatal(err)
	}
}

// In one transaction each board has the version of its own last change.
func TestService_version_ofBatch(t *testing.T) {
	inBubble(t, live.Options{}, func(t *testing.T, f *fixture) {
		f.in("1", "a")
		f.in("2", "b")
		f.enrol(live.Profile{ID: "hid", Hidden: true}, "1")
		f.looks([2]string{"school:1"}, [2]string{"school:2"})
		results, err := f.AddPoints(t.Context(), []live.Write{{Updates: []live.Update{{UserID: "a", XP: 1}, {UserID: "b", XP: 1}, {UserID: "hid", XP: 1}}}})
		if err != nil {
			t.Fatal(err)
		}
		for board, want := range map[string]int64{"school:1": results[0].Version, "school:2": results[1].Version, live.Global: results[1].Version} {
			if p := f.ask(live.Query{Board: board, Period: live.Daily, Limit: 9}); p.Version != want {
				t.Errorf("%s has version %d, want %d", board, p.Version, want)
			}
		}
	})
}

// What a limit does not show does not move the version either, but for whom it does not
// bind.
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
			return f.ask(live.Query{Board: "school:1", Period: live.AllTime, Limit: 9, Caller: "b", All: all})
		}
		before := page(false)
		page(true)
		v := f.give("d", 1).Version
		if after := page(false); after.Version != before.Version || !after.LastUpdated.Equal(before.LastUpdated) {
			t.Errorf("version %d, want %d: who earned is not shown", after.Version, before.Version)
		}
		if whole := page(true); whole.Version != v || whole.Entries[3].Score != 71 {
			t.Errorf("who is shown all of it sees version %d, want %d: %+v", whole.Version, v, whole.Entries)
		}
		v = f.give("d", 40).Version // and is first now
		if after := page(false); after.Version != v || after.Entries[0].UserID != "d" {
			t.Errorf("version %d, want %d: %+v", after.Version, v, after.Entries)
		}
	})
}

// That a hidden person has been told of their own move does not make others wait.
func TestService_hidden_throttle(t *testing.T) {
	inBubble(t, live.Options{Throttle: 10 * time.Second}, func(_ *testing.T, f *fixture) {
		f.in("1", "a", "b")
		f.enrol(live.Profile{ID: "hid", Hidden: true}, "1")
		f.give("a", 50)
		watcher := f.followBoard(live.Follow{Board: "school:1", Period: live.AllTime, User: "b", Seen: -1}, 0)
		defer watcher.leave()
		own := f.followBoard(live.Follow{Board: "school:1", Period: live.AllTime, User: "hid", Seen: -1}, 0)
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
