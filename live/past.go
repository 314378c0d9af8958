package live

import (
	"context"
	"sync"

	"marcador/rank"
	"marcador/store"
)

// maxPast bounds how far back ranks are worked out, in rows of the ledger. Who was
// away for longer is not told of a move in between.
const maxPast = 20_000

// past is where users stood at a version: those whose points have changed since.
// After a restart many come back with the same version, so one is kept. Safe for
// concurrent use.
type past struct {
	mu      sync.Mutex
	version int64                // guarded by mu
	upTo    int64                // guarded by mu: changes up to this seq are in
	then    map[uint32]rank.Item // guarded by mu: at most maxPast, and what came while it is in use
}

// standAt returns where the user stood at a version, by the ledger; nil where that
// is too long ago, or there is no such user now.
func (b *board) standAt(ctx context.Context, user string, version int64) (*place, error) {
	p := &b.past
	p.mu.Lock()
	defer p.mu.Unlock()
	b.s.mu.RLock()
	now := b.stamp.version
	b.s.mu.RUnlock()
	if version > now || now-version > maxPast {
		return nil, nil //nolint:nilnil // it is not known, and nothing is wrong
	}
	if p.version != version || p.then == nil {
		p.version, p.upTo, p.then = version, version, map[uint32]rank.Item{}
	}
	// Most of it without the lock, for which writes wait; then the little that came since.
	if err := p.read(ctx, b.s.store, now); err != nil {
		return nil, err
	}
	b.s.mu.RLock()
	defer b.s.mu.RUnlock()
	if err := p.read(ctx, b.s.store, b.stamp.version); err != nil {
		return nil, err
	}
	number, ok := b.s.numbers[user]
	if !ok {
		return nil, nil //nolint:nilnil // as above
	}
	score := b.rank.Score(number)
	if it, changed := p.then[number]; changed {
		score = it.Score
	}
	return &place{b.rank.RankThen(number, p.then), score}, nil
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
