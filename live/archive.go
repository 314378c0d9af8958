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

// finalsAtOnce is how many places are written in one transaction, for which writes wait.
const finalsAtOnce = 500

// closeAgain is after how long a period is closed again that could not be.
const closeAgain = time.Minute

// archive keeps the final ranks of periods that are over. It works in the background, a
// little at a time, when a period has ended and at the start.
type archive struct {
	s        *Service
	woken    chan struct{} // of capacity 1: a second wake before the first is seen adds nothing
	pruneDue atomic.Bool   // some may be older than they have to be kept

	working sync.WaitGroup
}

func newArchive(s *Service) *archive { return &archive{s: s, woken: make(chan struct{}, 1)} }

// wake says that a period may have ended.
func (a *archive) wake() {
	select {
	case a.woken <- struct{}{}:
	default:
	}
}

// start closes what has ended, until close is called.
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
			for p := range Period(store.Ending) {
				if err := a.catchUp(a.s.ctx, p); err != nil {
					a.s.logError("close a period; it is tried again", err)
					again = time.After(closeAgain)
				}
			}
		}
	})
}

// close waits for what is under way, after the service's context is done. What is left
// half-way is begun again at the next start.
func (a *archive) close() { a.working.Wait() }

// maxEmpty is how many periods may follow each other in which nothing was given, for them to
// be closed: a month of days. By a clock that was years ahead there would be thousands.
const maxEmpty = 31

// catchUp closes the periods of a kind that have ended and are not closed.
func (a *archive) catchUp(ctx context.Context, p Period) error {
	s := a.s
	last, known, err := s.store.LastClosed(ctx, p)
	if err != nil || !known {
		return err
	}
	s.mu.RLock()
	present := s.periods.starts[p]
	s.mu.RUnlock()
	start := p.Start(last.In(s.opts.Location))
	if s.opts.Retention > 0 && s.clock.mayPrune() {
		if oldest := p.Start(s.opts.Now().Add(-s.opts.Retention).In(s.opts.Location)); start.Before(oldest) {
			start = oldest // what ended before would be pruned at once
		}
	}
	for start.Before(present) {
		next, empty, err := a.nextGiven(ctx, p, start, present)
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

// nextGiven returns the start of the first period, from one on, in which anything was given,
// or the present one; and how many periods in a row before it are empty, to maxEmpty and one.
func (a *archive) nextGiven(ctx context.Context, p Period, start, present time.Time) (next time.Time, empty int, err error) {
	before, after, err := a.s.store.Around(ctx, start)
	if err != nil {
		return next, 0, err
	}
	next = present
	if given := p.Start(after.In(present.Location())); !after.IsZero() && given.Before(present) {
		next = given
	}
	first := start
	if !before.IsZero() {
		first = p.Next(before.In(present.Location()))
	}
	for ; first.Before(next) && empty <= maxEmpty; first = p.Next(first) {
		empty++
	}
	return next, empty, nil
}

// closePeriod reads the outcome of a period before it writes any: while a reader has
// the database open as it was, the write-ahead log grows, and to bring all that into the
// file would hold up one write for long.
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

// outcome returns the places of the period, last those of who is hidden now.
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

// write writes the places, and where each user is among them.
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

// wakeToPrune has what is older than it has to be kept let go of, on the archive's own
// goroutine: not while a period is being closed.
func (a *archive) wakeToPrune() {
	a.pruneDue.Store(true)
	a.wake()
}

// prune lets go of what is older than it has to be kept.
func (a *archive) prune() {
	if keep := a.s.opts.Retention; keep > 0 && a.s.clock.mayPrune() {
		a.s.logError("prune closed periods", a.s.store.Prune(a.s.ctx, a.s.opts.Now().Add(-keep)))
	}
}
