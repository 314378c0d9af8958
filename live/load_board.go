package live

import (
	"context"
	"fmt"
	"slices"

	"marcador/rank"
	"marcador/store"
)

// loading is a board that is being loaded from the database. Commits go on meanwhile, so it
// records what the board misses:
//
//	begin ──▶ read the members ──▶ copy their scores ──▶ rank them ──▶ stale? ──no──▶ in memory
//	  ▲       (database)           (global board, a      (no lock)       │   apply what was
//	  │                             part at a time)                      │   missed, with s.mu
//	  └───────────── yes: too much was missed, or not recorded ──────────┘
type loading struct {
	done chan struct{} // closed when loading is over, successful or not

	missed map[uint32]missedChange // guarded by Service.mu: by user; at most maxMissed
	stale  bool                    // guarded by Service.mu: loading must begin again
	seen   stamp                   // guarded by Service.mu: the last missed change that others see
}

// missedChange is what happened to a user while a board was loaded.
type missedChange uint8

const (
	gained   missedChange = iota // was given points
	joined                       // joined the board
	left                         // left the board
	rejoined                     // left the board, and then joined it
)

// maxMissed bounds loading.missed. If more changes are missed, loading begins again.
const maxMissed = 1 << 16

// recordMissed records that the current change concerns a user of a board that is being loaded.
// mu must be held.
func (s *Service) recordMissed(l *loading, user uint32, what missedChange) {
	if !s.people.isHidden(user) {
		l.seen.raise(s.current)
	}
	switch was, ok := l.missed[user]; {
	case ok && what == gained:
		return // the user's newest points are read at the end
	case ok && what == joined && (was == left || was == rejoined):
		what = rejoined
	}
	if len(l.missed) >= maxMissed {
		l.stale = true
		return
	}
	l.missed[user] = what
}

// loadBoard loads a board. If another goroutine is loading it already, loadBoard waits for that
// one. Writes wait only while missed changes are applied. After loadBoard returns nil, the board
// may be missing all the same: the other goroutine may have failed, or the board was evicted.
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
			return nil
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

// tryLoadBoard loads a board once. It returns false if so much was missed meanwhile that loading
// must begin again.
func (s *Service) tryLoadBoard(ctx context.Context, name string, l *loading) (loaded bool, err error) {
	s.mu.Lock()
	l.missed, l.stale, l.seen = map[uint32]missedChange{}, false, stamp{}
	running, version := s.periods, s.shown.version
	s.mu.Unlock()
	ros, err := s.readRoster(ctx, name, running, version)
	if err != nil {
		return false, err
	}
	const atOnce = 1000 // members copied under one lock, for which writes wait
	for part := range slices.Chunk(ros.members, atOnce) {
		s.mu.RLock()
		ros.addScores(s, part)
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
	s.current = stamp{} // as already covers the missed changes
	b.enrol(ros, as)
	b.applyMissed(l)
	s.takeChanges() // nobody follows the board yet, so there is nobody to tell
	s.evict()
	s.boards[name] = b
	s.loadedMembers += b.cost()
	b.used.Store(s.uses.Add(1))
	return true, nil
}

// applyMissed applies to the board what was missed while it was loaded. s.mu must be held.
func (b *board) applyMissed(l *loading) {
	for user, what := range l.missed {
		switch what {
		case left:
			b.leave(user)
		case rejoined:
			b.leave(user)
			b.join(user)
		case joined:
			b.join(user)
			b.catchUp(user)
		case gained:
			b.catchUp(user)
		}
	}
}

// catchUp copies a member's present scores from the global board. s.mu must be held.
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

// roster is what a board is made from.
type roster struct {
	members  []uint32
	now      [store.Ending + 1][]rank.Item // by period: the members' scores
	baseline [store.Ending + 1][]rank.Item // by period: their scores at the baseline
	seen     stamp                         // the last points of a member who is not hidden
}

// readRoster reads a board's members and their scores at the baseline from the database. Points
// that came after the version do not count for the roster's seen; with version 0, none do.
func (s *Service) readRoster(ctx context.Context, name string, running runningPeriods, version int64) (*roster, error) {
	ros := &roster{}
	var visible []uint32
	err := s.store.Members(ctx, name, func(st *store.Totals) error {
		ros.members = append(ros.members, st.User)
		if !st.Hidden {
			visible = append(visible, st.User)
		}
		for p := range ros.baseline {
			if it, ok := running.atBaseline(store.Period(p), st); ok {
				ros.baseline[p] = append(ros.baseline[p], it)
			}
		}
		return nil
	})
	if err == nil && version > 0 {
		var last store.Stamp
		last, err = s.store.LastOf(ctx, visible, version)
		ros.seen = stampOf(last)
	}
	if err != nil {
		return nil, fmt.Errorf("load board %q: %w", name, err)
	}
	return ros, nil
}

// addScores copies the present scores of some members from the global board. s.mu must be held.
func (ros *roster) addScores(s *Service, members []uint32) {
	for p := range ros.now {
		for _, user := range members {
			if it, ok := s.global.rankings[p].rank.Item(user); ok {
				ros.now[p] = append(ros.now[p], it)
			}
		}
	}
}

// rank sorts the roster's scores into the board's rankings. O(n log n).
func (b *board) rank(ros *roster) {
	for p, r := range b.rankings {
		r.rank.Load(ros.now[p], ros.baseline[p])
	}
}

// enrol makes the users of the roster, who are ranked already, members of the board, and sets
// its stamp. s.mu must be held.
func (b *board) enrol(ros *roster, as stamp) {
	for _, user := range ros.members {
		b.members[user] = struct{}{}
		b.s.boardsOf[user] = append(b.s.boardsOf[user], b)
		if b.s.people.isHidden(user) {
			for _, r := range b.rankings {
				r.rank.Hide(user)
			}
		}
	}
	b.setStamp(as)
}
