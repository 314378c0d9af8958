package api_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"marcador/api"
)

const kilo = 1 << 10

// client is a request in a room that leaves when it is cut off, as handlers do.
type client struct {
	api.Hold
	cut atomic.Bool
}

func enter(r api.Room, account string, size int) *client {
	c := &client{}
	c.Hold = r.Enter(account, size, func() {
		c.cut.Store(true)
		go c.Leave()
	}, func() {})
	return c
}

// make has the client make an answer of that size, and not read it.
func (c *client) make(t *testing.T, size int) {
	t.Helper()
	made, err := c.Begin(t.Context(), size)
	if err != nil {
		t.Fatal(err)
	}
	made(size)
}

// What is asked for waits until there is room, which is made by cutting off what was not read for
// the longest, of the account that holds the most.
func TestRoom_cutsTheStalestOfTheLargest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := api.NewRoom(100 * kilo)
		modest := enter(r, "modest", 0)
		modest.make(t, 20*kilo)
		var greedy []*client
		for range 4 {
			c := enter(r, "greedy", 0)
			c.make(t, 20*kilo)
			greedy = append(greedy, c)
			time.Sleep(time.Second)
		}
		greedy[0].Read(1) // it got further now
		began := time.Now()
		enter(r, "other", 0).make(t, 20*kilo)
		if waited := time.Since(began); waited != 0 {
			t.Errorf("waited %s for what was long not read", waited)
		}
		synctest.Wait()
		if modest.cut.Load() || greedy[0].cut.Load() || !greedy[1].cut.Load() || greedy[2].cut.Load() {
			t.Errorf("cut off are modest %t, greedy %t %t %t", modest.cut.Load(), greedy[0].cut.Load(), greedy[1].cut.Load(), greedy[2].cut.Load())
		}
		if bytes, _ := r.Held(); bytes != 100*kilo {
			t.Errorf("%d bytes are held", bytes)
		}
	})
}

// What was just written is not cut off for others: they wait for a moment.
func TestRoom_waits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := api.NewRoom(100 * kilo)
		quick, slow := enter(r, "a", 0), enter(r, "a", 0)
		quick.make(t, 50*kilo)
		slow.make(t, 50*kilo)
		time.AfterFunc(10*time.Millisecond, quick.Leave)
		began := time.Now()
		enter(r, "b", 0).make(t, 50*kilo)
		if waited := time.Since(began); waited != 10*time.Millisecond || slow.cut.Load() {
			t.Errorf("waited %s; cut off %t", waited, slow.cut.Load())
		}
		began = time.Now()
		enter(r, "c", 0).make(t, 50*kilo)
		if waited := time.Since(began); waited > time.Second || !slow.cut.Load() {
			t.Errorf("waited %s for what is not read; cut off %t", waited, slow.cut.Load())
		}
	})
}

// Who asks for much waits behind themselves: others have the next turn.
func TestRoom_turnsOfAccounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := api.NewRoom(100 << 20)
		var making []func(int)
		for range r.Turns() {
			made, err := enter(r, "greedy", 0).Begin(t.Context(), kilo)
			if err != nil {
				t.Fatal(err)
			}
			making = append(making, made)
		}
		order := make(chan string, 200)
		wish := func(account string) {
			c := enter(r, account, 0)
			go func() {
				made, err := c.Begin(t.Context(), kilo)
				if err != nil {
					t.Error(err)
					return
				}
				order <- account
				made(kilo)
			}()
			synctest.Wait()
		}
		for range 50 {
			wish("greedy")
		}
		wish("modest")
		making[0](0)
		synctest.Wait()
		if first, second := <-order, <-order; first != "modest" && second != "modest" {
			t.Errorf("first are %s and %s", first, second)
		}
		for _, made := range making[1:] {
			made(0)
		}
		synctest.Wait()
	})
}

// Who waits in vain is told so, and takes nothing.
func TestRoom_full(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := api.NewRoom(100 * kilo)
		stuck := r.Enter("a", 0, func() {}, func() {}) // is cut off and does not leave
		made, err := stuck.Begin(t.Context(), 100*kilo)
		if err != nil {
			t.Fatal(err)
		}
		made(100 * kilo)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		late := enter(r, "b", 0)
		if _, err := late.Begin(ctx, kilo); !errors.Is(err, api.ErrNoRoom) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error = %v", err)
		}
		late.Leave()
		stuck.Leave()
		if bytes, accounts := r.Held(); bytes != 0 || accounts != 0 {
			t.Errorf("%d bytes of %d accounts are held by nobody", bytes, accounts)
		}
	})
}

// A connection that does not even take the end of its stream is closed.
func TestRoom_kills(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := api.NewRoom(100 * kilo)
		var stuck api.Hold
		killed := false
		stuck = r.Enter("a", 100*kilo, func() {}, func() { killed = true; go stuck.Leave() })
		stuck.Answers()
		time.Sleep(time.Second)
		began := time.Now()
		enter(r, "b", 0).make(t, 50*kilo)
		if waited := time.Since(began); !killed || waited > 2*time.Second {
			t.Errorf("killed %t after %s", killed, waited)
		}
	})
}

// Requests over HTTP/2 count from when they begin: the oldest goes, and its account is known later.
func TestRoom_requests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := api.NewRoom(100 * kilo)
		var all []*client
		for range 30 {
			c := enter(r, "/127.0.0.1/32", 10*kilo)
			c.Is("u1")
			all = append(all, c)
			synctest.Wait()
			if bytes, _ := r.Held(); bytes > 150*kilo {
				t.Fatalf("%d bytes are held", bytes)
			}
		}
		if !all[0].cut.Load() || all[29].cut.Load() {
			t.Errorf("cut off is the first %t, the last %t", all[0].cut.Load(), all[29].cut.Load())
		}
		for _, c := range all {
			c.Leave()
		}
		if bytes, accounts := r.Held(); bytes != 0 || accounts != 0 {
			t.Errorf("%d bytes of %d accounts are held by nobody", bytes, accounts)
		}
	})
}

// reads has the client read so many bytes a second until all of the answer is read; then it leaves.
func (c *client) reads(size, perSecond int) {
	go func() {
		for left := size; left > 0 && !c.cut.Load(); left -= perSecond / 5 {
			time.Sleep(200 * time.Millisecond)
			c.Read(perSecond / 5)
		}
		c.Leave()
	}()
}

// An account that holds all the room and reads a little, but steadily, keeps nobody else waiting.
func TestRoom_steadyButSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := api.NewRoom(100 * kilo)
		slow := enter(r, "slow", 0)
		slow.make(t, 100*kilo)
		slow.reads(100*kilo, 10*kilo)
		time.Sleep(time.Second)
		began := time.Now()
		enter(r, "other", 0).make(t, 50*kilo)
		if waited := time.Since(began); waited > time.Second || !slow.cut.Load() {
			t.Errorf("waited %s; cut off %t", waited, slow.cut.Load())
		}
		time.Sleep(time.Minute) // until all is read
	})
}

// What is read quickly is read to its end while others wait. So is what is read slowly by who
// holds no more than their share, and by who keeps only themselves waiting.
func TestRoom_spares(t *testing.T) {
	for name, c := range map[string]struct {
		size, perSecond int
		other           string
	}{
		"quick":       {100, 80, "other"},
		"of oneself":  {100, 20, "reader"},
		"small share": {40, 10, "other"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := api.NewRoom(100 * kilo)
				reader, rest := enter(r, "reader", 0), enter(r, "rest", 0)
				if c.size < 100 {
					rest.make(t, (100-c.size)*kilo)
				}
				reader.make(t, c.size*kilo)
				reader.reads(c.size*kilo, c.perSecond*kilo)
				enter(r, c.other, 0).make(t, 50*kilo)
				if reader.cut.Load() {
					t.Error("it was cut off")
				}
				rest.Leave()
				time.Sleep(time.Minute) // until all is read
			})
		})
	}
}

// A request that waits in line has nothing to read: it is not cut off for that.
func TestRoom_waitersStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := api.NewRoom(1000 * kilo)
		first := enter(r, "a", 0)
		first.make(t, 900*kilo)
		first.reads(900*kilo, 600*kilo)
		var waiters []*client
		for _, name := range []string{"b", "c", "d"} {
			c := enter(r, name, 16*kilo)
			waiters = append(waiters, c)
			go func() {
				c.make(t, 200*kilo)
				c.Leave()
			}()
			synctest.Wait()
		}
		time.Sleep(2 * time.Second)
		for i, c := range waiters {
			if c.cut.Load() {
				t.Errorf("waiter %d was cut off", i)
			}
		}
		if bytes, _ := r.Held(); bytes != 0 {
			t.Errorf("%d bytes are still held", bytes)
		}
	})
}

// What is taken to need more than all the room gets all of it, and holds nobody up for long, though
// the request itself takes room and others wait behind it.
func TestRoom_wishForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := api.NewRoom(1000 * kilo)
		first := enter(r, "a", 0)
		first.make(t, 900*kilo)
		large, small := enter(r, "large", 16*kilo), enter(r, "small", 16*kilo)
		began := time.Now()
		for _, c := range []*client{large, small} {
			go func() {
				made, err := c.Begin(t.Context(), 2000*kilo)
				if err != nil {
					t.Error(err)
					return
				}
				made(100 * kilo)
				c.Leave()
			}()
			synctest.Wait()
		}
		first.Leave()
		synctest.Wait()
		if bytes, _ := r.Held(); bytes != 0 || time.Since(began) != 0 {
			t.Errorf("%d bytes are held after %s", bytes, time.Since(began))
		}
	})
}

// Answers from the database wait for each other, and pages wait for none of them.
func TestRoom_turnsOfThePast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := api.NewRoom(1000 * kilo)
		made, err := enter(r, "a", 0).BeginPast(t.Context(), kilo)
		if err != nil {
			t.Fatal(err)
		}
		second := false
		for _, name := range []string{"a", "b"} {
			go func() {
				made, err := enter(r, name, 0).BeginPast(t.Context(), kilo)
				if err != nil {
					t.Error(err)
					return
				}
				second = true
				made(kilo)
			}()
			synctest.Wait()
		}
		for range r.Turns() {
			enter(r, "c", 0).make(t, kilo)
		}
		if second {
			t.Error("two are read at once")
		}
		made(kilo)
		synctest.Wait()
		if !second {
			t.Error("the second is not read")
		}
	})
}

// An answer counts once while it is written; one in MessagePack counts twice, with the JSON that it
// is made of.
func TestRoom_written(t *testing.T) {
	r := api.NewRoom(1000 * kilo)
	for _, c := range []struct {
		packed bool
		want   int64
	}{{false, 100 * kilo}, {true, 200 * kilo}} {
		h := enter(r, "a", 0)
		if err := h.Answer(t.Context(), httptest.NewRecorder(), 100*kilo, c.packed); err != nil {
			t.Fatal(err)
		}
		if bytes, _ := r.Held(); bytes != c.want {
			t.Errorf("packed %t: %d bytes are held, want %d", c.packed, bytes, c.want)
		}
		h.Leave()
	}
}
