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

// Entry is one entry of a page or a broadcast, as JSON has it.
type Entry struct {
	Rank       int    `json:"rank" minimum:"1" doc:"Place on the board, from 1"`
	UserID     string `json:"userId"`
	Username   string `json:"username"`
	Avatar     string `json:"avatar" doc:"https: or data:image/ address, or empty"`
	RankBadge  string `json:"rankBadge" doc:"Maya rank that the total of points has earned" example:"Nacom"`
	Score      int64  `json:"score" doc:"Points that count in the period; what the board is ordered by"`
	XP         int64  `json:"xp" doc:"Points in total"`
	MLCoins    int64  `json:"mlCoins" doc:"Coins in total"`
	Change     int    `json:"change" minimum:"0" doc:"Places moved since the period before; of all-time, since the baseline"`
	ChangeType string `json:"changeType" enum:"up,down,same,new" doc:"The direction; new if the user was not on the board then"`
	// IsCurrentUser must stay the last field; see row.
	IsCurrentUser bool `json:"isCurrentUser" doc:"Whether this is the caller; always false in a broadcast"`
}

// OwnEntry is the caller's own entry on a page. If the caller has no score in the period, Rank is
// 0, and the JSON fields rank and score are null.
type OwnEntry struct {
	Entry

	Percentile   float64 `json:"percentile" doc:"Share of the board that the caller is ahead of, in percent with one decimal"`
	PointsToNext *int64  `json:"pointsToNext" doc:"Points that would take the caller to a better rank; null at the top"`
	NextRank     *int    `json:"nextRank,omitempty" doc:"Only for a caller without a score in the period: the rank that pointsToNext would give"`
}

// MarshalJSON implements json.Marshaler. It writes null for a rank or score that is missing.
func (e OwnEntry) MarshalJSON() ([]byte, error) {
	type plain OwnEntry // without this method
	if e.Rank != 0 {
		return json.Marshal(plain(e))
	}
	return json.Marshal(struct {
		Rank *int `json:"rank"` // replaces the rank of plain, as Score replaces its score
		plain
		Score *int64 `json:"score"`
	}{plain: plain(e)})
}

// PageBody is the JSON that Service.Page returns.
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

// entry returns the entry as JSON has it. own says that the user is the caller.
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

// TimeFormat is the layout of times in JSON: RFC 3339 in UTC, with milliseconds.
const TimeFormat = store.TimeFormat

func appendTime(dst []byte, t time.Time) []byte {
	return append(t.UTC().AppendFormat(append(dst, '"'), TimeFormat), '"')
}

func appendField(dst []byte, name string, value int64) []byte {
	dst = append(dst, `,"`...)
	dst = append(dst, name...)
	return strconv.AppendInt(append(dst, `":`...), value, 10)
}

// appendRank appends a rank as a field. The rank 0 becomes null.
func appendRank(dst []byte, name string, rank int) []byte {
	if rank != 0 {
		return appendField(dst, name, int64(rank))
	}
	return append(append(append(dst, `,"`...), name...), `":null`...)
}
