package api

import (
	"cmp"
	"container/list"
	"errors"
	"sync"
	"time"
)

const (
	// patience is how long an answer may go unread before it is cut off for others.
	patience = 250 * time.Millisecond

	// lasting is how long an answer may take to be read while others wait, if its account holds
	// more than its share: an answer that is read so slowly that it would take longer is cut off.
	lasting = 2 * time.Second

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

// Kinds of turns.
const (
	present  = iota // for answers from memory: each takes the CPU a millisecond
	past            // for answers that are read from the database for long
	unturned        // for what takes room alone; there is a turn for everybody
	kinds
)

// room is the memory that requests take together, from before they take it until their handlers
// have returned, and the turns in which answers are made.
//
// A request that finds no room waits in line behind the other requests of its account. Accounts
// take turns. Room is made by cutting off the answer that was not read for longest, of the account
// that holds the most; or else one that is read too slowly, of an account that holds more than its
// share. So an account that does not read takes from itself, and others are answered meanwhile.
// Bodies have rooms of their own, where a body is unread until all of it is there. Safe for
// concurrent use.
type room struct {
	most int64 // bytes
	calm *calm

	mu       sync.Mutex
	turns    [kinds]turns        // guarded by mu
	held     int64               // guarded by mu: bytes
	waiting  int64               // guarded by mu: the part that requests hold for which nothing was made yet
	cutting  int64               // guarded by mu: the part that holds which were cut off still have
	accounts map[string]*account // guarded by mu: those with a hold
	wishes   int                 // guarded by mu: of all accounts
	wished   int64               // guarded by mu: how many wishes there ever were
	look     *time.Timer         // guarded by mu: runs when something may have gone unread for long enough; nil for none
}

// turns are those of one kind.
type turns struct {
	most, making int
	line         list.List // *account, those with a wish for such a turn, next one first
}

// account is whose requests they are. Its fields are guarded by the room's mu.
type account struct {
	name    string
	of      int       // holds that are its own, until they leave
	held    int64     // bytes, without what was cut off
	waiting list.List // *hold, for which nothing was made yet, oldest first
	unread  list.List // *hold, what has gone unread for longest first
	queues  [kinds]queue
}

// queue is an account's wishes for one kind of turn.
type queue struct {
	wishes list.List     // *wish, oldest first
	place  *list.Element // in the line; nil without wishes
}

// wish is for a turn and room.
type wish struct {
	of      *hold
	kind    int
	size    int64
	number  int64         // an earlier wish has a lower one
	settled chan struct{} // closed once it is granted or withdrawn
	place   *list.Element
}

// newRoom returns an empty room. So many answers may be made at once: of those from memory, and of
// those from the database.
func newRoom(most int64, ofPresent, ofPast int, c *calm) *room {
	r := &room{most: most, calm: c, accounts: map[string]*account{}}
	r.turns[present].most, r.turns[past].most, r.turns[unturned].most = ofPresent, ofPast, 1<<30
	return r
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

// put has the hold be of another size, or in another state.
func (r *room) put(h *hold, size int64, to state) {
	r.join(h)
	from := h.list()
	r.count(h, -h.size)
	h.size, h.state = size, to
	r.count(h, size)
	if into := h.list(); into != from {
		if from != nil {
			from.Remove(h.place)
			h.place = nil
		}
		if into != nil {
			h.place = into.PushBack(h)
			h.since = time.Now()
			h.began, h.got = h.since, 0
		}
	}
	if r.held > r.most/4 {
		r.calm.disturb()
	}
}

// count adds to what is held in the hold's state.
func (r *room) count(h *hold, by int64) {
	r.held += by
	if h.state == isCut {
		r.cutting += by
		return
	}
	h.account.held += by
	if h.state == isWaiting {
		r.waiting += by
	}
}

// taken is how many bytes are held by what was made, or is being made.
func (r *room) taken() int64 { return r.held - r.waiting }

// wish puts a wish in line, or returns nil where the line is too long for one more of its account.
func (r *room) wish(h *hold, kind int, size int64) *wish {
	r.join(h)
	line := 0 // of accounts
	for k := range r.turns {
		line += r.turns[k].line.Len()
	}
	own := 0
	for k := range h.account.queues {
		own += h.account.queues[k].wishes.Len()
	}
	if r.wishes >= maxLine && own >= max(maxLine/line, leastInLine) {
		return nil
	}
	r.wishes++
	r.wished++
	r.put(h, h.size, isWaiting)
	// A wish for more than there is would never be granted.
	w := &wish{of: h, kind: kind, size: max(min(size, r.most-h.size), 0), number: r.wished, settled: make(chan struct{})}
	h.wish = w
	q := &h.account.queues[kind]
	if w.place = q.wishes.PushBack(w); q.place == nil {
		q.place = r.turns[kind].line.PushBack(h.account)
	}
	return w
}

// withdraw takes the hold's wish out of the line, if it has one there.
func (r *room) withdraw(h *hold) {
	w := h.wish
	if w == nil {
		return
	}
	h.wish = nil
	q := &h.account.queues[w.kind]
	r.wishes--
	q.wishes.Remove(w.place)
	w.place = nil
	close(w.settled)
	if q.wishes.Len() == 0 {
		r.turns[w.kind].line.Remove(q.place)
		q.place = nil
	}
}

// serve grants the wishes that can be, and cuts off what stands in the way of the next one. The
// caller ends what is returned once mu is free.
func (r *room) serve() (cuts []*hold) {
	for w := r.next(); w != nil; w = r.next() {
		need := w.of.size + w.size
		if r.taken()+need > r.most {
			return r.clear(need, patience, w.of)
		}
		r.withdraw(w.of)
		if q := &w.of.account.queues[w.kind]; q.place != nil {
			r.turns[w.kind].line.MoveToBack(q.place)
		}
		r.turns[w.kind].making++
		w.of.turn = &r.turns[w.kind]
		r.put(w.of, need, isBusy)
	}
	return nil
}

// next is the wish to grant next, or nil: of those that the lines of kinds with a free turn have
// in front, the earliest.
func (r *room) next() (next *wish) {
	for k := range r.turns {
		t := &r.turns[k]
		if t.making >= t.most || t.line.Len() == 0 {
			continue
		}
		a, _ := t.line.Front().Value.(*account)          // it has no others
		w, _ := a.queues[k].wishes.Front().Value.(*wish) // an account in line has one
		if next == nil || w.number < next.number {
			next = w
		}
	}
	return next
}

// bound cuts off what is too much, where something was taken without a wish. Half as much again as
// there is room for may be held for as long as answers are read. Past it nothing is spared.
func (r *room) bound(but *hold) (cuts []*hold) {
	cuts = r.clear(0, patience, but)
	for r.waiting > r.most/2 {
		victim := r.choose(time.Now(), but, func(a *account) *list.List { return &a.waiting })
		if victim == nil {
			break
		}
		cuts = append(cuts, r.cut(victim))
	}
	if r.held-r.cutting > r.most+r.most/2 {
		cuts = append(cuts, r.clear(0, 0, but)...)
	}
	return cuts
}

// clear chooses what is to be cut off so that there is room for so much more: what was not read
// for that long. Where nothing was yet, it looks again when something will be.
func (r *room) clear(need int64, unread time.Duration, but *hold) (cuts []*hold) {
	now := time.Now()
	for r.taken()-r.cutting+need > r.most {
		victim := r.choose(now.Add(-unread), but, func(a *account) *list.List { return &a.unread })
		if victim == nil && need > 0 {
			victim = r.slowest(now)
		}
		if victim == nil {
			if unread > 0 && r.look == nil {
				r.look = time.AfterFunc(r.wait(now, unread), r.lookAgain)
			}
			break
		}
		cuts = append(cuts, r.cut(victim))
	}
	return cuts
}

// choose returns the first hold of a list that got no further since then, of the account that
// holds the most of those that have such a hold.
func (r *room) choose(since time.Time, but *hold, of func(*account) *list.List) (victim *hold) {
	for _, a := range r.accounts {
		e := of(a).Front()
		if e != nil && e.Value == any(but) {
			e = e.Next()
		}
		if e == nil {
			continue
		}
		h, _ := e.Value.(*hold) // there are no others
		if h.since.After(since) {
			continue
		}
		if victim == nil || cmp.Or(cmp.Compare(a.held, victim.account.held), victim.since.Compare(h.since)) > 0 {
			victim = h
		}
	}
	return victim
}

// wait is how long nothing will have been unread for so long.
func (r *room) wait(now time.Time, unread time.Duration) time.Duration {
	first := now
	for _, a := range r.accounts {
		if e := a.unread.Front(); e != nil {
			if h, _ := e.Value.(*hold); h.since.Before(first) { // there are no others
				first = h.since
			}
		}
	}
	return max(first.Add(unread).Sub(now), 10*time.Millisecond)
}

// slowest returns what is read the slowest, of the account that holds the most of those that hold
// more than their share while another waits. What is read quickly is not returned: it is done soon.
func (r *room) slowest(now time.Time) (victim *hold) {
	share := r.most / int64(max(len(r.accounts), 1))
	least := 0.0
	for _, a := range r.accounts {
		if a.held <= share || !r.anotherWaits(a) || victim != nil && a.held <= victim.account.held {
			continue
		}
		var slow *hold
		for e := a.unread.Front(); e != nil; e = e.Next() {
			h, _ := e.Value.(*hold) // there are no others
			age := now.Sub(h.began)
			rate := float64(h.got) / age.Seconds()
			if age < patience || rate*lasting.Seconds() >= float64(h.size) {
				continue
			}
			if slow == nil || rate < least {
				slow, least = h, rate
			}
		}
		if slow != nil {
			victim = slow
		}
	}
	return victim
}

// anotherWaits reports whether an account other than that one is in line.
func (r *room) anotherWaits(a *account) bool {
	for k := range r.turns {
		line := &r.turns[k].line
		if line.Len() > 1 || line.Len() == 1 && line.Front().Value != any(a) {
			return true
		}
	}
	return false
}

// cut takes the hold out of what can be cut off. The caller ends it.
func (r *room) cut(h *hold) *hold {
	r.withdraw(h)
	r.put(h, h.size, isCut)
	h.killer = time.AfterFunc(lastResort, h.killed)
	return h
}

func (r *room) lookAgain() {
	r.mu.Lock()
	r.look = nil
	cuts := r.serve()
	r.mu.Unlock()
	end(cuts)
}
