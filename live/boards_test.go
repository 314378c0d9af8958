package live_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"marcador/live"
	"marcador/sse"
	"marcador/store"
)

// One write changes every board of its user, loaded or not. A user who changes groups moves from
// board to board.
func TestService_AddPoints_feedsAllBoards(t *testing.T) {
	inBubble(t, live.Options{}, func(t *testing.T, f *fixture) {
		f.in("1", "a", "b")
		f.in("2", "c")
		f.give("c", 30)
		f.give("b", 20)
		f.wantBoard("school:1", store.AllTime, "1 b:20 2 a:0 ")
		f.wantBoard("school:1", store.Weekly, "1 b:20 ")
		f.wantBoard("school:none", store.AllTime, "")
		f.give("a", 50) // both boards are loaded by now
		f.wantBoard("school:1", store.AllTime, "1 a:50 2 b:20 ")
		f.wantBoard("school:1", store.Daily, "1 a:50 2 b:20 ")
		f.wantBoard(live.Global, store.Daily, "1 a:50 2 c:30 3 b:20 ")
		f.in("2", "b") // leaves school 1
		f.wantBoard("school:1", store.AllTime, "1 a:50 ")
		f.wantBoard("school:2", store.Monthly, "1 c:30 2 b:20 ")
		if err := f.Befriend(t.Context(), "a", "c", true); err != nil {
			t.Fatal(err)
		}
		f.wantBoard("friends:a", store.AllTime, "1 a:50 2 c:30 ")
		f.wantBoard("friends:c", store.AllTime, "1 a:50 2 c:30 ")
		f.wantBoard("friends:b", store.AllTime, "1 b:20 ")
		f.wantBoard("friends:nobody", store.AllTime, "")
		u, err := f.User(t.Context(), "a")
		if err != nil || u.Ranks["school:1"]["daily"] != 1 || u.Ranks["friends:a"]["all-time"] != 1 || u.Ranks["global"]["monthly"] != 1 {
			t.Errorf("ranks = %v (%v)", u.Ranks, err)
		}
		if err := f.Erase(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		f.wantBoard("friends:c", store.AllTime, "1 c:30 ")
		f.wantBoard("friends:a", store.AllTime, "")
		f.wantBoard("school:1", store.AllTime, "")
		f.put("nobody") // the board of this user was asked for above
		f.wantBoard("friends:nobody", store.AllTime, "1 nobody:0 ")
	})
}

// A stream of a group shows the points of its members in the period, and who joins and leaves.
func TestService_Follow_membershipsAndPeriods(t *testing.T) {
	inBubble(t, live.Options{Throttle: -1}, func(_ *testing.T, f *fixture) {
		f.in("1", "a", "b")
		f.in("2", "c")
		f.give("c", 30)
		school := f.followBoard(live.Follow{Board: "school:1", Period: store.Weekly, User: "b", AsMember: true, Seen: -1}, 0)
		defer school.leave()
		school.want("0s: ")
		f.give("c", 30) // at another school
		school.want()
		f.give("b", 5)
		school.want("0s: rank 0>1 +5", "0s: 1 b:5 ")
		f.give("a", 9)
		school.want("0s: rank 1>2 +0", "0s: 1 a:9 2 b:5 ")
		f.in("2", "a") // leaves
		school.want("0s: rank 2>1 +0", "0s: 1 b:5 ")
		f.in("1", "c") // joins, with the points of this week
		school.want("0s: rank 1>2 +0", "0s: 1 c:60 2 b:5 ")
	})
}

// A stream that was allowed by membership is told when the membership ends, and then nothing else.
func TestService_Follow_endsWithMembership(t *testing.T) {
	inBubble(t, live.Options{Throttle: 10 * time.Second}, func(t *testing.T, f *fixture) {
		f.in("1", "a", "b")
		member := f.followBoard(live.Follow{Board: "school:1", Period: store.Daily, User: "b", AsMember: true, Seen: -1}, sse.Diff)
		admin := f.followBoard(live.Follow{Board: "school:1", Period: store.Daily, User: "b", Seen: -1}, 0)
		defer admin.leave()
		member.want("0s: ")
		admin.want("0s: ")
		f.in("", "b")
		synctest.Wait() // the end of the membership is published
		f.give("a", 5)
		time.Sleep(10 * time.Second)
		member.want("0s: forbidden")
		admin.want("10s: 1 a:5 ")
		member.leave()
		if n := member.streams.Streams(); n != 0 {
			t.Errorf("%d streams are open", n)
		}
		_, err := f.Follow(t.Context(), live.Follow{Board: "school:1", Period: store.Daily, User: "b", AsMember: true, Seen: -1})
		if !errors.Is(err, live.ErrNotMember) {
			t.Errorf("error = %v, want ErrNotMember", err)
		}
	})
}

// Each period begins at its boundary although nothing is written, and streams are told at once.
func TestService_periodsBeginOnTime(t *testing.T) {
	// UTC-6: the test begins on Friday, 31 December 1999, at six in the evening.
	mexico, err := time.LoadLocation("America/Mexico_City")
	if err != nil {
		t.Fatal(err)
	}
	opts := live.Options{Location: mexico, Throttle: -1}
	inBubble(t, opts, func(t *testing.T, f *fixture) {
		f.put("a", "b")
		f.give("a", 5)
		f.give("b", 3)
		streams := map[store.Period]*client{}
		for _, p := range periods {
			streams[p] = f.followBoard(live.Follow{Board: live.Global, Period: p, User: "b", Seen: -1}, 0)
			streams[p].want("0s: 1 a:5 2 b:3 ")
		}
		if r := f.ask(live.Query{Board: live.Global, Period: store.Daily, Limit: 1}).ResetsAt; r == nil || r.Format(time.RFC3339) != "2000-01-01T06:00:00Z" {
			t.Errorf("resetsAt = %v", r)
		}
		time.Sleep(6 * time.Hour) // the year ends
		streams[store.Daily].want("21600s: rank 2>0 +0", "21600s: ")
		streams[store.Monthly].want("21600s: rank 2>0 +0", "21600s: ")
		streams[store.Weekly].want()
		streams[store.AllTime].want("21600s: 1 a:5 2 b:3 ") // nobody is new any more
		f.give("b", 1)
		for _, p := range []store.Period{store.Daily, store.Monthly} {
			streams[p].want("21600s: rank 0>1 +1", "21600s: 1 b:1 ")
			if e := f.ask(live.Query{Board: live.Global, Period: p, Limit: 1}).Entries[0]; e.Change != 1 || e.ChangeType != "up" || e.XP != 4 {
				t.Errorf("%s: entry = %+v, want one rank up", p, e)
			}
		}
		time.Sleep(48 * time.Hour) // Monday
		streams[store.Weekly].want("21600s: 1 a:5 2 b:4 ", "194400s: rank 2>0 +0", "194400s: ")
		for _, fl := range streams {
			fl.leave()
		}
	})
}

// A user who leaves a group and joins it again is new on its board, also if the board was not
// loaded meanwhile.
func TestService_rejoinedMemberIsNew(t *testing.T) {
	inBubble(t, live.Options{}, func(_ *testing.T, f *fixture) {
		f.in("1", "a", "b")
		f.give("a", 30)
		f.give("b", 20)
		f.changes("school:1", store.Daily)
		time.Sleep(25 * time.Hour)
		f.give("a", 5)
		f.give("b", 4)
		f.in("2", "a")
		f.in("1", "a")
		for _, when := range []string{"before", "after"} {
			if got, want := f.changes("school:1", store.Daily), "a new0 b down1 "; got != want {
				f.t.Errorf("%s a restart %s, want %s", when, got, want)
			}
			f.close()
			f.open(live.Options{})
		}
	})
}

// No points are lost while boards are loaded.
func TestService_boardLoadedDuringWrites(t *testing.T) {
	f := &fixture{t: t, path: t.TempDir() + "/m.db", log: &logBuffer{}}
	f.open(live.Options{})
	defer f.close()
	const boards, each = 20, 10
	for b := range boards {
		f.in(string(rune('a'+b)), string(rune('a'+b))+"1", string(rune('a'+b))+"2")
	}
	var writing sync.WaitGroup
	for b := range boards {
		writing.Go(func() {
			for range each {
				f.give(string(rune('a'+b))+"1", 1)
			}
		})
	}
	for b := range boards {
		if _, err := f.Page(t.Context(), live.Query{Board: "school:" + string(rune('a'+b)), Period: store.Daily, Limit: 1}); err != nil {
			t.Error(err)
		}
	}
	writing.Wait()
	for b := range boards {
		board, who := "school:"+string(rune('a'+b)), string(rune('a'+b))+"1"
		u, err := f.User(t.Context(), who)
		if err != nil || u.XP != each || u.Ranks[board]["daily"] != 1 {
			t.Errorf("%s: %+v (%v)", who, u, err)
		}
		body, err := f.Page(t.Context(), live.Query{Board: board, Period: store.AllTime, Limit: 10})
		if err != nil || !strings.Contains(string(body), `"score":10`) {
			t.Errorf("%s = %s (%v)", board, body, err)
		}
	}
}

// A board that is loaded while everything is loaded again is up to date afterwards.
func TestService_boardLoadedDuringReload(t *testing.T) {
	f := &fixture{t: t, path: t.TempDir() + "/m.db", log: &logBuffer{}}
	f.open(live.Options{Throttle: time.Hour})
	defer f.close()
	const followed = 40
	var profiles []store.Profile
	for i := range followed + 1 {
		profiles = append(profiles, store.Profile{ID: fmt.Sprint("u", i), Username: "x", Groups: map[string][]string{"school": {fmt.Sprint(i)}}})
	}
	if _, err := f.PutProfiles(t.Context(), profiles); err != nil {
		t.Fatal(err)
	}
	for i := range followed {
		follow, err := f.Follow(t.Context(), live.Follow{Board: fmt.Sprint("school:", i), Period: store.AllTime, Seen: -1})
		if err != nil {
			t.Fatal(err)
		}
		defer follow.Leave()
	}
	last := fmt.Sprint("u", followed)
	page := func() string {
		body, err := f.Page(t.Context(), live.Query{Board: fmt.Sprint("school:", followed), Period: store.AllTime, Limit: 5})
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
		f.give("u4", 1) // the transaction notices the edit, and everything is loaded again
		stop()
		reading.Wait()
		f.give(last, 7)
		if got, want := page(), fmt.Sprintf(`"score":%d,`, 7*(round+1)); !strings.Contains(got, want) {
			t.Fatalf("round %d: %s, want %s", round, got, want)
		}
	}
}

// Two rights together are the lesser one: the right of a member, which ends with the membership.
func TestAsMember_And(t *testing.T) {
	for _, one := range []live.AsMember{true, false} {
		for _, other := range []live.AsMember{true, false} {
			if got := one.And(other); got != (one || other) {
				t.Errorf("%v and %v = %v", one, other, got)
			}
		}
	}
}
