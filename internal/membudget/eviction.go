package membudget

import (
	"cmp"
	"container/list"
	"time"
)

// The methods of Budget in this file are called with mu held.

// enforce chooses what to cut off after a reservation has taken bytes without waiting. For a while,
// reservations may use half as much again as the budget, so that clients can read their answers.
// Beyond that, enforce may cut off any unread answer except the one of the reservation but.
func (b *Budget) enforce(but *Reservation) (cuts []*Reservation) {
	cuts = b.free(0, unreadGrace, but)
	for b.pending > b.bytes/2 {
		victim := b.stalest(time.Now(), but, func(a *account) *list.List { return &a.pending })
		if victim == nil {
			break
		}
		cuts = append(cuts, b.markCut(victim))
	}
	if b.used-b.leaving > b.bytes+b.bytes/2 {
		cuts = append(cuts, b.free(0, 0, but)...)
	}
	return cuts
}

// free chooses what to cut off so that need bytes more fit into the budget: answers that have gone
// unread for the given time. If there are too few, a timer calls serve again when there may be
// more.
func (b *Budget) free(need int64, unread time.Duration, but *Reservation) (cuts []*Reservation) {
	now := time.Now()
	for b.taken()-b.leaving+need > b.bytes {
		victim := b.stalest(now.Add(-unread), but, func(a *account) *list.List { return &a.unread })
		if victim == nil && need > 0 {
			victim = b.slowest(now)
		}
		if victim == nil {
			if unread > 0 && b.recheck == nil {
				b.recheck = time.AfterFunc(b.untilStale(now, unread), b.serveAgain)
			}
			break
		}
		cuts = append(cuts, b.markCut(victim))
	}
	return cuts
}

// stalest compares the first reservations of all accounts, each in the list that choose returns. Of
// those that have made no progress since the given time, it returns the one whose account uses the
// most, or nil.
func (b *Budget) stalest(since time.Time, but *Reservation, choose func(*account) *list.List) (victim *Reservation) {
	for _, a := range b.accounts {
		e := choose(a).Front()
		if e != nil && e.Value == any(but) {
			e = e.Next()
		}
		if e == nil {
			continue
		}
		r, _ := e.Value.(*Reservation) // the list holds nothing else
		if r.progressed.After(since) {
			continue
		}
		if victim == nil || cmp.Or(cmp.Compare(a.used, victim.account.used), victim.progressed.Compare(r.progressed)) > 0 {
			victim = r
		}
	}
	return victim
}

// untilStale returns how long it takes until an answer may have gone unread for the given time.
func (b *Budget) untilStale(now time.Time, unread time.Duration) time.Duration {
	first := now
	for _, a := range b.accounts {
		if e := a.unread.Front(); e != nil {
			r, _ := e.Value.(*Reservation) // the list holds nothing else
			if r.progressed.Before(first) {
				first = r.progressed
			}
		}
	}
	return max(first.Add(unread).Sub(now), 10*time.Millisecond)
}

// slowest looks at the accounts that use more than their share while another account waits. It
// takes the account that uses the most, and returns that account's most slowly read answer, or nil.
// It spares answers that are read quickly, because they are done soon.
func (b *Budget) slowest(now time.Time) (victim *Reservation) {
	share := b.bytes / int64(max(len(b.accounts), 1))
	least := 0.0
	for _, a := range b.accounts {
		if a.used <= share || !b.othersWait(a) || victim != nil && a.used <= victim.account.used {
			continue
		}
		var slow *Reservation
		for e := a.unread.Front(); e != nil; e = e.Next() {
			r, _ := e.Value.(*Reservation) // the list holds nothing else
			age := now.Sub(r.listed)
			rate := float64(r.read) / age.Seconds()
			if age < unreadGrace || rate*readWithin.Seconds() >= float64(r.size) {
				continue
			}
			if slow == nil || rate < least {
				slow, least = r, rate
			}
		}
		if slow != nil {
			victim = slow
		}
	}
	return victim
}

// othersWait reports whether an account other than this one has a waiter.
func (b *Budget) othersWait(a *account) bool {
	for k := range b.slots {
		queue := &b.slots[k].queue
		if queue.Len() > 1 || queue.Len() == 1 && queue.Front().Value != any(a) {
			return true
		}
	}
	return false
}

// markCut changes the state of the reservation, so that it is not chosen again. The caller passes
// it to cutOff.
func (b *Budget) markCut(r *Reservation) *Reservation {
	b.dequeue(r)
	b.set(r, r.size, isCut)
	r.closer = time.AfterFunc(closeAfter, r.closeConn)
	return r
}

// serveAgain is called by the timer, without mu.
func (b *Budget) serveAgain() {
	b.mu.Lock()
	b.recheck = nil
	cuts := b.serve()
	b.mu.Unlock()
	cutOff(cuts)
}

// cutOff ends the requests of the reservations. It is called without mu, because ending a stream
// may take a moment.
func cutOff(cuts []*Reservation) {
	for _, r := range cuts {
		r.ending.Lock()
		if r.cut != nil {
			r.cut()
		}
		r.ending.Unlock()
	}
}
