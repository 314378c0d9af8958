package live_test

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"marcador/live"
)

// What memory does not know yet, since another program has entered it, can be erased.
func TestService_Erase_unknown(t *testing.T) {
	inBubble(t, live.Options{}, func(t *testing.T, f *fixture) {
		f.put("a", "b")
		f.sql(`UPDATE users SET username = 'x' WHERE id = 'a'`)
		if err := f.Erase(t.Context(), "b"); err != nil { // what is loaded first has b no more
			t.Fatal(err)
		}
		f.wantPage("1 a:0 ")
	})
	inBubble(t, live.Options{Recompute: "0 * * * *"}, func(t *testing.T, f *fixture) {
		f.put("a")
		f.sql(`INSERT INTO users (number, id, username, avatar, email, created_at) VALUES (9, 'z', 'z', '', '', 0)`)
		if err := f.Erase(t.Context(), "z"); err != nil {
			t.Fatal(err)
		}
		f.wantPage("1 a:0 ")
	})
}

// A board is loaded whose members another program has entered.
func TestService_Page_unknownMembers(t *testing.T) {
	inBubble(t, live.Options{CacheTTL: time.Minute}, func(_ *testing.T, f *fixture) {
		f.put("a")
		for i := 8; i < 10; i++ {
			f.sql(fmt.Sprintf(`
				INSERT INTO users (number, id, username, avatar, email, created_at) VALUES (%d, 'z%[1]d', 'z', '', '', 0);
				INSERT INTO totals (user, xp, ml_coins, reached, day, day_xp, day_reached, week, week_xp, week_reached, month, month_xp, month_reached)
				VALUES (%[1]d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
				INSERT INTO memberships (user, kind, group_id, since) VALUES (%[1]d, 'school', '1', 0)`, i))
		}
		f.wantBoard("school:1", live.AllTime, "")
		time.Sleep(time.Minute)
		f.wantBoard("school:1", live.AllTime, "1 z8:0 2 z9:0 ")
	})
}

// Who comes into the database while it is loaded is loaded the next time.
func TestService_twoWriters(t *testing.T) {
	f := &fixture{t: t, path: t.TempDir() + "/m.db", log: &logBuffer{}}
	f.open(live.Options{CacheTTL: -1})
	defer f.close()
	f.put("a")
	db, err := sql.Open("sqlite", "file:"+f.path+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var writing sync.WaitGroup
	writing.Go(func() {
		for i := 1000; ctx.Err() == nil && i < 1050; i++ {
			_, err := db.ExecContext(t.Context(), fmt.Sprintf(`
				INSERT INTO users (number, id, username, avatar, email, created_at) VALUES (%d, 'z%[1]d', 'z', '', '', 0);
				INSERT INTO totals (user, xp, ml_coins, reached, day, day_xp, day_reached, week, week_xp, week_reached, month, month_xp, month_reached)
				VALUES (%[1]d, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)`, i))
			if err != nil {
				t.Error(err)
			}
		}
	})
	for range 30 {
		if _, err := f.Page(t.Context(), live.Query{Board: live.Global, Period: live.AllTime, Limit: 1000}); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	writing.Wait()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	u := f.count(`SELECT count(*) FROM users`)
	body, err := f.Page(t.Context(), live.Query{Board: live.Global, Period: live.AllTime, Limit: 1000})
	if err != nil || strings.Count(string(body), `"userId"`) != u {
		t.Errorf("%d of %d users are on the board (%v)", strings.Count(string(body), `"userId"`), u, err)
	}
}

// A board that is loaded while all are loaded again is not left behind.
func TestService_loadWhileReloading(t *testing.T) {
	f := &fixture{t: t, path: t.TempDir() + "/m.db", log: &logBuffer{}}
	f.open(live.Options{Throttle: time.Hour})
	defer f.close()
	const followed = 40
	var profiles []live.Profile
	for i := range followed + 1 {
		profiles = append(profiles, live.Profile{ID: fmt.Sprint("u", i), Username: "x", Groups: map[string][]string{"school": {fmt.Sprint(i)}}})
	}
	if _, err := f.PutProfiles(t.Context(), profiles); err != nil {
		t.Fatal(err)
	}
	for i := range followed {
		follow, err := f.Follow(t.Context(), live.Follow{Board: fmt.Sprint("school:", i), Period: live.AllTime, Seen: -1})
		if err != nil {
			t.Fatal(err)
		}
		defer follow.Leave()
	}
	last := fmt.Sprint("u", followed)
	page := func() string {
		body, err := f.Page(t.Context(), live.Query{Board: fmt.Sprint("school:", followed), Period: live.AllTime, Limit: 5})
		if err != nil {
			t.Error(err)
		}
		return string(body)
	}
	for round := range 5 {
		ctx, stop := context.WithCancel(t.Context())
		var reading sync.WaitGroup
		reading.Go(func() {
			for ctx.Err() == nil {
				page()
			}
		})
		f.sql(fmt.Sprintf(`UPDATE users SET avatar = '%d' WHERE id = 'u3'`, round))
		f.give("u4", 1) // has all loaded again
		stop()
		reading.Wait()
		f.give(last, 7)
		if got, want := page(), fmt.Sprintf(`"score":%d,`, 7*(round+1)); !strings.Contains(got, want) {
			t.Fatalf("round %d: %s, want %s", round, got, want)
		}
	}
}

// changes returns how a board says that people have moved.
func (f *fixture) changes(board string, period live.Period) (s string) {
	f.t.Helper()
	for _, e := range f.ask(live.Query{Board: board, Period: period, Limit: 10}).Entries {
		s += fmt.Sprint(e.UserID, " ", e.ChangeType, e.Change, " ")
	}
	return s
}

// wantSameAfterRestart compares what boards say of moves.
func (f *fixture) wantSameAfterRestart(want string) {
	f.t.Helper()
	for _, when := range []string{"before", "after"} {
		for _, board := range []string{live.Global, "school:1"} {
			if got := f.changes(board, live.Daily); got != want {
				f.t.Errorf("%s a restart %s says %s, want %s", when, board, got, want)
			}
		}
		f.close()
		f.open(live.Options{})
	}
}

// Who is hidden is not in what moves are measured from either, on the board or not; and
// who is shown again is new.
func TestService_hidden_baseline(t *testing.T) {
	inBubble(t, live.Options{}, func(t *testing.T, f *fixture) {
		f.in("1", "a", "b", "c")
		f.give("a", 30)
		f.give("b", 20)
		f.give("c", 10)
		f.changes("school:1", live.Daily) // loaded
		time.Sleep(25 * time.Hour)
		f.give("b", 5)
		f.give("c", 4)
		hide := func(hidden bool) {
			t.Helper()
			if _, err := f.PutProfiles(t.Context(), []live.Profile{{ID: "a", Username: "a", Groups: map[string][]string{"school": {"1"}}, Hidden: hidden}}); err != nil {
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

// Who leaves a group and comes back is new on its board, loaded or not.
func TestService_rejoin(t *testing.T) {
	inBubble(t, live.Options{}, func(_ *testing.T, f *fixture) {
		f.in("1", "a", "b")
		f.give("a", 30)
		f.give("b", 20)
		f.changes("school:1", live.Daily)
		time.Sleep(25 * time.Hour)
		f.give("a", 5)
		f.give("b", 4)
		f.in("2", "a")
		f.in("1", "a")
		for _, when := range []string{"before", "after"} {
			if got, want := f.changes("school:1", live.Daily), "a new0 b down1 "; got != want {
				f.t.Errorf("%s a restart %s, want %s", when, got, want)
			}
			f.close()
			f.open(live.Options{})
		}
	})
}

// A name that is not to be seen any more is not sent to anybody, whenever boards move.
func TestService_recomputeByCron_pseudonym(t *testing.T) {
	inBubble(t, live.Options{Recompute: "0 * * * *", Throttle: -1}, func(t *testing.T, f *fixture) {
		f.in("1", "a")
		f.give("a", 5)
		time.Sleep(time.Hour + time.Second)
		to := live.Follow{Board: "school:1", Period: live.AllTime, Seen: -1}
		fl := f.followBoard(to, 0)
		defer fl.leave()
		fl.want("0s: 1 a:5 ")
		if _, err := f.PutProfiles(t.Context(), []live.Profile{{ID: "a", Username: "real", Pseudonym: "Jaguar", Groups: map[string][]string{"school": {"1"}}}}); err != nil {
			t.Fatal(err)
		}
		fl.want("0s: 1 a:5 ")
		late := f.followBoard(to, 0)
		defer late.leave()
		for _, one := range []*follower{fl, late} {
			if got := one.last.Entries[0].Username; got != "Jaguar" {
				t.Errorf("a stream says %s", got)
			}
		}
	})
}

// A period that is longer than closed ones are kept is not closed again and again.
func TestService_shortRetention(t *testing.T) {
	inBubble(t, live.Options{Retention: 2 * 24 * time.Hour}, func(t *testing.T, f *fixture) {
		f.put("a")
		f.give("a", 30)
		for range 9 {
			time.Sleep(24 * time.Hour)
			f.give("a", 1)
		}
		synctest.Wait()
		if n := strings.Count(f.log.String(), "period=weekly"); n > 2 {
			t.Errorf("two weeks were closed %d times", n)
		}
	})
}
