package live

import (
	"bytes"
	"cmp"
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

// page is some of a ranking's entries, encoded, as one commit left them. It does
// not change. The first page is what the ranking's topic shows.
type page struct {
	r       *ranking
	version int64     // of the last change that ordinary readers see
	updated time.Time // when that was
	stamp   stamp     // what the ranking's was
	names   int64     // what profiles.changes was
	made    time.Time
	ends    *time.Time // when the period does; nil for all-time
	rows    []row
	size    int // of all rows
	total   int
	state   atomic.Pointer[sse.State] // made when first needed
}

// row is an entry, encoded.
type row struct {
	id   string
	rank int
	rest []byte // the entry from behind its rank to `"isCurrentUser":false}`
}

const (
	rowHead   = `{"rank":`
	others    = `false}`
	mine      = `true}`
	rankWidth = 20 // bytes that a rank takes at most
)

// encode sets the page's rows. Those that are as they were in earlier, which may be
// nil, share its bytes: a topic keeps many pages that differ little.
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
			rest = bytes.Clone(rest) // without the room that marshal leaves
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

// leastRow is as many bytes as a row is taken to have before a longer one was seen.
const leastRow = 512

// rowSize is about how many bytes the longest row takes, of those lately encoded. Safe for
// concurrent use.
type rowSize struct{ longest atomic.Int64 }

// saw notes the longest row of a page. That of an earlier page counts a sixteenth less with each.
func (z *rowSize) saw(size int) {
	for {
		was := z.longest.Load()
		if z.longest.CompareAndSwap(was, max(int64(size), was-was/16)) {
			return
		}
	}
}

// SizeOf returns about how many bytes an answer of so many of a board's rows takes at most: each
// is taken to be as long as the longest lately, of the board, or of all if the board is not known.
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

// readable is ranking.readable as of the page.
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

// appendEntries appends the page's entries as a JSON array, in which the row of
// that user is marked as the caller's own.
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

// sameAs reports whether q shows the same.
func (p *page) sameAs(q *page) bool {
	return q != nil && p.total == q.total && slices.EqualFunc(p.rows, q.rows, func(a, b row) bool {
		return a.rank == b.rank && bytes.Equal(a.rest, b.rest)
	})
}

// Snapshot implements sse.Content: the event leaderboard:updated.
func (p *page) Snapshot() sse.Event {
	data := append(p.appendEntries([]byte(`{"leaderboard":`), ""), `,"timestamp":`...)
	data = append(append(appendTime(data, p.made), ','), p.r.names...)
	data = appendField(data, "totalEntries", int64(p.total))
	data = append(appendField(data, "version", p.version), '}')
	return sse.Event{Name: "leaderboard:updated", Data: data}
}

// Since implements sse.Content: the event position_change. It has a change for each
// user whose row is not what and where it was, in the page's order, then those that
// are not in the page any more. Where ranks are shared, who comes behind a change with
// the same rank is a change too: so to take out the rows of all changes, and put each
// behind those that have its rank or a better one, leads to the page.
func (p *page) Since(earlier sse.Content) sse.Event {
	from := earlier.(*page) //nolint:errcheck // a topic's contents are of one kind
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
	tied := 0  // the rank of the last change
	last := -1 // the place that the last row had that is no change
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

// Entry is one line of a page or a broadcast, as it stands there in JSON.
type Entry struct {
	Rank          int    `json:"rank" minimum:"1" doc:"Place on the board, from 1"`
	UserID        string `json:"userId"`
	Username      string `json:"username"`
	Avatar        string `json:"avatar" doc:"https: or data:image/ address, or empty"`
	RankBadge     string `json:"rankBadge" doc:"Maya rank that the total of points has earned" example:"Nacom"`
	Score         int64  `json:"score" doc:"Points that count in the period; what the board is ordered by"`
	XP            int64  `json:"xp" doc:"Points in total"`
	MLCoins       int64  `json:"mlCoins" doc:"Coins in total"`
	Change        int    `json:"change" minimum:"0" doc:"Places moved since the period before; of all-time, since the baseline"`
	ChangeType    string `json:"changeType" enum:"up,down,same,new" doc:"Which way; new for who was not there"`
	IsCurrentUser bool   `json:"isCurrentUser" doc:"Whether this is the caller; always false in a broadcast"` // last, for encode
}

// OwnEntry is what a page says of the user who asked for it. Without a score in the period
// Rank is 0, and rank and score are null in JSON.
type OwnEntry struct {
	Entry

	Percentile   float64 `json:"percentile" doc:"Share of the board that the caller is ahead of, in percent with one decimal"`
	PointsToNext *int64  `json:"pointsToNext" doc:"Points that would take the caller to a better rank; null at the top"`
	NextRank     *int    `json:"nextRank,omitempty" doc:"Only of a caller without a score in the period: the rank that pointsToNext would give"`
}

// MarshalJSON implements json.Marshaler.
func (e OwnEntry) MarshalJSON() ([]byte, error) {
	type plain OwnEntry // without this method
	if e.Rank != 0 {
		return json.Marshal(plain(e))
	}
	return json.Marshal(struct {
		Rank *int `json:"rank"` // hides the one below, as does Score
		plain
		Score *int64 `json:"score"`
	}{plain: plain(e)})
}

// PageBody is a page, as Service.Page encodes it.
type PageBody struct {
	Type         string     `json:"type" example:"global" doc:"Kind of the board"`
	Board        string     `json:"board" example:"global"`
	Period       string     `json:"period" enum:"daily,weekly,monthly,all-time"`
	Entries      []Entry    `json:"entries" nullable:"false"`
	TotalEntries int        `json:"totalEntries" doc:"Users on the board"`
	Me           *OwnEntry  `json:"me" doc:"The caller's own entry; null for callers who are not on the board"`
	Ranks        string     `json:"ranks" enum:"ordinal,competition,dense" doc:"How equal scores are numbered"`
	LastUpdated  time.Time  `json:"lastUpdated" doc:"When the last change that ordinary readers of the board can see was committed"`
	Version      int64      `json:"version" doc:"Sequence number of the last change that ordinary readers of the board can see"`
	ResetsAt     *time.Time `json:"resetsAt" doc:"When the period ends; null for all-time"`
}

func (u rankedUser) entry(shown map[uint32]store.Shown, own bool) Entry {
	e := Entry{
		Rank: u.Rank, UserID: u.id, RankBadge: u.badge,
		Username: shown[u.User].Username, Avatar: shown[u.User].Avatar,
		Score: u.Score, XP: u.xp, MLCoins: u.mlCoins, IsCurrentUser: own,
	}
	e.Change, e.ChangeType = u.Change()
	return e
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
const TimeFormat = store.TimeFormat

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
