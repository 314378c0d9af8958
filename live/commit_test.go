package live_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"marcador/live"
	"marcador/store"
)

// An answer has the ranks before and after. Equal scores are in the order in which they were
// reached.
func TestService_AddPoints(t *testing.T) {
	inBubble(t, live.Options{}, func(t *testing.T, f *fixture) {
		f.put("u1", "u2", "u3")
		f.give("u1", 5_000)
		got := f.give("u2", 6_000)
		want := live.Result{UserID: "u2", XP: 6_000, PointsGained: 6_000, OldRank: 2, NewRank: 1, RankBadge: "Nacom", Version: 5}
		if got != want {
			t.Errorf("AddPoints() = %+v, want %+v", got, want)
		}
		f.give("u3", 5_000) // reached later than by u1
		f.wantPage("1 u2:6000 2 u1:5000 3 u3:5000 ")
		f.give("u1", -10)
		f.give("u1", 10) // reached again, now later than by u3
		f.wantPage("1 u2:6000 2 u3:5000 3 u1:5000 ")
	})
}

func TestService_usersWithoutPointsAreOrderedByID(t *testing.T) {
	inBubble(t, live.Options{}, func(_ *testing.T, f *fixture) {
		f.put("b", "Z", "a", "á", "10", "9")
		f.wantPage("1 10:0 2 9:0 3 Z:0 4 a:0 5 b:0 6 á:0 ")
	})
}

// Pages, ranks and versions are the same after a restart.
func TestService_restartChangesNothing(t *testing.T) {
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

// If the process dies right after the commit of a write with a key, the repetition of the write is
// answered as the first one was.
func TestService_AddPoints_repetitionAfterACrash(t *testing.T) {
	inBubble(t, live.Options{}, func(t *testing.T, f *fixture) {
		f.put("u1", "u2", "u3")
		f.give("u1", 10)
		f.give("u2", 20)
		write := []store.Write{{Key: "k", Updates: []store.Update{
			{UserID: "u3", XP: 15}, {UserID: "u3", XP: 15, MLCoins: 1}, {UserID: "u1", MLCoins: 2}, {UserID: "u1", XP: 11},
		}}, {Updates: []store.Update{{UserID: "u3", XP: 100}}}}
		first, err := f.AddPoints(t.Context(), write)
		if err != nil {
			t.Fatal(err)
		}
		dead := f.path + ".dead"
		for _, suffix := range []string{"", "-wal"} { // the files that a killed process leaves
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

// Changes of rank count from the beginning of the day, in the service's time zone.
func TestService_changeCountsFromTheBaseline(t *testing.T) {
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
		time.Sleep(time.Second) // the day begins although nothing is written
		fl.want("21600s: 1 u1:30 2 u2:20 3 u3:10 ")
		change("u1 same, u2 same, u3 same")
		f.give("u3", 100)
		change("u3 up++, u1 down+, u2 down+")
		f.put("u4")
		change("u3 up++, u1 down+, u2 down+, u4 new")
		if err := f.Erase(t.Context(), "u1"); err != nil { // an erasure counts as no move of others
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

// A service that was not running at midnight begins the day when it starts.
func TestService_startBeginsTheDay(t *testing.T) {
	inBubble(t, live.Options{}, func(t *testing.T, f *fixture) {
		f.put("u1", "u2")
		f.give("u1", 10)
		f.close()
		time.Sleep(72 * time.Hour)
		f.open(live.Options{})
		if e := f.page(0, 1, "").Entries[0]; e.ChangeType != "same" {
			t.Errorf("changeType = %s after three nights without the service, want same", e.ChangeType)
		}
		f.give("u2", 20)
		if e := f.page(0, 1, "").Entries[0]; e.ChangeType != "up" || e.Change != 1 {
			t.Errorf("change = %s %d, want up 1", e.ChangeType, e.Change)
		}
	})
}

// An erased user is found among users with the same score, who are ordered by id.
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

// A new table of badges shows at once, in pages, answers and streams.
func TestService_PutBadges(t *testing.T) {
	inBubble(t, live.Options{Throttle: -1}, func(t *testing.T, f *fixture) {
		f.put("a")
		f.give("a", 5)
		fl := f.follow()
		defer fl.leave()
		fl.want("0s: 1 a:5 ")
		if err := f.PutBadges(t.Context(), []store.Badge{{MinXP: 0, Name: "Semilla"}, {MinXP: 5, Name: "Flor"}}); err != nil {
			t.Fatal(err)
		}
		fl.want("0s: 1 a:5 ")
		if got := fl.last.Entries[0].RankBadge; got != "Flor" || f.give("a", 1).RankBadge != "Flor" || f.page(0, 1, "").Entries[0].RankBadge != "Flor" {
			t.Errorf("badge = %s", got)
		}
		if got := f.Badges(); !slices.Equal(got, []store.Badge{{MinXP: 0, Name: "Semilla"}, {MinXP: 5, Name: "Flor"}}) {
			t.Errorf("badges = %v", got)
		}
	})
}
