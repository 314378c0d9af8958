package live_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"marcador/live"
	"marcador/sse"
	"marcador/store"
)

// reader is a user who reads a board.
type reader struct{ board, user string }

// shownTo returns everything that readers are shown, to the byte: pages and trends.
func (f *fixture) shownTo(readers ...reader) string {
	f.t.Helper()
	var all strings.Builder
	for _, r := range readers {
		for _, p := range periods {
			body, err := f.Page(f.t.Context(), live.Query{Board: r.board, Period: p, Limit: 100, Caller: r.user})
			if err != nil {
				f.t.Fatal(err)
			}
			trend, err := f.Trend(f.t.Context(), live.TrendQuery{Board: r.board, Period: p, Limit: 9, Points: 2, Caller: r.user})
			if err != nil {
				f.t.Fatal(err)
			}
			fmt.Fprintf(&all, "%s\n%d %d\n", body, trend.Version, len(trend.Series))
		}
	}
	return all.String()
}

// idsFor returns the event ids with which streams of the readers begin.
func (f *fixture) idsFor(readers ...reader) (all string) {
	f.t.Helper()
	for _, r := range readers {
		fl := f.followBoard(live.Follow{Board: r.board, User: r.user, Period: store.AllTime}, sse.Diff)
		all += fl.lastID() + "\n"
		fl.leave()
	}
	return all
}

// settle waits until the next recomputation of a test is over.
func settle() {
	time.Sleep(11 * time.Second)
	synctest.Wait()
}

// school1 is a stream of a school, for a user.
func school1(user string) live.Follow {
	return live.Follow{Board: "school:1", Period: store.AllTime, User: user, Seen: -1}
}

// watched fills a service for TestService_hidden_watched. The user hid is hidden and has friends.
func (f *fixture) watched() (readers []reader) {
	f.t.Helper()
	f.in("1", "a", "b")
	f.in("2", "o")
	f.enrol(store.Profile{ID: "hid", Hidden: true}, "1")
	f.befriend("a", "b")
	f.befriend("a", "hid")
	for _, id := range []string{"a", "b", "o"} {
		f.give(id, 50)
	}
	settle()
	return []reader{{"school:1", "b"}, {"school:2", "o"}, {"friends:a", "a"}, {live.Global, "a"}, {"school:3", ""}}
}

// hiddenActs are the things that a hidden person does, or that happen to one.
func (f *fixture) hiddenActs() map[string]func() {
	hid := store.Profile{ID: "hid", Hidden: true}
	return map[string]func(){
		"earns":          func() { f.give("hid", 60) },
		"earns more":     func() { f.give("hid", 1) },
		"is given coins": func() { f.coins("hid", 1) },
		"is renamed": func() {
			f.enrol(store.Profile{ID: "hid", Hidden: true, Email: fmt.Sprint(time.Now().Unix(), "@x.mx")}, "1")
		},
		"moves":           func() { f.enrol(hid, "2"); f.enrol(hid, "1") },
		"ends friendship": func() { f.unfriend("hid", "a"); f.befriend("a", "hid") },
		"comes and goes": func() {
			f.enrol(store.Profile{ID: "other", Hidden: true}, "1")
			f.give("other", 70)
			if err := f.Erase(f.t.Context(), "other"); err != nil {
				f.t.Error(err)
			}
		},
		"is befriended": func() { f.befriend("o", "hid"); f.unfriend("o", "nobody") },
	}
}

// Nobody else can see that a hidden person does anything: not in pages, not in their versions and
// times, and not in streams. That holds whether boards change at once or by a cron expression,
// after a restart, and on boards that are loaded for the first time.
func TestService_hidden_watched(t *testing.T) {
	for _, recompute := range []string{"", "@every 10s"} {
		opts := live.Options{Recompute: recompute, Throttle: -1}
		t.Run(fmt.Sprintf("recompute=%q", recompute), func(t *testing.T) {
			inBubble(t, opts, func(t *testing.T, f *fixture) {
				readers := f.watched()
				f.wantNoTraceOfActs(readers)
				f.wantNoTraceAfterRestart(opts, readers)
				f.wantTraceOfOthers()
			})
		})
	}
}

// wantNoTraceOfActs checks that readers see nothing of what a hidden person does, although the
// person does. Readers of a school must not see the points of another school, either.
func (f *fixture) wantNoTraceOfActs(readers []reader) {
	f.t.Helper()
	watcher, own := f.followBoard(school1("b"), 0), f.followBoard(school1("hid"), 0)
	defer watcher.leave()
	defer own.leave()
	watcher.seen, own.seen = nil, nil
	before, ids := f.shownTo(readers...), f.idsFor(readers...)
	for what, act := range f.hiddenActs() {
		act()
		settle()
		if after := f.idsFor(readers...); after != ids || strings.Count(ids, ".") != len(readers) {
			f.t.Errorf("event ids show that a hidden person %s:\n%s\nbefore:\n%s", what, after, ids)
		}
		if after := f.shownTo(readers...); after != before {
			f.t.Errorf("pages show that a hidden person %s:\n%s\nbefore:\n%s", what, after, before)
		}
	}
	watcher.want()
	if len(own.seen) == 0 {
		f.t.Error("the hidden person is not told of their own rank")
	}
	own.seen = nil
	school := f.shownTo(readers[0], readers[2])
	f.give("o", 1)
	settle()
	if after := f.shownTo(readers[0], readers[2]); after != school {
		f.t.Errorf("pages of a school show the points of another school:\n%s\nbefore:\n%s", after, school)
	}
}

// wantNoTraceAfterRestart checks that readers see nothing of a hidden person's points after a
// restart.
func (f *fixture) wantNoTraceAfterRestart(opts live.Options, readers []reader) {
	f.t.Helper()
	before := f.shownTo(readers...)
	for range 2 {
		f.give("hid", 1)
		f.close()
		f.open(opts)
		settle()
		if after := f.shownTo(readers...); after != before {
			f.t.Errorf("pages after a restart show points of a hidden person:\n%s\nbefore:\n%s", after, before)
		}
	}
}

// wantTraceOfOthers checks that visible changes do move versions and times.
func (f *fixture) wantTraceOfOthers() {
	f.t.Helper()
	page := func() live.PageBody { return f.ask(live.Query{Board: "school:1", Period: store.AllTime, Limit: 9}) }
	for what, act := range map[string]func(){
		"points":    func() { f.give("b", 1) },
		"an avatar": func() { f.enrol(store.Profile{ID: "b", Avatar: "https://x/y"}, "1") },
	} {
		was := page()
		act()
		settle()
		if now := page(); now.Version <= was.Version || !now.LastUpdated.After(was.LastUpdated) {
			f.t.Errorf("after %s version %d of %v, before %d of %v", what, now.Version, now.LastUpdated, was.Version, was.LastUpdated)
		}
	}
}
