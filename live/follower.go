package live

import (
	"context"
	"encoding/binary"

	"marcador/sse"
	"marcador/store"
)

// Follow says which board a stream follows, and for whom.
type Follow struct {
	Board  string
	Period store.Period
	User   string // the user's id; empty for an anonymous stream

	// AsMember says that the user may follow the board only as a member. When the membership ends,
	// the stream is told that the board is forbidden, and nothing more of the board.
	AsMember bool

	// Seen is the version in the event id with which the client reconnects, or -1 if it has none.
	Seen int64

	// Told is what Own.Told returned for that id. It is nil if the id is from another process.
	Told []byte
}

// Follow returns the topic of a board, with the state that the stream begins with. The board
// counts as followed until Leave of the result is called, which sse.Server does when the stream
// ends. Errors are ErrUnknownBoard, ErrNotMember, and those of reading the database.
func (s *Service) Follow(ctx context.Context, f Follow) (sse.Follow, error) {
	b, err := s.pin(ctx, f.Board)
	if err != nil {
		return sse.Follow{}, err
	}
	follow, err := b.rankings[f.Period].followed().follow(ctx, f)
	if err != nil {
		b.unpin()
		return sse.Follow{}, err
	}
	leave := follow.Leave
	follow.Leave = func() { leave(); b.unpin() }
	return follow, nil
}

// follower is a stream of a ranking. It implements sse.Own. It belongs to the goroutine that
// writes the stream.
type follower struct {
	r        *ranking
	viewers  *viewers
	viewer   *viewer // nil for an anonymous stream
	slot     int     // the viewer's slot
	asMember bool    // see Follow.AsMember
	version  int64   // the version of the notes that the stream was told last
	told     ownRank // the rank that the stream was told last

	// before is the rank that the client was told before it reconnected. It is nil if that is not
	// known, and after it was used.
	before *ownRank
}

// begin sets the rank that the stream begins with. s.mu must be held.
func (f *follower) begin() {
	if f.viewer == nil {
		return
	}
	v := f.viewers
	v.mu.Lock()
	defer v.mu.Unlock()
	f.version = f.r.s.shown.version
	f.told = v.rankOf(f.viewer.user)
	if first := !f.viewer.begun || f.viewer.streams == 1; first {
		f.viewer.begun = true
		f.viewer.told = f.told
	} else if f.viewer.told.rank != f.told.rank {
		f.viewer.differs = true
	}
	f.viewer.lastBegin = f.version
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

// News returns the event rank_changed, which leads from the rank that the stream was told last to
// the rank in the notes. When the stream begins, published is nil, and the event leads from the
// rank that the client was told before it reconnected. If the rank is the same, there is no event.
//
// If the user must be a member and is no longer one, News returns the event that ends the board
// instead. It implements sse.Own.
func (f *follower) News(published any, with bool) sse.Event {
	if published == nil {
		if f.before == nil {
			return sse.Event{}
		}
		before := *f.before
		f.before = nil
		return f.moved(before, f.told)
	}
	n := published.(notes) //nolint:errcheck // a publisher publishes no other notes
	if n.version <= f.version {
		return sse.Event{}
	}
	now := n.ranks[f.slot]
	if f.asMember && !now.member {
		return sse.Forbidden(f.r.b.name, "You are not a member of the board "+f.r.b.name+" any more.")
	}
	if now.rank == f.told.rank && !with {
		return sse.Event{} // told stays, so the next event counts these points as well
	}
	before := f.told
	f.version, f.told = n.version, now
	return f.moved(before, f.told)
}

// moved returns the event that leads from one rank to the other, or no event if they are equal.
func (f *follower) moved(from, to ownRank) sse.Event {
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

// Told appends the rank that the stream was told last. It implements sse.Own.
func (f *follower) Told(dst []byte) []byte {
	if f.viewer == nil {
		return dst
	}
	dst = binary.AppendUvarint(dst, uint64(f.told.rank))
	return binary.AppendVarint(dst, f.told.xp)
}

// toldRank returns the rank that Told has appended, or nil if told is not from Told.
func toldRank(told []byte) *ownRank {
	rank, n := binary.Uvarint(told)
	if n <= 0 {
		return nil
	}
	xp, m := binary.Varint(told[n:])
	if m <= 0 {
		return nil
	}
	return &ownRank{rank: int(rank), xp: xp, member: true}
}

// AsMember is the right to follow a board. If it is true, the right ends with the user's
// membership; see Follow.AsMember. It implements sse.Right.
type AsMember bool

// And returns the lesser of two rights, which is that of a member.
func (m AsMember) And(other sse.Right) sse.Right {
	return m || other.(AsMember) //nolint:errcheck // api gives no other right
}

// Renew sets the right of the stream, which must be an AsMember, when its token is renewed. lasts
// says that the right is good for as long as the rights before it. If it is not, the stream's right
// must not become more, so a member's right stays one. It implements sse.Own.
func (f *follower) Renew(right sse.Right, lasts bool) {
	asMember := bool(right.(AsMember)) //nolint:errcheck // api gives no other right
	f.asMember = asMember || f.asMember && !lasts
}
