package live_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"marcador/live"
	"marcador/rank"
	"marcador/store"
)

func TestService_Page(t *testing.T) {
	inBubble(t, live.Options{}, func(t *testing.T, f *fixture) {
		if p := f.page(0, 10, "u1"); p.Entries == nil || len(p.Entries) != 0 || p.TotalEntries != 0 || p.Me != nil {
			t.Errorf("page of an empty board = %+v", p)
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
			t.Errorf("the cached page has another caller's isCurrentUser: %+v", got.Entries)
		}
		if got := f.page(3, 10, ""); len(got.Entries) != 0 || got.TotalEntries != 3 {
			t.Errorf("page past the end: %+v", got)
		}
		if _, err := f.Page(t.Context(), live.Query{Board: "planet:", Limit: 1}); !errors.Is(err, live.ErrUnknownBoard) {
			t.Errorf("error = %v, want ErrUnknownBoard", err)
		}
		// The points of pointsToNext lead to the next rank.
		if r := f.give("u3", *f.page(0, 1, "u3").Me.PointsToNext); r.NewRank != 2 {
			t.Errorf("rank %d after as many points, want 2", r.NewRank)
		}
	})
}

// A member without points in the period is told how many points lead onto the board, and to which
// rank.
func TestService_Page_withoutPoints(t *testing.T) {
	for ranks, want := range map[rank.Numbering]string{
		rank.Ordinal: "51 4", rank.Competition: "50 4", rank.Dense: "50 3",
	} {
		inBubble(t, live.Options{Ranks: ranks}, func(t *testing.T, f *fixture) {
			f.put("a", "b", "c", "d", "e")
			me := func(who string) string {
				var raw struct{ Me map[string]any }
				body, err := f.Page(t.Context(), live.Query{Board: live.Global, Period: store.Daily, Limit: 10, Caller: who})
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
				t.Errorf("%v: on an empty board, %s points and rank, want 1 and 1", ranks, got)
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

// A page is at least as new as the caller's own last write.
func TestService_Page_showsOwnWrites(t *testing.T) {
	inBubble(t, live.Options{}, func(t *testing.T, f *fixture) {
		f.put("u1")
		for i := range int64(20) {
			r := f.give("u1", 1)
			if p := f.page(0, 10, "u1"); p.Entries[0].Score != i+1 || p.Version < r.Version {
				t.Fatalf("page at %d shows %+v after write %d", p.Version, p.Entries[0], i+1)
			}
		}
		if _, err := f.PutProfiles(t.Context(), []store.Profile{{ID: "u1", Username: "Neu"}}); err != nil {
			t.Fatal(err)
		}
		if got := f.page(0, 10, "").Entries[0].Username; got != "Neu" {
			t.Errorf("username = %s after it was changed", got)
		}
	})
}

// A page is encoded once for all callers, until something is written.
func TestService_Page_isCached(t *testing.T) {
	inBubble(t, live.Options{}, func(t *testing.T, f *fixture) {
		f.put("u1", "u2")
		f.page(0, 10, "u1")
		cached := live.CachedPage(f.Service)
		if f.page(0, 10, "u2"); cached == nil || live.CachedPage(f.Service) != cached {
			t.Error("a page was encoded again for another caller")
		}
		f.give("u1", 1)
		if f.page(0, 10, ""); live.CachedPage(f.Service) == cached {
			t.Error("an old page was shown after a write")
		}
	})
}

// A page around a user has the neighbours on both sides, as far as there are any.
func TestService_Page_around(t *testing.T) {
	inBubble(t, live.Options{}, func(_ *testing.T, f *fixture) {
		ids := strings.Split("abcdefghij", "")
		f.put(ids...)
		for i, id := range ids {
			f.give(id, int64(100-i))
		}
		around := func(who string, neighbours int, want string) {
			f.t.Helper()
			p := f.ask(live.Query{Board: live.Global, Period: store.AllTime, Around: who, Neighbours: neighbours, Caller: "e"})
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

// A limit shows ordinary readers a board's best entries only. Callers also see their own row.
func TestService_PutLimit(t *testing.T) {
	inBubble(t, live.Options{Throttle: -1}, func(t *testing.T, f *fixture) {
		f.in("1", "a", "b", "c", "d")
		for i, id := range []string{"a", "b", "c", "d"} {
			f.give(id, int64(100-i))
		}
		fl := f.followBoard(live.Follow{Board: "school:1", Period: store.AllTime, Seen: -1}, 0)
		defer fl.leave()
		fl.want("0s: 1 a:100 2 b:99 3 c:98 4 d:97 ")
		if err := f.PutLimit(t.Context(), "school:1", 2); err != nil {
			t.Fatal(err)
		}
		fl.want("0s: 1 a:100 2 b:99 ")
		ask := func(q live.Query, want string) {
			t.Helper()
			q.Board, q.Period = "school:1", store.AllTime
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
		if _, err := f.Page(t.Context(), live.Query{Board: "school:1", Period: store.AllTime, Around: "c", Neighbours: 1, Caller: "d"}); !errors.Is(err, live.ErrNotOnBoard) {
			t.Errorf("error = %v, want ErrNotOnBoard", err)
		}
		if p := f.ask(live.Query{Board: "school:1", Period: store.AllTime, Limit: 10, Caller: "d"}); p.Me.Rank != 4 || p.TotalEntries != 4 {
			t.Errorf("me = %+v of %d", p.Me, p.TotalEntries)
		}
		f.close()
		f.open(live.Options{Throttle: -1}) // the limit is stored
		ask(live.Query{Limit: 10}, "1 a:100 2 b:99 ")
		if err := f.PutLimit(t.Context(), "school:1", 0); err != nil {
			t.Fatal(err)
		}
		ask(live.Query{Offset: 2, Limit: 10}, "3 c:98 4 d:97 ")
	})
}

// A difference leads to the new page, order included, even if users share a rank. The client
// removes the rows of all changes, and then inserts each row after the rows with its rank or a
// better one.
func TestPage_Since_sharedRanks(t *testing.T) {
	for _, numbering := range []rank.Numbering{rank.Ordinal, rank.Competition, rank.Dense} {
		t.Run(numbering.String(), func(t *testing.T) {
			f := &fixture{t: t, path: t.TempDir() + "/m.db", log: &logBuffer{}}
			f.open(live.Options{Ranks: numbering, Top: 6})
			defer f.close()
			ids := strings.Split("abcdefgh", "")
			f.put(ids...)
			seed := rand.Uint64()
			random := rand.New(rand.NewPCG(seed, 0))
			t.Logf("seed %d", seed)
			before := live.Snapshot(t, f.Service)
			for range 150 {
				for range 1 + random.IntN(3) {
					who := ids[random.IntN(len(ids))]
					switch random.IntN(8) {
					case 0:
						f.hide(who, true)
					case 1:
						f.hide(who, false) // comes back with a score that was reached long ago
					default:
						_, _ = f.AddPoints(t.Context(), []store.Write{{Updates: []store.Update{{UserID: who, XP: int64(random.IntN(4) - 1)}}}})
					}
				}
				now := live.Snapshot(t, f.Service)
				got, want := applied(t, rows(t, before), now.Since(before)), rows(t, now)
				if !slices.Equal(got, want) {
					t.Fatalf("from\n%+v\nby %s\ngot\n%+v\nwant\n%+v", rows(t, before), now.Since(before), got, want)
				}
				before = now
			}
		})
	}
}

// rows returns the entries of a snapshot.
func rows(t *testing.T, s live.Shown) []live.Entry {
	t.Helper()
	var e struct{ Leaderboard []live.Entry }
	if err := json.Unmarshal(s.Whole(), &e); err != nil {
		t.Fatal(err)
	}
	return e.Leaderboard
}

// applied returns the rows after a client has applied the difference to them.
func applied(t *testing.T, page []live.Entry, difference []byte) []live.Entry {
	t.Helper()
	var e struct {
		Changes []struct {
			UserID  string
			NewRank *int
			Entry   *live.Entry
		}
	}
	if err := json.Unmarshal(difference, &e); err != nil {
		t.Fatal(err)
	}
	page = slices.Clone(page)
	var back []live.Entry
	for _, c := range e.Changes {
		i := slices.IndexFunc(page, func(r live.Entry) bool { return r.UserID == c.UserID })
		if i >= 0 && c.NewRank != nil {
			moved := page[i]
			moved.Rank = *c.NewRank
			if c.Entry == nil {
				c.Entry = &moved
			}
		}
		if i >= 0 {
			page = slices.Delete(page, i, i+1)
		}
		if c.Entry != nil {
			back = append(back, *c.Entry)
		}
	}
	for _, r := range back {
		i := slices.IndexFunc(page, func(other live.Entry) bool { return cmp.Compare(other.Rank, r.Rank) > 0 })
		if i < 0 {
			i = len(page)
		}
		page = slices.Insert(page, i, r)
	}
	return page
}
