package live

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"marcador/sse"
	"marcador/store"
)

// maxTail is about what stands beside the entries in a page or an event.
const maxTail = 1 << 10

// page is some of a board's entries, encoded, as one commit left them. It does
// not change. The first page is what the board's topic shows.
type page struct {
	stamp
	board *board
	names int64 // what profiles.changes was
	made  time.Time
	first int // the rank of the first row
	rows  []row
	size  int // of all rows
	total int
	state atomic.Pointer[sse.State] // made when first needed
}

// row is an entry, encoded. Its rank is that of its place.
type row struct {
	id   string
	rest []byte // the entry from behind its rank to `"isCurrentUser":false}`
}

const (
	rowHead   = `{"rank":`
	others    = `false}`
	mine      = `true}`
	rankWidth = 20 // bytes that a rank takes at most
)

// newPage encodes the lines, the first of which has that rank.
func newPage(b *board, s stamp, names int64, first, total int, lines []line, shown map[uint32]store.Shown) *page {
	p := &page{stamp: s, board: b, names: names, made: time.Now(), first: first, total: total, rows: make([]row, len(lines))}
	for i, l := range lines {
		entry := marshal(l.entry(shown, false))
		p.rows[i] = row{l.id, entry[bytes.IndexByte(entry, ','):]}
		p.size += len(entry) + rankWidth
	}
	return p
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

// appendEntries appends the page's entries as a JSON array, in which the row of
// that rank is marked as the caller's own.
func (p *page) appendEntries(dst []byte, ownRank int) []byte {
	dst = append(slices.Grow(dst, p.size+len(p.rows)+maxTail), '[')
	for i, r := range p.rows {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendRow(dst, p.first+i, r.rest)
		if p.first+i == ownRank {
			dst = append(dst[:len(dst)-len(others)], mine...)
		}
	}
	return append(dst, ']')
}

// sameAs reports whether q shows the same.
func (p *page) sameAs(q *page) bool {
	return q != nil && p.total == q.total && slices.EqualFunc(p.rows, q.rows, func(a, b row) bool {
		return bytes.Equal(a.rest, b.rest)
	})
}

// Snapshot implements sse.Content: the event leaderboard:updated.
func (p *page) Snapshot() sse.Event {
	data := append(p.appendEntries([]byte(`{"leaderboard":`), 0), `,"timestamp":`...)
	data = append(append(appendTime(data, p.made), ','), p.board.names...)
	data = appendField(data, "totalEntries", int64(p.total))
	data = append(appendField(data, "version", p.version), '}')
	return sse.Event{Name: "leaderboard:updated", Data: data}
}

// Since implements sse.Content: the event position_change. It has a change for
// each user whose row is not what and where it was, by new rank, then those that
// are not in the page any more.
func (p *page) Since(earlier sse.Content) sse.Event {
	from := earlier.(*page) //nolint:errcheck // a topic's contents are of one kind
	before := make(map[string]int, len(from.rows))
	for i, r := range from.rows {
		before[r.id] = i
	}
	data := append([]byte(`{"type":"position_change",`), p.board.names...)
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
	for i, r := range p.rows {
		at, was := before[r.id]
		delete(before, r.id)
		switch {
		case !was:
			change(r.id, 0, p.first+i, r.rest)
		case !bytes.Equal(from.rows[at].rest, r.rest):
			change(r.id, from.first+at, p.first+i, r.rest)
		case from.first+at != p.first+i:
			change(r.id, from.first+at, p.first+i, nil)
		}
	}
	for i, r := range from.rows {
		if _, gone := before[r.id]; gone {
			change(r.id, from.first+i, 0, nil)
		}
	}
	data = appendField(append(data, ']'), "totalEntries", int64(p.total))
	data = append(appendTime(append(data, `,"timestamp":`...), p.made), '}')
	return sse.Event{Name: "position_change", Data: data}
}

func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // numbers, strings and bools always have a JSON form
	}
	return b
}

func quote(s string) []byte { return marshal(s) }

// TimeFormat is how times in UTC stand in JSON: RFC 3339 with milliseconds.
const TimeFormat = "2006-01-02T15:04:05.000Z"

func appendTime(dst []byte, t time.Time) []byte {
	return append(t.UTC().AppendFormat(append(dst, '"'), TimeFormat), '"')
}

func appendField(dst []byte, name string, value int64) []byte {
	dst = append(dst, `,"`...)
	dst = append(dst, name...)
	return strconv.AppendInt(append(dst, `":`...), value, 10)
}

// appendRank appends a field that is null for no rank.
func appendRank(dst []byte, name string, rank int) []byte {
	if rank != 0 {
		return appendField(dst, name, int64(rank))
	}
	return append(append(append(dst, `,"`...), name...), `":null`...)
}
