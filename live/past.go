package live

import (
	"context"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

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
	r *ranking

	mu      sync.Mutex
	version int64                 // guarded by mu
	upTo    int64                 // guarded by mu: changes up to this seq are in
	since   time.Time             // guarded by mu: when the period began, zero for all-time
	fresh   []store.Past          // guarded by mu: what is not in items yet
	then    map[uint32]store.Past // guarded by mu: at most maxPast, and what came while it is in use
	items   map[uint32]rank.Item  // guarded by mu: of the same users; who was not there is behind all others
}

// standAt returns where the user stood at a version, by the ledger; nil where that
// is too long ago, or there is no such user now, or equal scores are numbered densely,
// for which it is not known who else had which.
func (p *past) standAt(ctx context.Context, user string, version int64) (*place, error) {
	r, s := p.r, p.r.s
	p.mu.Lock()
	defer p.mu.Unlock()
	s.mu.RLock()
	now := s.shown.version
	s.mu.RUnlock()
	if version > now || now-version > maxPast || s.opts.Ranks == rank.Dense {
		return nil, nil //nolint:nilnil // it is not known, and nothing is wrong
	}
	if p.version != version || p.then == nil {
		p.forget(version)
	}
	// Most of it without the lock, for which writes wait; then the little that came since.
	if err := p.read(ctx, s.store, now); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := p.read(ctx, s.store, s.shown.version); err != nil {
		return nil, err
	}
	number, ok := s.people.number(user)
	if !ok || !r.b.has(number) {
		return nil, nil //nolint:nilnil // as above
	}
	p.work()
	at := &place{xp: s.global.rankings[AllTime].rank.Score(number), member: true}
	if before, changed := p.then[number]; changed {
		at.xp = before.XP
	}
	if it, changed := p.items[number]; !changed || it.Score != absent {
		at.rank = r.rank.RankThen(number, p.items)
	}
	return at, nil
}

// absent is the score of who was not there.
const absent = math.MinInt64

func (p *past) forget(version int64) {
	p.version, p.upTo, p.fresh = version, version, nil
	p.then, p.items = map[uint32]store.Past{}, map[uint32]rank.Item{}
}

// work makes items of what was read. It is called with mu and s.mu held.
func (p *past) work() {
	s := p.r.s
	if p.r.period != AllTime && !p.since.Equal(s.periods.starts[p.r.period]) {
		p.since = s.periods.starts[p.r.period]
		p.fresh = slices.AppendSeq(p.fresh[:0], maps.Values(p.then))
	}
	for _, then := range p.fresh {
		p.items[then.User] = p.item(then)
	}
	p.fresh = nil
}

// item returns what a user had then. It is called with mu and s.mu held.
func (p *past) item(then store.Past) rank.Item {
	it := rank.Item{Score: then.XP, Seq: then.Reached, User: then.User}
	switch all := &p.r.s.global.rankings; {
	case p.r.period == AllTime:
	case then.At < p.since.UnixMilli():
		it.Score = absent
	default:
		// The total when the period began is what there is now without what came in it.
		it.Score -= all[AllTime].rank.Score(then.User) - all[p.r.period].rank.Score(then.User)
	}
	return it
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
			p.then[c.User] = c
			p.fresh = append(p.fresh, c)
		}
	}
	p.upTo = upTo
	return nil
}
