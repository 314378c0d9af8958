package live

import (
	"sync"
	"sync/atomic"

	"marcador/store"
)

// ownRank is a user's rank on a board, with what the event rank_changed needs beside it.
type ownRank struct {
	rank   int   // 0 means none
	xp     int64 // the user's total
	member bool  // the user is on the board
	hidden bool  // no other user sees the user
}

// viewers are the users who follow a ranking. Each of them is told when their own rank changes.
// Safe for concurrent use.
type viewers struct {
	r     *ranking
	count atomic.Int64 // of users

	mu    sync.Mutex         // may be locked with s.mu held, but not the other way round
	users map[string]*viewer // guarded by mu: by id
	free  []int              // guarded by mu: the slots below slots that no user has
	slots int                // guarded by mu: the greatest number of slots that was ever needed
}

// viewer is a user with one or more streams of a ranking.
type viewer struct {
	user    string
	slot    int     // the user's index in notes.ranks
	told    ownRank // guarded by viewers.mu: the rank that was published last
	begun   bool    // guarded by viewers.mu: a stream has begun, so told is set
	streams int     // guarded by viewers.mu

	// notesVersion is the version of the last notes that have the user. Guarded by viewers.mu.
	notesVersion int64

	// lastBegin is what boards showed when a stream began last. Guarded by viewers.mu.
	lastBegin int64

	// differs says that a stream began with another rank than was published last. The next notes
	// are then published, even if the rank is again the one that was published. Guarded by
	// viewers.mu.
	differs bool
}

// notes have the rank of every viewer at the moment of a publication. They never change.
type notes struct {
	version int64     // what boards showed; no client is told
	seen    int64     // the last change that other users can see
	ranks   []ownRank // by slot
	moved   bool      // some viewer's rank has changed, or a viewer is no longer a member
	openly  bool      // the same, of a viewer whom other users can see
}

func newViewers(r *ranking) *viewers {
	return &viewers{r: r, users: map[string]*viewer{}}
}

// any reports whether there are any viewers.
func (v *viewers) any() bool { return v.count.Load() > 0 }

// join adds a stream of the user.
func (v *viewers) join(user string) *viewer {
	v.mu.Lock()
	defer v.mu.Unlock()
	one := v.users[user]
	if one == nil {
		one = &viewer{user: user, slot: v.slots}
		if n := len(v.free); n > 0 {
			one.slot, v.free = v.free[n-1], v.free[:n-1]
		} else {
			v.slots++
		}
		v.users[user] = one
		v.count.Add(1)
	}
	one.streams++
	return one
}

// leave removes a stream of the viewer, which may be nil.
func (v *viewers) leave(one *viewer) {
	if one == nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if one.streams--; one.streams == 0 {
		delete(v.users, one.user)
		v.free = append(v.free, one.slot)
		v.count.Add(-1)
	}
}

// notes returns the present ranks of all viewers. s.mu must be held. For each viewer it costs
// O(log n) of the board.
func (v *viewers) notes() notes {
	v.mu.Lock()
	defer v.mu.Unlock()
	n := notes{version: v.r.s.shown.version, seen: v.r.seen.version}
	if len(v.users) == 0 {
		return n
	}
	n.ranks = make([]ownRank, v.slots)
	for _, one := range v.users {
		if !one.begun {
			continue
		}
		now := v.rankOf(one.user)
		n.ranks[one.slot] = now
		moved := one.differs || now.rank != one.told.rank || now.member != one.told.member
		n.moved = n.moved || moved
		n.openly = n.openly || moved && !now.hidden
		one.notesVersion = n.version
	}
	return n
}

// published records that the notes were published.
func (v *viewers) published(n notes) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, one := range v.users {
		// A viewer who joined after the notes were made is not in them. The slot may be that of a
		// viewer who has left.
		if one.notesVersion == n.version {
			one.told = n.ranks[one.slot]
			one.differs = one.lastBegin > n.version // a stream has begun since the notes were made
		}
	}
}

// rankOf returns the user's present rank. s.mu must be held.
func (v *viewers) rankOf(user string) ownRank {
	number, ok := v.r.s.people.number(user)
	if !ok {
		return ownRank{member: v.r.b.members == nil}
	}
	own := ownRank{
		xp:     v.r.s.global.rankings[store.AllTime].rank.Score(number),
		member: v.r.b.has(number), hidden: v.r.s.people.isHidden(number),
	}
	if own.member {
		own.rank = v.r.rank.Rank(number)
	}
	return own
}
