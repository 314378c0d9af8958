package api

import (
	"container/list"
	"context"
	"fmt"
	"sync"
	"time"
)

// hold is what one request holds of a room. Those of its methods that have no lock are for the
// request's goroutine.
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
	state   state
	wish    *wish         // that is in line; nil for none
	turn    *turns        // that it has; nil for none
	place   *list.Element // in the list that list returns
	since   time.Time     // when it got further; in a list
	began   time.Time     // when it came to its list
	got     int64         // bytes that were read since
	left    bool
	killer  *time.Timer
}

// state is what a hold's request does.
type state int

const (
	isWaiting state = iota // for its body, for a wish, or for the disk: nothing was made for it yet
	isBusy                 // its answer is being made
	isUnread               // its answer is being read
	isCut                  // it was cut off
)

// list is which list of the account the hold is in, or nil.
func (h *hold) list() *list.List {
	switch {
	case h.size == 0:
	case h.state == isWaiting:
		return &h.account.waiting
	case h.state == isUnread:
		return &h.account.unread
	}
	return nil
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
	if h.account == nil || h.state == isCut || h.left {
		h.name = account
		return
	}
	size := h.size
	r.put(h, 0, h.state)
	r.part(h)
	h.name = account
	r.put(h, size, h.state)
}

// begin waits until there is a turn of that kind, and room for an answer of up to so many bytes
// and for what it is made of. made gives back the turn, and what the answer does not take. Errors
// are errNoRoom.
func (h *hold) begin(ctx context.Context, kind, of, size int) (made func(size int), err error) {
	r := h.room
	r.mu.Lock()
	if h.state == isCut {
		r.mu.Unlock()
		return nil, errNoRoom
	}
	w := r.wish(h, kind, int64(of)+int64(size)*h.copies)
	if w == nil {
		r.mu.Unlock()
		return nil, errNoRoom
	}
	cuts := r.serve()
	r.mu.Unlock()
	end(cuts)
	select {
	case <-w.settled:
	case <-ctx.Done():
	}
	r.mu.Lock()
	if h.turn != nil {
		r.mu.Unlock()
		return func(size int) { h.made(w.size, int64(size)*h.copies) }, nil
	}
	r.withdraw(h)
	cuts = r.serve() // it may have stood in the way
	r.mu.Unlock()
	end(cuts)
	if ctx.Err() != nil {
		return nil, fmt.Errorf("%w: %w", errNoRoom, context.Cause(ctx))
	}
	return nil, errNoRoom
}

func (h *hold) made(wished, size int64) {
	r := h.room
	r.mu.Lock()
	var cuts []*hold
	if h.turn != nil {
		h.turn.making--
		h.turn = nil
		r.put(h, h.size-wished+size, isUnread)
		cuts = r.serve()
	}
	r.mu.Unlock()
	end(cuts)
}

// grow says that the request holds more than was known. It never waits. It reports whether there
// is room for what all hold now, or will be when what was cut off has left.
func (h *hold) grow(by int) bool {
	r := h.room
	r.mu.Lock()
	var cuts []*hold
	if !h.left {
		r.put(h, h.size+int64(by), h.state)
		cuts = r.bound(h)
	}
	fits := r.held-r.cutting <= r.most+r.most/2
	r.mu.Unlock()
	end(cuts)
	return fits
}

// keep says that the request holds so much, and that nothing of it is waited for any more.
func (h *hold) keep(size int64) {
	r := h.room
	r.mu.Lock()
	var cuts []*hold
	if h.state == isUnread && !h.left {
		r.put(h, size, isBusy)
		cuts = r.serve()
	}
	r.mu.Unlock()
	end(cuts)
}

// answers says that an answer is there to be read, for which there was no wish.
func (h *hold) answers() {
	r := h.room
	r.mu.Lock()
	defer r.mu.Unlock()
	if h.state == isWaiting && !h.left {
		r.put(h, h.size, isUnread)
	}
}

// read says that so many bytes were read.
func (h *hold) read(n int) {
	r := h.room
	r.mu.Lock()
	defer r.mu.Unlock()
	h.got += int64(n)
	if h.state == isUnread && h.place != nil {
		h.since = time.Now()
		h.account.unread.MoveToBack(h.place)
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
		if h.turn != nil {
			h.turn.making--
			h.turn = nil
		}
		r.withdraw(h)
		if h.account != nil {
			r.put(h, 0, h.state)
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
