package api_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"marcador/api"
)

const kilo = 1 << 10

// client is a request in a room that leaves when it is cut off, as handlers do.
type client struct {
	api.Hold
	cut bool
}

func enter(r api.Room, account string, size int) *client {
	c := &client{}
	c.Hold = r.Enter(account, size, func() {
		c.cut = true
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
		greedy[0].Read() // it got further now
		began := time.Now()
		enter(r, "other", 0).make(t, 20*kilo)
		if waited := time.Since(began); waited != 0 {
			t.Errorf("waited %s for what was long not read", waited)
		}
		synctest.Wait()
		if modest.cut || greedy[0].cut || !greedy[1].cut || greedy[2].cut {
			t.Errorf("cut off are modest %t, greedy %t %t %t", modest.cut, greedy[0].cut, greedy[1].cut, greedy[2].cut)
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
		if waited := time.Since(began); waited != 10*time.Millisecond || slow.cut {
			t.Errorf("waited %s; cut off %t", waited, slow.cut)
		}
		began = time.Now()
		enter(r, "c", 0).make(t, 50*kilo)
		if waited := time.Since(began); waited > time.Second || !slow.cut {
			t.Errorf("waited %s for what is not read; cut off %t", waited, slow.cut)
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
		if !all[0].cut || all[29].cut {
			t.Errorf("cut off is the first %t, the last %t", all[0].cut, all[29].cut)
		}
		for _, c := range all {
			c.Leave()
		}
		if bytes, accounts := r.Held(); bytes != 0 || accounts != 0 {
			t.Errorf("%d bytes of %d accounts are held by nobody", bytes, accounts)
		}
	})
}
