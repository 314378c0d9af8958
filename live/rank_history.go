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

// maxHistoryRows bounds, in rows of the ledger, how far back a rank is worked out. A user who was
// away for longer is not told how their rank changed meanwhile.
const maxHistoryRows = 20_000

// rankHistory works out which rank a user had at an earlier version of a ranking. For that it
// reads from the ledger whose points have changed since, and what they had before.
//
// After a restart, many clients come back with the same version. So the history of one version is
// cached. Safe for concurrent use.
type rankHistory struct {
	r *ranking

	mu      sync.Mutex
	version int64     // guarded by mu: the version whose history is cached
	upTo    int64     // guarded by mu: changes up to this seq have been read
	since   time.Time // guarded by mu: the start of the period; zero for all-time

	// then has the totals at the version, of the users whose points have changed since. It has at
	// most maxHistoryRows users when it is first read, and grows with later changes.
	then map[uint32]store.PastStanding // guarded by mu

	// items has the scores in the period that the users of then had. The score of a user who was
	// not on the board is absent.
	items map[uint32]rank.Item // guarded by mu

	fresh []store.PastStanding // guarded by mu: what then has and items does not have yet
}

// absent is the score of a user who was not on the board. It is behind all others.
const absent = math.MinInt64

// rankAt returns the rank that the user had at a version. It returns nil if that is not known:
//
//   - the version is too old, or it is of the future
//   - the user does not exist any more, or is not on the board now
//   - ranks are dense, since a dense rank depends on the scores of all users, not only of those
//     whose points have changed
func (h *rankHistory) rankAt(ctx context.Context, user string, version int64) (*ownRank, error) {
	r, s := h.r, h.r.s
	h.mu.Lock()
	defer h.mu.Unlock()
	s.mu.RLock()
	now := s.shown.version
	s.mu.RUnlock()
	if version > now || now-version > maxHistoryRows || s.opts.Ranks == rank.Dense {
		return nil, nil //nolint:nilnil // not known, which is not an error
	}
	if h.version != version || h.then == nil {
		h.reset(version)
	}
	// Writes wait for s.mu. So most rows are read without it, and then, with it, the few that were
	// committed meanwhile.
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
	h.update()
	own := &ownRank{xp: s.global.rankings[store.AllTime].rank.Score(number), member: true}
	if before, changed := h.then[number]; changed {
		own.xp = before.XP
	}
	if it, changed := h.items[number]; !changed || it.Score != absent {
		own.rank = r.rank.RankThen(number, h.items)
	}
	return own, nil
}

// reset forgets the cached version and begins another. mu must be held.
func (h *rankHistory) reset(version int64) {
	h.version, h.upTo, h.fresh = version, version, nil
	h.then, h.items = map[uint32]store.PastStanding{}, map[uint32]rank.Item{}
}

// update brings items up to then. If another period has begun, it works out all items again. mu
// and s.mu must be held.
func (h *rankHistory) update() {
	s := h.r.s
	if h.r.period != store.AllTime && !h.since.Equal(s.periods.starts[h.r.period]) {
		h.since = s.periods.starts[h.r.period]
		h.fresh = slices.AppendSeq(h.fresh[:0], maps.Values(h.then))
	}
	for _, then := range h.fresh {
		h.items[then.User] = h.item(then)
	}
	h.fresh = nil
}

// item returns the score in the period that a user had. mu and s.mu must be held.
func (h *rankHistory) item(then store.PastStanding) rank.Item {
	it := rank.Item{Score: then.XP, Seq: then.Reached, User: then.User}
	switch all := &h.r.s.global.rankings; {
	case h.r.period == store.AllTime:
	case then.At < h.since.UnixMilli():
		it.Score = absent
	default:
		// The present total minus the present score in the period is the total at its start.
		it.Score -= all[store.AllTime].rank.Score(then.User) - all[h.r.period].rank.Score(then.User)
	}
	return it
}

// read reads the changes up to a seq from the ledger. mu must be held.
func (h *rankHistory) read(ctx context.Context, s *store.Store, upTo int64) error {
	if upTo <= h.upTo {
		return nil
	}
	changed, err := s.PastStandingsOfChanged(ctx, h.version, h.upTo, upTo)
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
