package live_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"marcador/live"
	"marcador/rank"
)

func TestService_AddPoints(t *testing.T) {
	inBubble(t, live.Options{}, func(t *testing.T, f *fixture) {
		f.put("u1", "u2", "u3")
		f.give("u1", 5_000)
		got := f.give("u2", 6_000)
		want := live.Result{UserID: "u2", XP: 6_000, PointsGained: 6_000, OldRank: 2, NewRank: 1, RankBadge: "Nacom", Version: 5}
		if got != want {
			t.Errorf("AddPoints() = %+v, want %+v", got, want)
		}
		f.give("u3", 5_000) // reached after u1
		f.wantPage("1 u2:6000 2 u1:5000 3 u3:5000 ")
		f.give("u1", -10)
		f.give("u1", 10) // and again, now after u3
		f.wantPage("1 u2:6000 2 u3:5000 3 u1:5000 ")
	})
}

func TestService_orderOfEqualScores(t *testing.T) {
	inBubble(t, live.Options{}, func(_ *testing.T, f *fixture) {
		f.put("b", "Z", "a", "á", "10", "9")
		f.wantPage("1 10:0 2 9:0 3 Z:0 4 a:0 5 b:0 6 á:0 ")
	})
}

// Ranks, pages and answers are the same after a restart.
func TestService_restart(t *testing.T) {
	inBubble(t, live.Options{}, func(t *testing.T, f *fixture) {
		f.put("u1", "u2", "u3")
		f.give("u1", 10)
		f.give("u2", 10)
		time.Sleep(24 * time.Hour)
		f.put("u4")
		f.give("u2", 5)
		f.give("u4", 100)
		before := f.page(0, 10, "u2")
		f.close()
		f.open(live.Options{})
		after := f.page(0, 10, "u2")
		if b, a := brief(before.Entries), brief(after.Entries); a != b || before.Version != after.Version || !before.LastUpdated.Equal(after.LastUpdated) {
			t.Errorf("after a restart %s at %d (%v), want %s at %d (%v)", a, after.Version, after.LastUpdated, b, before.Version, before.LastUpdated)
		}
		for i := range before.Entries {
			if before.Entries[i] != after.Entries[i] {
				t.Errorf("entry %+v after a restart, want %+v", after.Entries[i], before.Entries[i])
			}
		}
	})
}

// A keyed write right before a crash is answered as the first time.
func TestService_answersAgainAfterACrash(t *testing.T) {
	inBubble(t, live.Options{}, func(t *testing.T, f *fixture) {
		f.put("u1", "u2", "u3")
		f.give("u1", 10)
		f.give("u2", 20)
		write := []live.Write{{Key: "k", Updates: []live.Update{
			{UserID: "u3", XP: 15}, {UserID: "u3", XP: 15, MLCoins: 1}, {UserID: "u1", MLCoins: 2}, {UserID: "u1", XP: 11},
		}}, {Updates: []live.Update{{UserID: "u3", XP: 100}}}}
		first, err := f.AddPoints(t.Context(), write)
		if err != nil {
			t.Fatal(err)
		}
		dead := f.path + ".dead"
		for _, suffix := range []string{"", "-wal"} { // what a killed process leaves
			b, err := os.ReadFile(f.path + suffix)
			if err == nil {
				err = os.WriteFile(dead+suffix, b, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		f.close()
		f.path = dead
		f.open(live.Options{})
		f.wantPage("1 u3:130 2 u1:21 3 u2:20 ")
		again, err := f.AddPoints(t.Context(), write[:1])
		if err != nil {
			t.Fatal(err)
		}
		for i := range again {
			if again[i] != first[i] {
				t.Errorf("update %d: again = %+v, want %+v", i, again[i], first[i])
			}
		}
		f.wantPage("1 u3:130 2 u1:21 3 u2:20 ")
	})
}

func TestService_change(t *testing.T) {
	zone, err := time.LoadLocation("America/Merida") // UTC-6: the day begins at 06:00
	if err != nil {
		t.Fatal(err)
	}
	opts := live.Options{Location: zone, Throttle: -1}
	inBubble(t, opts, func(t *testing.T, f *fixture) {
		f.put("u1", "u2", "u3")
		f.give("u1", 30)
		f.give("u2", 20)
		f.give("u3", 10)
		change := func(want string) {
			t.Helper()
			var got []string
			for _, e := range f.page(0, 10, "").Entries {
				got = append(got, e.UserID+" "+e.ChangeType+strings.Repeat("+", e.Change))
			}
			if g := strings.Join(got, ", "); g != want {
				t.Errorf("changes = %s, want %s", g, want)
			}
		}
		change("u1 new, u2 new, u3 new")
		fl := f.follow()
		defer func() { fl.leave() }()
		fl.want("0s: 1 u1:30 2 u2:20 3 u3:10 ")
		time.Sleep(6*time.Hour - time.Second)
		fl.want()
		time.Sleep(time.Second) // nothing is written, yet the day begins
		fl.want("21600s: 1 u1:30 2 u2:20 3 u3:10 ")
		change("u1 same, u2 same, u3 same")
		f.give("u3", 100)
		change("u3 up++, u1 down+, u2 down+")
		f.put("u4")
		change("u3 up++, u1 down+, u2 down+, u4 new")
		if err := f.Erase(t.Context(), "u1"); err != nil { // nobody moves by that
			t.Fatal(err)
		}
		change("u3 up+, u2 down+, u4 new")
		fl.leave()
		f.close()
		f.open(opts)
		change("u3 up+, u2 down+, u4 new")
		time.Sleep(24 * time.Hour)
		change("u3 same, u2 same, u4 same")
		fl = f.follow()
	})
}

// A write after midnight and before the job begins the day by itself; so does a
// start, when the service slept through midnight.
func TestService_dayBeginsWithAWrite(t *testing.T) {
	inBubble(t, live.Options{}, func(t *testing.T, f *fixture) {
		f.put("u1", "u2")
		f.give("u1", 10)
		f.close()
		time.Sleep(72 * time.Hour)
		f.open(live.Options{})
		if e := f.page(0, 1, "").Entries[0]; e.ChangeType != "same" {
			t.Errorf("changeType = %s after nights slept through, want same", e.ChangeType)
		}
		f.give("u2", 20)
		if e := f.page(0, 1, "").Entries[0]; e.ChangeType != "up" || e.Change != 1 {
			t.Errorf("change = %s %d, want up 1", e.ChangeType, e.Change)
		}
	})
}

func TestService_Page(t *testing.T) {
	inBubble(t, live.Options{}, func(t *testing.T, f *fixture) {
		if p := f.page(0, 10, "u1"); p.Entries == nil || len(p.Entries) != 0 || p.TotalEntries != 0 || p.Me != nil {
			t.Errorf("page of nobody = %+v", p)
		}
		f.put("u1", "u2", "u3")
		f.give("u1", 30)
		f.give("u2", 20)
		p := f.page(1, 1, "u3")
		if brief(p.Entries) != "2 u2:20 " || p.TotalEntries != 3 || p.Type != "global" || p.Board != "global" || p.Period != "all-time" || p.ResetsAt != nil {
			t.Errorf("page = %+v", p)
		}
		if p.Me == nil || p.Me.Rank != 3 || !p.Me.IsCurrentUser || p.Me.Percentile != 0 || *p.Me.PointsToNext != 21 || p.Me.Username != "name of u3" {
			t.Errorf("me = %+v", p.Me)
		}
		p = f.page(0, 10, "u1")
		if p.Me.PointsToNext != nil || p.Me.Percentile != 66.7 {
			t.Errorf("me = %+v, want the top, ahead of 66.7 %%", p.Me)
		}
		for _, e := range p.Entries {
			if e.IsCurrentUser != (e.UserID == "u1") {
				t.Errorf("entry %+v", e)
			}
		}
		if got := f.page(0, 10, "u2"); got.Entries[0].IsCurrentUser || !got.Entries[1].IsCurrentUser {
			t.Errorf("the kept page is marked for another: %+v", got.Entries)
		}
		if got := f.page(3, 10, ""); len(got.Entries) != 0 || got.TotalEntries != 3 {
			t.Errorf("beyond the end: %+v", got)
		}
		if _, err := f.Page(t.Context(), live.Query{Board: "planet:", Limit: 1}); !errors.Is(err, live.ErrUnknownBoard) {
			t.Errorf("error = %v, want ErrUnknownBoard", err)
		}
		// What points to next says is true.
		if r := f.give("u3", *f.page(0, 1, "u3").Me.PointsToNext); r.NewRank != 2 {
			t.Errorf("rank %d after as many points, want 2", r.NewRank)
		}
	})
}

// A member without points in the period is told how many take them onto the board, and to
// which rank.
func TestService_Page_withoutPoints(t *testing.T) {
	for ranks, want := range map[rank.Numbering]string{
		rank.Ordinal: "51 4", rank.Competition: "50 4", rank.Dense: "50 3",
	} {
		inBubble(t, live.Options{Ranks: ranks}, func(t *testing.T, f *fixture) {
			f.put("a", "b", "c", "d", "e")
			me := func(who string) string {
				var raw struct{ Me map[string]any }
				body, err := f.Page(t.Context(), live.Query{Board: live.Global, Period: live.Daily, Limit: 10, Caller: who})
				if err != nil {
					t.Fatal(err)
				}
				if err := json.Unmarshal(body, &raw); err != nil {
					t.Fatal(err)
				}
				rank, hasRank := raw.Me["rank"]
				score, hasScore := raw.Me["score"]
				if raw.Me == nil || !hasRank || !hasScore || rank != nil || score != nil || raw.Me["userId"] != who || raw.Me["isCurrentUser"] != true {
					t.Fatalf("me = %v, want rank and score null", raw.Me)
				}
				return fmt.Sprint(raw.Me["pointsToNext"], " ", raw.Me["nextRank"])
			}
			if got := me("e"); got != "1 1" {
				t.Errorf("%v, nobody has points: %s", ranks, got)
			}
			f.give("a", 110)
			f.give("b", 80)
			f.give("c", 80)
			f.give("d", 50)
			if got := me("e"); got != want {
				t.Errorf("%v: %s points and rank, want %s", ranks, got, want)
			}
			f.hide("e", true)
			if got := me("e"); got != want {
				t.Errorf("%v: hidden, %s points and rank, want %s", ranks, got, want)
			}
			points := *f.daily("e").PointsToNext
			f.give("e", points)
			if got := f.daily("e"); fmt.Sprint(points, " ", got.Rank) != want || got.Score != points || got.NextRank != nil {
				t.Errorf("%v: after %d points me = %+v, want %s", ranks, points, got, want)
			}
			if p := f.page(0, 1, "nobody"); p.Me != nil || p.Ranks != ranks.String() {
				t.Errorf("%v: a user who does not exist is told %+v; ranks = %q", ranks, p.Me, p.Ranks)
			}
		})
	}
}

// daily is what today's page of everybody says of a user.
func (f *fixture) daily(who string) *live.OwnEntry {
	f.t.Helper()
	return f.ask(live.Query{Board: live.Global, Period: live.Daily, Limit: 1, Caller: who}).Me
}

// A page is never older than the asker's own last write.
func TestService_Page_ownWrites(t *testing.T) {
	inBubble(t, live.Options{}, func(t *testing.T, f *fixture) {
		f.put("u1")
		for i := range int64(20) {
			r := f.give("u1", 1)
			if p := f.page(0, 10, "u1"); p.Entries[0].Score != i+1 || p.Version < r.Version {
				t.Fatalf("page at %d shows %+v after write %d", p.Version, p.Entries[0], i+1)
			}
		}
		if _, err := f.PutProfiles(t.Context(), []live.Profile{{ID: "u1", Username: "Neu"}}); err != nil {
			t.Fatal(err)
		}
		if got := f.page(0, 10, "").Entries[0].Username; got != "Neu" {
			t.Errorf("username = %s after it was changed", got)
		}
	})
}

func TestService_Page_isKept(t *testing.T) {
	inBubble(t, live.Options{}, func(t *testing.T, f *fixture) {
		f.put("u1", "u2")
		f.page(0, 10, "u1")
		kept := live.CachedPage(f.Service)
		if f.page(0, 10, "u2"); kept == nil || live.CachedPage(f.Service) != kept {
			t.Error("a page was encoded again for another caller")
		}
		f.give("u1", 1)
		if f.page(0, 10, ""); live.CachedPage(f.Service) == kept {
			t.Error("a page was kept over a write")
		}
	})
}

// An edit of the database by hand shows after the TTL, in pages and streams.
func TestService_cacheTTL(t *testing.T) {
	inBubble(t, live.Options{CacheTTL: time.Minute, Throttle: -1}, func(t *testing.T, f *fixture) {
		f.put("u1", "u2")
		f.give("u1", 10)
		f.wantPage("1 u1:10 2 u2:0 ")
		fl := f.follow()
		defer fl.leave()
		fl.want("0s: 1 u1:10 2 u2:0 ")
		version := f.page(0, 1, "").Version
		f.sql(`UPDATE totals SET xp = 70 WHERE user = (SELECT number FROM users WHERE id = 'u2'); UPDATE users SET username = 'by hand'`)
		f.wantPage("1 u1:10 2 u2:0 ")
		time.Sleep(time.Minute)
		synctest.Wait()
		f.wantPage("1 u2:70 2 u1:10 ")
		fl.want("60s: 1 u2:70 2 u1:10 ")
		p := f.page(0, 1, "")
		if p.Version <= version || p.Entries[0].Username != "by hand" {
			t.Errorf("version %d, entry %+v", p.Version, p.Entries[0])
		}
		time.Sleep(10 * time.Minute)
		if again := f.page(0, 1, ""); again.Version != p.Version {
			t.Errorf("version %d without a change, want %d", again.Version, p.Version)
		}
	})
}

// A page that is asked for while the boards are loaded again must not be kept
// for what they show then.
func TestService_pageWhileLoading(t *testing.T) {
	var looking atomic.Bool
	var f *fixture
	now := func() time.Time { // load asks for the time between two of its queries
		if looking.Load() {
			if _, err := f.Page(f.t.Context(), live.Query{Board: live.Global, Period: live.AllTime, Limit: 10}); err != nil {
				t.Error(err)
			}
		}
		return time.Now()
	}
	inBubble(t, live.Options{CacheTTL: time.Minute, Now: now}, func(t *testing.T, inside *fixture) {
		f = inside
		f.put("u1", "u2")
		f.sql(`UPDATE totals SET xp = 70 WHERE user = (SELECT number FROM users WHERE id = 'u2')`)
		looking.Store(true)
		if err := f.Ready(t.Context()); err != nil { // any transaction notices it
			t.Error(err)
		}
		looking.Store(false)
		if got := brief(f.page(0, 10, "").Entries); got != "1 u2:70 2 u1:0 " {
			t.Errorf("page = %s, want what was loaded", got)
		}
	})
}

func TestService_cacheTTL_none(t *testing.T) {
	inBubble(t, live.Options{CacheTTL: -1}, func(_ *testing.T, f *fixture) {
		f.put("u1")
		f.sql(`UPDATE totals SET xp = 70`)
		f.wantPage("1 u1:70 ")
	})
}

// Who is erased is found among others with the same score, which are in the order
// of their ids.
func TestService_eraseAmongEqualScores(t *testing.T) {
	inBubble(t, live.Options{}, func(t *testing.T, f *fixture) {
		f.put("a", "b", "c", "d")
		for _, id := range []string{"c", "a"} {
			if err := f.Erase(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
		f.wantPage("1 b:0 2 d:0 ")
		f.put("a")
		f.wantPage("1 a:0 2 b:0 3 d:0 ")
	})
}

func TestService_recomputeByCron(t *testing.T) {
	opts := live.Options{Recompute: "*/5 * * * *", Throttle: -1}
	inBubble(t, opts, func(t *testing.T, f *fixture) {
		f.put("u1", "u2")
		fl := f.follow()
		defer fl.leave()
		fl.want("0s: ")
		f.wantPage("")
		time.Sleep(5 * time.Minute)
		fl.want("300s: 1 u1:0 2 u2:0 ")
		time.Sleep(time.Minute)
		if r := f.give("u2", 10); r.OldRank != 2 || r.NewRank != 2 || r.XP != 10 {
			t.Errorf("answer = %+v, want the rank that the board shows", r)
		}
		p := f.page(0, 10, "u2")
		if brief(p.Entries) != "1 u1:0 2 u2:0 " || p.Me.Rank != 2 {
			t.Errorf("page before the time = %+v", p)
		}
		time.Sleep(3 * time.Minute)
		fl.want()
		time.Sleep(time.Minute)
		fl.want("600s: 1 u2:10 2 u1:0 ")
		f.wantPage("1 u2:10 2 u1:0 ")
		version := f.page(0, 1, "").Version
		time.Sleep(time.Hour)
		fl.want() // nothing has changed
		if got := f.page(0, 1, "").Version; got != version {
			t.Errorf("version %d without a change, want %d", got, version)
		}
		f.give("u1", 50)
		f.give("u2", 70)
		if err := f.Erase(t.Context(), "u2"); err != nil { // nobody is shown who is gone
			t.Fatal(err)
		}
		f.wantPage("1 u1:50 ")
		fl.want("4200s: 1 u1:50 ")
		time.Sleep(5 * time.Minute)
		f.wantPage("1 u1:50 ")
		fl.want()
		// The first commit of a day begins it, and is not lost in it.
		time.Sleep(23*time.Hour + time.Minute) // between two times
		f.put("u3")
		version = f.give("u3", 10).Version
		f.wantPage("1 u1:50 ")
		time.Sleep(5 * time.Minute)
		if p := f.page(0, 10, ""); brief(p.Entries) != "1 u1:50 2 u3:10 " || p.Version < version {
			t.Errorf("page = %s at %d, want what was written at %d", brief(p.Entries), p.Version, version)
		}
	})
}

// What is written right after a midnight that nobody noticed is shown at once,
// since the day begins with it, and its version is its own.
func TestService_recomputeByCron_midnight(t *testing.T) {
	inBubble(t, live.Options{Recompute: "0 12 * * *", Throttle: -1}, func(t *testing.T, f *fixture) {
		f.put("u1", "u2")
		time.Sleep(12*time.Hour + time.Minute) // not at the very moment of the recomputation
		f.give("u1", 5)
		f.wantPage("1 u1:0 2 u2:0 ")
		time.Sleep(12*time.Hour - time.Minute - time.Second)
		fl := f.follow()
		defer fl.leave()
		fl.want("0s: 1 u1:0 2 u2:0 ")
		time.Sleep(time.Second)
		fl.want("1s: 1 u1:5 2 u2:0 ") // the day begins
		f.give("u2", 9)
		fl.want()
		time.Sleep(12 * time.Hour)
		fl.want("43201s: 1 u2:9 2 u1:5 ")
		for _, e := range f.page(0, 2, "").Entries {
			if e.Change != 1 {
				t.Errorf("entry = %+v, want one that has moved since midnight", e)
			}
		}
	})
}

// By cron, edits of the database by hand wait for the time as well; names in
// pages do not.
func TestService_recomputeByCron_byHand(t *testing.T) {
	opts := live.Options{Recompute: "0 * * * *", Throttle: -1, CacheTTL: time.Minute}
	inBubble(t, opts, func(t *testing.T, f *fixture) {
		f.put("u1", "u2")
		time.Sleep(time.Hour)
		f.wantPage("1 u1:0 2 u2:0 ")
		f.give("u1", 5)
		f.sql(`UPDATE totals SET xp = 70, reached = 99 WHERE user = (SELECT number FROM users WHERE id = 'u2')`)
		f.put("u1")
		time.Sleep(30 * time.Minute)
		f.wantPage("1 u1:0 2 u2:0 ")
		if _, err := f.PutProfiles(t.Context(), []live.Profile{{ID: "u2", Username: "Neu"}}); err != nil {
			t.Fatal(err)
		}
		for _, limit := range []int{2, 100} { // one that was kept, one that was not
			if got := f.page(0, limit, "").Entries[1].Username; got != "Neu" {
				t.Errorf("limit %d: username = %s", limit, got)
			}
		}
		time.Sleep(30 * time.Minute)
		f.wantPage("1 u2:70 2 u1:5 ")
	})
}

// What could not be loaded is loaded when it can be.
func TestService_failedLoad(t *testing.T) {
	inBubble(t, live.Options{CacheTTL: time.Minute, Throttle: -1}, func(t *testing.T, f *fixture) {
		f.put("u1")
		f.sql(`UPDATE totals SET xp = 70; ALTER TABLE badges RENAME TO gone`)
		time.Sleep(time.Minute)
		f.wantPage("1 u1:0 ")
		if err := f.Ready(t.Context()); !errors.Is(err, live.ErrUnavailable) {
			t.Errorf("Ready() = %v, want ErrUnavailable", err)
		}
		if !strings.Contains(f.log.String(), "load the boards again") {
			t.Errorf("log = %s", f.log)
		}
		f.sql(`ALTER TABLE gone RENAME TO badges`)
		time.Sleep(time.Minute)
		f.wantPage("1 u1:70 ")
		if err := f.Ready(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestCheckCron(t *testing.T) {
	for expr, ok := range map[string]bool{
		"*/5 * * * *": true, "*/10 * * * * *": true, "@every 30s": true, "@hourly": true,
		"": false, "5": false, "* * * *": false, "61 * * * *": false, "often": false,
	} {
		if err := live.CheckCron(expr); (err == nil) != ok {
			t.Errorf("CheckCron(%q) = %v, want ok %v", expr, err, ok)
		}
	}
}
