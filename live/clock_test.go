package live_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"marcador/live"
	"marcador/store"
)

// wall is a clock that can be set, on a machine whose monotonic time goes on.
type wall struct {
	mu    sync.Mutex
	ahead time.Duration // guarded by mu
}

func (w *wall) set(ahead time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ahead = ahead
}

func (w *wall) options() live.Options {
	began := time.Now()
	return live.Options{
		Now: func() time.Time {
			w.mu.Lock()
			defer w.mu.Unlock()
			return time.Now().Add(w.ahead)
		},
		Elapsed:   func() time.Duration { return time.Since(began) },
		Retention: 400 * 24 * time.Hour,
		CacheTTL:  10_000 * time.Hour, // no check of the database during the test
	}
}

// A jump of the clock is logged once, in either direction, and time in the ledger never goes back.
// Small adjustments of the clock are not logged.
func TestService_clockJumps(t *testing.T) {
	w := &wall{}
	inBubble(t, w.options(), func(t *testing.T, f *fixture) {
		f.put("a")
		said := func(text string) int { return strings.Count(f.log.String(), text) }
		for range 100 { // the clock is fast by a second a minute
			time.Sleep(time.Minute)
			w.mu.Lock()
			w.ahead += time.Second
			w.mu.Unlock()
		}
		if n := said("the clock has"); n != 0 {
			t.Errorf("%d log entries about a clock that is a little fast, want none", n)
		}
		w.set(time.Hour)
		f.give("a", 1)
		f.give("a", 1)
		if n := said("the clock has jumped ahead"); n != 1 || !strings.Contains(f.log.String(), "by=58m") {
			t.Errorf("%d log entries that the clock has jumped, want one of 58 minutes:\n%s", n, f.log)
		}
		at := time.Now().Add(time.Hour)
		time.Sleep(time.Minute)
		w.set(0)
		f.give("a", 1)
		if n := said("the clock has gone back"); n != 1 {
			t.Errorf("%d log entries that the clock has gone back, want one", n)
		}
		if got := f.page(0, 1, "").LastUpdated; got.Before(at) {
			t.Errorf("the last change has the time %v, want none before %v", got, at)
		}
		time.Sleep(30 * time.Minute)
		if n := said("the last change lies ahead of the clock"); n != 1 {
			t.Errorf("%d log entries that the ledger is ahead of the clock, want one", n)
		}
	})
}

// A clock is ten years ahead for a day. The service closes the periods that were running, but not
// thousands of empty ones, and removes no closed period. The next start refuses the database until
// it is redated. After that, everything is as if the clock had been right.
func TestService_clockYearsAhead(t *testing.T) {
	const day = 24 * time.Hour
	w := &wall{}
	inBubble(t, w.options(), func(t *testing.T, f *fixture) {
		f.put("a", "b")
		for range 2 {
			f.give("a", 2)
			time.Sleep(day)
			synctest.Wait()
		}
		f.give("a", 3)
		time.Sleep(time.Hour)
		closings := func() (n int) { return f.count(`SELECT count(*) FROM closings WHERE complete`) }
		before := closings()
		w.set(3652 * day)
		f.give("b", 5)
		time.Sleep(day) // this includes the hour at which old periods are removed
		synctest.Wait()
		if got := closings(); got != before+4 {
			t.Errorf("%d periods are closed, want four more than %d: the running day, week and month, and the day ten years later", got, before)
		}
		f.close()
		w.set(0)
		if _, err := live.Open(t.Context(), f.path, w.options()); !errors.Is(err, store.ErrAhead) {
			t.Errorf("Open = %v, want ErrAhead", err)
		}
		// Of the four, the day that was running is really over by now, so it stays closed.
		if r, _, err := store.Redate(t.Context(), f.path, time.Now()); err != nil || r.Rows != 1 || r.Closings != 3 {
			t.Fatalf("Redate = %+v, %v", r, err)
		}
		f.open(w.options())
		synctest.Wait()
		if got := closings(); got != before+1 {
			t.Errorf("%d periods are closed, want one day more than %d", got, before)
		}
		f.give("a", 4)
		got := ""
		for _, e := range f.ask(live.Query{Board: live.Global, Period: store.Daily, Limit: 5}).Entries {
			got += fmt.Sprintf("%s:%d ", e.UserID, e.Score)
		}
		if got != "b:5 a:4 " {
			t.Errorf("today's board is %s", got)
		}
		time.Sleep(day)
		synctest.Wait()
		if got := closings(); got != before+2 {
			t.Errorf("%d periods are closed, want two days more than %d", got, before)
		}
	})
}

// After a year without points, there is no closed day for each day of it.
func TestService_clockSilence(t *testing.T) {
	opts := live.Options{CacheTTL: 10_000 * time.Hour}
	inBubble(t, opts, func(t *testing.T, f *fixture) {
		f.put("a")
		f.give("a", 1)
		time.Sleep(3 * 24 * time.Hour)
		f.give("a", 1)
		synctest.Wait()
		if got := f.count(`SELECT count(*) FROM closings WHERE period = 'daily' AND complete`); got != 3 {
			t.Errorf("%d days are closed after three, two of them without points", got)
		}
		f.close()
		time.Sleep(365 * 24 * time.Hour)
		f.open(opts)
		f.give("a", 1)
		synctest.Wait()
		if got := f.count(`SELECT count(*) FROM closings WHERE period = 'daily' AND complete`); got != 4 {
			t.Errorf("%d days are closed after a year without points, want one more than 3", got)
		}
	})
}
