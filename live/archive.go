package live

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
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
	s     *Service
	woken chan struct{} // of capacity 1: a second wake before the first is seen adds nothing

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
	a.wake()
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
			for p := range Period(store.Ending) {
				if err := a.catchUp(a.s.ctx, p); err != nil {
					a.s.logged("close a period; it is tried again", err)
					again = time.After(closeAgain)
				}
			}
		}
	})
}

// close waits for what is under way, after the service's context is done. What is left
// half-way is begun again at the next start.
func (a *archive) close() { a.working.Wait() }

// catchUp closes the periods of a kind that have ended and are not closed.
func (a *archive) catchUp(ctx context.Context, p Period) error {
	s := a.s
	last, any, err := s.store.LastClosed(ctx, p)
	if err != nil || !any {
		return err
	}
	s.mu.RLock()
	present := s.terms.starts[p]
	s.mu.RUnlock()
	start := p.Start(last.In(s.opts.Location))
	if s.opts.Retention > 0 {
		if oldest := p.Start(present.Add(-s.opts.Retention)); oldest.After(start) {
			start = oldest
		}
	}
	for next := p.Next(start); !next.After(present); start, next = next, p.Next(next) {
		if err := a.closePeriod(ctx, &store.Closing{Period: p, Start: start, Ends: next, Ranks: s.opts.Ranks.String()}); err != nil {
			return err
		}
	}
	return nil
}

func (a *archive) closePeriod(ctx context.Context, c *store.Closing) error {
	st, began := a.s.store, time.Now()
	if err := st.BeginClosing(ctx, c); err != nil {
		return err
	}
	count := rank.NewCounter(a.s.opts.Ranks)
	var batch, hidden []store.Final
	var places []store.Place
	add := func(f store.Final) error {
		places = append(places, store.Place{User: f.User, Position: f.Position})
		if batch = append(batch, f); len(batch) < finalsAtOnce {
			return nil
		}
		err := st.AddFinals(ctx, c, batch)
		batch = batch[:0]
		return err
	}
	err := st.Outcome(ctx, c, func(f *store.Final) error {
		if f.Hidden {
			f.Rank = count.Would(f.Score)
			hidden = append(hidden, *f)
			return nil
		}
		f.Rank = count.Next(f.Score)
		f.Position = count.Len()
		return add(*f)
	})
	c.Entries = count.Len()
	for i := range hidden {
		hidden[i].Position = c.Entries + i + 1
		if err == nil {
			err = add(hidden[i])
		}
	}
	if err == nil {
		err = st.AddFinals(ctx, c, batch)
	}
	slices.SortFunc(places, func(a, b store.Place) int { return cmp.Compare(a.User, b.User) })
	for some := range slices.Chunk(places, finalsAtOnce) {
		if err == nil {
			err = st.AddPlaces(ctx, c, some)
		}
	}
	if err == nil {
		err = st.EndClosing(ctx, c)
	}
	if err != nil {
		return fmt.Errorf("close the %s period from %s: %w", c.Period, c.Start, err)
	}
	a.s.log.InfoContext(ctx, "period closed", "period", c.Period.String(), "start", c.Start, "entries", c.Entries, "took", time.Since(began))
	return nil
}

// prune lets go of what is older than it has to be kept.
func (a *archive) prune() {
	if keep := a.s.opts.Retention; keep > 0 {
		a.s.logged("prune closed periods", a.s.store.Prune(a.s.ctx, a.s.opts.Now().Add(-keep)))
	}
}
