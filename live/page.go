package live

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"marcador/sse"
	"marcador/store"
)

// maxTail is about how many bytes a page or an event has besides its entries.
const maxTail = 1 << 10

// page is a range of a ranking's entries, encoded, as one commit left them. It never changes.
// The first page is the content of the ranking's topic.
type page struct {
	r       *ranking
	version int64     // the last change that ordinary readers can see
	updated time.Time // the time of that change
	stamp   stamp     // ranking.stamp when the page was made
	names   int64     // profiles.changes when the page was made
	made    time.Time
	ends    *time.Time // when the period ends; nil for all-time
	rows    []row
	size    int                       // bytes of all rows
	total   int                       // visible users on the board
	state   atomic.Pointer[sse.State] // made when it is first needed
}

// row is an encoded entry. The rank is apart, because it is often the only difference between
// two pages.
type row struct {
	id   string
	rank int
	rest []byte // from the comma after the rank to the end, `"isCurrentUser":false}`
}

const (
	rowHead   = `{"rank":`
	others    = `false}`
	mine      = `true}`
	rankWidth = 20 // the greatest number of bytes of a rank
)

// encode sets the page's rows. A topic stores many pages that differ little. So a row that is the
// same as in the earlier page, which may be nil, shares that page's bytes.
func (p *page) encode(users []rankedUser, shown map[uint32]store.Shown, earlier *page) {
	p.made = time.Now()
	p.rows = make([]row, len(users))
	var before map[string][]byte
	if earlier != nil {
		before = make(map[string][]byte, len(earlier.rows))
		for _, r := range earlier.rows {
			before[r.id] = r.rest
		}
	}
	longest := 0
	for i, u := range users {
		entry := marshal(u.entry(shown, false))
		rest := entry[bytes.IndexByte(entry, ','):]
		if was := before[u.id]; bytes.Equal(was, rest) {
			rest = was
		} else {
			rest = bytes.Clone(rest) // marshal allocates more than it needs
		}
		p.rows[i] = row{u.id, u.Rank, rest}
		p.size += len(entry) + rankWidth
		longest = max(longest, len(entry))
	}
	if longest > 0 {
		p.r.b.rows.saw(longest)
		p.r.s.rows.saw(longest)
	}
}

// leastRow is the least number of bytes that SizeOf assumes for a row.
const leastRow = 512

// rowSize estimates the size of the longest row in the pages that were encoded lately. Safe for
// concurrent use.
type rowSize struct{ longest atomic.Int64 }

// saw records the size of the longest row of a page. Each page lowers the estimate by a sixteenth
// at most.
func (z *rowSize) saw(size int) {
	for {
		was := z.longest.Load()
		if z.longest.CompareAndSwap(was, max(int64(size), was-was/16)) {
			return
		}
	}
}

// SizeOf estimates how many bytes an answer with so many rows of a board takes at most. It
// assumes that every row is as long as the longest row that was lately encoded for the board, or
// for any board if it has no row of that board.
func (s *Service) SizeOf(board string, rows int) int {
	s.mu.RLock()
	b := s.boards[board]
	s.mu.RUnlock()
	longest := s.rows.longest.Load()
	if b != nil {
		longest = cmp.Or(b.rows.longest.Load(), longest)
	}
	return rows*(max(int(longest), leastRow)+rankWidth) + maxTail
}

// readable returns what ranking.readable returned when the page was made.
func (p *page) readable(whole bool) stamp {
	if whole {
		return p.stamp
	}
	return stamp{p.version, p.updated}
}

// asState returns the page as a state of its board's topic.
func (p *page) asState() *sse.State {
	if s := p.state.Load(); s != nil {
		return s
	}
	p.state.CompareAndSwap(nil, sse.NewState(p.version, p))
	return p.state.Load()
}

func appendRow(dst []byte, rank int, rest []byte) []byte {
	return append(strconv.AppendInt(append(dst, rowHead...), int64(rank), 10), rest...)
}

// appendEntries appends the page's entries as a JSON array. In the row of the user whose id is
// own, isCurrentUser is true.
func (p *page) appendEntries(dst []byte, own string) []byte {
	dst = append(slices.Grow(dst, p.size+len(p.rows)+maxTail), '[')
	for i, r := range p.rows {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendRow(dst, r.rank, r.rest)
		if r.id == own {
			dst = append(dst[:len(dst)-len(others)], mine...)
		}
	}
	return append(dst, ']')
}

// sameAs reports whether q, which may be nil, has the same entries.
func (p *page) sameAs(q *page) bool {
	return q != nil && p.total == q.total && slices.EqualFunc(p.rows, q.rows, func(a, b row) bool {
		return a.rank == b.rank && bytes.Equal(a.rest, b.rest)
	})
}

// Snapshot returns the event leaderboard:updated, which has the whole page. It implements
// sse.Content.
func (p *page) Snapshot() sse.Event {
	data := append(p.appendEntries([]byte(`{"leaderboard":`), ""), `,"timestamp":`...)
	data = append(append(appendTime(data, p.made), ','), p.r.names...)
	data = appendField(data, "totalEntries", int64(p.total))
	data = append(appendField(data, "version", p.version), '}')
	return sse.Event{Name: "leaderboard:updated", Data: data}
}

// Since returns the event position_change, which leads from an earlier page to this one. It
// implements sse.Content.
//
// First come the changes of users in this page, in the page's order: each user whose entry, rank
// or order is different. Then come the users who are no longer in the page. A client removes the
// rows of all these users. Then it inserts each row that has a new rank after the last row whose
// rank is equal or better. To make that exact where users share a rank, a row that follows a
// changed row of the same rank counts as changed too.
func (p *page) Since(earlier sse.Content) sse.Event {
	from := earlier.(*page) //nolint:errcheck // all contents of a topic are pages
	before := make(map[string]int, len(from.rows))
	for i, r := range from.rows {
		before[r.id] = i
	}
	data := append([]byte(`{"type":"position_change",`), p.r.names...)
	data = appendField(data, "from", from.version)
	data = appendField(data, "version", p.version)
	data = append(data, `,"changes":[`...)
	none := len(data)
	change := func(id string, oldRank, newRank int, rest []byte) {
		if len(data) > none {
			data = append(data, ',')
		}
		data = append(append(data, `{"userId":`...), quote(id)...)
		data = appendRank(data, "oldRank", oldRank)
		data = appendRank(data, "newRank", newRank)
		if rest != nil {
			data = appendRow(append(data, `,"entry":`...), newRank, rest)
		}
		data = append(data, '}')
	}
	tied := 0  // the rank of the last changed row
	last := -1 // the index, in the earlier page, of the last row that has not changed
	for _, r := range p.rows {
		at, was := before[r.id]
		delete(before, r.id)
		switch {
		case !was:
			change(r.id, 0, r.rank, r.rest)
		case !bytes.Equal(from.rows[at].rest, r.rest):
			change(r.id, from.rows[at].rank, r.rank, r.rest)
		case from.rows[at].rank != r.rank, tied == r.rank, at < last:
			change(r.id, from.rows[at].rank, r.rank, nil)
		default:
			last = at
			continue
		}
		tied = r.rank
	}
	for _, r := range from.rows {
		if _, gone := before[r.id]; gone {
			change(r.id, r.rank, 0, nil)
		}
	}
	data = appendField(append(data, ']'), "totalEntries", int64(p.total))
	data = append(appendTime(append(data, `,"timestamp":`...), p.made), '}')
	return sse.Event{Name: "position_change", Data: data}
}
