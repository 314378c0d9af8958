package live

import "marcador/store"

// committed ranks what a transaction did. It runs on the writer's goroutine,
// after the commit and before anybody is answered.
func (s *Service) committed(c store.Commit) {
	s.mu.Lock()
	s.stale = s.stale || c.Foreign
	reload := s.stale && !s.byCron()
	s.mu.Unlock()
	if reload {
		// What is loaded has c's changes in it; to apply them again, for the ranks
		// of their answers, changes nothing. Where it fails, a later look tries again.
		s.logged("load the boards again; pages are out of date until it succeeds", s.load(s.ctx))
	}

	s.mu.Lock()
	s.latest = stamp{c.Seq, c.At}
	visible := s.beginDay()
	show := visible // in cron mode: what waits must not wait longer
	for i := range c.Changes {
		change := &c.Changes[i]
		visible = s.apply(change) || visible
		show = show || change.Erased != 0
	}
	if show {
		s.showWaiting()
	}
	if show || !s.byCron() {
		s.global.stamp = s.latest
	}
	s.mu.Unlock()
	if len(c.Changes) > 0 && (show || !s.byCron()) || reload {
		s.global.publisher.touch(visible || reload)
	}
}

// apply brings the board up to one change and reports whether that can be seen
// in a broadcast.
func (s *Service) apply(c *store.Change) (visible bool) {
	switch {
	case c.Points != nil:
		p := c.Points
		s.know(p.User, p.UserID)
		p.OldRank, p.NewRank = s.stand(p.User, standing{p.XPAfter, p.Reached, p.MLCoinsAfter})
		return !s.byCron() && min(p.OldRank, p.NewRank) <= s.opts.Top
	case c.Profile != nil:
		p := c.Profile
		s.profiles.forget(p.Number)
		isNew := s.know(p.Number, p.ID)
		if isNew {
			s.stand(p.Number, standing{})
		}
		return !s.byCron() && (isNew || s.global.rank.Rank(p.Number) <= s.opts.Top)
	case c.Erased != 0:
		// At once, whenever boards move: nobody is shown who is gone.
		s.profiles.forget(c.Erased)
		delete(s.waiting, c.Erased)
		was := s.global.rank.Remove(c.Erased) // first: the order of equal scores is that of ids
		if int(c.Erased) < len(s.users) {
			delete(s.numbers, s.users[c.Erased].id)
			s.users[c.Erased] = user{}
		}
		return was != 0
	}
	return false
}

// know notes the user's number and reports whether it was not known before.
func (s *Service) know(number uint32, id string) bool {
	if _, known := s.numbers[id]; known {
		return false
	}
	for len(s.users) <= int(number) {
		s.users = append(s.users, user{})
	}
	s.users[number] = user{id: id}
	s.numbers[id] = number
	return true
}

// stand gives the user new totals, now or with the next recomputation, and
// returns the ranks before and after; 0 is no rank.
func (s *Service) stand(number uint32, to standing) (before, after int) {
	if s.byCron() {
		s.waiting[number] = to
		r := s.global.rank.Rank(number)
		return r, r
	}
	s.users[number].mlCoins = to.mlCoins
	return s.global.rank.Put(number, to.xp, to.reached)
}

// beginDay makes the ranks before the latest commit the baseline where that is
// the first of a day, and reports whether it is.
func (s *Service) beginDay() bool {
	day := store.DayOf(s.latest.at.In(s.opts.Location))
	if !day.After(s.day) {
		return false
	}
	s.day = day
	s.showWaiting()
	s.global.rank.Rebase()
	return true
}

// showWaiting applies what waits for a recomputation.
func (s *Service) showWaiting() {
	for number, to := range s.waiting {
		s.users[number].mlCoins = to.mlCoins
		s.global.rank.Put(number, to.xp, to.reached)
	}
	clear(s.waiting)
}

// recompute shows what has happened since the last time, if anything has.
func (s *Service) recompute() {
	s.mu.RLock()
	stale := s.stale
	s.mu.RUnlock()
	if stale {
		s.logged("load the boards again; they are out of date until it succeeds", s.store.Exclusive(s.ctx, s.load))
	}
	s.mu.Lock()
	changed := s.global.stamp != s.latest || stale
	s.showWaiting()
	s.global.stamp = s.latest
	s.mu.Unlock()
	if changed {
		s.global.publisher.touch(true)
	}
}
