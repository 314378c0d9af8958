package membudget_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"marcador/internal/membudget"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	kilo      = 1 << 10
	pageSlots = 4
)

func newBudget(bytes int64) *membudget.Budget {
	return membudget.New(membudget.Options{
		Bytes: bytes, PageSlots: pageSlots, QuerySlots: 1, Tuner: membudget.NewGCTuner(),
	})
}

// client is a request that releases its reservation when it is cut off, as handlers do.
type client struct {
	*membudget.Reservation

	cut atomic.Bool
}

func reserve(b *membudget.Budget, account string, size int) *client {
	c := &client{}
	c.Reservation = b.Reserve(account, size, func() {
		c.cut.Store(true)
		go c.Release()
	}, func() {})
	return c
}

// acquire waits for a page slot and for memory of that size.
func (c *client) acquire(ctx context.Context, size int) (made func(int), err error) {
	return c.Acquire(ctx, membudget.PageSlot, 0, size)
}

// answer makes an answer of that size, which the client does not read.
func (c *client) answer(t *testing.T, size int) {
	t.Helper()
	made, err := c.acquire(t.Context(), size)
	if err != nil {
		t.Fatal(err)
	}
	made(size)
}

// wantUnused fails the test if anything is still in use.
func wantUnused(t *testing.T, b *membudget.Budget) {
	t.Helper()
	if bytes, accounts := b.Used(); bytes != 0 || accounts != 0 {
		t.Errorf("after every release %d bytes of %d accounts are in use", bytes, accounts)
	}
}

// An account with many waiters waits behind itself: another account gets the next slot.
func TestBudget_servesAccountsInRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(100 << 20)
		var making []func(int)
		for range pageSlots {
			made, err := reserve(b, "greedy", 0).acquire(t.Context(), kilo)
			if err != nil {
				t.Fatal(err)
			}
			making = append(making, made)
		}
		served := make(chan string, 200)
		ask := func(account string) {
			c := reserve(b, account, 0)
			go func() {
				made, err := c.acquire(t.Context(), kilo)
				if err != nil {
					t.Error(err)
					return
				}
				served <- account
				made(kilo)
			}()
			synctest.Wait()
		}
		for range 50 {
			ask("greedy")
		}
		ask("modest")
		making[0](0)
		synctest.Wait()
		if first, second := <-served, <-served; first != "modest" && second != "modest" {
			t.Errorf("served first: %s and %s", first, second)
		}
		for _, made := range making[1:] {
			made(0)
		}
		synctest.Wait()
	})
}

// A waiter whose context ends gets an error that says so, and uses nothing.
func TestReservation_Acquire_givesUpWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(100 * kilo)
		stuck := b.Reserve("a", 0, func() {}, func() {}) // does not release when it is cut off
		made, err := stuck.Acquire(t.Context(), membudget.PageSlot, 0, 100*kilo)
		if err != nil {
			t.Fatal(err)
		}
		made(100 * kilo)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		late := reserve(b, "b", 0)
		if _, err := late.acquire(ctx, kilo); !errors.Is(err, membudget.ErrFull) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error = %v", err)
		}
		late.Release()
		stuck.Release()
		wantUnused(t, b)
	})
}

// A request that asks for more than the whole budget gets the whole budget. It does not delay the
// requests behind it for long, even though it uses memory before it waits.
func TestReservation_Acquire_moreThanTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(1000 * kilo)
		first := reserve(b, "a", 0)
		first.answer(t, 900*kilo)
		large, small := reserve(b, "large", 16*kilo), reserve(b, "small", 16*kilo)
		began := time.Now()
		for _, c := range []*client{large, small} {
			go func() {
				made, err := c.acquire(t.Context(), 2000*kilo)
				if err != nil {
					t.Error(err)
					return
				}
				made(100 * kilo)
				c.Release()
			}()
			synctest.Wait()
		}
		first.Release()
		synctest.Wait()
		if bytes, _ := b.Used(); bytes != 0 || time.Since(began) != 0 {
			t.Errorf("%d bytes are in use after %s", bytes, time.Since(began))
		}
	})
}

// Answers from the database wait for each other, and pages wait for none of them.
func TestBudget_pagesDoNotWaitForQueries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(1000 * kilo)
		made, err := reserve(b, "a", 0).Acquire(t.Context(), membudget.QuerySlot, 0, kilo)
		if err != nil {
			t.Fatal(err)
		}
		second := false
		for _, name := range []string{"a", "b"} {
			go func() {
				made, err := reserve(b, name, 0).Acquire(t.Context(), membudget.QuerySlot, 0, kilo)
				if err != nil {
					t.Error(err)
					return
				}
				second = true
				made(kilo)
			}()
			synctest.Wait()
		}
		for range pageSlots {
			reserve(b, "c", 0).answer(t, kilo)
		}
		if second {
			t.Error("two answers are read from the database at once")
		}
		made(kilo)
		synctest.Wait()
		if !second {
			t.Error("the second answer is not read from the database")
		}
	})
}
