package live

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"marcador/rank"
	"marcador/sse"
	"marcador/store"
)

// maxPages bounds the encoded pages that a board keeps; past it the one that
// was not asked for for longest is made again when it is.
const maxPages = 64

// board is a ranking with what was encoded of it.
type board struct {
	s         *Service
	name      string
	kind      []byte // `"type":"global"`
	period    string
	names     []byte // `"board":"global","period":"all-time"`
	topic     *sse.Topic
	publisher *publisher

	rank  *rank.Board // guarded by s.mu
	stamp stamp       // guarded by s.mu: what it shows

	past past

	pagesMu sync.Mutex                     // may be taken with s.mu held, not the other way
	pages   *simplelru.LRU[pageKey, *page] // guarded by pagesMu
}

type pageKey struct{ first, n int }

func newBoard(s *Service, name, period string) *board {
	pages, err := simplelru.NewLRU[pageKey, *page](maxPages, nil)
	if err != nil {
		panic(err) // the size is positive
	}
	b := &board{
		s:    s,
		name: name, period: period,
		kind:  fmt.Appendf(nil, `"type":%s`, quote(name)),
		names: fmt.Appendf(nil, `"board":%s,"period":%s`, quote(name), quote(period)),
		topic: s.hub.NewTopic(),
		rank:  rank.NewBoard(s.tie),
		pages: pages,
	}
	b.publisher = newPublisher(b)
	return b
}

// line is an entry with all that is needed to encode it but the profile.
type line struct {
	rank.Entry

	id      string
	mlCoins int64
	badge   string
}

// line is called with s.mu held.
func (b *board) line(e rank.Entry) line {
	u := b.s.users[e.User]
	return line{e, u.id, u.mlCoins, b.s.badge(e.Score)}
}

// ownLine is the caller's line with what only the caller is told.
type ownLine struct {
	line

	percentile   float64
	pointsToNext *int64 // nil at the top
}

// ownLine returns nil where there is no such user on the board. It is called
// with s.mu held.
func (b *board) ownLine(userID string) *ownLine {
	number, ok := b.s.numbers[userID]
	if !ok {
		return nil
	}
	r := b.rank.Rank(number)
	if r == 0 {
		return nil
	}
	with := b.rank.Page(max(r-1, 1), 2) // oneself and the one above
	o := &ownLine{line: b.line(with[min(r-1, 1)])}
	total := float64(b.rank.Len())
	o.percentile = math.Round((total-float64(r))/total*1000) / 10
	if r > 1 {
		// Who reached a score first stays in front, so equal is not enough.
		points := with[0].Score - with[1].Score + 1
		o.pointsToNext = &points
	}
	return o
}

// view is a page and, where it was asked for by a user on the board, what they
// are told of themselves, both as the same commit left them.
type view struct {
	*page

	me      []byte // JSON, null for others
	ownRank int    // 0 for others
}

// view returns the entries of the ranks from first, at most n, as caller sees
// them. meanwhile is called, with s.mu held, at the moment that the view is of; if
// more than once, the last time counts.
func (b *board) view(ctx context.Context, first, n int, caller string, meanwhile func()) (v view, err error) {
	const tries = 3 // somebody may be erased while their profile is read
	for range tries {
		var whole bool
		if v, whole, err = b.tryView(ctx, first, n, caller, meanwhile); err != nil || whole {
			break
		}
	}
	return v, err
}

// tryView returns false where somebody's profile was not there any more.
func (b *board) tryView(ctx context.Context, first, n int, caller string, meanwhile func()) (view, bool, error) {
	b.s.mu.RLock()
	stamp, total, names := b.stamp, b.rank.Len(), b.s.profiles.changes.Load()
	v := view{page: b.kept(pageKey{first, n}, stamp, names), me: []byte("null")}
	var lines []line
	if v.page == nil {
		for _, e := range b.rank.Page(first, n) {
			lines = append(lines, b.line(e))
		}
	}
	own := b.ownLine(caller)
	meanwhile()
	b.s.mu.RUnlock()

	numbers := make([]uint32, 0, len(lines)+1)
	for _, l := range lines {
		numbers = append(numbers, l.User)
	}
	if own != nil {
		numbers = append(numbers, own.User)
	}
	shown, err := b.s.profiles.of(ctx, b.s.store, numbers)
	if err != nil {
		return v, false, err
	}
	whole := true
	for _, n := range numbers {
		_, ok := shown[n]
		whole = whole && ok
	}
	if v.page == nil {
		v.page = newPage(b, stamp, names, first, total, lines, shown)
		if whole {
			b.keep(pageKey{first, n}, v.page)
		}
	}
	if own != nil {
		v.ownRank = own.Rank
		v.me = marshal(OwnEntry{own.entry(shown, true), own.percentile, own.pointsToNext})
	}
	return v, whole, nil
}

// kept returns the kept page if it shows what the board does.
func (b *board) kept(key pageKey, stamp stamp, names int64) *page {
	b.pagesMu.Lock()
	defer b.pagesMu.Unlock()
	if p, ok := b.pages.Get(key); ok && p.stamp == stamp && p.names == names {
		return p
	}
	return nil
}

// keep keeps the page for others.
func (b *board) keep(key pageKey, p *page) {
	b.pagesMu.Lock()
	defer b.pagesMu.Unlock()
	b.pages.Add(key, p)
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
	Change        int    `json:"change" minimum:"0" doc:"Places moved since the day began"`
	ChangeType    string `json:"changeType" enum:"up,down,same,new" doc:"Which way; new for who was not there"`
	IsCurrentUser bool   `json:"isCurrentUser" doc:"Whether this is the caller; always false in a broadcast"` // last, for newPage
}

// OwnEntry is what a page says of who asked for it.
type OwnEntry struct {
	Entry

	Percentile   float64 `json:"percentile" doc:"Share of the board that the caller is ahead of, in percent with one decimal"`
	PointsToNext *int64  `json:"pointsToNext" doc:"Points that would take the caller one place up; null at the top"`
}

// PageBody is a page, as Service.Page encodes it.
type PageBody struct {
	Type         string     `json:"type" example:"global" doc:"Kind of the board"`
	Board        string     `json:"board" example:"global"`
	Period       string     `json:"period" enum:"all-time"`
	Entries      []Entry    `json:"entries" nullable:"false"`
	TotalEntries int        `json:"totalEntries" doc:"Users on the board"`
	Me           *OwnEntry  `json:"me" doc:"The caller's own entry; null for who is not on the board"`
	LastUpdated  time.Time  `json:"lastUpdated" doc:"When the last update that the page contains was committed"`
	Version      int64      `json:"version" doc:"Sequence number of that update"`
	ResetsAt     *time.Time `json:"resetsAt" doc:"When the period ends; null for all-time"`
}

func (l line) entry(shown map[uint32]store.Shown, own bool) Entry {
	e := Entry{
		Rank: l.Rank, UserID: l.id, RankBadge: l.badge,
		Username: shown[l.User].Username, Avatar: shown[l.User].Avatar,
		Score: l.Score, XP: l.Score, MLCoins: l.mlCoins, IsCurrentUser: own,
	}
	e.Change, e.ChangeType = l.Change()
	return e
}
