package live

import (
	"time"

	"marcador/rank"
	"marcador/store"
)

// runningPeriods are the day, the week and the month that are running, and those before them.
// A value is replaced as a whole and never changed.
type runningPeriods struct {
	baseline store.Period            // see Options.Baseline
	starts   [store.Ending]time.Time // of the running periods
	ends     [store.Ending]time.Time // of the running periods
	before   [store.Ending]time.Time // the starts of the periods before the running ones
}

// runningAt returns the periods that are running at a time, in the time's location.
func runningAt(t time.Time, baseline store.Period) runningPeriods {
	run := runningPeriods{baseline: baseline}
	for i := range run.starts {
		p := store.Period(i)
		run.starts[i], run.ends[i], run.before[i] = p.Start(t), p.Next(t), p.Before(t)
	}
	return run
}

// end returns when the period ends. It is nil for all-time.
func (run *runningPeriods) end(p store.Period) *time.Time {
	if p == store.AllTime {
		return nil
	}
	return &run.ends[p]
}

// current returns the user's item in the running period, which must not be all-time. ok is
// false if the user has no score in it.
func (run *runningPeriods) current(p store.Period, st *store.Totals) (it rank.Item, ok bool) {
	xp, reached, ok := st.In(p, run.starts[p].UnixMilli())
	return rank.Item{Score: xp, Seq: reached, User: st.User}, ok
}

// atBaseline returns the user's item at the baseline, from which the period's changes of rank
// are counted. For a period that ends, the baseline is the end of the period before. For
// all-time, it is the start of the running period of the kind Options.Baseline. ok is false if
// the user was not visible on the board at that time.
func (run *runningPeriods) atBaseline(p store.Period, st *store.Totals) (it rank.Item, ok bool) {
	from := p
	if p == store.AllTime {
		from = run.baseline
	}
	if st.Hidden || st.Since >= run.starts[from].UnixMilli() {
		return it, false
	}
	it.User, ok = st.User, true
	if p == store.AllTime {
		it.Score, it.Seq = st.At(from, run.starts[from].UnixMilli())
	} else {
		it.Score, it.Seq, ok = st.In(p, run.before[p].UnixMilli())
	}
	return it, ok
}

// beginPeriods begins each period whose start the latest commit has reached. mu must be held.
//
// The closing of the period before follows in the background; see archive.
func (s *Service) beginPeriods() {
	at := s.latest.at.In(s.opts.Location)
	run := runningAt(at, s.opts.Baseline)
	begun := false
	for i, start := range run.starts {
		if !start.After(s.periods.starts[i]) {
			// It is running already.
			run.starts[i], run.ends[i], run.before[i] = s.periods.starts[i], s.periods.ends[i], s.periods.before[i]
			continue
		}
		if !begun {
			s.showWaiting() // these totals belong to the period that ends
			s.showNow, begun = true, true
		}
		// The change has the time at which the period begins, not the time of the commit that
		// was the first to notice.
		s.current.at = start.UTC()
		// If a whole period passed in between, nobody has a score in the period before.
		skipped := run.before[i].After(s.periods.starts[i])
		for _, b := range s.boards {
			b.beginPeriod(store.Period(i), skipped)
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

// beginPeriod empties the ranking of the period, and makes its old scores the baseline. If a
// whole period was skipped, the baseline is empty as well. s.mu must be held.
func (b *board) beginPeriod(p store.Period, skipped bool) {
	r := b.rankings[p]
	r.rank.StartOver()
	if skipped {
		r.rank.StartOver()
	}
	r.changed(affectsAll)
	if b.s.opts.Baseline == p {
		b.rankings[store.AllTime].rank.Rebase()
		b.rankings[store.AllTime].changed(affectsAll)
	}
}
