package live_test

import (
	"encoding/json"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"marcador/live"
	"marcador/rank"
	"marcador/store"
)

// pastPage is a page as it was at a moment.
type pastPage struct {
	at   time.Time
	rows []live.Entry
}

// among returns the user's rank and score on the page, as if only these users had been on it.
func (n pastPage) among(there map[string]bool, user string, by rank.Numbering) (number int, score int64) {
	count := rank.NewCounter(by)
	for _, e := range n.rows {
		if e.XP == 0 || e.UserID != user && !there[e.UserID] {
			continue
		}
		number := count.Next(e.Score)
		if e.UserID == user {
			return number, e.Score
		}
	}
	return 0, 0
}

// For each past moment, a trend has the ranks and scores that the page had then, without the users
// who are hidden or gone now.
func TestService_Trend_model(t *testing.T) {
	for _, by := range []rank.Numbering{rank.Ordinal, rank.Competition, rank.Dense} {
		t.Run(by.String(), func(t *testing.T) {
			zone, err := time.LoadLocation("Asia/Kathmandu") // days begin at 18:15 UTC
			if err != nil {
				t.Fatal(err)
			}
			trendModel(t, by, zone)
		})
	}
}

// trendModel gives points at random for some days, with the pages of every hour, and compares them.
func trendModel(t *testing.T, by rank.Numbering, zone *time.Location) {
	t.Helper()
	f := newTrendFixture(t, by, zone)
	people := []string{"a", "b", "c", "d", "e", "f", "g"}
	f.in("1", people[:5]...)
	f.in("2", people[5:]...)
	chance := rand.New(rand.NewPCG(1, uint64(by)))
	totals := map[string]int64{}
	pages := map[store.Period][]pastPage{}
	for range 9 * 24 { // hours, across the end of a month
		if chance.IntN(3) > 0 {
			who := people[chance.IntN(len(people)-1)] // the last one is never given points
			gain := max(chance.Int64N(6)-1, 1-totals[who])
			if gain != 0 {
				f.give(who, gain)
				totals[who] += gain
			}
		}
		end := f.clock().In(zone).Truncate(15 * time.Minute).Add(15 * time.Minute)
		for end.Minute() != 0 {
			end = end.Add(15 * time.Minute)
		}
		for _, p := range periods {
			if p == store.Daily || store.Daily.Start(end).Equal(end) {
				pages[p] = append(pages[p], pastPage{end, f.read(live.Query{Board: live.Global, Period: p, Limit: 100}).Entries})
			}
		}
		f.now.Store(end.UnixNano())
		live.BeginOverduePeriods(f.Service)
	}
	f.now.Add(int64(20 * time.Minute))
	if err := f.Erase(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	f.hide("c", true)
	f.in("2", "d")
	for _, restarted := range []bool{false, true} {
		if restarted {
			f.close()
			f.open(f.opts)
		}
		for board, there := range map[string]string{live.Global: "adefg", "school:1": "ae", "school:2": "dfg", "friends:f": "f"} {
			for _, p := range periods {
				f.compare(board, there, p, pages[p])
			}
		}
	}
}

// trendFixture is a service with a clock that the test sets.
type trendFixture struct {
	*fixture

	by   rank.Numbering
	zone *time.Location
	opts live.Options
	now  atomic.Int64 // nanoseconds since 1970
}

// newTrendFixture returns a service that is closed when the test ends.
func newTrendFixture(t *testing.T, by rank.Numbering, zone *time.Location) *trendFixture {
	t.Helper()
	f := &trendFixture{fixture: &fixture{t: t, path: filepath.Join(t.TempDir(), "m.db"), log: &logBuffer{}}, by: by, zone: zone}
	f.now.Store(time.Date(2026, 3, 26, 20, 0, 0, 0, time.UTC).UnixNano())
	f.opts = live.Options{Location: zone, Ranks: by, Throttle: -1, Now: f.clock, CacheTTL: 1000 * time.Hour}
	f.open(f.opts)
	t.Cleanup(func() { f.close() }) // f may have been opened again meanwhile
	return f
}

func (f *trendFixture) clock() time.Time { return time.Unix(0, f.now.Load()) }

// read does the work of ask outside of a bubble.
func (f *trendFixture) read(q live.Query) (p live.PageBody) {
	f.t.Helper()
	body, err := f.Page(f.t.Context(), q)
	if err == nil {
		err = json.Unmarshal(body, &p)
	}
	if err != nil {
		f.t.Fatal(err)
	}
	return p
}

// compare compares trends with the pages of their moments.
func (f *trendFixture) compare(board, there string, p store.Period, pages []pastPage) {
	f.t.Helper()
	seen := map[string]bool{}
	for _, id := range there {
		seen[string(id)] = true
	}
	for _, points := range []int{2, 8, 31} {
		start := time.Time{}
		if p != store.AllTime {
			start = p.Start(f.clock().In(f.zone))
		}
		var past []pastPage
		if p == store.AllTime { // moments from before the first page
			for at := pages[0].at; len(past) < points; past = slices.Insert(past, 0, pastPage{at: at}) {
				at = store.Daily.Before(at.In(f.zone))
			}
		}
		for _, n := range pages {
			if n.at.After(start) && n.at.Before(f.clock()) {
				past = append(past, n)
			}
		}
		past = past[max(len(past)-points+1, 0):]
		for _, caller := range []string{"", "a", "c", "b"} {
			got := f.trend(live.TrendQuery{Board: board, Period: p, Points: points, Caller: caller})
			page := f.read(live.Query{Board: board, Period: p, Limit: 100, Caller: caller})
			if len(got.Times) != len(past)+1 || len(got.Series) != len(page.Entries) || got.Version != page.Version {
				f.t.Fatalf("%s %s: %d times, %d series, version %d; want %d, %d, %d", board, p, len(got.Times), len(got.Series), got.Version, len(past)+1, len(page.Entries), page.Version)
			}
			series := got.Series
			if (got.Me == nil) != (page.Me == nil) {
				f.t.Fatalf("%s %s: me of %s = %s", board, p, caller, traced(got.Me))
			}
			now := page.Entries
			if got.Me != nil {
				series, now = append(series, *got.Me), append(now, page.Me.Entry)
			}
			for i, l := range series {
				for j, n := range past {
					number, score := n.among(seen, l.UserID, f.by)
					if !got.Times[j].Equal(n.at) || l.Ranks[j] != number || l.Scores[j] != score {
						f.t.Fatalf("%s %s, %s at %s: %d with %d, want %d with %d at %s", board, p, l.UserID, got.Times[j], l.Ranks[j], l.Scores[j], number, score, n.at)
					}
				}
				if e := now[i]; l.UserID != e.UserID || l.Ranks[len(past)] != e.Rank || l.Scores[len(past)] != e.Score || l.RankBadge != e.RankBadge || l.Username != e.Username {
					f.t.Fatalf("%s %s: now %s, want %+v", board, p, traced(&l), e)
				}
			}
		}
	}
}
