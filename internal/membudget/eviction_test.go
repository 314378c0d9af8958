package membudget_test

import (
	"testing"
	"testing/synctest"
	"time"

	"marcador/internal/membudget"
)

// readAt has the client read that many bytes a second until all of the answer is read or cut off.
// Then it releases.
func (c *client) readAt(perSecond, size int) {
	go func() {
		for left := size; left > 0 && !c.cut.Load(); left -= perSecond / 5 {
			time.Sleep(200 * time.Millisecond)
			c.Progress(perSecond / 5)
		}
		c.Release()
	}()
}

// An answer that finds no memory gets it at the cost of the answer that has gone unread for the
// longest, of the account that uses the most.
func TestBudget_cutsTheStalestAnswerOfTheLargestAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(100 * kilo)
		modest := reserve(b, "modest", 0)
		modest.answer(t, 20*kilo)
		var greedy []*client
		for range 4 {
			c := reserve(b, "greedy", 0)
			c.answer(t, 20*kilo)
			greedy = append(greedy, c)
			time.Sleep(time.Second)
		}
		greedy[0].Progress(1) // now the second one is the stalest
		began := time.Now()
		reserve(b, "other", 0).answer(t, 20*kilo)
		if waited := time.Since(began); waited != 0 {
			t.Errorf("waited %s for an answer that has long gone unread", waited)
		}
		synctest.Wait()
		if modest.cut.Load() || greedy[0].cut.Load() || !greedy[1].cut.Load() || greedy[2].cut.Load() {
			t.Errorf("cut off are modest %t, greedy %t %t %t", modest.cut.Load(), greedy[0].cut.Load(), greedy[1].cut.Load(), greedy[2].cut.Load())
		}
		if bytes, _ := b.Used(); bytes != 100*kilo {
			t.Errorf("%d bytes are in use", bytes)
		}
	})
}

// An answer that was just written is not cut off for others at once. They wait for a moment.
func TestBudget_givesClientsTimeToRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(100 * kilo)
		quick, slow := reserve(b, "a", 0), reserve(b, "a", 0)
		quick.answer(t, 50*kilo)
		slow.answer(t, 50*kilo)
		time.AfterFunc(10*time.Millisecond, quick.Release)
		began := time.Now()
		reserve(b, "b", 0).answer(t, 50*kilo)
		if waited := time.Since(began); waited != 10*time.Millisecond || slow.cut.Load() {
			t.Errorf("waited %s; cut off %t", waited, slow.cut.Load())
		}
		began = time.Now()
		reserve(b, "c", 0).answer(t, 50*kilo)
		if waited := time.Since(began); waited > time.Second || !slow.cut.Load() {
			t.Errorf("waited %s for an answer that nobody reads; cut off %t", waited, slow.cut.Load())
		}
	})
}

// The connection is closed if its request does not end after the cut.
func TestBudget_closesTheConnectionOfARequestThatDoesNotEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(100 * kilo)
		var stuck *membudget.Reservation
		closed := false
		stuck = b.Reserve("a", 100*kilo, func() {}, func() { closed = true; go stuck.Release() })
		stuck.Answering()
		time.Sleep(time.Second)
		began := time.Now()
		reserve(b, "b", 0).answer(t, 50*kilo)
		if waited := time.Since(began); !closed || waited > 2*time.Second {
			t.Errorf("closed %t after %s", closed, waited)
		}
	})
}

// Requests over HTTP/2 use memory before they wait for anything. Past the bound the oldest one is
// cut off, also if its account was only known later.
func TestBudget_boundsRequestsThatWaitForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(100 * kilo)
		var all []*client
		for range 30 {
			c := reserve(b, "/127.0.0.1/32", 10*kilo)
			c.SetAccount("u1")
			all = append(all, c)
			synctest.Wait()
			if bytes, _ := b.Used(); bytes > 150*kilo {
				t.Fatalf("%d bytes are in use", bytes)
			}
		}
		if !all[0].cut.Load() || all[29].cut.Load() {
			t.Errorf("cut off is the first %t, the last %t", all[0].cut.Load(), all[29].cut.Load())
		}
		for _, c := range all {
			c.Release()
		}
		wantUnused(t, b)
	})
}

// A client that uses the whole budget and reads a little, but steadily, delays nobody for long.
func TestBudget_cutsASteadyButSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(100 * kilo)
		slow := reserve(b, "slow", 0)
		slow.answer(t, 100*kilo)
		slow.readAt(10*kilo, 100*kilo)
		time.Sleep(time.Second)
		began := time.Now()
		reserve(b, "other", 0).answer(t, 50*kilo)
		if waited := time.Since(began); waited > time.Second || !slow.cut.Load() {
			t.Errorf("waited %s; cut off %t", waited, slow.cut.Load())
		}
		time.Sleep(time.Minute) // until all is read
	})
}

// A quick reader reads its answer to the end while others wait. So does a slow one that uses no
// more than its share, and one that only makes its own account wait.
func TestBudget_sparesReaders(t *testing.T) {
	for name, c := range map[string]struct {
		size, perSecond int
		other           string
	}{
		"quick":                      {100, 80, "other"},
		"only its own account waits": {100, 20, "reader"},
		"less than its share":        {40, 10, "other"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBudget(100 * kilo)
				reader, rest := reserve(b, "reader", 0), reserve(b, "rest", 0)
				if c.size < 100 {
					rest.answer(t, (100-c.size)*kilo)
				}
				reader.answer(t, c.size*kilo)
				reader.readAt(c.perSecond*kilo, c.size*kilo)
				reserve(b, c.other, 0).answer(t, 50*kilo)
				if reader.cut.Load() {
					t.Error("the reader was cut off")
				}
				rest.Release()
				time.Sleep(time.Minute) // until all is read
			})
		})
	}
}

// A queued request has nothing to read, so it is not cut off for not reading.
func TestBudget_sparesWaiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(1000 * kilo)
		first := reserve(b, "a", 0)
		first.answer(t, 900*kilo)
		first.readAt(600*kilo, 900*kilo)
		var waiters []*client
		for _, name := range []string{"b", "c", "d"} {
			c := reserve(b, name, 16*kilo)
			waiters = append(waiters, c)
			go func() {
				c.answer(t, 200*kilo)
				c.Release()
			}()
			synctest.Wait()
		}
		time.Sleep(2 * time.Second)
		for i, c := range waiters {
			if c.cut.Load() {
				t.Errorf("waiter %d was cut off", i)
			}
		}
		wantUnused(t, b)
	})
}
