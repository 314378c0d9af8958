package membudget

import (
	"container/list"
	"context"
	"fmt"
	"sync"
	"time"
)

// Reservation is the memory of a Budget that one request uses. It is safe for concurrent use, but
// for Account, SetAccount and CountCopies, which are for the goroutine of the request alone.
type Reservation struct {
	budget *Budget
	name   string // of the account; used by the goroutine of the request alone
	copies int64  // see CountCopies; used by the goroutine of the request alone

	ending sync.Mutex // locked without the budget's mu
	cut    func()     // guarded by ending: ends the request, which then releases; nil after that
	kill   func()     // guarded by ending: closes the connection; nil after the release

	// The fields below are guarded by the budget's mu.
	account    *account // nil until it uses bytes or waits for some
	size       int64    // bytes
	state      state
	waiter     *waiter       // while it is queued; else nil
	slot       *slots        // whose slot it has; nil for none
	elem       *list.Element // in the list that list returns; nil for none
	progressed time.Time     // when its client last read something, or when it came to its list
	listed     time.Time     // when it came to its list
	read       int64         // bytes that its client has read since
	released   bool
	closer     *time.Timer // calls kill after a cut
}

// state is what the request of a reservation does. The package comment has a picture of it.
type state int

const (
	isPending state = iota // nothing was made yet: it waits for its body, a slot or the disk
	isMaking               // its answer is being made
	isUnread               // its answer is being read
	isCut                  // it was cut off
)

// list returns the list of the account that the reservation is in, or nil.
func (r *Reservation) list() *list.List {
	switch {
	case r.size == 0:
	case r.state == isPending:
		return &r.account.pending
	case r.state == isUnread:
		return &r.account.unread
	}
	return nil
}

// Reserve returns the reservation of a new request that uses size bytes as it is. The budget calls
// cut to end the request, and kill to close its connection if that did not help. It calls neither
// after Release.
func (b *Budget) Reserve(account string, size int, cut, kill func()) *Reservation {
	r := &Reservation{budget: b, name: account, cut: cut, kill: kill, copies: 1}
	if size > 0 {
		r.Grow(size)
	}
	return r
}

// Account returns the name of the account that the reservation counts towards.
func (r *Reservation) Account() string { return r.name }

// SetAccount moves the reservation to another account, once it is known who calls.
func (r *Reservation) SetAccount(name string) {
	b := r.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	if r.account == nil || r.state == isCut || r.released {
		r.name = name
		return
	}
	size := r.size
	b.set(r, 0, r.state)
	b.detach(r)
	r.name = name
	b.set(r, size, r.state)
}

// CountCopies says how many copies of an answer are in memory while it is written. Acquire counts
// that many. The default is 1.
func (r *Reservation) CountCopies(n int) { r.copies = int64(n) }

// Acquire waits until a slot of that kind is free, and memory for an answer of up to answer bytes
// made from data of up to data bytes. The caller calls made when the answer is there, with the size
// that it turned out to have: that returns the slot and the bytes that are not needed. Errors wrap
// ErrFull, and the context's cause if that has ended.
func (r *Reservation) Acquire(ctx context.Context, kind Kind, data, answer int) (made func(answer int), err error) {
	b := r.budget
	b.mu.Lock()
	if r.state == isCut {
		b.mu.Unlock()
		return nil, ErrFull
	}
	w := b.enqueue(r, kind, int64(data)+int64(answer)*r.copies)
	if w == nil {
		b.mu.Unlock()
		return nil, ErrFull
	}
	cuts := b.serve()
	b.mu.Unlock()
	cutOff(cuts)
	select {
	case <-w.settled:
	case <-ctx.Done():
	}
	b.mu.Lock()
	if r.slot != nil {
		b.mu.Unlock()
		return func(answer int) { r.made(w.size, int64(answer)*r.copies) }, nil
	}
	b.dequeue(r)
	cuts = b.serve() // others may have waited behind it
	b.mu.Unlock()
	cutOff(cuts)
	if ctx.Err() != nil {
		return nil, fmt.Errorf("%w: %w", ErrFull, context.Cause(ctx))
	}
	return nil, ErrFull
}

// made returns the slot, and replaces the bytes that Acquire got by those that the answer has.
func (r *Reservation) made(acquired, size int64) {
	b := r.budget
	b.mu.Lock()
	var cuts []*Reservation
	if r.slot != nil {
		r.slot.inUse--
		r.slot = nil
		b.set(r, r.size-acquired+size, isUnread)
		cuts = b.serve()
	}
	b.mu.Unlock()
	cutOff(cuts)
}

// Grow adds bytes that the request uses beyond what it has reserved. It reports whether everything
// that is in use fits into the budget and half as much again, apart from what was cut off.
func (r *Reservation) Grow(by int) (fits bool) {
	b := r.budget
	b.mu.Lock()
	var cuts []*Reservation
	if !r.released {
		b.set(r, r.size+int64(by), r.state)
		cuts = b.enforce(r)
	}
	fits = b.used-b.leaving <= b.bytes+b.bytes/2
	b.mu.Unlock()
	cutOff(cuts)
	return fits
}

// Settle sets the size of a reservation whose client has nothing more to send or to read. It is no
// longer cut off for being slow.
func (r *Reservation) Settle(size int64) {
	b := r.budget
	b.mu.Lock()
	var cuts []*Reservation
	if r.state == isUnread && !r.released {
		b.set(r, size, isMaking)
		cuts = b.serve()
	}
	b.mu.Unlock()
	cutOff(cuts)
}

// Answering says that an answer for which Acquire was not called is ready to be read.
func (r *Reservation) Answering() {
	b := r.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	if r.state == isPending && !r.released {
		b.set(r, r.size, isUnread)
	}
}

// Progress says that the client has read n bytes. A reservation that makes progress is the last of
// its account to be cut off.
func (r *Reservation) Progress(n int) {
	b := r.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	r.read += int64(n)
	if r.state == isUnread && r.elem != nil {
		r.progressed = time.Now()
		r.account.unread.MoveToBack(r.elem)
	}
}

// Release returns everything that the request uses. Later calls of any method have no effect.
func (r *Reservation) Release() {
	r.ending.Lock()
	r.cut, r.kill = nil, nil // the connection may serve another request from now on
	r.ending.Unlock()
	b := r.budget
	b.mu.Lock()
	var cuts []*Reservation
	if !r.released {
		if r.slot != nil {
			r.slot.inUse--
			r.slot = nil
		}
		b.dequeue(r)
		if r.account != nil {
			b.set(r, 0, r.state)
			b.detach(r)
		}
		r.released = true
		if r.closer != nil {
			r.closer.Stop()
		}
		cuts = b.serve()
	}
	b.mu.Unlock()
	cutOff(cuts)
}

// closeConn closes the connection of a request that was cut off and did not end.
func (r *Reservation) closeConn() {
	r.ending.Lock()
	defer r.ending.Unlock()
	if r.kill != nil {
		r.kill()
	}
}
