package live

import (
	"sync"
	"sync/atomic"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"marcador/sse"
)

// maxLeft bounds the users of whom a board remembers what they were told when
// they left; past it the one who left first is looked up in the ledger when they
// come back.
const maxLeft = 1 << 14

// place is where a user stands on a board. Rank 0 is none.
type place struct {
	rank  int
	score int64
}

// viewers are the users who follow a board: each is told when their own rank
// moves. Safe for concurrent use.
type viewers struct {
	b     *board
	count atomic.Int64

	mu    sync.Mutex                       // may be taken with s.mu held, not the other way
	users map[string]*viewer               // guarded by mu
	free  []int                            // guarded by mu: slots that nobody has
	slots int                              // guarded by mu: how many were ever needed
	left  *simplelru.LRU[departure, place] // guarded by mu
}

// viewer is a user with one or more streams of a board.
type viewer struct {
	user    string
	slot    int    // the place in notes.places
	streams int    // guarded by viewers.mu
	number  uint32 // guarded by viewers.mu: the user's when last looked up
	told    place  // guarded by viewers.mu: what was published last
	apart   bool   // guarded by viewers.mu: a stream began with something else
}

// departure is a user who left with an event id of that version.
type departure struct {
	user   string
	lastID int64
}

// notes are where each viewer stood when a board was published. They do not
// change.
type notes struct {
	version int64
	places  []place // by slot
	moved   bool    // somebody's changed
}

func newViewers(b *board) *viewers {
	left, err := simplelru.NewLRU[departure, place](maxLeft, nil)
	if err != nil {
		panic(err) // the size is positive
	}
	return &viewers{b: b, users: map[string]*viewer{}, left: left}
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

// leave counts a stream less, and remembers what it was told last.
func (v *viewers) leave(f *follower, lastID int64) {
	if f.viewer == nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if lastID >= 0 {
		v.left.Add(departure{f.viewer.user, lastID}, f.told)
	}
	if f.viewer.streams--; f.viewer.streams == 0 {
		delete(v.users, f.viewer.user)
		v.free = append(v.free, f.viewer.slot)
		v.count.Add(-1)
	}
}

// whenLeft returns what the user was told last who left with that event id.
func (v *viewers) whenLeft(user string, lastID int64) (place, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.left.Get(departure{user, lastID})
}

// notes returns where all viewers stand. It is called with s.mu held. O(viewers)
// and the logarithm of the board for each.
func (v *viewers) notes() notes {
	v.mu.Lock()
	defer v.mu.Unlock()
	n := notes{version: v.b.stamp.version}
	if len(v.users) == 0 {
		return n
	}
	n.places = make([]place, v.slots)
	for _, one := range v.users {
		now := v.place(one)
		n.places[one.slot] = now
		n.moved = n.moved || one.apart || now != one.told
		one.told, one.apart = now, false
	}
	return n
}

// place is called with s.mu and mu held.
func (v *viewers) place(one *viewer) place {
	users := v.b.s.users
	if int(one.number) >= len(users) || users[one.number].id != one.user {
		number, ok := v.b.s.numbers[one.user]
		if !ok {
			return place{}
		}
		one.number = number
	}
	return place{v.b.rank.Rank(one.number), v.b.rank.Score(one.number)}
}

// follower is a stream of a board. It belongs to the goroutine that writes it.
type follower struct {
	b       *board
	viewer  *viewer // nil for an anonymous one
	slot    int     // the viewer's, here to be at hand
	version int64   // of what it was told last
	told    place   // then
	before  *place  // where the user stood by the event id that the stream began with, if it is known
}

// look notes where the user stands when the stream begins. It is called with s.mu
// held.
func (f *follower) look() {
	if f.viewer == nil {
		return
	}
	v := f.b.publisher.viewers
	v.mu.Lock()
	defer v.mu.Unlock()
	f.version = f.b.stamp.version
	f.told = v.place(f.viewer)
	if f.viewer.streams == 1 {
		f.viewer.told = f.told
	} else if f.viewer.told != f.told {
		f.viewer.apart = true
	}
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

// News implements sse.Own: the event rank_changed, from what the stream was told
// last to where the user stands now.
func (f *follower) News(published any) sse.Event {
	if published == nil {
		if f.before == nil {
			return sse.Event{}
		}
		before := *f.before
		f.before = nil
		return f.moved(before, f.told)
	}
	n := published.(notes) //nolint:errcheck // a board publishes no other
	if n.version <= f.version {
		return sse.Event{}
	}
	before := f.told
	f.version, f.told = n.version, n.places[f.slot]
	return f.moved(before, f.told)
}

func (f *follower) moved(from, to place) sse.Event {
	if from.rank == to.rank {
		return sse.Event{}
	}
	return sse.Event{Name: "rank_changed", Data: marshal(rankChanged{
		UserID: f.viewer.user, Board: f.b.name, Period: f.b.period,
		OldRank: rankOrNull(from.rank), NewRank: rankOrNull(to.rank), PointsGained: to.score - from.score,
	})}
}

func rankOrNull(rank int) *int {
	if rank == 0 {
		return nil
	}
	return &rank
}
