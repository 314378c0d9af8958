package live

import (
	"slices"

	"marcador/store"
)

// committed applies a transaction to the boards. It runs on the writer's goroutine, after the
// commit and before the writes are answered, so that the answers can have the new ranks.
func (s *Service) committed(c store.Commit) {
	s.mu.Lock()
	s.stale = s.stale || c.Foreign
	reload := s.stale && !s.byCron()
	s.mu.Unlock()
	if reload {
		// The loaded boards have this transaction's changes already. They are applied again below
		// only because that finds the ranks for the answers; the boards stay the same. If loading
		// fails, stale stays set, and checkDatabase tries again.
		s.logError("load the boards again; pages are out of date until it succeeds", s.load(s.ctx, c.At, true))
	}

	limitChanged := func(c store.Change) bool { return c.Limit != nil }
	if s.opts.Friends == store.FriendsInGroup && slices.ContainsFunc(c.Changes, limitChanged) {
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
	changes := s.takeChanges()
	s.mu.Unlock()
	s.publish(changes)
}

// apply applies one change to the boards. mu must be held.
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
		s.setMember(Friends+":"+f.AID, f.B, f.On)
		s.setMember(Friends+":"+f.BID, f.A, f.On)
	case c.Limit != nil:
		s.applyLimit(c.Limit)
	case c.Badges != nil:
		s.showNow = true
		s.badges = c.Badges
		s.affectAll()
	}
}

// affectAll records that the current commit may have changed everything on all boards. mu must
// be held.
func (s *Service) affectAll() {
	for _, b := range s.boards {
		b.affectAll()
	}
}

// applyLimit sets the limit of a board, or of all boards of a kind. mu must be held.
func (s *Service) applyLimit(l *store.Limit) {
	s.showNow = true
	if s.limits[l.Board] = l.Top; l.Top == 0 {
		delete(s.limits, l.Board)
	}
	for name, b := range s.boards {
		if name == l.Board || b.kind+allOfKind == l.Board {
			b.affectAll()
		}
	}
}

// applyProfile applies a profile, which may be that of a new user. mu must be held.
func (s *Service) applyProfile(p *store.Profile) {
	isNew := s.people.know(p.Number, p.ID)
	if p.Hidden != s.people.isHidden(p.Number) {
		s.applyHidden(p, isNew)
	}
	if isNew {
		s.setTotals(p.Number, totals{stamp: s.current})
		s.setMember(Friends+":"+p.ID, p.Number, true)
	}
	s.applyGroups(p)
	if s.byCron() && p.Pseudonym == "" { // pages read the newest name anyway; streams can wait
		if !p.Hidden {
			s.renamed[p.Number] = s.current
		}
		return
	}
	if s.byCron() {
		s.showNow = true // the pseudonym replaces a name that nobody may be sent any more
	}
	s.rename(p.Number)
}

// applyHidden hides a user, or shows one again. mu must be held.
func (s *Service) applyHidden(p *store.Profile, isNew bool) {
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

// applyGroups makes the user a member of the profile's groups, and of no other group. mu must be
// held.
func (s *Service) applyGroups(p *store.Profile) {
	groups := map[string]bool{}
	for kind, ids := range p.Groups {
		for _, id := range ids {
			groups[kind+":"+id] = true
		}
	}
	for _, b := range slices.Clone(s.boardsOf[p.Number]) {
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
		s.setMember(name, p.Number, true)
	}
}

// rename records, on every board that the user is on, that the user's row looks different. mu
// must be held.
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

// setMember makes the user a member of the board, or removes the user from it. A board that is
// not in memory needs nothing: its members are read when it is loaded. mu must be held.
func (s *Service) setMember(name string, user uint32, member bool) {
	if l := s.loading[name]; l != nil && member {
		s.recordMissed(l, user, joined)
	} else if l != nil {
		s.recordMissed(l, user, left)
	}
	b := s.boards[name]
	if b == nil || b.has(user) == member {
		return
	}
	s.showNow = true
	if member {
		b.join(user)
	} else {
		b.leave(user)
	}
}

// applyErasure removes the user from all boards. It never waits for a recomputation, since a
// user who is gone must not be shown. mu must be held.
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
	// The boards come before the people: to find a user among equal scores takes the user's id.
	for _, b := range append([]*board{s.global}, s.boardsOf[user]...) {
		b.leave(user)
	}
	s.people.forget(user)
}

// eachBoard calls do with every board in memory that the user is on. mu must be held.
func (s *Service) eachBoard(user uint32, do func(*board)) {
	do(s.global)
	for _, b := range s.boardsOf[user] {
		do(b)
	}
}
