package attack_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"marcador/internal/schematest"
	"marcador/live"
	"marcador/store"
	"marcador/test/testkit"
)

// yesterday makes a database of two classes that gained points yesterday: a large one and a small
// one.
func yesterday(t *testing.T, db string, large int) {
	t.Helper()
	s, err := live.Open(t.Context(), db, live.Options{
		Schema: schematest.Text(t),
		Now:    func() time.Time { return time.Now().AddDate(0, 0, -1) }, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	for first := 0; first < large+30; first += 500 {
		var people []store.Profile
		var points store.Write
		for i := first; i < min(first+500, large+30); i++ {
			class := "large"
			if i >= large {
				class = "small"
			}
			id := fmt.Sprint("v", i)
			people = append(people, store.Profile{ID: id, Username: "Name " + id, Groups: map[string][]string{"classroom": {class}}})
			points.Updates = append(points.Updates, store.Update{UserID: id, XP: int64(i + 1)})
		}
		if _, err = s.PutProfiles(t.Context(), people); err == nil {
			_, err = s.AddPoints(t.Context(), []store.Write{points})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// Many requests for closed periods of one class slow the pages of another class down no more than
// as many requests for ordinary pages would, or hardly.
func TestAttack_archives(t *testing.T) {
	large, conns, pages := 2000, 8, 40
	if *full {
		large, conns, pages = 20_000, 64, 500
	}
	db := testkit.Database(t)
	yesterday(t, db, large)
	p := testkit.Spawn(t, db)
	one, many := testkit.Token(t, fmt.Sprint("v", large), ""), testkit.Token(t, "v0", "")
	start := closedPeriod(t, p.Program, many)
	median := func() time.Duration {
		var took []time.Duration
		for range pages {
			began := time.Now()
			p.Call(one, http.MethodGet, "/v1/leaderboards/classroom:small", "", nil)
			took = append(took, time.Since(began))
		}
		slices.Sort(took)
		return took[len(took)/2]
	}
	var asked atomic.Int64
	beside := func(path string) time.Duration {
		ctx, cancel := context.WithCancel(t.Context())
		var asking sync.WaitGroup
		for i := range conns {
			asking.Go(func() {
				for k := i; ctx.Err() == nil; k += conns {
					p.Try(many, http.MethodGet, fmt.Sprintf(path, k%1000), "")
					asked.Add(1)
				}
			})
		}
		defer asking.Wait()
		defer cancel()
		return median()
	}
	before := median()
	besidePages := beside("/v1/leaderboards/classroom:large?limit=900&offset=%d")
	asked.Store(0)
	// No two of them are alike, so that none is cached.
	besideArchives := beside("/v1/leaderboards/classroom:large/archive?limit=900&offset=%d&start=" + start)
	t.Logf("a page took %s, beside as many pages of another class %s, beside %d of its closed periods %s", before, besidePages, asked.Load(), besideArchives)
	if besideArchives > 3*besidePages && besideArchives > 10*before {
		t.Error("closed periods hold pages up")
	}
}

// closedPeriod waits until yesterday is closed, and returns its start.
func closedPeriod(t *testing.T, p *testkit.Program, token string) string {
	t.Helper()
	var list struct{ Periods []struct{ Start string } }
	for late := time.Now().Add(testkit.Patience); len(list.Periods) == 0; time.Sleep(10 * time.Millisecond) { // a real process closes it
		p.Call(token, http.MethodGet, "/v1/leaderboards/classroom:large/archive", "", &list)
		if time.Now().After(late) {
			t.Fatal("yesterday is not closed")
		}
	}
	return list.Periods[0].Start
}
