package live

import (
	"context"
	"slices"

	"marcador/store"
)

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
		s.logError("load the boards again; pages are out of date until it succeeds", s.load(s.ctx, c.At, true))
	}

	if s.opts.Friends == FriendsInGroup && slices.ContainsFunc(c.Changes, func(c store.Change) bool { return c.Limit != nil }) {
		s.logError("load the boards of friends again", s.loadFriends(s.ctx, stamp{c.Seq, c.At}))
	}

	s.mu.Lock()
	s.latest = stamp{c.Seq, c.At}
	if !s.byCron() {
		s.shown = s.latest
	}
	s.current = stamp{c.Changes[0].Seq, c.At}
	s.beginPeriods()
	for i := range c.Changes {
		s.current = stamp{c.Changes[i].Seq, c.At}
		s.apply(&c.Changes[i])
	}
	if reload {
		s.current = s.latest
		s.affectAll()
	}
	if s.showNow {
		s.showNow = false
		s.shown = s.latest
		s.showWaiting()
	}
	if !s.byCron() || s.shown == s.latest {
		s.floor = s.seen
	}
	news := s.takeChanges()
	s.mu.Unlock()
	s.publish(news)
}

// apply brings the boards up to one change.
func (s *Service) apply(c *store.Change) {
	if c.Seen() {
		s.seen.raise(s.current)
	}
	switch {
	case c.Points != nil:
		p := c.Points
		s.people.know(p.User, p.UserID)
		p.OldRank, p.NewRank = s.setTotals(p.User, totals{p.XPAfter, p.Reached, p.MLCoinsAfter, p.Scores, s.current})
		for _, l := range s.loading {
			s.recordMissed(l, p.User, gained)
		}
	case c.Profile != nil:
		s.profiles.forget(c.Profile.Number)
		s.applyProfile(c.Profile)
	case c.Erased != 0:
		s.profiles.forget(c.Erased)
		s.forgetFinals()
		s.applyErasure(c.Erased)
	case c.Friendship != nil:
		f := c.Friendship
		s.enrol(Friends+":"+f.AID, f.B, f.On)
		s.enrol(Friends+":"+f.BID, f.A, f.On)
	case c.Limit != nil:
		s.showNow = true
		if s.limits[c.Limit.Board] = c.Limit.Top; c.Limit.Top == 0 {
			delete(s.limits, c.Limit.Board)
		}
		for name, b := range s.boards {
			if name == c.Limit.Board || b.kind+allOfKind == c.Limit.Board {
				b.affectAll()
			}
		}
	case c.Badges != nil:
		s.showNow = true
		s.badges = c.Badges
		s.affectAll()
	}
}

// affectAll notes that the commit under way may have changed everything.
func (s *Service) affectAll() {
	for _, b := range s.boards {
		b.affectAll()
	}
}

func (b *board) affectAll() {
	for _, r := range b.rankings {
		r.changed(affectsAll)
	}
}

// applyProfile enters a new user, and brings boards up to the profile of one.
func (s *Service) applyProfile(p *store.Profile) {
	isNew := s.people.know(p.Number, p.ID)
	if wasHidden := s.people.isHidden(p.Number); wasHidden != p.Hidden {
		s.showNow = true
		s.forgetFinals()
		for _, l := range s.loading {
			l.stale = true
		}
		if p.Hidden {
			s.people.hidden[p.Number] = struct{}{}
		} else {
			delete(s.people.hidden, p.Number)
		}
		if !isNew {
			s.eachBoard(p.Number, func(b *board) { b.hide(p.Number, p.Hidden) })
		}
	}
	if isNew {
		s.setTotals(p.Number, totals{stamp: s.current})
		s.enrol(Friends+":"+p.ID, p.Number, true)
	}
	groups := map[string]bool{}
	for kind, ids := range p.Groups {
		for _, id := range ids {
			groups[kind+":"+id] = true
		}
	}
	for _, b := range append([]*board(nil), s.boardsOf[p.Number]...) {
		if b.kind != Friends && !groups[b.name] {
			s.showNow = true
			b.leave(p.Number)
		}
	}
	for name, l := range s.loading {
		if kind, _ := KindOf(name); kind != Friends && !groups[name] {
			s.recordMissed(l, p.Number, left)
		}
	}
	for name := range groups {
		s.enrol(name, p.Number, true)
	}
	if s.byCron() && p.Pseudonym == "" { // names in pages are the newest always
		if !p.Hidden {
			s.renamed[p.Number] = s.current
		}
		return
	}
	s.showNow = s.showNow || s.byCron() // a name that is not to be seen must not be sent to anybody
	s.rename(p.Number)
}

// rename notes that the user is called something else.
func (s *Service) rename(user uint32) {
	hidden := s.people.isHidden(user)
	s.eachBoard(user, func(b *board) {
		for _, r := range b.rankings {
			if n := r.rank.Rank(user); n > 0 && hidden {
				r.changed(affectsUser)
			} else if n > 0 {
				r.changed(r.effectOfMove(n, n))
			}
		}
	})
}

// enrol makes the user a member of the board, or ends that, if it is loaded.
func (s *Service) enrol(name string, user uint32, on bool) {
	if l := s.loading[name]; l != nil && on {
		s.recordMissed(l, user, joined)
	} else if l != nil {
		s.recordMissed(l, user, left)
	}
	b := s.boards[name]
	if b == nil || b.has(user) == on {
		return
	}
	s.showNow = true
	if on {
		b.join(user)
	} else {
		b.leave(user)
	}
}

// applyErasure takes the user off all boards. At once, whenever boards move: nobody is
// shown who is gone.
func (s *Service) applyErasure(user uint32) {
	delete(s.waiting, user)
	delete(s.renamed, user)
	s.showNow = true
	friends := Friends + ":" + s.people.id(user)
	if friends != Friends+allOfKind { // an older database may have a user with the id *
		delete(s.limits, friends)
	}
	if own := s.boards[friends]; own != nil {
		for member := range own.members {
			own.leave(member)
		}
	}
	for _, l := range s.loading {
		l.stale = true
	}
	// First, since the order of equal scores is that of ids.
	for _, b := range append([]*board{s.global}, s.boardsOf[user]...) {
		b.leave(user)
	}
	s.people.forget(user)
}

// eachBoard calls do with every board that is loaded and has the user.
func (s *Service) eachBoard(user uint32, do func(*board)) {
	do(s.global)
	for _, b := range s.boardsOf[user] {
		do(b)
	}
}

// setTotals gives the user new totals, now or with the next recomputation, and
// returns the ranks before and after; 0 is no rank.
func (s *Service) setTotals(number uint32, to totals) (before, after int) {
	if s.byCron() {
		s.waiting[number] = to
		r := s.global.rankings[AllTime].rank.Rank(number)
		return r, r
	}
	return s.showTotals(number, to)
}

// showTotals gives the user new totals.
func (s *Service) showTotals(number uint32, to totals) (before, after int) {
	s.people.mlCoins[number] = to.mlCoins
	before, after = s.global.put(number, to)
	for _, b := range s.boardsOf[number] {
		b.put(number, to)
	}
	return before, after
}

// showWaiting applies what waits for a recomputation.
func (s *Service) showWaiting() {
	now := s.current
	for number, to := range s.waiting {
		s.current = to.stamp
		s.showTotals(number, to)
	}
	for number, at := range s.renamed {
		s.current = at
		s.rename(number)
	}
	clear(s.waiting)
	clear(s.renamed)
	s.current = now
}

// recompute shows what has happened since the last time, if anything has.
func (s *Service) recompute() {
	s.mu.RLock()
	stale := s.stale
	s.mu.RUnlock()
	if stale {
		s.logError("load the boards again; they are out of date until it succeeds", s.store.Exclusive(s.ctx, func(ctx context.Context) error {
			return s.load(ctx, s.store.At(), true)
		}))
	}
	s.mu.Lock()
	if stale {
		s.current = s.latest
		s.affectAll()
	}
	if s.shown != s.latest {
		s.shown, s.floor = s.latest, s.seen
		for _, l := range s.loading {
			l.stale = true // it was read as of what was shown before
		}
	}
	s.showWaiting()
	news := s.takeChanges()
	s.mu.Unlock()
	s.publish(news)
}
