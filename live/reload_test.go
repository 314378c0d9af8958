package live_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"marcador/live"
	"marcador/store"
)

// An edit of the database by another program shows after the TTL, in pages and streams.
func TestService_CacheTTL_editShowsInTime(t *testing.T) {
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

func TestService_CacheTTL_negativeShowsEditsAtOnce(t *testing.T) {
	inBubble(t, live.Options{CacheTTL: -1}, func(_ *testing.T, f *fixture) {
		f.put("u1")
		f.sql(`UPDATE totals SET xp = 70`)
		f.wantPage("1 u1:70 ")
	})
}

// A page of the old boards, made while everything is loaded again, must not be cached as a page of
// the new boards.
func TestService_pageReadDuringReloadIsNotCached(t *testing.T) {
	var looking atomic.Bool
	var f *fixture
	now := func() time.Time { // load asks for the time between two of its queries
		if looking.Load() {
			if _, err := f.Page(f.t.Context(), live.Query{Board: live.Global, Period: store.AllTime, Limit: 10}); err != nil {
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
		if err := f.Ready(t.Context()); err != nil { // any transaction notices the edit
			t.Error(err)
		}
		looking.Store(false)
		if got := brief(f.page(0, 10, "").Entries); got != "1 u2:70 2 u1:0 " {
			t.Errorf("page = %s, want what was loaded", got)
		}
	})
}

// Boards that could not be loaded are loaded when the database can be read again.
func TestService_failedLoadIsTriedAgain(t *testing.T) {
	inBubble(t, live.Options{CacheTTL: time.Minute, Throttle: -1}, func(t *testing.T, f *fixture) {
		f.put("u1")
		f.sql(`UPDATE totals SET xp = 70; ALTER TABLE badges RENAME TO gone`)
		time.Sleep(time.Minute)
		f.wantPage("1 u1:0 ")
		if err := f.Ready(t.Context()); !errors.Is(err, store.ErrUnavailable) {
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

// A user whom another program has added can be erased before memory knows the user.
func TestService_Erase_userOfAnotherProgram(t *testing.T) {
	inBubble(t, live.Options{}, func(t *testing.T, f *fixture) {
		f.put("a", "b")
		f.sql(`UPDATE users SET username = 'x' WHERE id = 'a'`)
		if err := f.Erase(t.Context(), "b"); err != nil { // everything is loaded first, without b
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

// A board can be loaded although memory does not know its members yet.
func TestService_Page_membersOfAnotherProgram(t *testing.T) {
	inBubble(t, live.Options{CacheTTL: time.Minute}, func(_ *testing.T, f *fixture) {
		f.put("a")
		for i := 8; i < 10; i++ {
			f.sql(fmt.Sprintf(`
				INSERT INTO users (number, id, username, avatar, email, created_at) VALUES (%d, 'z%[1]d', 'z', '', '', 0);
				INSERT INTO totals (user, xp, ml_coins, reached, day, day_xp, day_reached, week, week_xp, week_reached, month, month_xp, month_reached)
				VALUES (%[1]d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
				INSERT INTO memberships (user, kind, group_id, since) VALUES (%[1]d, 'school', '1', 0)`, i))
		}
		f.wantBoard("school:1", store.AllTime, "")
		time.Sleep(time.Minute)
		f.wantBoard("school:1", store.AllTime, "1 z8:0 2 z9:0 ")
	})
}

// Users whom another program adds while everything is loaded are loaded the next time.
func TestService_Page_whileAnotherProgramWrites(t *testing.T) {
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
		if _, err := f.Page(t.Context(), live.Query{Board: live.Global, Period: store.AllTime, Limit: 1000}); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	writing.Wait()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	u := f.count(`SELECT count(*) FROM users`)
	body, err := f.Page(t.Context(), live.Query{Board: live.Global, Period: store.AllTime, Limit: 1000})
	if err != nil || strings.Count(string(body), `"userId"`) != u {
		t.Errorf("%d of %d users are on the board (%v)", strings.Count(string(body), `"userId"`), u, err)
	}
}
