package live

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"marcador/rank"
	"marcador/store"
)

// finalsAtOnce is how many finals are written in one transaction. Writes wait that long.
const finalsAtOnce = 500

// closeAgain is the time between two attempts to close a period.
const closeAgain = time.Minute

// archive closes the periods that are over: it stores their final ranks. One goroutine does it
// in the background, a little at a time, whenever a period has ended and when the service
// starts. The closing of a period:
//
//	running
//	   │ its end passes; beginPeriods begins the next one, and wakes the goroutine
//	   ▼
//	over ◀── closeAgain after an error; at the next start, if the process ended meanwhile
//	   │ outcome: everybody's points are read and ranked
//	   ▼
//	outcome is known
//	   │ BeginClosing: what an earlier attempt has left is removed
//	   ▼
//	being written: readers don't see it yet
//	   │ AddFinals, AddPlaces: finalsAtOnce rows a transaction; writes go on in between
//	   │ EndClosing
//	   ▼
//	closed: readers see it ── older than Options.Retention ──▶ pruned
//
// A period without points is skipped if more than maxEmpty such periods follow each other.
type archive struct {
	s        *Service
	woken    chan struct{} // capacity 1: one wake-up covers everything that happened before it
	pruneDue atomic.Bool   // closed periods may be older than Options.Retention

	working sync.WaitGroup
}

func newArchive(s *Service) *archive { return &archive{s: s, woken: make(chan struct{}, 1)} }

// wake says that a period may have ended. It does not wait.
func (a *archive) wake() {
	select {
	case a.woken <- struct{}{}:
	default:
	}
}

// start starts the goroutine. It ends when the service's context is done.
func (a *archive) start() {
	a.wakeToPrune()
	a.working.Go(func() {
		var again <-chan time.Time
		for {
			select {
			case <-a.s.ctx.Done():
				return
			case <-a.woken:
			case <-again:
			}
			again = nil
			if a.pruneDue.Swap(false) {
				a.prune()
			}
			for p := range store.Period(store.Ending) {
				if err := a.catchUp(a.s.ctx, p); err != nil {
					a.s.logError("close a period; it is tried again", err)
					again = time.After(closeAgain)
				}
			}
		}
	})
}

// close waits until the goroutine has ended. The service's context must be done. The next start
// begins again with a closing that was interrupted.
func (a *archive) close() { a.working.Wait() }

// maxEmpty is how many periods without points may follow each other and still be closed: a month
// of days. If a clock was years ahead for a while, there would otherwise be thousands.
const maxEmpty = 31

// catchUp closes the periods of a kind that are over and not closed yet, oldest first.
func (a *archive) catchUp(ctx context.Context, p store.Period) error {
	s := a.s
	last, known, err := s.store.LastClosed(ctx, p)
	if err != nil || !known {
		return err
	}
	s.mu.RLock()
	running := s.periods.starts[p]
	s.mu.RUnlock()
	start := p.Start(last.In(s.opts.Location))
	if s.opts.Retention > 0 && s.clock.mayPrune() {
		if oldest := p.Start(s.opts.Now().Add(-s.opts.Retention).In(s.opts.Location)); start.Before(oldest) {
			start = oldest // an older period would be pruned at once
		}
	}
	for start.Before(running) {
		next, empty, err := a.nextWithPoints(ctx, p, start, running)
		if err != nil {
			return err
		}
		if empty > maxEmpty && next.After(start) {
			start = next
			continue
		}
		c := &store.Closing{Period: p, Start: start, Ends: p.Next(start), Ranks: s.opts.Ranks.String()}
		if err := a.closePeriod(ctx, c); err != nil {
			return err
		}
		start = c.Ends
	}
	return nil
}

// nextWithPoints returns the start of the first period, from start on, in which anybody was given
// points. If there is none before the running period, it returns the start of the running one.
// empty is how many periods in a row before next have no points; counting stops at maxEmpty+1.
func (a *archive) nextWithPoints(ctx context.Context, p store.Period, start, running time.Time) (next time.Time, empty int, err error) {
	before, after, err := a.s.store.PointsAround(ctx, start)
	if err != nil {
		return next, 0, err
	}
	next = running
	if given := p.Start(after.In(running.Location())); !after.IsZero() && given.Before(running) {
		next = given
	}
	first := start
	if !before.IsZero() {
		first = p.Next(before.In(running.Location()))
	}
	for ; first.Before(next) && empty <= maxEmpty; first = p.Next(first) {
		empty++
	}
	return next, empty, nil
}

// closePeriod closes a period. It reads the whole outcome before it writes anything. While somebody
// reads an earlier state of the database, SQLite can't move the write-ahead log into the file, so
// the log grows. To move a long log afterwards would delay one write for long.
func (a *archive) closePeriod(ctx context.Context, c *store.Closing) error {
	began := time.Now()
	finals, err := a.outcome(ctx, c)
	if err == nil {
		err = a.write(ctx, c, finals)
	}
	if err != nil {
		return fmt.Errorf("close the %s period from %s: %w", c.Period, c.Start, err)
	}
	a.s.log.InfoContext(ctx, "period closed", "period", c.Period.String(), "start", c.Start, "entries", c.Entries, "took", time.Since(began))
	return nil
}

// outcome returns the finals of the period, by position. Users who are hidden now come last. They
// have the rank that they would have, and do not count for the ranks of others.
func (a *archive) outcome(ctx context.Context, c *store.Closing) ([]store.Final, error) {
	var all, hidden []store.Final
	if err := a.s.store.Outcome(ctx, c, func(f *store.Final) { all = append(all, *f) }); err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b store.Final) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Reached, b.Reached))
	})
	a.s.mu.RLock()
	isHidden := maps.Clone(a.s.people.hidden)
	a.s.mu.RUnlock()
	count := rank.NewCounter(a.s.opts.Ranks)
	finals := all[:0]
	for _, f := range all {
		if _, is := isHidden[f.User]; is {
			f.Rank = count.Would(f.Score)
			hidden = append(hidden, f)
			continue
		}
		f.Rank = count.Next(f.Score)
		finals = append(finals, f)
	}
	c.Entries = len(finals)
	finals = append(finals, hidden...)
	for i := range finals {
		finals[i].Position = i + 1
	}
	return finals, nil
}

// write stores the finals, first by position and then by user. It sorts them by user.
func (a *archive) write(ctx context.Context, c *store.Closing, finals []store.Final) error {
	st := a.s.store
	if err := st.BeginClosing(ctx, c); err != nil {
		return err
	}
	for some := range slices.Chunk(finals, finalsAtOnce) {
		if err := st.Complete(ctx, c, some); err != nil {
			return err
		}
		if err := st.AddFinals(ctx, c, some); err != nil {
			return err
		}
	}
	slices.SortFunc(finals, func(a, b store.Final) int { return cmp.Compare(a.User, b.User) })
	for some := range slices.Chunk(finals, finalsAtOnce) {
		if err := st.AddPlaces(ctx, c, some); err != nil {
			return err
		}
	}
	return st.EndClosing(ctx, c)
}

// wakeToPrune asks the goroutine to prune. On another goroutine, pruning could meet a period that
// is being closed.
func (a *archive) wakeToPrune() {
	a.pruneDue.Store(true)
	a.wake()
}

// prune removes the closed periods that are older than Options.Retention.
func (a *archive) prune() {
	if retention := a.s.opts.Retention; retention > 0 && a.s.clock.mayPrune() {
		a.s.logError("prune closed periods", a.s.store.Prune(a.s.ctx, a.s.opts.Now().Add(-retention)))
	}
}
