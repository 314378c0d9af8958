package live_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"marcador/live"
	"marcador/rank"
	"marcador/sse"
)

// in puts people into a school, and out of any other.
func (f *fixture) in(school string, ids ...string) {
	f.t.Helper()
	var profiles []live.Profile
	for _, id := range ids {
		p := live.Profile{ID: id, Username: "name of " + id}
		if school != "" {
			p.Groups = map[string][]string{"school": {school}}
		}
		profiles = append(profiles, p)
	}
	if _, err := f.PutProfiles(f.t.Context(), profiles); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) hide(id string, hidden bool) {
	f.t.Helper()
	if _, err := f.PutProfiles(f.t.Context(), []live.Profile{{ID: id, Username: "name of " + id, Hidden: hidden}}); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) wantBoard(board string, period live.Period, want string) {
	f.t.Helper()
	if got := brief(f.ask(live.Query{Board: board, Period: period, Limit: 100}).Entries); got != want {
		f.t.Errorf("%s %s = %s, want %s", board, period, got, want)
	}
}

func TestService_boards(t *testing.T) {
	inBubble(t, live.Options{}, func(t *testing.T, f *fixture) {
		f.in("1", "a", "b")
		f.in("2", "c")
		f.give("c", 30)
		f.give("b", 20)
		f.wantBoard("school:1", live.AllTime, "1 b:20 2 a:0 ")
		f.wantBoard("school:1", live.Weekly, "1 b:20 ")
		f.wantBoard("school:none", live.AllTime, "")
		f.give("a", 50) // one write feeds all
		f.wantBoard("school:1", live.AllTime, "1 a:50 2 b:20 ")
		f.wantBoard("school:1", live.Daily, "1 a:50 2 b:20 ")
		f.wantBoard(live.Global, live.Daily, "1 a:50 2 c:30 3 b:20 ")
		f.in("2", "b") // moves
		f.wantBoard("school:1", live.AllTime, "1 a:50 ")
		f.wantBoard("school:2", live.Monthly, "1 c:30 2 b:20 ")
		if err := f.Befriend(t.Context(), "a", "c", true); err != nil {
			t.Fatal(err)
		}
		f.wantBoard("friends:a", live.AllTime, "1 a:50 2 c:30 ")
		f.wantBoard("friends:c", live.AllTime, "1 a:50 2 c:30 ")
		f.wantBoard("friends:b", live.AllTime, "1 b:20 ")
		f.wantBoard("friends:nobody", live.AllTime, "")
		u, err := f.User(t.Context(), "a")
		if err != nil || u.Ranks["school:1"]["daily"] != 1 || u.Ranks["friends:a"]["all-time"] != 1 || u.Ranks["global"]["monthly"] != 1 {
			t.Errorf("ranks = %v (%v)", u.Ranks, err)
		}
		if err := f.Erase(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		f.wantBoard("friends:c", live.AllTime, "1 c:30 ")
		f.wantBoard("friends:a", live.AllTime, "")
		f.wantBoard("school:1", live.AllTime, "")
		f.put("nobody") // whose board was asked for before
		f.wantBoard("friends:nobody", live.AllTime, "1 nobody:0 ")
	})
}

// What a write does to several boards reaches a stream of them at one moment, with one
// id, in whatever period.
func TestService_Follow_boards(t *testing.T) {
	inBubble(t, live.Options{Throttle: -1}, func(_ *testing.T, f *fixture) {
		f.in("1", "a", "b")
		f.in("2", "c")
		f.give("c", 30)
		school := f.followBoard(live.Follow{Board: "school:1", Period: live.Weekly, User: "b", AsMember: true, Seen: -1}, 0)
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
		f.in("1", "c") // comes, with what there is
		school.want("0s: rank 1>2 +0", "0s: 1 c:60 2 b:5 ")
	})
}

// Who is no member any more is told so, and nothing else.
func TestService_Follow_forbidden(t *testing.T) {
	inBubble(t, live.Options{Throttle: 10 * time.Second}, func(t *testing.T, f *fixture) {
		f.in("1", "a", "b")
		member := f.followBoard(live.Follow{Board: "school:1", Period: live.Daily, User: "b", AsMember: true, Seen: -1}, sse.Diff)
		admin := f.followBoard(live.Follow{Board: "school:1", Period: live.Daily, User: "b", Seen: -1}, 0)
		defer admin.leave()
		member.want("0s: ")
		admin.want("0s: ")
		f.in("", "b")
		synctest.Wait() // it is published by itself
		f.give("a", 5)
		time.Sleep(10 * time.Second)
		member.want("0s: forbidden")
		admin.want("10s: 1 a:5 ")
		member.leave()
		if n := member.streams.Streams(); n != 0 {
			t.Errorf("%d streams are open", n)
		}
		_, err := f.Follow(t.Context(), live.Follow{Board: "school:1", Period: live.Daily, User: "b", AsMember: true, Seen: -1})
		if !errors.Is(err, live.ErrNotMember) {
			t.Errorf("error = %v, want ErrNotMember", err)
		}
	})
}

// Each period begins at its boundary, though nothing is written, and is sent at once.
func TestService_periods(t *testing.T) {
	mexico, err := time.LoadLocation("America/Mexico_City") // UTC-6: Friday 31 December 1999, six in the evening
	if err != nil {
		t.Fatal(err)
	}
	opts := live.Options{Location: mexico, Throttle: -1}
	inBubble(t, opts, func(t *testing.T, f *fixture) {
		f.put("a", "b")
		f.give("a", 5)
		f.give("b", 3)
		streams := map[live.Period]*follower{}
		for _, p := range periods {
			streams[p] = f.followBoard(live.Follow{Board: live.Global, Period: p, User: "b", Seen: -1}, 0)
			streams[p].want("0s: 1 a:5 2 b:3 ")
		}
		if r := f.ask(live.Query{Board: live.Global, Period: live.Daily, Limit: 1}).ResetsAt; r == nil || r.Format(time.RFC3339) != "2000-01-01T06:00:00Z" {
			t.Errorf("resetsAt = %v", r)
		}
		time.Sleep(6 * time.Hour) // the year ends
		streams[live.Daily].want("21600s: rank 2>0 +0", "21600s: ")
		streams[live.Monthly].want("21600s: rank 2>0 +0", "21600s: ")
		streams[live.Weekly].want()
		streams[live.AllTime].want("21600s: 1 a:5 2 b:3 ") // nobody is new any more
		f.give("b", 1)
		for _, p := range []live.Period{live.Daily, live.Monthly} {
			streams[p].want("21600s: rank 0>1 +1", "21600s: 1 b:1 ")
			if e := f.ask(live.Query{Board: live.Global, Period: p, Limit: 1}).Entries[0]; e.Change != 1 || e.ChangeType != "up" || e.XP != 4 {
				t.Errorf("%s: entry = %+v, want one place up", p, e)
			}
		}
		time.Sleep(48 * time.Hour) // Monday
		streams[live.Weekly].want("21600s: 1 a:5 2 b:4 ", "194400s: rank 2>0 +0", "194400s: ")
		for _, fl := range streams {
			fl.leave()
		}
	})
}

// Ranks are kept when a period closes, whether or not it ends in one's sleep.
func TestService_Final(t *testing.T) {
	inBubble(t, live.Options{Ranks: rank.Competition}, func(t *testing.T, f *fixture) {
		f.in("1", "a", "b", "gone")
		f.in("2", "c", "shy")
		began := time.Now()
		f.give("gone", 90)
		f.give("a", 50)
		f.give("c", 70)
		f.give("shy", 60)
		if _, err := f.PutProfiles(t.Context(), []live.Profile{{ID: "shy", Username: "Shy", Groups: map[string][]string{"school": {"2"}}, Hidden: true}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		f.give("b", 7)
		f.give("a", 7)
		f.in("2", "b") // after the first day
		f.close()
		time.Sleep(72 * time.Hour)
		f.open(live.Options{Ranks: rank.Competition, Retention: 5 * 24 * time.Hour})
		if err := f.Erase(t.Context(), "gone"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		final := func(board string, day int, caller string) (string, *live.Entry, int) {
			t.Helper()
			p, err := f.Final(t.Context(), live.Query{Board: board, Period: live.Daily, Limit: 100, Caller: caller}, began.AddDate(0, 0, day))
			if err != nil {
				t.Errorf("%s on day %d: %v", board, day, err)
			}
			return brief(p.Entries), p.Me, p.TotalEntries
		}
		for _, c := range []struct {
			board string
			day   int
			want  string
			total int
		}{
			{live.Global, 0, "2 c:70 3 a:50 ", 3}, // the first is erased, who was hidden had no place
			{live.Global, 1, "1 b:7 1 a:7 ", 2},
			{live.Global, 2, "", 0},
			{"school:1", 0, "2 a:50 ", 2}, // as there
			{"school:2", 0, "1 c:70 ", 1},
			{"school:2", 1, "1 b:7 ", 1}, // whose move was still on that day
			{"friends:a", 0, "1 a:50 ", 1},
		} {
			if got, _, total := final(c.board, c.day, ""); got != c.want || total != c.total {
				t.Errorf("%s on day %d = %s of %d, want %s of %d", c.board, c.day, got, total, c.want, c.total)
			}
		}
		if _, me, _ := final(live.Global, 0, "shy"); me == nil || me.Rank != 3 || me.Score != 60 || me.XP != 60 {
			t.Errorf("who was hidden had %+v, want rank 3", me)
		}
		if _, me, _ := final("school:2", 0, "shy"); me == nil || me.Rank != 2 {
			t.Errorf("who was hidden had %+v, want rank 2", me)
		}
		if _, me, _ := final("school:1", 1, "a"); me == nil || me.Rank != 1 || me.Change != 1 || me.ChangeType != "up" || me.XP != 57 {
			t.Errorf("a had %+v, want the first place after the second", me)
		}
		closed, err := f.Closed(t.Context(), live.Daily, time.Now(), 10)
		if err != nil || len(closed) != 4 || !closed[3].Start.Equal(began) || !closed[0].End.Equal(began.AddDate(0, 0, 4)) {
			t.Errorf("closed = %v (%v)", closed, err)
		}
		for _, at := range []time.Time{began.Add(-time.Second), began.AddDate(0, 0, 4)} {
			if _, err := f.Final(t.Context(), live.Query{Board: live.Global, Period: live.Daily, Limit: 1}, at); !errors.Is(err, live.ErrNotClosed) {
				t.Errorf("%v: error = %v, want ErrNotClosed", at, err)
			}
		}
		time.Sleep(3 * 24 * time.Hour) // the first one is let go of
		synctest.Wait()
		if closed, err = f.Closed(t.Context(), live.Daily, time.Now(), 10); err != nil || len(closed) != 6 || !closed[5].Start.Equal(began.AddDate(0, 0, 1)) {
			t.Errorf("closed = %v (%v), want those of the last five days and the one they began in", closed, err)
		}
		if n := f.count(`
			SELECT (SELECT count(*) FROM finals WHERE closing NOT IN (SELECT number FROM closings))
			     + (SELECT count(*) FROM places WHERE closing NOT IN (SELECT number FROM closings))
			     + abs((SELECT count(*) FROM finals) - (SELECT count(*) FROM places))`); n != 0 {
			t.Errorf("%d places are left over", n)
		}
	})
}

// A user can be hidden: they see their own rank, and nobody else sees them.
func TestService_hidden(t *testing.T) {
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
		own.want("0s: 1 a:30 2 c:10 ") // the own rank is what it would be
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
		if _, err := f.Page(t.Context(), live.Query{Board: live.Global, Period: live.AllTime, Around: "b", Neighbours: 1, Caller: "c"}); !errors.Is(err, live.ErrNotOnBoard) {
			t.Errorf("error = %v, want ErrNotOnBoard", err)
		}
		f.hide("b", false)
		fl.want("0s: rank 2>3 +0", "0s: 1 b:35 2 a:30 3 c:10 ")
	})
}

func TestService_pseudonym(t *testing.T) {
	inBubble(t, live.Options{}, func(t *testing.T, f *fixture) {
		if _, err := f.PutProfiles(t.Context(), []live.Profile{{ID: "a", Username: "Ana", Avatar: "https://x/ana.png", Pseudonym: "Jaguar"}}); err != nil {
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

// A board can be limited to its best, to which one's own row is added.
func TestService_limit(t *testing.T) {
	inBubble(t, live.Options{Throttle: -1}, func(t *testing.T, f *fixture) {
		f.in("1", "a", "b", "c", "d")
		for i, id := range []string{"a", "b", "c", "d"} {
			f.give(id, int64(100-i))
		}
		fl := f.followBoard(live.Follow{Board: "school:1", Period: live.AllTime, Seen: -1}, 0)
		defer fl.leave()
		fl.want("0s: 1 a:100 2 b:99 3 c:98 4 d:97 ")
		if err := f.PutLimit(t.Context(), "school:1", 2); err != nil {
			t.Fatal(err)
		}
		fl.want("0s: 1 a:100 2 b:99 ")
		ask := func(q live.Query, want string) {
			t.Helper()
			q.Board, q.Period = "school:1", live.AllTime
			if got := brief(f.ask(q).Entries); got != want {
				t.Errorf("%+v: %s, want %s", q, got, want)
			}
		}
		ask(live.Query{Limit: 10}, "1 a:100 2 b:99 ")
		ask(live.Query{Offset: 1, Limit: 10}, "2 b:99 ")
		ask(live.Query{Offset: 2, Limit: 10}, "")
		ask(live.Query{Limit: 10, All: true}, "1 a:100 2 b:99 3 c:98 4 d:97 ")
		ask(live.Query{Around: "d", Neighbours: 3, Caller: "d"}, "4 d:97 ")
		ask(live.Query{Around: "b", Neighbours: 3, Caller: "d"}, "1 a:100 2 b:99 ")
		if _, err := f.Page(t.Context(), live.Query{Board: "school:1", Period: live.AllTime, Around: "c", Neighbours: 1, Caller: "d"}); !errors.Is(err, live.ErrNotOnBoard) {
			t.Errorf("error = %v, want ErrNotOnBoard", err)
		}
		if p := f.ask(live.Query{Board: "school:1", Period: live.AllTime, Limit: 10, Caller: "d"}); p.Me.Rank != 4 || p.TotalEntries != 4 {
			t.Errorf("me = %+v of %d", p.Me, p.TotalEntries)
		}
		f.close()
		f.open(live.Options{Throttle: -1}) // it stays
		ask(live.Query{Limit: 10}, "1 a:100 2 b:99 ")
		if err := f.PutLimit(t.Context(), "school:1", 0); err != nil {
			t.Fatal(err)
		}
		ask(live.Query{Offset: 2, Limit: 10}, "3 c:98 4 d:97 ")
	})
}

// A change of the table of badges shows at once.
func TestService_PutBadges(t *testing.T) {
	inBubble(t, live.Options{Throttle: -1}, func(t *testing.T, f *fixture) {
		f.put("a")
		f.give("a", 5)
		fl := f.follow()
		defer fl.leave()
		fl.want("0s: 1 a:5 ")
		if err := f.PutBadges(t.Context(), []live.Badge{{MinXP: 0, Name: "Semilla"}, {MinXP: 5, Name: "Flor"}}); err != nil {
			t.Fatal(err)
		}
		fl.want("0s: 1 a:5 ")
		if got := fl.last.Entries[0].RankBadge; got != "Flor" || f.give("a", 1).RankBadge != "Flor" || f.page(0, 1, "").Entries[0].RankBadge != "Flor" {
			t.Errorf("badge = %s", got)
		}
		if got := f.Badges(); !slices.Equal(got, []live.Badge{{MinXP: 0, Name: "Semilla"}, {MinXP: 5, Name: "Flor"}}) {
			t.Errorf("badges = %v", got)
		}
	})
}

func TestService_around(t *testing.T) {
	inBubble(t, live.Options{}, func(_ *testing.T, f *fixture) {
		ids := strings.Split("abcdefghij", "")
		f.put(ids...)
		for i, id := range ids {
			f.give(id, int64(100-i))
		}
		around := func(who string, neighbours int, want string) {
			f.t.Helper()
			p := f.ask(live.Query{Board: live.Global, Period: live.AllTime, Around: who, Neighbours: neighbours, Caller: "e"})
			got := ""
			for _, e := range p.Entries {
				got += e.UserID
				if e.IsCurrentUser {
					got += "!"
				}
			}
			if got != want {
				f.t.Errorf("around %s: %s, want %s", who, got, want)
			}
		}
		around("e", 2, "cde!fg")
		around("a", 2, "abc")
		around("j", 3, "ghij")
		around("b", 0, "b")
		around("e", 100, "abcde!fghij")
	})
}

// Boards are loaded while points are given, and none gets lost.
func TestService_loadWhileWriting(t *testing.T) {
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
		if _, err := f.Page(t.Context(), live.Query{Board: "school:" + string(rune('a'+b)), Period: live.Daily, Limit: 1}); err != nil {
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
		body, err := f.Page(t.Context(), live.Query{Board: board, Period: live.AllTime, Limit: 10})
		if err != nil || !strings.Contains(string(body), `"score":10`) {
			t.Errorf("%s = %s (%v)", board, body, err)
		}
	}
}

// Two rights together are the lesser of them: that of a member, which ends with membership.
func TestAsMember_And(t *testing.T) {
	for _, one := range []live.AsMember{true, false} {
		for _, other := range []live.AsMember{true, false} {
			if got := one.And(other); got != (one || other) {
				t.Errorf("%v and %v = %v", one, other, got)
			}
		}
	}
}
