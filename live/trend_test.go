package live_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"marcador/live"
	"marcador/rank"
)

// trend returns a trend of at most 100 series and 8 moments, unless the query says otherwise.
func (f *fixture) trend(q live.TrendQuery) live.Trend {
	f.t.Helper()
	if q.Limit == 0 {
		q.Limit = 100
	}
	if q.Points == 0 {
		q.Points = 8
	}
	t, err := f.Trend(f.t.Context(), q)
	if err != nil {
		f.t.Fatal(err)
	}
	return t
}

// traced returns a series in short.
func traced(l *live.TrendSeries) string {
	if l == nil {
		return "nobody"
	}
	return fmt.Sprintf("%s%v%v ", l.UserID, l.Ranks, l.Scores)
}

// wantTrend checks the series of a trend.
func (f *fixture) wantTrend(q live.TrendQuery, want string) {
	f.t.Helper()
	got := ""
	for _, l := range f.trend(q).Series {
		got += traced(&l)
	}
	if got != want {
		f.t.Errorf("trend of %+v:\n got %s\nwant %s", q, got, want)
	}
}

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

// A trend says of a moment what the page said then, without the users who are hidden or gone now.
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
	pages := map[live.Period][]pastPage{}
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
			if p == live.Daily || live.Daily.Start(end).Equal(end) {
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
func (f *trendFixture) compare(board, there string, p live.Period, pages []pastPage) {
	f.t.Helper()
	seen := map[string]bool{}
	for _, id := range there {
		seen[string(id)] = true
	}
	for _, points := range []int{2, 8, 31} {
		start := time.Time{}
		if p != live.AllTime {
			start = p.Start(f.clock().In(f.zone))
		}
		var past []pastPage
		if p == live.AllTime { // moments from before the first page
			for at := pages[0].at; len(past) < points; past = slices.Insert(past, 0, pastPage{at: at}) {
				at = live.Daily.Before(at.In(f.zone))
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

func TestService_Trend(t *testing.T) {
	inBubble(t, live.Options{Throttle: -1}, func(t *testing.T, f *fixture) {
		all := live.TrendQuery{Board: live.Global, Period: live.AllTime, Points: 3}
		f.wantTrend(all, "")
		f.put("a", "b", "c")
		// On the board now, but without points in the past.
		f.wantTrend(all, "a[0 0 1][0 0 0] b[0 0 2][0 0 0] c[0 0 3][0 0 0] ")
		f.give("a", 5)
		f.give("b", 9)
		if _, err := f.AddPoints(t.Context(), []live.Write{{Updates: []live.Update{{UserID: "c", MLCoins: 3}}}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(24 * time.Hour)
		live.BeginOverduePeriods(f.Service)
		f.give("a", 4) // exactly when the day begins
		time.Sleep(time.Minute)
		f.wantTrend(all, "b[0 1 1][0 9 9] a[0 2 2][0 5 9] c[0 0 3][0 0 0] ")
		f.wantTrend(live.TrendQuery{Board: live.Global, Period: live.Daily, Points: 3}, "a[1][4] ")
		f.wantTrend(live.TrendQuery{Board: live.Global, Period: live.Monthly}, "b[1 1][9 9] a[2 2][5 9] ")
		f.wantTrend(live.TrendQuery{Board: live.Global, Period: live.AllTime, Points: 2, Limit: 1}, "b[1 1][9 9] ")
		time.Sleep(3 * time.Hour) // no commit, and no job that notices the time
		f.wantTrend(live.TrendQuery{Board: live.Global, Period: live.Daily, Points: 3}, "a[1 1 1][4 4 4] ")
		// An edit by another program counts from the moment at which it is noticed.
		f.sql(`DELETE FROM ledger WHERE user = (SELECT number FROM users WHERE id = 'b')`)
		f.give("c", 1)
		f.wantTrend(all, "b[0 0 1][0 0 9] a[0 1 2][0 5 9] c[0 0 3][0 0 1] ")
	})
}

// With Recompute, a trend ends with what the board shows.
func TestService_Trend_byCron(t *testing.T) {
	inBubble(t, live.Options{Recompute: "30 * * * *"}, func(_ *testing.T, f *fixture) {
		f.put("a", "b")
		f.give("a", 5)
		f.give("b", 1)
		time.Sleep(40 * time.Minute)
		f.give("b", 9)
		time.Sleep(25 * time.Minute)
		q := live.TrendQuery{Board: live.Global, Period: live.Daily}
		f.wantTrend(q, "a[1 1][5 5] b[2 2][1 1] ")
		time.Sleep(40 * time.Minute)
		f.wantTrend(q, "b[1 1][10 10] a[2 2][5 5] ")
	})
}

// If a board is longer than maxRivals, a trend has the ranks that are certain, and no others.
func TestService_Trend_long(t *testing.T) {
	for by, tied := range map[rank.Numbering]string{rank.Ordinal: "[0 4]", rank.Competition: "[3 4]", rank.Dense: "[3 4]"} {
		t.Run(by.String(), func(t *testing.T) {
			f := newTrendFixture(t, by, time.UTC)
			var profiles []live.Profile
			var updates []live.Update
			for i := range live.MaxRivals + 20 {
				id := fmt.Sprintf("u%04d", i)
				profiles = append(profiles, live.Profile{ID: id, Username: id})
				updates = append(updates, live.Update{UserID: id, XP: 100})
			}
			for i, xp := range map[string]int64{"old": 300, "new": 1, "tied": 100, "high": 200, "low": 50} {
				profiles = append(profiles, live.Profile{ID: i, Username: i})
				updates = append(updates, live.Update{UserID: i, XP: xp})
			}
			slices.SortFunc(updates, func(a, b live.Update) int { return cmp.Compare(a.UserID, b.UserID) })
			if _, err := f.PutProfiles(t.Context(), profiles); err != nil {
				t.Fatal(err)
			}
			if _, err := f.AddPoints(t.Context(), []live.Write{{Updates: updates}}); err != nil {
				t.Fatal(err)
			}
			f.now.Add(int64(24 * time.Hour))
			f.give("new", 1000)
			f.give("tied", 20)
			f.now.Add(int64(time.Minute))
			q := live.TrendQuery{Board: live.Global, Period: live.AllTime, Points: 2, Limit: 4, Caller: "low"}
			f.wantTrend(q, "new[0 1][1 1001] old[1 2][300 300] high[2 3][200 200] tied"+tied+"[100 120] ")
			if me := traced(f.trend(q).Me); !strings.HasPrefix(me, "low[0 ") || !strings.Contains(me, "][50 50]") || strings.HasPrefix(me, "low[0 0]") {
				t.Errorf("me = %s", me)
			}
			if err := f.PutLimit(t.Context(), live.Global, 2); err != nil {
				t.Fatal(err)
			}
			f.wantTrend(q, "new[0 1][1 1001] old[1 2][300 300] ")
			q.All = true
			if got := len(f.trend(q).Series); got != 4 {
				t.Errorf("%d series past the limit, want 4", got)
			}
		})
	}
}

func TestTrendTimes(t *testing.T) {
	for _, c := range []struct {
		zone        string
		period      live.Period
		until, want string
		n           int
	}{
		{"UTC", live.AllTime, "2026-11-25T12:00:00Z", "24T00:00 25T00:00 25T12:00", 3},
		{"UTC", live.AllTime, "2026-11-25T00:00:00Z", "23T00:00 24T00:00 25T00:00", 3},
		{"UTC", live.Weekly, "2026-11-25T12:00:00Z", "24T00:00 25T00:00 25T12:00", 31},
		{"UTC", live.Monthly, "2026-11-02T00:00:00.001Z", "02T00:00 02T00:00", 31},
		{"UTC", live.Daily, "2026-11-25T00:00:00Z", "25T00:00", 31},
		{"America/Merida", live.Daily, "2026-11-25T08:30:00Z", "25T07:00 25T08:00 25T08:30", 31},
		{"Asia/Kathmandu", live.Daily, "2026-11-24T20:00:00Z", "24T19:15 24T20:00", 31},
		// By the clock there: 01:00, 03:00, 04:00.
		{"Europe/Madrid", live.Daily, "2026-03-29T02:30:00Z", "29T00:00 29T01:00 29T02:00 29T02:30", 31},
		// By the clock there: 01:00, 02:00, and 02:00 again.
		{"Europe/Madrid", live.Daily, "2026-10-25T01:30:00Z", "24T23:00 25T00:00 25T01:00 25T01:30", 31},
		// By the clock there: 01:30, and back from 02:00 to 01:30.
		{"Australia/Lord_Howe", live.Daily, "2026-04-04T16:00:00Z", "04T14:00 04T14:30 04T15:30 04T16:00", 4},
	} {
		zone, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		until, err := time.Parse(time.RFC3339, c.until)
		if err != nil {
			t.Fatal(err)
		}
		until = until.In(zone)
		start := time.Time{}
		if c.period != live.AllTime {
			start = c.period.Start(until)
		}
		var got []string
		for _, m := range live.TrendTimes(c.period, start, until, c.n) {
			got = append(got, m.UTC().Format("02T15:04"))
		}
		if got := strings.Join(got, " "); got != c.want {
			t.Errorf("%s until %s in %s = %s, want %s", c.period, c.until, c.zone, got, c.want)
		}
	}
}
