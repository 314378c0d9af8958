package live

import (
	"encoding/binary"
	"sync"
	"sync/atomic"

	"marcador/sse"
)

// place is where a user stands on a board. Rank 0 is none.
type place struct {
	rank   int
	xp     int64 // in total
	member bool  // of the board
	hidden bool  // the user, from all others
}

// viewers are the users who follow a ranking: each is told when their own rank
// moves. Safe for concurrent use.
type viewers struct {
	r     *ranking
	count atomic.Int64

	mu    sync.Mutex         // may be taken with s.mu held, not the other way
	users map[string]*viewer // guarded by mu
	free  []int              // guarded by mu: slots that nobody has
	slots int                // guarded by mu: how many were ever needed
}

// viewer is a user with one or more streams of a ranking.
type viewer struct {
	user    string
	slot    int   // in notes.places
	noted   int64 // guarded by viewers.mu: the version of the last notes that it is in
	looked  bool  // guarded by viewers.mu: a stream has begun, so that it is known what was told
	streams int   // guarded by viewers.mu
	told    place // guarded by viewers.mu: what was published last
	apart   bool  // guarded by viewers.mu: a stream began with another rank than was published
	begun   int64 // guarded by viewers.mu: what boards showed when a stream began last
}

// notes are where each viewer stood when a board was published. They do not
// change.
type notes struct {
	version int64   // of what boards showed; nobody is told
	seen    int64   // of the last change that others see
	places  []place // by slot
	moved   bool    // somebody's rank has, or somebody is no member any more
	openly  bool    // of somebody whom others see
}

func newViewers(r *ranking) *viewers {
	return &viewers{r: r, users: map[string]*viewer{}}
}

// any reports whether there are any.
func (v *viewers) any() bool { return v.count.Load() > 0 }

// join counts a stream of the user.
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

// leave counts a stream less.
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

// notes returns where all viewers stand. It is called with s.mu held. O(viewers)
// and the logarithm of the board for each.
func (v *viewers) notes() notes {
	v.mu.Lock()
	defer v.mu.Unlock()
	n := notes{version: v.r.s.shown.version, seen: v.r.seen.version}
	if len(v.users) == 0 {
		return n
	}
	n.places = make([]place, v.slots)
	for _, one := range v.users {
		if !one.looked {
			continue
		}
		now := v.place(one.user)
		n.places[one.slot] = now
		moved := one.apart || now.rank != one.told.rank || now.member != one.told.member
		n.moved = n.moved || moved
		n.openly = n.openly || moved && !now.hidden
		one.noted = n.version
	}
	return n
}

// published notes what all viewers are told now.
func (v *viewers) published(n notes) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, one := range v.users {
		if one.noted == n.version { // else it has come meanwhile, perhaps to the slot of one who has left
			one.told = n.places[one.slot]
			one.apart = one.begun > n.version // by a stream that has come meanwhile
		}
	}
}

// place is called with s.mu held.
func (v *viewers) place(user string) place {
	number, ok := v.r.s.people.number(user)
	if !ok {
		return place{member: v.r.b.members == nil}
	}
	at := place{xp: v.r.s.global.rankings[AllTime].rank.Score(number), member: v.r.b.has(number), hidden: v.r.s.people.isHidden(number)}
	if at.member {
		at.rank = v.r.rank.Rank(number)
	}
	return at
}

// follower is a stream of a ranking. It belongs to the goroutine that writes it.
type follower struct {
	r        *ranking
	viewers  *viewers
	viewer   *viewer // nil for an anonymous one
	slot     int     // the viewer's, here to be at hand
	asMember bool    // the board ends when the user is no member any more
	version  int64   // of what it was told last
	told     place   // then
	before   *place  // where the user stood by the event id that the stream began with, if that is known
}

// look notes where the user stands when the stream begins. It is called with s.mu
// held.
func (f *follower) begin() {
	if f.viewer == nil {
		return
	}
	v := f.viewers
	v.mu.Lock()
	defer v.mu.Unlock()
	f.version = f.r.s.shown.version
	f.told = v.place(f.viewer.user)
	if first := !f.viewer.looked || f.viewer.streams == 1; first {
		f.viewer.looked = true
		f.viewer.told = f.told
	} else if f.viewer.told.rank != f.told.rank {
		f.viewer.apart = true
	}
	f.viewer.begun = f.version
}

// rankChanged is the data of the event rank_changed.
type rankChanged struct {
	UserID       string `json:"userId"`
	Board        string `json:"board"`
	Period       string `json:"period"`
	OldRank      *int   `json:"oldRank"` // null for none
	NewRank      *int   `json:"newRank"`
	PointsGained int64  `json:"pointsGained"`
}

// News implements sse.Own: the event rank_changed, from when the stream was told
// anything of the board last to where the user stands now. To somebody who is no member
// any more it is the event that ends the board.
func (f *follower) News(published any, with bool) sse.Event {
	if published == nil {
		if f.before == nil {
			return sse.Event{}
		}
		before := *f.before
		f.before = nil
		return f.moved(before, f.told)
	}
	n := published.(notes) //nolint:errcheck // a ranking publishes no other
	if n.version <= f.version {
		return sse.Event{}
	}
	now := n.places[f.slot]
	if f.asMember && !now.member {
		return sse.Forbidden(f.r.b.name, "You are not a member of the board "+f.r.b.name+" any more.")
	}
	if now.rank == f.told.rank && !with {
		return sse.Event{}
	}
	before := f.told
	f.version, f.told = n.version, now
	return f.moved(before, f.told)
}

// Told implements sse.Own.
func (f *follower) Told(dst []byte) []byte {
	if f.viewer == nil {
		return dst
	}
	dst = binary.AppendUvarint(dst, uint64(f.told.rank))
	return binary.AppendVarint(dst, f.told.xp)
}

// toldPlace returns where the user stood by what Told has appended, or nil.
func toldPlace(told []byte) *place {
	rank, n := binary.Uvarint(told)
	if n <= 0 {
		return nil
	}
	xp, m := binary.Varint(told[n:])
	if m <= 0 {
		return nil
	}
	return &place{rank: int(rank), xp: xp, member: true}
}

// AsMember is the right to follow a board: by being a member of it, and not otherwise.
type AsMember bool

// And implements sse.Right. The right of a member is the lesser one: it ends with membership.
func (m AsMember) And(other sse.Right) sse.Right {
	return m || other.(AsMember) //nolint:errcheck // api gives no other
}

// Renew implements sse.Own: the right is an AsMember. Who may follow the board without being
// a member of it may do so no longer than the token that says so is good.
func (f *follower) Renew(right sse.Right, lasts bool) {
	asMember := bool(right.(AsMember)) //nolint:errcheck // api gives no other
	f.asMember = asMember || f.asMember && !lasts
}

func (f *follower) moved(from, to place) sse.Event {
	if from.rank == to.rank {
		return sse.Event{}
	}
	return sse.Event{Name: "rank_changed", Data: marshal(rankChanged{
		UserID: f.viewer.user, Board: f.r.b.name, Period: f.r.period.String(),
		OldRank: rankOrNull(from.rank), NewRank: rankOrNull(to.rank), PointsGained: to.xp - from.xp,
	})}
}

func rankOrNull(rank int) *int {
	if rank == 0 {
		return nil
	}
	return &rank
}
