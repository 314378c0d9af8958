package live_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"marcador/live"
)

func TestPublisher_throttle(t *testing.T) {
	inBubble(t, live.Options{Throttle: 10 * time.Second}, func(_ *testing.T, f *fixture) {
		f.put("u1", "u2")
		fl := f.follow()
		defer fl.leave()
		fl.want("0s: 1 u1:0 2 u2:0 ")

		f.give("u1", 1)
		fl.want("0s: 1 u1:1 2 u2:0 ") // after a quiet spell, at once
		time.Sleep(3 * time.Second)
		f.give("u2", 2)
		f.give("u2", 3)
		time.Sleep(6 * time.Second)
		fl.want() // the window is not over
		time.Sleep(time.Second)
		fl.want("10s: 1 u2:5 2 u1:1 ") // later ones as one
		time.Sleep(25 * time.Second)
		fl.want()
		f.give("u1", 1)
		fl.want("35s: 1 u2:5 2 u1:2 ")
	})
}

func TestPublisher_noWindows(t *testing.T) {
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

func TestPublisher_nothingVisible(t *testing.T) {
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
		f.put("u5") // one more takes part
		fl.want("0s: 1 u1:101 2 u2:50 ")
		f.put("u3") // the same name again, below the top
		f.put("u2") // the same name again
		fl.want()
		f.give("u4", 50) // into the top
		fl.want("0s: 1 u1:101 2 u4:60 ")
		if err := f.Erase(f.t.Context(), "u4"); err != nil {
			f.t.Fatal(err)
		}
		fl.want("0s: 1 u1:101 2 u2:50 ")
	})
}

func TestPublisher_nobodyFollows(t *testing.T) {
	inBubble(t, live.Options{Throttle: -1}, func(t *testing.T, f *fixture) {
		f.put("u1")
		fl := f.follow()
		fl.leave()
		before := live.CachedPage(f.Service)
		if before == nil {
			t.Fatal("nothing was kept for who followed")
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

// A follower whose page was made before a broadcast begins with the broadcast's;
// when the board returns to what its own page showed, it is told.
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
				t.Fatalf("round %d: a follower was left at %d, the board is at 0", i, got)
			}
			fl.leave()
		}
	})
}

// What is published is as old as the oldest change that a follower lacked, not as
// one from before anybody followed.
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
			t.Errorf("%d deliveries, %v s old; want 2, the second of which 8 s", stats.Deliveries, stats.Freshness.Sum)
		}
	})
}

// A window is never shorter than ten times what the last fan-out took.
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
		time.Sleep(time.Second) // forty seconds after the first: half of one took two
		fl.want("40s: 1 u1:2 ")
	})
}

// A follower that joins within a window has a newer state than the others; when
// the board returns to what those have, it must be told all the same.
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

// Whoever follows first while a write is under way must not miss it.
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
				t.Fatalf("a follower was left at %d, the board is at %d", got, i+1)
			}
			fl.leave()
		}
	})
}

// A failed broadcast is logged and skipped, and made good later.
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

// A write does not wait for a broadcast, however long that takes.
func TestPublisher_writesDoNotWait(t *testing.T) {
	inBubble(t, live.Options{Throttle: -1}, func(_ *testing.T, f *fixture) {
		f.put("u1")
		fl := f.follow()
		defer fl.leave()
		fl.want("0s: 1 u1:0 ")
		proceed := live.HoldProfiles(f.Service)
		for range 10 {
			f.give("u1", 1) // the broadcast of the first is stuck meanwhile
		}
		proceed()
		synctest.Wait()
		if got := fl.last.Entries[0].Score; got != 10 {
			t.Errorf("a follower was left at %d, want 10", got)
		}
	})
}
