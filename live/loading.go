package live

import (
	"cmp"
	"context"
	"fmt"
	"slices"
)

// loading is a board that is being loaded, while commits go on.
type loading struct {
	done chan struct{} // closed when it is over

	missed map[uint32]missedChange // guarded by Service.mu: what has happened since it began; at most a user each
	stale  bool                    // guarded by Service.mu: too much has
	seen   stamp                   // guarded by Service.mu: of the last of it that others see
}

// missedChange is what has happened to a user.
type missedChange uint8

const (
	gained missedChange = iota // points
	joined                     // the board, whatever there was before
	left
	rejoined // after having left
)

// maxMissed bounds what is noted while a board is loaded; past it it is loaded anew.
const maxMissed = 1 << 16

// recordMissed records what has happened to a user, with the change under way. It is called with mu
// held.
func (s *Service) recordMissed(l *loading, user uint32, what missedChange) {
	if !s.people.isHidden(user) {
		l.seen.raise(s.current)
	}
	switch was, ok := l.missed[user]; {
	case ok && what == gained:
		return // how it stands with points is looked up then
	case ok && what == joined && (was == left || was == rejoined):
		what = rejoined
	}
	if len(l.missed) >= maxMissed {
		l.stale = true
		return
	}
	l.missed[user] = what
}

// pin returns the board of that name, loaded, and keeps it so until unpin is called. An
// error is ErrUnknownBoard, or that of reading the database.
func (s *Service) pin(ctx context.Context, name string) (*board, error) {
	if _, ok := KindOf(name); !ok {
		return nil, fmt.Errorf("%w: %q", ErrUnknownBoard, name)
	}
	for {
		s.mu.RLock()
		b := s.boards[name]
		if b != nil {
			b.pins.Add(1)
			b.used.Store(s.uses.Add(1))
		}
		s.mu.RUnlock()
		if b != nil {
			return b, nil
		}
		if err := s.loadBoard(ctx, name); err != nil {
			return nil, err
		}
	}
}

func (b *board) unpin() { b.pins.Add(-1) }

// loadBoard loads a board, or waits for who loads it already. Writes wait for no more
// than what happened meanwhile to be caught up with.
func (s *Service) loadBoard(ctx context.Context, name string) error {
	s.mu.Lock()
	if s.boards[name] != nil {
		s.mu.Unlock()
		return nil
	}
	l := s.loading[name]
	if l != nil {
		s.mu.Unlock()
		select {
		case <-l.done:
			return nil // if it has failed, the caller tries again by itself
		case <-ctx.Done():
			return fmt.Errorf("wait for board %q: %w", name, ctx.Err())
		}
	}
	l = &loading{done: make(chan struct{})}
	s.loading[name] = l
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.loading, name)
		close(l.done)
	}()
	for {
		if loaded, err := s.tryLoadBoard(ctx, name, l); err != nil || loaded {
			return err
		}
	}
}

// tryLoadBoard returns false where so much happened meanwhile that it has to begin anew.
func (s *Service) tryLoadBoard(ctx context.Context, name string, l *loading) (loaded bool, err error) {
	s.mu.Lock()
	l.missed, l.stale, l.seen = map[uint32]missedChange{}, false, stamp{}
	running, version := s.periods, s.shown.version
	s.mu.Unlock()
	ros, err := s.readRoster(ctx, name, running, version)
	if err != nil {
		return false, err
	}
	const atOnce = 1000 // writes wait that long
	for part := range slices.Chunk(ros.members, atOnce) {
		s.mu.RLock()
		ros.take(s, part)
		s.mu.RUnlock()
	}
	b := newBoard(s, name)
	b.rank(ros)

	s.mu.Lock()
	defer s.mu.Unlock()
	if l.stale {
		return false, nil
	}
	as := ros.seen
	as.raise(s.floor)
	as.raise(l.seen)
	s.current = stamp{} // what is caught up with is in it
	b.enter(ros, as)
	for user, what := range l.missed {
		switch {
		case what == left:
			b.leave(user)
		case what == rejoined:
			b.leave(user)
			b.join(user)
		case what == joined:
			b.join(user)
			fallthrough
		default:
			b.catchUp(user)
		}
	}
	s.takeChanges() // there is nobody to tell yet
	s.evict()
	s.boards[name] = b
	s.loadedMembers += b.cost()
	b.used.Store(s.uses.Add(1))
	return true, nil
}

// catchUp gives a member the points that they have by now. It is called with s.mu held.
func (b *board) catchUp(user uint32) {
	if !b.has(user) {
		return
	}
	for p, r := range b.rankings {
		if it, ok := b.s.global.rankings[p].rank.Item(user); ok {
			if before, _ := r.rank.Put(user, it.Score, it.Seq); before == 0 && b.s.people.isHidden(user) {
				r.rank.Hide(user)
			}
		}
	}
}

// evict lets go of boards that are not in use, where there are too many places. It is
// called with mu held. It looks at all boards only when a fifth has come since it did.
func (s *Service) evict() {
	if s.loadedMembers <= s.evictAt {
		return
	}
	var idle []*board
	for _, b := range s.boards {
		if b != s.global && b.pins.Load() == 0 {
			idle = append(idle, b)
		}
	}
	slices.SortFunc(idle, func(a, b *board) int { return cmp.Compare(a.used.Load(), b.used.Load()) })
	for _, b := range idle {
		if s.loadedMembers <= maxLoadedMembers*4/5 {
			break
		}
		s.drop(b)
	}
	s.evictAt = max(maxLoadedMembers, s.loadedMembers*6/5)
}

// cost is how many places' memory the board takes, roughly.
func (b *board) cost() int { return len(b.members) + emptyBoardMembers }

// drop lets go of a board. It is called with mu held.
func (s *Service) drop(b *board) {
	delete(s.boards, b.name)
	for _, r := range b.rankings {
		s.cache.drop(r)
	}
	s.loadedMembers -= b.cost()
	for user := range b.members {
		b.s.boardsOf[user] = slices.DeleteFunc(b.s.boardsOf[user], func(other *board) bool { return other == b })
		if len(b.s.boardsOf[user]) == 0 {
			delete(b.s.boardsOf, user)
		}
	}
}
