package live

import (
	"fmt"
	"math"
	"sync/atomic"

	"marcador/rank"
	"marcador/store"
)

// ranking is a board in one period.
type ranking struct {
	b      *board
	s      *Service
	period store.Period
	names  []byte // `"board":"global","period":"all-time"`

	rank    *rank.Board // guarded by s.mu
	stamp   stamp       // guarded by s.mu: the last change of the order, or of who is in it
	seen    stamp       // guarded by s.mu: the last of these that the board's limit does not hide
	pending effect      // guarded by s.mu: of the changes since takeChanges

	publisher atomic.Pointer[publisher] // made for the first follower; it stays
}

// effect says who can see what a change does to a ranking.
type effect uint8

const (
	affectsUser      effect = 1 << iota // the user may see it; every change has this effect
	affectsOrder                        // the entries or their order are different
	affectsReaders                      // the entries within the board's limit are different
	affectsBroadcast                    // the entries that a broadcast shows are different

	affectsAll = affectsUser | affectsOrder | affectsReaders | affectsBroadcast
)

// pageKey names the entries of a page by their positions.
type pageKey struct{ first, n int }

func newRanking(b *board, period store.Period) *ranking {
	return &ranking{
		b: b, s: b.s, period: period,
		names: fmt.Appendf(nil, `"board":%s,"period":%s`, quote(b.name), quote(period.String())),
		rank:  rank.NewBoard(rank.Options{Tie: b.s.tie, Numbering: b.s.opts.Ranks, Sparse: b.name != Global}),
	}
}

// tie orders users with equal scores: the lower id is first. rank calls it with mu held, or on
// the goroutine that loads a board.
func (s *Service) tie(a, b uint32) bool { return s.people.tie(a, b) }

// changed records what the current change does to the ranking. A hidden user's points have the
// effect affectsUser only. Other users must not learn of such points, not even when they were
// given. s.mu must be held.
func (r *ranking) changed(how effect) {
	if r.pending == 0 {
		r.s.changed = append(r.s.changed, r)
	}
	r.pending |= how
	if how&affectsOrder != 0 {
		r.stamp.raise(r.s.current)
	}
	if how&affectsReaders != 0 {
		r.seen.raise(r.s.current)
	}
}

// readable returns the last change that a reader can see. whole says that the board's limit does
// not apply to the reader. s.mu must be held.
func (r *ranking) readable(whole bool) stamp {
	if whole {
		return r.stamp
	}
	return r.seen
}

// effectOfMove returns the effect of a user's move from one rank to another. before is 0 if the
// user is new to the ranking. The user must not be hidden. s.mu must be held.
func (r *ranking) effectOfMove(before, after int) effect {
	best := min(before, after)
	if limit := r.s.limitOf(r.b.name); limit > 0 && before > 0 && best > limit {
		return affectsUser | affectsOrder
	}
	if before > 0 && best > r.s.opts.Top {
		return affectsUser | affectsOrder | affectsReaders
	}
	return affectsAll
}

// change says that a ranking has changed, and whether a broadcast shows the change.
type change struct {
	r         *ranking
	broadcast bool
}

// takeChanges returns which rankings were changed since the last call. mu must be held.
func (s *Service) takeChanges() (changes []change) {
	for _, r := range s.changed {
		changes = append(changes, change{r, r.pending&affectsBroadcast != 0})
		r.pending = 0
	}
	s.changed = s.changed[:0]
	return changes
}

// followed returns the ranking's publisher, and makes it if there is none yet.
func (r *ranking) followed() *publisher {
	if r.publisher.Load() == nil {
		r.publisher.CompareAndSwap(nil, newPublisher(r))
	}
	return r.publisher.Load()
}

// cachedPage returns the cached page of these entries, or nil. It may be out of date.
func (r *ranking) cachedPage(key pageKey) *page {
	p, _ := r.s.cache.get(cacheKey{ranking: r, page: key}).(*page)
	return p
}

// cachePage caches the page. Empty pages are not cached: there is one for every offset past the
// end of the board.
func (r *ranking) cachePage(key pageKey, p *page) {
	if key.n > 0 {
		r.s.cache.add(cacheKey{ranking: r, page: key}, p)
	}
}

// rankedUser is an entry with everything that its JSON needs except the user's profile.
type rankedUser struct {
	rank.Entry

	id          string
	xp, mlCoins int64
	badge       string
}

// rankedUser completes an entry. s.mu must be held.
func (r *ranking) rankedUser(e rank.Entry) rankedUser {
	u := rankedUser{Entry: e, id: r.s.people.id(e.User), mlCoins: r.s.people.mlCoins[e.User]}
	u.xp = r.s.global.rankings[store.AllTime].rank.Score(e.User)
	u.badge = r.s.badge(u.xp)
	return u
}

// rankedCaller is the caller's own entry, with what only the caller is told.
type rankedCaller struct {
	rankedUser

	percentile   float64
	pointsToNext *int64 // nil at the top
	nextRank     *int   // for a caller without a score: the rank that pointsToNext would give
}

// rankedCaller returns the entry of the user with that id, or nil if the user is not on the
// board. A member without a score in the period has the rank 0. s.mu must be held.
func (r *ranking) rankedCaller(userID string) *rankedCaller {
	number, ok := r.s.people.number(userID)
	if !ok || !r.b.has(number) {
		return nil
	}
	e, ok := r.rank.Entry(number)
	if !ok {
		points, next := r.rank.ToEnter()
		return &rankedCaller{
			rankedUser:   r.rankedUser(rank.Entry{User: number}),
			pointsToNext: &points, nextRank: &next,
		}
	}
	c := &rankedCaller{rankedUser: r.rankedUser(e)}
	if total := r.rank.Len(); total > 0 {
		c.percentile = math.Round(float64(r.rank.Behind(number))/float64(total)*1000) / 10
	}
	if points, ok := r.rank.ToNext(number); ok {
		c.pointsToNext = &points
	}
	return c
}
