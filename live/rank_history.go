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

// maxHistoryRows bounds how far back ranks are worked out, in rows of the ledger. Who was
// away for longer is not told of a move in between.
const maxHistoryRows = 20_000

// rankHistory is where users stood at a version: those whose points have changed since.
// After a restart many come back with the same version, so one is kept. Safe for
// concurrent use.
type rankHistory struct {
	r *ranking

	mu      sync.Mutex
	version int64                 // guarded by mu
	upTo    int64                 // guarded by mu: changes up to this seq are in
	since   time.Time             // guarded by mu: when the period began, zero for all-time
	fresh   []store.Past          // guarded by mu: what is not in items yet
	then    map[uint32]store.Past // guarded by mu: at most maxHistoryRows, and what came while it is in use
	items   map[uint32]rank.Item  // guarded by mu: of the same users; who was not there is behind all others
}

// placeAt returns where the user stood at a version, by the ledger; nil where that
// is too long ago, or there is no such user now, or equal scores are numbered densely,
// for which it is not known who else had which.
func (h *rankHistory) placeAt(ctx context.Context, user string, version int64) (*place, error) {
	r, s := h.r, h.r.s
	h.mu.Lock()
	defer h.mu.Unlock()
	s.mu.RLock()
	now := s.shown.version
	s.mu.RUnlock()
	if version > now || now-version > maxHistoryRows || s.opts.Ranks == rank.Dense {
		return nil, nil //nolint:nilnil // it is not known, and nothing is wrong
	}
	if h.version != version || h.then == nil {
		h.forget(version)
	}
	// Most of it without the lock, for which writes wait; then the little that came since.
	if err := h.read(ctx, s.store, now); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := h.read(ctx, s.store, s.shown.version); err != nil {
		return nil, err
	}
	number, ok := s.people.number(user)
	if !ok || !r.b.has(number) {
		return nil, nil //nolint:nilnil // as above
	}
	h.work()
	at := &place{xp: s.global.rankings[AllTime].rank.Score(number), member: true}
	if before, changed := h.then[number]; changed {
		at.xp = before.XP
	}
	if it, changed := h.items[number]; !changed || it.Score != absent {
		at.rank = r.rank.RankThen(number, h.items)
	}
	return at, nil
}

// absent is the score of who was not there.
const absent = math.MinInt64

func (h *rankHistory) forget(version int64) {
	h.version, h.upTo, h.fresh = version, version, nil
	h.then, h.items = map[uint32]store.Past{}, map[uint32]rank.Item{}
}

// work makes items of what was read. It is called with mu and s.mu held.
func (h *rankHistory) work() {
	s := h.r.s
	if h.r.period != AllTime && !h.since.Equal(s.periods.starts[h.r.period]) {
		h.since = s.periods.starts[h.r.period]
		h.fresh = slices.AppendSeq(h.fresh[:0], maps.Values(h.then))
	}
	for _, then := range h.fresh {
		h.items[then.User] = h.item(then)
	}
	h.fresh = nil
}

// item returns what a user had then. It is called with mu and s.mu held.
func (h *rankHistory) item(then store.Past) rank.Item {
	it := rank.Item{Score: then.XP, Seq: then.Reached, User: then.User}
	switch all := &h.r.s.global.rankings; {
	case h.r.period == AllTime:
	case then.At < h.since.UnixMilli():
		it.Score = absent
	default:
		// The total when the period began is what there is now without what came in it.
		it.Score -= all[AllTime].rank.Score(then.User) - all[h.r.period].rank.Score(then.User)
	}
	return it
}

// read takes in the changes up to a seq. It is called with mu held.
func (h *rankHistory) read(ctx context.Context, s *store.Store, upTo int64) error {
	if upTo <= h.upTo {
		return nil
	}
	changed, err := s.Before(ctx, h.version, h.upTo, upTo)
	if err != nil {
		return err
	}
	for _, c := range changed {
		if _, known := h.then[c.User]; !known {
			h.then[c.User] = c
			h.fresh = append(h.fresh, c)
		}
	}
	h.upTo = upTo
	return nil
}
