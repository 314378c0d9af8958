package live_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"marcador/live"
	"marcador/sse"
)

// A user is told each move of their own rank, on each of their streams, also below the top.
func TestViewers_rankChanged(t *testing.T) {
	inBubble(t, live.Options{Throttle: -1, Top: 2}, func(_ *testing.T, f *fixture) {
		f.put("u1", "u2", "u3", "u4")
		f.give("u1", 100)
		f.give("u2", 50)
		f.give("u3", 40)
		fl, tab, other := f.followAs("u4", 0), f.followAs("u4", 0), f.followAs("nobody", 0)
		defer fl.leave()
		defer tab.leave()
		defer other.leave()
		first := "0s: 1 u1:100 2 u2:50 "
		for _, one := range []*client{fl, tab, other} {
			one.want(first)
		}

		f.give("u4", 10) // points without a move, below the top
		fl.want()
		f.give("u4", 35) // a move below the top; the event counts the earlier 10 points too
		fl.want("0s: rank 4>3 +45")
		tab.want("0s: rank 4>3 +45")
		other.want()

		f.give("u4", 10) // into the top
		fl.want("0s: rank 3>2 +10", "0s: 1 u1:100 2 u4:55 ")
		tab.want("0s: rank 3>2 +10", "0s: 1 u1:100 2 u4:55 ")
		other.want("0s: 1 u1:100 2 u4:55 ")

		f.give("u2", 10) // u4 moves because of another user
		fl.want("0s: rank 2>3 +0", "0s: 1 u1:100 2 u2:60 ")
		f.give("u4", -30) // a correction
		fl.want("0s: rank 3>4 -30")
		if err := f.Erase(f.t.Context(), "u1"); err != nil {
			f.t.Fatal(err)
		}
		fl.want("0s: rank 4>3 +0", "0s: 1 u2:60 2 u3:40 ")
		if err := f.Erase(f.t.Context(), "u4"); err != nil {
			f.t.Fatal(err)
		}
		fl.want("0s: rank 3>0 -25", "0s: 1 u2:60 2 u3:40 ")
		f.put("nobody")
		other.want("0s: 1 u1:100 2 u2:60 ", "0s: 1 u2:60 2 u3:40 ", "0s: 1 u2:60 2 u3:40 ", "0s: rank 0>3 +0", "0s: 1 u2:60 2 u3:40 ")
	})
}

// Moves within a window are told as one. If they cancel out, nothing is told.
func TestViewers_window(t *testing.T) {
	inBubble(t, live.Options{Throttle: 10 * time.Second}, func(_ *testing.T, f *fixture) {
		f.put("u1", "u2", "u3")
		fl := f.followAs("u3", sse.Diff)
		defer fl.leave()
		fl.want("0s: 1 u1:0 2 u2:0 3 u3:0 ")
		f.give("u3", 5)
		fl.want("0s: rank 3>1 +5", "0s: 3>4 u3 3>1:5 u1 1>2 u2 2>3")
		f.give("u3", 1)
		f.give("u2", 20)
		f.give("u3", 50)
		f.give("u3", -2)
		time.Sleep(10 * time.Second)
		fl.want("10s: 4>8 u3 1>1:54 u2 3>2:20 u1 2>3")
		f.give("u2", 100)
		f.give("u2", -90)
		f.give("u3", 7)
		time.Sleep(10 * time.Second)
		fl.want("20s: 8>11 u3 1>1:61 u2 2>2:30")
	})
}

// A change that is news for nobody begins no window.
func TestViewers_noNews(t *testing.T) {
	inBubble(t, live.Options{Throttle: 10 * time.Second, Top: 1}, func(_ *testing.T, f *fixture) {
		f.put("u1", "u2", "u3")
		f.give("u1", 50)
		fl := f.followAs("u1", 0)
		defer fl.leave()
		time.Sleep(time.Minute)
		f.give("u3", 5) // below the top, and u1 does not move
		fl.want("0s: 1 u1:50 ")
		time.Sleep(time.Second)
		f.give("u1", 1)
		fl.want("61s: 1 u1:51 ")
	})
}

// A second tab that joins within a window was told something newer than the first. When the rank
// returns to what the first tab knows, the second is told all the same.
func TestViewers_joinsWithinAWindow(t *testing.T) {
	inBubble(t, live.Options{Throttle: 10 * time.Second}, func(_ *testing.T, f *fixture) {
		f.put("u1", "u2")
		first := f.followAs("u1", 0)
		defer first.leave()
		f.give("u2", 5)
		first.want("0s: 1 u1:0 2 u2:0 ", "0s: rank 1>2 +0", "0s: 1 u2:5 2 u1:0 ")
		f.give("u1", 9)
		second := f.followAs("u1", 0)
		defer second.leave()
		second.want("0s: 1 u1:9 2 u2:5 ")
		f.give("u1", -9)
		time.Sleep(10 * time.Second)
		second.want("10s: rank 1>2 -9", "10s: 1 u2:5 2 u1:0 ")
		first.want("10s: 1 u2:5 2 u1:0 ")
	})
}

// After a reconnection, one event covers the gap. That holds after a restart too, when only the
// ledger knows the earlier rank.
func TestViewers_gap(t *testing.T) {
	for _, restart := range []bool{false, true} {
		t.Run(fmt.Sprintf("restart=%v", restart), func(t *testing.T) {
			inBubble(t, live.Options{Throttle: -1}, func(_ *testing.T, f *fixture) {
				f.put("u1", "u2", "u3")
				f.give("u1", 30)
				f.give("u2", 20)
				f.give("u3", 10)
				fl := f.followAs("u3", sse.Diff)
				fl.want("0s: 1 u1:30 2 u2:20 3 u3:10 ")
				seen := fl.lastID()
				fl.leave()
				f.give("u3", 15)
				f.give("u2", 1)
				f.give("u3", 100)
				if restart {
					f.close()
					f.open(live.Options{Throttle: -1})
				}
				again := f.resume("u3", seen, sse.Diff)
				if restart { // nobody knows any more which page was shown as version 6
					again.want("0s: rank 3>1 +115", "0s: 1 u3:125 2 u1:30 3 u2:21 ")
				} else {
					again.want("0s: rank 3>1 +115", "0s: 6>9 u3 3>1:125 u1 1>2 u2 2>3:21")
				}
				now := again.lastID()
				again.leave()
				again = f.resume("u3", now, sse.Diff) // nothing has changed since
				again.want()
				again.leave()
				again = f.resume("u1", seen, sse.Diff) // another user, with the id of u3
				again.want("0s: rank 1>2 +0", "0s: 1 u3:125 2 u1:30 3 u2:21 ")
				again.leave()
				epoch, _, _ := strings.Cut(seen, "-")
				again = f.resume("u1", epoch+"-6", sse.Diff) // without a tag, as in older ids
				again.want("0s: rank 1>2 +0", "0s: 1 u3:125 2 u1:30 3 u2:21 ")
				again.leave()
				again = f.resume("u3", epoch+"-1000000", sse.Diff) // a version of the future
				again.want("0s: 1 u3:125 2 u1:30 3 u2:21 ")
				again.leave()
			})
		})
	}
}

// A rank that is worked out from the ledger is the rank that the page showed.
func TestRankHistory_equalsThePages(t *testing.T) {
	inBubble(t, live.Options{Throttle: -1}, func(t *testing.T, f *fixture) {
		ids := []string{"a", "b", "c", "d", "e", "f"}
		f.put(ids...)
		seed := rand.Uint64()
		random := rand.New(rand.NewPCG(seed, 0))
		t.Logf("seed %d", seed)
		for range 200 {
			version := f.give(ids[0], 1).Version
			want := map[string]int{}
			for _, e := range f.page(0, 100, "").Entries {
				want[e.UserID] = e.Rank
			}
			for range random.IntN(8) {
				f.give(ids[random.IntN(len(ids))], int64(1+random.IntN(3)))
			}
			for who, rank := range want {
				if got := live.RankBefore(f.Service, who, version); got != rank {
					t.Fatalf("%s had rank %d by the ledger, and %d by the page", who, got, rank)
				}
			}
		}
	})
}
