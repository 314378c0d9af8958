package live

import (
	"time"

	"marcador/rank"
	"marcador/store"
)

// runningPeriods are the periods that run, and the ones before them that changes are measured
// from. They are replaced, not changed.
type runningPeriods struct {
	baseline store.Period
	starts   [store.Ending]time.Time
	ends     [store.Ending]time.Time
	before   [store.Ending]time.Time // starts of the periods before
}

// runningAt returns those of a moment, in its location.
func runningAt(t time.Time, baseline store.Period) runningPeriods {
	run := runningPeriods{baseline: baseline}
	for i := range run.starts {
		p := store.Period(i)
		run.starts[i], run.ends[i], run.before[i] = p.Start(t), p.Next(t), p.Before(t)
	}
	return run
}

// end is when the period ends, nil for all-time.
func (t *runningPeriods) end(p store.Period) *time.Time {
	if p == store.AllTime {
		return nil
	}
	return &t.ends[p]
}

// now returns where the user stands in a period, apart from all-time.
func (t *runningPeriods) now(p store.Period, st *store.Standing) (it rank.Item, there bool) {
	xp, reached, there := st.In(p, t.starts[p].UnixMilli())
	return rank.Item{Score: xp, Seq: reached, User: st.User}, there
}

// then returns where the user stood at the baseline of a period: when the one before
// ended, or, of all-time, when the one began that its baseline is of. Nobody was there
// who was not seen on the board by others.
func (t *runningPeriods) then(p store.Period, st *store.Standing) (it rank.Item, there bool) {
	from := p
	if p == store.AllTime {
		from = t.baseline
	}
	if st.Hidden || st.Since >= t.starts[from].UnixMilli() {
		return it, false
	}
	it.User, there = st.User, true
	if p == store.AllTime {
		it.Score, it.Seq = st.At(from, t.starts[from].UnixMilli())
	} else {
		it.Score, it.Seq, there = st.In(p, t.before[p].UnixMilli())
	}
	return it, there
}

// beginPeriods begins the periods that have begun with the latest commit. It is called with mu
// held.
func (s *Service) beginPeriods() {
	at := s.latest.at.In(s.opts.Location)
	run := runningAt(at, s.opts.Baseline)
	begun := false
	for i, start := range run.starts {
		if !start.After(s.periods.starts[i]) {
			run.starts[i], run.ends[i], run.before[i] = s.periods.starts[i], s.periods.ends[i], s.periods.before[i]
			continue
		}
		if !begun {
			s.showWaiting() // it is of the period that ends
			s.showNow, begun = true, true
		}
		// It begins at its time, whoever's commit shows that it has.
		s.current.at = start.UTC()
		idle := run.before[i].After(s.periods.starts[i]) // a whole period has passed meanwhile
		for _, b := range s.boards {
			r := b.rankings[i]
			r.rank.Turn()
			if idle {
				r.rank.Turn()
			}
			r.changed(affectsAll)
			if s.opts.Baseline == store.Period(i) {
				b.rankings[store.AllTime].rank.Rebase()
				b.rankings[store.AllTime].changed(affectsAll)
			}
		}
	}
	if begun {
		s.periods = run
		s.seen.raise(s.current)
		for _, l := range s.loading {
			l.stale = true
		}
		s.archive.wake()
	}
}
