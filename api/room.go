package api

import (
	"cmp"
	"container/list"
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"time"
)

const (
	// patience is how long an answer may go unread before it is cut off for others.
	patience = 250 * time.Millisecond

	// lastResort is how long a request that was cut off may go on holding what it has before its
	// connection is closed: over HTTP/2 the end of a stream has to be written as well.
	lastResort = time.Second
)

// maxLine is about how many requests wait for a turn or room at once. Past it each account has an
// equal share of the line, and leastInLine places in any case; what else it asks for is refused.
const (
	maxLine     = 2048
	leastInLine = 8
)

// errNoRoom is why an answer is not made: there was no room for it in time.
var errNoRoom = errors.New("api: no room for the answer")

// room is the memory that answers take together, from before they are made until their handlers
// have returned, and the turns in which they are made: each takes the CPU a millisecond.
//
// Who asks for more than there is waits in line behind others of the same account, and accounts
// take turns. Room is made by cutting off what has not been read for the longest, of the account
// that holds the most. So an account that does not read takes from itself, and others are
// answered meanwhile. Safe for concurrent use.
type room struct {
	most  int64 // bytes
	turns int   // answers that may be made at once
	calm  *calm

	mu       sync.Mutex
	held     int64               // guarded by mu: bytes
	cutting  int64               // guarded by mu: of them, what those hold that were cut off
	making   int                 // guarded by mu
	accounts map[string]*account // guarded by mu: those with a hold
	line     list.List           // guarded by mu: *account, those with a wish, next one first
	wishes   int                 // guarded by mu: of all of them
	look     *time.Timer         // guarded by mu: runs when something may have gone unread for long enough; nil for none
}

// account is whose answers they are. Its fields are guarded by the room's mu.
type account struct {
	name   string
	of     int       // holds that are its own, until they leave
	held   int64     // bytes, without what was cut off
	holds  list.List // *hold, what has gone unread for the longest first
	wishes list.List // *wish, oldest first
	place  *list.Element
}

// hold is what one request holds. Those of its methods that have no lock are for its goroutine.
type hold struct {
	room   *room
	name   string // of the account; the request's own
	copies int64  // how often an answer is there while it is written; the request's own

	ending sync.Mutex // taken without the room's mu held
	cut    func()     // guarded by ending: ends the request, which then leaves; nil once it has
	kill   func()     // guarded by ending: closes its connection; nil as well

	// These are guarded by the room's mu.
	account *account // nil until it has held something, or wished for it
	size    int64
	turn    bool          // it is being made
	since   time.Time     // when it got further
	place   *list.Element // in the account; nil where it holds nothing, or was cut off
	isCut   bool
	left    bool
	killer  *time.Timer
}

// wish is for a turn and room.
type wish struct {
	of      *hold
	size    int64
	granted chan struct{} // closed once it is
	place   *list.Element
}

func newRoom(most int64, turns int, c *calm) *room {
	return &room{most: most, turns: turns, calm: c, accounts: map[string]*account{}}
}

// enter returns the hold of a request that takes so much as it is. It never waits.
func (r *room) enter(account string, size int, cut, kill func()) *hold {
	h := &hold{room: r, name: account, cut: cut, kill: kill, copies: 1}
	if size > 0 {
		h.grow(size)
	}
	return h
}

// is says whose request it is, once that is known.
func (h *hold) is(account string) {
	r := h.room
	r.mu.Lock()
	defer r.mu.Unlock()
	if h.account == nil || h.isCut || h.left {
		h.name = account
		return
	}
	size := h.size
	r.resize(h, 0)
	r.part(h)
	h.name = account
	r.resize(h, size)
}

// begin waits until there is a turn and room for an answer that takes up to so many bytes. made
// gives back the turn, and what the answer does not take. Errors are errNoRoom.
func (h *hold) begin(ctx context.Context, size int) (made func(size int), err error) {
	r := h.room
	w := &wish{of: h, size: min(int64(size)*h.copies, r.most), granted: make(chan struct{})}
	r.mu.Lock()
	r.join(h)
	if r.wishes >= maxLine && h.account.wishes.Len() >= max(maxLine/r.line.Len(), leastInLine) {
		r.mu.Unlock()
		return nil, errNoRoom
	}
	r.wishes++
	if w.place = h.account.wishes.PushBack(w); h.account.place == nil {
		h.account.place = r.line.PushBack(h.account)
	}
	cuts := r.serve()
	r.mu.Unlock()
	end(cuts)
	select {
	case <-w.granted:
	case <-ctx.Done():
		r.mu.Lock()
		defer r.mu.Unlock()
		if w.place != nil {
			r.withdraw(w)
			return nil, fmt.Errorf("%w: %w", errNoRoom, context.Cause(ctx))
		}
	}
	return func(size int) { h.made(w.size, int64(size)*h.copies) }, nil
}

func (h *hold) made(wished, size int64) {
	r := h.room
	r.mu.Lock()
	var cuts []*hold
	if h.turn {
		h.turn = false
		r.making--
		r.resize(h, h.size-wished+size)
		cuts = r.serve()
	}
	r.mu.Unlock()
	end(cuts)
}

// grow says that the request holds more than was known. It never waits: half as much again as
// there is room for may be held for as long as others are read, and past it nothing is spared.
func (h *hold) grow(by int) {
	r := h.room
	r.mu.Lock()
	var cuts []*hold
	if !h.left {
		r.resize(h, h.size+int64(by))
		if cuts = r.clear(0, patience, h); r.held-r.cutting > r.most+r.most/2 {
			cuts = append(cuts, r.clear(0, 0, h)...)
		}
	}
	r.mu.Unlock()
	end(cuts)
}

// read says that some of the answer was read.
func (h *hold) read() {
	r := h.room
	r.mu.Lock()
	defer r.mu.Unlock()
	if h.place != nil {
		h.since = time.Now()
		h.account.holds.MoveToBack(h.place)
	}
}

// leave gives back all that the request holds. What is called later changes nothing.
func (h *hold) leave() {
	h.ending.Lock()
	h.cut, h.kill = nil, nil // what they end belongs to another request soon
	h.ending.Unlock()
	r := h.room
	r.mu.Lock()
	var cuts []*hold
	if !h.left {
		if h.turn {
			h.turn = false
			r.making--
		}
		if h.account != nil {
			r.resize(h, 0)
			r.part(h)
		}
		h.left = true
		if h.killer != nil {
			h.killer.Stop()
		}
		cuts = r.serve()
	}
	r.mu.Unlock()
	end(cuts)
}

// join gives the hold its account. It is called with mu held, as are those that follow.
func (r *room) join(h *hold) {
	if h.account != nil {
		return
	}
	if h.account = r.accounts[h.name]; h.account == nil {
		h.account = &account{name: h.name}
		r.accounts[h.name] = h.account
	}
	h.account.of++
}

// part takes the hold, which holds nothing, out of its account.
func (r *room) part(h *hold) {
	if h.account.of--; h.account.of == 0 {
		delete(r.accounts, h.account.name)
	}
	h.account = nil
}

// resize has the hold be of another size. While an answer is being made, and once it was cut off,
// it is not among what can be.
func (r *room) resize(h *hold, size int64) {
	r.join(h)
	by := size - h.size
	h.size = size
	r.held += by
	if h.isCut {
		r.cutting += by
	} else {
		h.account.held += by
	}
	switch there := size > 0 && !h.turn && !h.isCut; {
	case there && h.place == nil:
		h.since = time.Now()
		h.place = h.account.holds.PushBack(h)
	case !there && h.place != nil:
		h.account.holds.Remove(h.place)
		h.place = nil
	}
	if r.held > r.most/4 {
		r.calm.disturb()
	}
}

// serve grants the wishes that can be, and cuts off what stands in the way of the next one. The
// caller ends what is returned once mu is free.
func (r *room) serve() (cuts []*hold) {
	for r.making < r.turns && r.line.Len() > 0 {
		a, _ := r.line.Front().Value.(*account) // it has no others
		w, _ := a.wishes.Front().Value.(*wish)  // an account in line has one
		if r.held+w.size > r.most {
			return r.clear(w.size, patience, w.of)
		}
		r.withdraw(w)
		if a.place != nil {
			r.line.MoveToBack(a.place)
		}
		r.making++
		w.of.turn = true
		r.resize(w.of, w.of.size+w.size)
		close(w.granted)
	}
	return nil
}

// withdraw takes a wish out of the line.
func (r *room) withdraw(w *wish) {
	a := w.of.account
	r.wishes--
	a.wishes.Remove(w.place)
	w.place = nil
	if a.wishes.Len() == 0 {
		r.line.Remove(a.place)
		a.place = nil
	}
}

// clear chooses what is to be cut off so that there is room for so much more: what was not read
// for that long. Where nothing was yet, it looks again when something will be.
func (r *room) clear(size int64, unread time.Duration, but *hold) (cuts []*hold) {
	now := time.Now()
	for r.held-r.cutting+size > r.most {
		victim, next := r.stalest(now.Add(-unread), but)
		if victim == nil {
			if unread > 0 && r.look == nil {
				r.look = time.AfterFunc(max(next.Add(unread).Sub(now), time.Millisecond), r.lookAgain)
			}
			break
		}
		a := victim.account
		a.holds.Remove(victim.place)
		a.held -= victim.size
		victim.place, victim.isCut = nil, true
		r.cutting += victim.size
		victim.killer = time.AfterFunc(lastResort, victim.killed)
		cuts = append(cuts, victim)
	}
	return cuts
}

func (r *room) lookAgain() {
	r.mu.Lock()
	r.look = nil
	cuts := r.serve()
	r.mu.Unlock()
	end(cuts)
}

// stalest returns what was not read since then, of the account that holds the most of those that
// have such a thing, or else when the first was read that may be next.
func (r *room) stalest(since time.Time, but *hold) (victim *hold, next time.Time) {
	next = time.Now()
	for _, a := range r.accounts {
		e := a.holds.Front()
		if e != nil && e.Value == any(but) {
			e = e.Next()
		}
		if e == nil {
			continue
		}
		h, _ := e.Value.(*hold) // there are no others
		if h.since.Before(next) {
			next = h.since
		}
		if h.since.After(since) {
			continue
		}
		if victim == nil || cmp.Or(cmp.Compare(a.held, victim.account.held), victim.since.Compare(h.since)) > 0 {
			victim = h
		}
	}
	return victim, next
}

// end cuts the holds off. It is called without mu: to end a stream may take a moment.
func end(cuts []*hold) {
	for _, h := range cuts {
		h.ending.Lock()
		if h.cut != nil {
			h.cut()
		}
		h.ending.Unlock()
	}
}

func (h *hold) killed() {
	h.ending.Lock()
	defer h.ending.Unlock()
	if h.kill != nil {
		h.kill()
	}
}

// calm gives memory back to the system once a storm is over: garbage is not collected while
// nothing is asked for, and would stay for minutes. Safe for concurrent use.
type calm struct {
	after time.Duration

	mu    sync.Mutex
	last  time.Time   // guarded by mu: when it was disturbed
	timer *time.Timer // guarded by mu; nil for none
}

func newCalm() *calm { return &calm{after: 10 * time.Second} }

// disturb says that much is held now.
func (c *calm) disturb() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = time.Now()
	if c.timer == nil {
		c.timer = time.AfterFunc(c.after, c.look)
	}
}

func (c *calm) look() {
	c.mu.Lock()
	if left := c.after - time.Since(c.last); left > 0 {
		c.timer.Reset(left)
		c.mu.Unlock()
		return
	}
	c.timer = nil
	c.mu.Unlock()
	runtime.GC() // pools let go of what they have in two collections
	debug.FreeOSMemory()
}
