// Package membudget bounds the memory that many requests take together.
//
// Each request has a [Reservation] in a [Budget]. It reserves bytes before it uses them and
// releases them when its handler returns:
//
//	r := budget.Reserve(account, headBytes, cut, kill)
//	defer r.Release()
//	made, err := r.Acquire(ctx, membudget.PageSlot, 0, estimate) // waits for memory and a slot
//	if err != nil {
//		return err // ErrFull
//	}
//	answer := encode()
//	made(len(answer)) // returns the slot, and the bytes that the answer did not need
//	write(answer, r.Progress)
//
// A reservation goes through these states:
//
//	           Acquire            served             made
//	pending ────────────▶ queued ────────▶ making ─────────▶ unread ──┐
//	   │ ▲                 │ │                                │  ▲    │ Progress: the client
//	   │ └──── ErrFull ────┘ │                                │  └────┘ has read some of it
//	   │                     │                                │
//	   │ too much is pending │           unread for too long, │
//	   └──────────┬──────────┘           or read too slowly   │
//	              └──────────────▶ cut ◀──────────────────────┘
//
// Release ends every state: the bytes and the slot are free, and the next waiter is served. An
// answer for which nobody called Acquire goes from pending to unread by Answering. For the body of
// a request, unread means that the client has not sent all of it; Settle ends that.
//
// When memory is short, a waiter queues behind the other waiters of its account, and accounts are
// served in rotation. The budget frees memory by cutting off the answer that has gone unread for
// the longest, of the account that uses the most. If no answer has gone unread for long enough, it
// cuts off one that is read too slowly, of an account that uses more than its share. So an account
// that does not read its answers only hurts itself, and others are answered meanwhile.
package membudget

import (
	"container/list"
	"errors"
	"sync"
	"time"
)

const (
	// unreadGrace is how long an answer may go unread before it is cut off for the sake of others.
	unreadGrace = 250 * time.Millisecond

	// readWithin is how long a client may take to read an answer while others wait and its account
	// uses more than its share. An answer that is read too slowly for that is cut off.
	readWithin = 2 * time.Second

	// closeAfter is how long after the cut a reservation may keep its bytes before its connection
	// is closed. Over HTTP/2 even the end of a stream has to be written.
	closeAfter = time.Second
)

// maxWaiters is about how many waiters there may be at once. Past it, each account may have an
// equal share of them, or minWaiters if that is more. A request beyond the share gets ErrFull at
// once.
const (
	maxWaiters = 2048
	minWaiters = 8
)

// ErrFull says that there was no memory or slot for an answer in time.
var ErrFull = errors.New("membudget: no memory for it in time")

// Kind is the kind of slot that a request needs while its answer is made. It limits how many
// answers are made at once.
type Kind int

// The kinds of slots. Answers that read the database for long have slots of their own, so that
// pages never wait for them.
const (
	PageSlot  Kind = iota // for an answer from memory, which takes the CPU for a millisecond
	QuerySlot             // for an answer that reads the database for long
	NoSlot                // memory alone; there is no limit on the number
	kinds
)

// Options says how large a Budget is.
type Options struct {
	Bytes      int64    // what all reservations may use together
	PageSlots  int      // answers from memory that may be made at once
	QuerySlots int      // answers from the database that may be made at once
	Tuner      *GCTuner // told when much of the budget is used; must be set
}

// Budget is memory that requests share, and the slots in which answers are made. It is safe for
// concurrent use. No method but Acquire waits.
type Budget struct {
	bytes int64
	tuner *GCTuner

	mu sync.Mutex // guards everything below

	slots    [kinds]slots
	used     int64               // bytes of all reservations
	pending  int64               // the part of used for which nothing was made yet
	leaving  int64               // the part of used that was cut off and not released yet
	accounts map[string]*account // those with a reservation
	waiters  int                 // of all accounts
	arrivals int64               // how many waiters there ever were
	recheck  *time.Timer         // runs when an answer may have gone unread for too long; or nil
}

// slots are the slots of one kind.
type slots struct {
	max, inUse int
	queue      list.List // *account, those with a waiter of this kind, the next one to serve first
}

// account is whose requests they are: a user, or the address of an unknown caller. Its fields are
// guarded by the budget's mu.
type account struct {
	name         string
	reservations int            // that belong to it and are not released
	used         int64          // bytes, without what was cut off
	pending      list.List      // *Reservation, for which nothing was made yet, oldest first
	unread       list.List      // *Reservation, the one that has gone unread for the longest first
	waiting      [kinds]waiting // by kind of slot
}

// waiting is the queue of one account for one kind of slot.
type waiting struct {
	waiters list.List     // *waiter, oldest first
	elem    *list.Element // of the account in the queue of the slots; nil without waiters
}

// waiter is a reservation that waits for a slot and for memory.
type waiter struct {
	reservation *Reservation
	kind        Kind
	size        int64
	arrival     int64         // an earlier waiter has a lower number
	settled     chan struct{} // closed once it was served or has given up
	elem        *list.Element // in the queue of its account
}

// New returns an empty budget.
func New(opts Options) *Budget {
	b := &Budget{bytes: opts.Bytes, tuner: opts.Tuner, accounts: map[string]*account{}}
	b.slots[PageSlot].max, b.slots[QuerySlot].max, b.slots[NoSlot].max = opts.PageSlots, opts.QuerySlots, 1<<30
	return b
}

// Used returns how many bytes are in use, and by how many accounts.
func (b *Budget) Used() (bytes int64, accounts int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used, len(b.accounts)
}

// The methods below are called with mu held.

// attach gives the reservation its account.
func (b *Budget) attach(r *Reservation) {
	if r.account != nil {
		return
	}
	if r.account = b.accounts[r.name]; r.account == nil {
		r.account = &account{name: r.name}
		b.accounts[r.name] = r.account
	}
	r.account.reservations++
}

// detach takes the reservation, which uses nothing any more, from its account.
func (b *Budget) detach(r *Reservation) {
	if r.account.reservations--; r.account.reservations == 0 {
		delete(b.accounts, r.account.name)
	}
	r.account = nil
}

// set changes the size and the state of a reservation.
func (b *Budget) set(r *Reservation, size int64, to state) {
	b.attach(r)
	from := r.list()
	b.count(r, -r.size)
	r.size, r.state = size, to
	b.count(r, size)
	if into := r.list(); into != from {
		if from != nil {
			from.Remove(r.elem)
			r.elem = nil
		}
		if into != nil {
			r.elem = into.PushBack(r)
			r.progressed = time.Now()
			r.listed, r.read = r.progressed, 0
		}
	}
	if b.used > b.bytes/4 {
		b.tuner.Disturb()
	}
}

// count adds bytes to the totals that the reservation's state counts towards.
func (b *Budget) count(r *Reservation, by int64) {
	b.used += by
	if r.state == isCut {
		b.leaving += by
		return
	}
	r.account.used += by
	if r.state == isPending {
		b.pending += by
	}
}

// taken returns the bytes of answers that were made or are being made. Pending requests do not
// count.
func (b *Budget) taken() int64 { return b.used - b.pending }

// enqueue adds a waiter, or returns nil if its account has too many.
func (b *Budget) enqueue(r *Reservation, kind Kind, size int64) *waiter {
	b.attach(r)
	waitingAccounts := 0
	for k := range b.slots {
		waitingAccounts += b.slots[k].queue.Len()
	}
	own := 0
	for k := range r.account.waiting {
		own += r.account.waiting[k].waiters.Len()
	}
	if b.waiters >= maxWaiters && own >= max(maxWaiters/waitingAccounts, minWaiters) {
		return nil
	}
	b.waiters++
	b.arrivals++
	b.set(r, r.size, isPending)
	// A waiter for more than the whole budget would never be served, so it gets the whole budget.
	size = max(min(size, b.bytes-r.size), 0)
	w := &waiter{reservation: r, kind: kind, size: size, arrival: b.arrivals, settled: make(chan struct{})}
	r.waiter = w
	q := &r.account.waiting[kind]
	if w.elem = q.waiters.PushBack(w); q.elem == nil {
		q.elem = b.slots[kind].queue.PushBack(r.account)
	}
	return w
}

// dequeue removes the reservation's waiter, if it has one.
func (b *Budget) dequeue(r *Reservation) {
	w := r.waiter
	if w == nil {
		return
	}
	r.waiter = nil
	q := &r.account.waiting[w.kind]
	b.waiters--
	q.waiters.Remove(w.elem)
	w.elem = nil
	close(w.settled)
	if q.waiters.Len() == 0 {
		b.slots[w.kind].queue.Remove(q.elem)
		q.elem = nil
	}
}

// serve gives slots and memory to the waiters that can have them. If the next one lacks memory, it
// chooses what to cut off. The caller passes the result to cutOff once mu is unlocked.
func (b *Budget) serve() (cuts []*Reservation) {
	for w := b.next(); w != nil; w = b.next() {
		r := w.reservation
		need := r.size + w.size
		if b.taken()+need > b.bytes {
			return b.free(need, unreadGrace, r)
		}
		b.dequeue(r)
		if q := &r.account.waiting[w.kind]; q.elem != nil {
			b.slots[w.kind].queue.MoveToBack(q.elem)
		}
		b.slots[w.kind].inUse++
		r.slot = &b.slots[w.kind]
		b.set(r, need, isMaking)
	}
	return nil
}

// next returns the waiter to serve next, or nil. Each kind with a free slot has one candidate, the
// first waiter of the account in front; of the candidates the earliest is next.
func (b *Budget) next() (next *waiter) {
	for k := range b.slots {
		s := &b.slots[k]
		if s.inUse >= s.max || s.queue.Len() == 0 {
			continue
		}
		a, _ := s.queue.Front().Value.(*account)             // the list holds nothing else
		w, _ := a.waiting[k].waiters.Front().Value.(*waiter) // an account in the queue has a waiter
		if next == nil || w.arrival < next.arrival {
			next = w
		}
	}
	return next
}
