package live_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"marcador/live"
	"marcador/rank"
	"marcador/store"
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

func TestService_Trend(t *testing.T) {
	inBubble(t, live.Options{Throttle: -1}, func(t *testing.T, f *fixture) {
		all := live.TrendQuery{Board: live.Global, Period: store.AllTime, Points: 3}
		f.wantTrend(all, "")
		f.put("a", "b", "c")
		// On the board now, but without points in the past.
		f.wantTrend(all, "a[0 0 1][0 0 0] b[0 0 2][0 0 0] c[0 0 3][0 0 0] ")
		f.give("a", 5)
		f.give("b", 9)
		if _, err := f.AddPoints(t.Context(), []store.Write{{Updates: []store.Update{{UserID: "c", MLCoins: 3}}}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(24 * time.Hour)
		live.BeginOverduePeriods(f.Service)
		f.give("a", 4) // exactly when the day begins
		time.Sleep(time.Minute)
		f.wantTrend(all, "b[0 1 1][0 9 9] a[0 2 2][0 5 9] c[0 0 3][0 0 0] ")
		f.wantTrend(live.TrendQuery{Board: live.Global, Period: store.Daily, Points: 3}, "a[1][4] ")
		f.wantTrend(live.TrendQuery{Board: live.Global, Period: store.Monthly}, "b[1 1][9 9] a[2 2][5 9] ")
		f.wantTrend(live.TrendQuery{Board: live.Global, Period: store.AllTime, Points: 2, Limit: 1}, "b[1 1][9 9] ")
		time.Sleep(3 * time.Hour) // no commit, and no job that notices the time
		f.wantTrend(live.TrendQuery{Board: live.Global, Period: store.Daily, Points: 3}, "a[1 1 1][4 4 4] ")
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
		q := live.TrendQuery{Board: live.Global, Period: store.Daily}
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
			var profiles []store.Profile
			var updates []store.Update
			for i := range live.MaxRivals + 20 {
				id := fmt.Sprintf("u%04d", i)
				profiles = append(profiles, store.Profile{ID: id, Username: id})
				updates = append(updates, store.Update{UserID: id, XP: 100})
			}
			for i, xp := range map[string]int64{"old": 300, "new": 1, "tied": 100, "high": 200, "low": 50} {
				profiles = append(profiles, store.Profile{ID: i, Username: i})
				updates = append(updates, store.Update{UserID: i, XP: xp})
			}
			slices.SortFunc(updates, func(a, b store.Update) int { return cmp.Compare(a.UserID, b.UserID) })
			if _, err := f.PutProfiles(t.Context(), profiles); err != nil {
				t.Fatal(err)
			}
			if _, err := f.AddPoints(t.Context(), []store.Write{{Updates: updates}}); err != nil {
				t.Fatal(err)
			}
			f.now.Add(int64(24 * time.Hour))
			f.give("new", 1000)
			f.give("tied", 20)
			f.now.Add(int64(time.Minute))
			q := live.TrendQuery{Board: live.Global, Period: store.AllTime, Points: 2, Limit: 4, Caller: "low"}
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
		period      store.Period
		until, want string
		n           int
	}{
		{"UTC", store.AllTime, "2026-11-25T12:00:00Z", "24T00:00 25T00:00 25T12:00", 3},
		{"UTC", store.AllTime, "2026-11-25T00:00:00Z", "23T00:00 24T00:00 25T00:00", 3},
		{"UTC", store.Weekly, "2026-11-25T12:00:00Z", "24T00:00 25T00:00 25T12:00", 31},
		{"UTC", store.Monthly, "2026-11-02T00:00:00.001Z", "02T00:00 02T00:00", 31},
		{"UTC", store.Daily, "2026-11-25T00:00:00Z", "25T00:00", 31},
		{"America/Merida", store.Daily, "2026-11-25T08:30:00Z", "25T07:00 25T08:00 25T08:30", 31},
		{"Asia/Kathmandu", store.Daily, "2026-11-24T20:00:00Z", "24T19:15 24T20:00", 31},
		// By the clock there: 01:00, 03:00, 04:00.
		{"Europe/Madrid", store.Daily, "2026-03-29T02:30:00Z", "29T00:00 29T01:00 29T02:00 29T02:30", 31},
		// By the clock there: 01:00, 02:00, and 02:00 again.
		{"Europe/Madrid", store.Daily, "2026-10-25T01:30:00Z", "24T23:00 25T00:00 25T01:00 25T01:30", 31},
		// By the clock there: 01:30, and back from 02:00 to 01:30.
		{"Australia/Lord_Howe", store.Daily, "2026-04-04T16:00:00Z", "04T14:00 04T14:30 04T15:30 04T16:00", 4},
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
		if c.period != store.AllTime {
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
