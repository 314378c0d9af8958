package live

import (
	"fmt"
	"math"
	"sync/atomic"

	"marcador/rank"
	"marcador/store"
)

// ranking is a board in one period, with what was encoded of it.
type ranking struct {
	b      *board
	s      *Service
	period store.Period
	names  []byte // `"board":"global","period":"all-time"`

	rank    *rank.Board // guarded by s.mu
	stamp   stamp       // guarded by s.mu: of the last change that the order shows, or who is in it
	seen    stamp       // guarded by s.mu: of the last of them that the board's limit does not hide
	pending effect      // guarded by s.mu

	publisher atomic.Pointer[publisher] // made when somebody follows; then it stays
}

// effect is what a change does to a ranking, and the commit under way has done.
type effect uint8

const (
	affectsUser      effect = 1 << iota // something that somebody may see, if only of themselves
	affectsOrder                        // something that the order shows, or who is in it
	affectsReaders                      // something of that which the board's limit does not hide
	affectsBroadcast                    // something of that which shows in a broadcast

	affectsAll = affectsUser | affectsOrder | affectsReaders | affectsBroadcast
)

// pageKey is which entries a page has.
type pageKey struct{ first, n int }

func newRanking(b *board, period store.Period) *ranking {
	return &ranking{
		b: b, s: b.s, period: period,
		names: fmt.Appendf(nil, `"board":%s,"period":%s`, quote(b.name), quote(period.String())),
		rank:  rank.NewBoard(rank.Options{Tie: b.s.tie, Numbering: b.s.opts.Ranks, Sparse: b.name != Global}),
	}
}

// changed notes what the change under way does to the ranking. A hidden user's points only
// touch it: nobody else is to learn of them, not even when they came. It is called with
// s.mu held.
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

// readable is of the last change that a reader sees: an ordinary one, or one whom no limit
// stops. It is called with s.mu held.
func (r *ranking) readable(whole bool) stamp {
	if whole {
		return r.stamp
	}
	return r.seen
}

// effectOfMove returns what it does to the ranking that a user who is not hidden moves between
// the ranks; before is 0 for none. It is called with s.mu held.
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

// takeChanges returns what is to be told the publishers of the rankings that were changed since
// it was last called. It is called with mu held.
func (s *Service) takeChanges() (news []change) {
	for _, r := range s.changed {
		news = append(news, change{r, r.pending&affectsBroadcast != 0})
		r.pending = 0
	}
	s.changed = s.changed[:0]
	return news
}

// change is a ranking that has changed, and whether that shows in a broadcast.
type change struct {
	r     *ranking
	shows bool
}

// followed returns the publisher, made if there is none.
func (r *ranking) followed() *publisher {
	if r.publisher.Load() == nil {
		r.publisher.CompareAndSwap(nil, newPublisher(r))
	}
	return r.publisher.Load()
}

// kept returns the page that was kept last of these entries, which may be out of date,
// or nil.
func (r *ranking) cachedPage(key pageKey) *page {
	p, _ := r.s.cache.get(cacheKey{ranking: r, page: key}).(*page)
	return p
}

// keep keeps the page for others. It knows itself what it is of.
func (r *ranking) cachePage(key pageKey, p *page) {
	if key.n > 0 { // behind the last there is no end of offsets
		r.s.cache.add(cacheKey{ranking: r, page: key}, p)
	}
}

// rankedUser is an entry with all that is needed to encode it but the profile.
type rankedUser struct {
	rank.Entry

	id          string
	xp, mlCoins int64
	badge       string
}

// rankedUser is called with s.mu held.
func (r *ranking) rankedUser(e rank.Entry) rankedUser {
	u := rankedUser{Entry: e, id: r.s.people.id(e.User), mlCoins: r.s.people.mlCoins[e.User]}
	u.xp = r.s.global.rankings[store.AllTime].rank.Score(e.User)
	u.badge = r.s.badge(u.xp)
	return u
}

// rankless is the entry of a user who has no score in the period.
func rankless(user uint32) rank.Entry { return rank.Entry{User: user} }

// rankedCaller is the caller's line with what only the caller is told.
type rankedCaller struct {
	rankedUser

	percentile   float64
	pointsToNext *int64 // nil at the top
	nextRank     *int   // of who has no score: the rank that pointsToNext would give
}

// rankedCaller returns nil for a user who is not on the board. A member without a score in the
// period has the rank 0. It is called with s.mu held.
func (r *ranking) rankedCaller(userID string) *rankedCaller {
	number, ok := r.s.people.number(userID)
	if !ok || !r.b.has(number) {
		return nil
	}
	e, ok := r.rank.Entry(number)
	if !ok {
		points, rank := r.rank.ToEnter()
		return &rankedCaller{rankedUser: r.rankedUser(rankless(number)), pointsToNext: &points, nextRank: &rank}
	}
	o := &rankedCaller{rankedUser: r.rankedUser(e)}
	if total := r.rank.Len(); total > 0 {
		o.percentile = math.Round(float64(r.rank.Behind(number))/float64(total)*1000) / 10
	}
	if points, ok := r.rank.ToNext(number); ok {
		o.pointsToNext = &points
	}
	return o
}
