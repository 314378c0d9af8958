package live_test

import (
	"testing"
	"time"

	"marcador/live"
	"marcador/store"
)

// With Recompute, boards, pages and streams change at the times of the cron expression.
func TestService_Recompute_boardsWait(t *testing.T) {
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
			t.Errorf("page before the recomputation = %+v", p)
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
		if err := f.Erase(t.Context(), "u2"); err != nil { // an erasure does not wait
			t.Fatal(err)
		}
		f.wantPage("1 u1:50 ")
		fl.want("4200s: 1 u1:50 ")
		time.Sleep(5 * time.Minute)
		f.wantPage("1 u1:50 ")
		fl.want()
		// The first commit of a day begins the day, and its totals still wait.
		time.Sleep(23*time.Hour + time.Minute) // between two recomputations
		f.put("u3")
		version = f.give("u3", 10).Version
		f.wantPage("1 u1:50 ")
		time.Sleep(5 * time.Minute)
		if p := f.page(0, 10, ""); brief(p.Entries) != "1 u1:50 2 u3:10 " || p.Version < version {
			t.Errorf("page = %s at %d, want what was written at %d", brief(p.Entries), p.Version, version)
		}
	})
}

// A midnight begins the day, although it is no time of the cron expression. What waits is shown
// with it. What is written after it waits again.
func TestService_Recompute_midnightShowsAll(t *testing.T) {
	inBubble(t, live.Options{Recompute: "0 12 * * *", Throttle: -1}, func(t *testing.T, f *fixture) {
		f.put("u1", "u2")
		time.Sleep(12*time.Hour + time.Minute) // later than the recomputation at noon
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
				t.Errorf("entry = %+v, want a change of one rank since midnight", e)
			}
		}
	})
}

// Edits of the database wait for the next recomputation too. Names in pages do not.
func TestService_Recompute_editWaits(t *testing.T) {
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
		if _, err := f.PutProfiles(t.Context(), []store.Profile{{ID: "u2", Username: "Neu"}}); err != nil {
			t.Fatal(err)
		}
		for _, limit := range []int{2, 100} { // a page that was not cached before, and one that was
			if got := f.page(0, limit, "").Entries[1].Username; got != "Neu" {
				t.Errorf("limit %d: username = %s", limit, got)
			}
		}
		time.Sleep(30 * time.Minute)
		f.wantPage("1 u2:70 2 u1:5 ")
	})
}

// A new pseudonym does not wait, since the old name must not be sent to anybody.
func TestService_Recompute_pseudonymDoesNotWait(t *testing.T) {
	inBubble(t, live.Options{Recompute: "0 * * * *", Throttle: -1}, func(t *testing.T, f *fixture) {
		f.in("1", "a")
		f.give("a", 5)
		time.Sleep(time.Hour + time.Second)
		to := live.Follow{Board: "school:1", Period: store.AllTime, Seen: -1}
		fl := f.followBoard(to, 0)
		defer fl.leave()
		fl.want("0s: 1 a:5 ")
		if _, err := f.PutProfiles(t.Context(), []store.Profile{{ID: "a", Username: "real", Pseudonym: "Jaguar", Groups: map[string][]string{"school": {"1"}}}}); err != nil {
			t.Fatal(err)
		}
		fl.want("0s: 1 a:5 ")
		late := f.followBoard(to, 0)
		defer late.leave()
		for _, one := range []*client{fl, late} {
			if got := one.last.Entries[0].Username; got != "Jaguar" {
				t.Errorf("a stream has the name %s", got)
			}
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
