package live_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"marcador/live"
)

// After a quiet time, a change is published at once. Later changes are published together, when the
// window is over.
func TestPublisher_throttle(t *testing.T) {
	inBubble(t, live.Options{Throttle: 10 * time.Second}, func(_ *testing.T, f *fixture) {
		f.put("u1", "u2")
		fl := f.follow()
		defer fl.leave()
		fl.want("0s: 1 u1:0 2 u2:0 ")

		f.give("u1", 1)
		fl.want("0s: 1 u1:1 2 u2:0 ") // at once, after a quiet time
		time.Sleep(3 * time.Second)
		f.give("u2", 2)
		f.give("u2", 3)
		time.Sleep(6 * time.Second)
		fl.want() // the window is not over
		time.Sleep(time.Second)
		fl.want("10s: 1 u2:5 2 u1:1 ") // all later changes
		time.Sleep(25 * time.Second)
		fl.want()
		f.give("u1", 1)
		fl.want("35s: 1 u2:5 2 u1:2 ")
	})
}

// With a negative throttle, every change is published at once.
func TestPublisher_withoutThrottle(t *testing.T) {
	inBubble(t, live.Options{Throttle: -1}, func(_ *testing.T, f *fixture) {
		f.put("u1")
		fl := f.follow()
		defer fl.leave()
		fl.want("0s: 1 u1:0 ")
		for range 3 {
			f.give("u1", 1)
			synctest.Wait()
		}
		fl.want("0s: 1 u1:1 ", "0s: 1 u1:2 ", "0s: 1 u1:3 ")
	})
}

// A change that the broadcast does not show is not published.
func TestPublisher_onlyVisibleChanges(t *testing.T) {
	inBubble(t, live.Options{Throttle: -1, Top: 2}, func(_ *testing.T, f *fixture) {
		f.put("u1", "u2", "u3", "u4")
		f.give("u1", 100)
		f.give("u2", 50)
		fl := f.follow()
		defer fl.leave()
		fl.want("0s: 1 u1:100 2 u2:50 ")
		f.give("u4", 10) // below the top
		fl.want()
		f.give("u1", 1)
		fl.want("0s: 1 u1:101 2 u2:50 ")
		f.put("u5") // the total number of entries changes
		fl.want("0s: 1 u1:101 2 u2:50 ")
		f.put("u3") // the same profile again, below the top
		f.put("u2") // the same profile again
		fl.want()
		f.give("u4", 50) // into the top
		fl.want("0s: 1 u1:101 2 u4:60 ")
		if err := f.Erase(f.t.Context(), "u4"); err != nil {
			f.t.Fatal(err)
		}
		fl.want("0s: 1 u1:101 2 u2:50 ")
	})
}

// No page is made for a broadcast that nobody follows.
func TestPublisher_nobodyFollows(t *testing.T) {
	inBubble(t, live.Options{Throttle: -1}, func(t *testing.T, f *fixture) {
		f.put("u1")
		fl := f.follow()
		fl.leave()
		before := live.CachedPage(f.Service)
		if before == nil {
			t.Fatal("no page was cached for the follower")
		}
		for range 10 {
			f.give("u1", 1)
			synctest.Wait()
		}
		if live.CachedPage(f.Service) != before {
			t.Error("a page was made for nobody")
		}
		again := f.follow()
		defer again.leave()
		again.want("0s: 1 u1:10 ")
	})
}

// A client that joins during a broadcast begins with the newer of two pages: its own and that of
// the broadcast. When the board returns to the older one, the client is told.
func TestPublisher_joinsWhilePublishing(t *testing.T) {
	inBubble(t, live.Options{Throttle: -1}, func(t *testing.T, f *fixture) {
		f.put("u1")
		for i := range 30 {
			done := make(chan struct{})
			go func() { defer close(done); f.give("u1", 5) }()
			fl := f.follow()
			<-done
			f.give("u1", -5)
			synctest.Wait()
			if got := fl.last.Entries[0].Score; got != 0 {
				t.Fatalf("round %d: the client has %d, want 0", i, got)
			}
			fl.leave()
		}
	})
}

// The age of a delivery counts from the oldest change that a follower lacked. Changes from before
// anybody followed do not count.
func TestPublisher_freshness(t *testing.T) {
	inBubble(t, live.Options{Throttle: 10 * time.Second}, func(t *testing.T, f *fixture) {
		f.put("u1")
		time.Sleep(time.Hour)
		fl := f.follow()
		defer fl.leave()
		f.give("u1", 1) // at once
		synctest.Wait()
		time.Sleep(2 * time.Second)
		f.give("u1", 1) // at the window's end, 8 s later
		time.Sleep(5 * time.Second)
		f.give("u1", 1)
		time.Sleep(time.Minute)
		fl.want("0s: 1 u1:0 ", "0s: 1 u1:1 ", "10s: 1 u1:3 ")
		stats := fl.streams.Stats()
		if stats.Deliveries != 2 || stats.Freshness.Sum != 8 {
			t.Errorf("%d deliveries, %v s old together; want 2, of 0 s and 8 s", stats.Deliveries, stats.Freshness.Sum)
		}
	})
}

// A window is at least ten times as long as the last fan-out.
func TestPublisher_slowFanout(t *testing.T) {
	inBubble(t, live.Options{Throttle: 10 * time.Second}, func(_ *testing.T, f *fixture) {
		f.put("u1")
		fl := f.follow()
		defer fl.leave()
		fl.slow(2 * time.Second)
		f.give("u1", 1)
		time.Sleep(5 * time.Second)
		fl.slow(0)
		f.give("u1", 1)
		time.Sleep(34 * time.Second)
		fl.want("0s: 1 u1:0 ", "2s: 1 u1:1 ")
		time.Sleep(time.Second) // half of the fan-out took 2 s; ten times all of it are 40 s
		fl.want("40s: 1 u1:2 ")
	})
}

// A client that joins within a window has a newer state than the others. When the board returns to
// what the others have, the client is told all the same.
func TestPublisher_joinsWithinAWindow(t *testing.T) {
	inBubble(t, live.Options{Throttle: 10 * time.Second}, func(_ *testing.T, f *fixture) {
		f.put("u1", "u2")
		first := f.follow()
		defer first.leave()
		f.give("u1", 5)
		first.want("0s: 1 u1:0 2 u2:0 ", "0s: 1 u1:5 2 u2:0 ")
		f.give("u2", 1)
		second := f.follow()
		defer second.leave()
		second.want("0s: 1 u1:5 2 u2:1 ")
		f.give("u2", -1)
		time.Sleep(10 * time.Second)
		second.want("10s: 1 u1:5 2 u2:0 ")
	})
}

// The first follower joins during a write, and does not miss it.
func TestPublisher_followWhileWriting(t *testing.T) {
	inBubble(t, live.Options{Throttle: -1}, func(t *testing.T, f *fixture) {
		f.put("u1")
		for i := range 50 {
			done := make(chan struct{})
			go func() { defer close(done); f.give("u1", 1) }()
			fl := f.follow()
			<-done
			synctest.Wait()
			if got := fl.last.Entries[0].Score; got != int64(i+1) {
				t.Fatalf("the client has %d, want %d", got, i+1)
			}
			fl.leave()
		}
	})
}

// A failed broadcast is logged, and made up for later.
func TestPublisher_failedQuery(t *testing.T) {
	inBubble(t, live.Options{Throttle: -1}, func(t *testing.T, f *fixture) {
		f.put("u1")
		fl := f.follow()
		defer fl.leave()
		fl.want("0s: 1 u1:0 ")
		f.sql(`ALTER TABLE users RENAME COLUMN avatar TO gone`)
		live.ForgetProfiles(f.Service)
		f.give("u1", 7)
		fl.want()
		if !strings.Contains(f.log.String(), "broadcast skipped") {
			t.Errorf("log = %s", f.log)
		}
		f.sql(`ALTER TABLE users RENAME COLUMN gone TO avatar`)
		time.Sleep(time.Second)
		fl.want("1s: 1 u1:7 ")
		f.give("u1", 1)
		fl.want("1s: 1 u1:8 ")
	})
}

// A write does not wait for a broadcast that is stuck.
func TestPublisher_writesDoNotWait(t *testing.T) {
	inBubble(t, live.Options{Throttle: -1}, func(_ *testing.T, f *fixture) {
		f.put("u1")
		fl := f.follow()
		defer fl.leave()
		fl.want("0s: 1 u1:0 ")
		proceed := live.HoldProfiles(f.Service)
		for range 10 {
			f.give("u1", 1) // the broadcast of the first change is stuck meanwhile
		}
		proceed()
		synctest.Wait()
		if got := fl.last.Entries[0].Score; got != 10 {
			t.Errorf("the client has %d, want 10", got)
		}
	})
}
