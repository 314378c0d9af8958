package live

import (
	"context"

	"marcador/store"
)

// setTotals gives the user new totals, and returns the global rank before and after; 0 means no
// rank. In cron mode the totals wait for the next recomputation, and both ranks are the one that
// the board shows. mu must be held.
func (s *Service) setTotals(user uint32, to totals) (before, after int) {
	if s.byCron() {
		s.waiting[user] = to
		r := s.global.rankings[store.AllTime].rank.Rank(user)
		return r, r
	}
	return s.showTotals(user, to)
}

// showTotals applies new totals to every board in memory that the user is on. mu must be held.
func (s *Service) showTotals(user uint32, to totals) (before, after int) {
	s.people.mlCoins[user] = to.mlCoins
	before, after = s.global.put(user, to)
	for _, b := range s.boardsOf[user] {
		b.put(user, to)
	}
	return before, after
}

// showWaiting applies everything that waits for a recomputation. mu must be held.
func (s *Service) showWaiting() {
	current := s.current
	for user, to := range s.waiting {
		s.current = to.stamp
		s.showTotals(user, to)
	}
	for user, at := range s.renamed {
		s.current = at
		s.rename(user)
	}
	clear(s.waiting)
	clear(s.renamed)
	s.current = current
}

// recompute applies what has waited since the last recomputation. It runs at the times of
// Options.Recompute.
func (s *Service) recompute() {
	s.mu.RLock()
	stale := s.stale
	s.mu.RUnlock()
	if stale {
		load := func(ctx context.Context) error { return s.load(ctx, s.store.At(), true) }
		s.logError("load the boards again; they are out of date until it succeeds", s.store.Exclusive(s.ctx, load))
	}
	s.mu.Lock()
	if stale {
		s.current = s.latest
		s.affectAll()
	}
	if s.shown != s.latest {
		s.shown, s.floor = s.latest, s.seen
		for _, l := range s.loading {
			l.stale = true // it has read the board up to an older commit
		}
	}
	s.showWaiting()
	changes := s.takeChanges()
	s.mu.Unlock()
	s.publish(changes)
}
