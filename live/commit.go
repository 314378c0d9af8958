package live

import (
	"marcador/store"
)

// committed ranks what a transaction did. It runs on the writer's goroutine,
// after the commit and before anybody is answered.
func (s *Service) committed(c store.Commit) {
	s.mu.Lock()
	s.latest = stamp{c.Seq, c.At}
	visible := s.beginDay(c)
	for i := range c.Changes {
		visible = s.apply(&c.Changes[i]) || visible
	}
	if s.opts.Recompute == "" {
		s.global.stamp(s.latest)
	}
	reload := c.Foreign || s.stale
	s.mu.Unlock()

	if reload {
		err := s.load(s.ctx)
		s.logged("load the boards again; pages may be out of date until it succeeds", err)
		s.mu.Lock()
		s.stale = err != nil
		s.mu.Unlock()
		visible = true
	}
	if visible {
		s.global.publisher.touch()
	}
}

// apply brings the board up to one change and reports whether that can be seen
// in a broadcast.
func (s *Service) apply(c *store.Change) (visible bool) {
	now := s.opts.Recompute == ""
	switch {
	case c.Points != nil:
		p := c.Points
		s.know(p.User, p.UserID)
		p.OldRank, p.NewRank = s.stand(p.User, standing{p.XPAfter, p.Reached, p.MLCoinsAfter})
		return now && min(p.OldRank, p.NewRank) <= s.opts.Top
	case c.Profile != nil:
		p := c.Profile
		s.profiles.forget(p.Number)
		if s.know(p.Number, p.ID) {
			s.stand(p.Number, standing{})
		}
		return now && s.global.rank.Rank(p.Number) <= s.opts.Top
	case c.Erased != 0:
		// At once, whenever boards move: nobody is shown who is gone. What waits
		// is shown with it, since a version stands for one state.
		s.profiles.forget(c.Erased)
		delete(s.waiting, c.Erased)
		s.showWaiting()
		was := s.global.rank.Remove(c.Erased)
		if int(c.Erased) < len(s.users) {
			delete(s.numbers, s.users[c.Erased].id)
			s.users[c.Erased] = user{}
		}
		s.global.stamp(s.latest)
		return was != 0 && was <= s.opts.Top
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
	if s.opts.Recompute != "" {
		s.waiting[number] = to
		r := s.global.rank.Rank(number)
		return r, r
	}
	s.users[number].mlCoins = to.mlCoins
	return s.global.rank.Put(number, to.xp, to.reached)
}

// beginDay makes the present ranks the baseline where c is the first commit of
// a day, and reports whether it is.
func (s *Service) beginDay(c store.Commit) bool {
	day := store.DayOf(c.At.In(s.opts.Location))
	if !day.After(s.day) {
		return false
	}
	s.day = day
	s.showWaiting()
	s.global.rank.Rebase()
	s.global.stamp(s.latest)
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
	s.mu.Lock()
	changed := len(s.waiting) > 0 || s.global.stamped != s.latest
	if changed {
		s.showWaiting()
		s.global.stamp(s.latest)
	}
	s.mu.Unlock()
	if changed {
		s.global.publisher.touch()
	}
}
