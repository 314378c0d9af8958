package live

import (
	"context"
	"sync"

	"marcador/rank"
	"marcador/store"
)

// maxPast bounds how far back ranks are worked out, in rows of the ledger. Who was
// away for longer is not told of a move in between.
const maxPast = 100_000

// past is where users stood at a version: those whose points have changed since.
// After a restart many come back with the same version, so one is kept. Safe for
// concurrent use.
type past struct {
	mu      sync.Mutex
	version int64                // guarded by mu
	upTo    int64                // guarded by mu: changes up to this seq are in
	then    map[uint32]rank.Item // guarded by mu: at most maxPast, and what came while it is in use
}

// lookBack finds out where the user stood at the version that was seen.
func (f *follower) lookBack(ctx context.Context, seen int64) error {
	if left, ok := f.b.publisher.viewers.whenLeft(f.viewer.user, seen); ok {
		f.before = &left
		return nil
	}
	b := f.b
	b.s.mu.RLock()
	now := b.stamp.version
	b.s.mu.RUnlock()
	if seen > now || now-seen > maxPast {
		return nil
	}
	p := &b.past
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.version != seen || p.then == nil {
		p.version, p.upTo, p.then = seen, seen, map[uint32]rank.Item{}
	}
	// Most of it without the lock, for which writes wait; then the little that came since.
	if err := p.read(ctx, b.s.store, now); err != nil {
		return err
	}
	b.s.mu.RLock()
	defer b.s.mu.RUnlock()
	if err := p.read(ctx, b.s.store, b.stamp.version); err != nil {
		return err
	}
	number, ok := b.s.numbers[f.viewer.user]
	if !ok {
		return nil
	}
	score := b.rank.Score(number)
	if it, changed := p.then[number]; changed {
		score = it.Score
	}
	f.before = &place{b.rank.RankThen(number, p.then), score}
	return nil
}

// read takes in the changes up to a seq. It is called with mu held.
func (p *past) read(ctx context.Context, s *store.Store, upTo int64) error {
	if upTo <= p.upTo {
		return nil
	}
	changed, err := s.Before(ctx, p.version, p.upTo, upTo)
	if err != nil {
		return err
	}
	for _, c := range changed {
		if _, known := p.then[c.User]; !known {
			p.then[c.User] = rank.Item{Score: c.XP, Seq: c.Reached, User: c.User}
		}
	}
	p.upTo = upTo
	return nil
}
