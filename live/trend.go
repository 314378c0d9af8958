package live

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"marcador/rank"
	"marcador/store"
)

// maxRivals is how many of a board's present best are compared at a past moment. It
// bounds what a trend costs: that many looks into the ledger for each moment, the first
// time.
const maxRivals = 500

// TrendQuery is which trend is asked for, and by whom.
type TrendQuery struct {
	Board  string
	Period Period
	Limit  int    // how many of the present best
	Points int    // how many moments, 2 or more
	Caller string // a user's id, or empty
	All    bool   // also those past the board's limit
}

// Trend is where a board's present best stood at some moments, of which the last is now.
type Trend struct {
	Times   []time.Time
	Series  []TrendSeries
	Me      *TrendSeries // the caller's own; nil for who is not on the board
	Version int64
}

// TrendSeries is where one user stood at each moment.
type TrendSeries struct {
	UserID, Username, RankBadge string

	Ranks  []int   // 0 where there was none, or it is not known
	Scores []int64 // points in the period until then
}

// column is where users stood at one moment.
type column struct {
	at    time.Time
	items map[uint32]rank.Item // of who had points in the period
	ranks map[uint32]int
}

// trend is one that is being made.
type trend struct {
	r       *ranking
	q       *TrendQuery
	version stamp // of what boards show
	seen    int64 // the version of the last change that the reader sees
	past    *pastStandings
	start   time.Time // of the period; zero for all-time
	until   time.Time

	rivals []rank.Entry  // the present best, by rank
	whole  bool          // they are all that there are
	top    []rankedUser  // those to be shown
	own    *rankedCaller // nil where there is none
	users  []uint32      // whose past is needed
	now    column
}

// Trend returns where the present best of a board stood at the ends of the last days,
// of Daily of the last hours, within the period, and now. Who is there, who is seen and
// what they are called is as of now. Ranks are worked out from the ledger among the first
// maxRivals of now: whoever has as many points as the last of these has now is known to
// have been behind nobody else, since points only grow. Ranks below that are not known,
// and those above are not exact where somebody who is no rival any more has lost points
// by a correction. Errors are ErrUnknownBoard, and those of reading.
func (s *Service) Trend(ctx context.Context, q TrendQuery) (Trend, error) {
	if s.opts.CacheTTL < 0 {
		if err := s.store.Check(ctx); err != nil {
			return Trend{}, fmt.Errorf("look for changes by other programs: %w", err)
		}
	}
	b, err := s.pin(ctx, q.Board)
	if err != nil {
		return Trend{}, err
	}
	defer b.unpin()
	t := b.rankings[q.Period].trend(&q)
	columns, err := t.columns(ctx)
	if err != nil {
		return Trend{}, fmt.Errorf("make trend of board %q: %w", q.Board, err)
	}
	shown, err := s.profiles.of(ctx, s.store, t.named())
	if err != nil {
		return Trend{}, fmt.Errorf("make trend of board %q: %w", q.Board, err)
	}
	out := Trend{Version: t.seen, Series: []TrendSeries{}}
	for _, c := range columns {
		out.Times = append(out.Times, c.at)
	}
	for i := range t.top {
		if _, there := shown[t.top[i].User]; there { // else erased meanwhile
			out.Series = append(out.Series, t.top[i].series(columns, shown))
		}
	}
	if t.own != nil {
		if _, there := shown[t.own.User]; there {
			me := t.own.series(columns, shown)
			out.Me = &me
		}
	}
	return out, nil
}

// trend takes down how the ranking stands now.
func (r *ranking) trend(q *TrendQuery) *trend {
	s := r.s
	s.mu.RLock()
	defer s.mu.RUnlock()
	t := &trend{r: r, q: q, version: s.shown, seen: r.readable(q.All).version, past: s.pastStandings, until: s.opts.Now().In(s.opts.Location).Truncate(time.Millisecond)}
	if t.until.Before(s.shown.at) {
		t.until = s.shown.at.In(s.opts.Location)
	}
	if r.period != AllTime {
		t.start = s.periods.starts[r.period]
		if last := s.periods.ends[r.period].Add(-time.Millisecond); t.until.After(last) {
			t.until = last // the next has begun, and nobody has noticed yet
		}
	}
	t.rivals = r.rank.Page(nil, 1, maxRivals)
	t.whole = len(t.rivals) == r.rank.Len()
	most := min(q.Limit, len(t.rivals))
	if limit := s.limitOf(r.b.name); limit > 0 && !q.All {
		most = min(most, limit)
	}
	for _, e := range t.rivals[:most] {
		t.top = append(t.top, r.rankedUser(e))
	}
	t.now = column{t.until, map[uint32]rank.Item{}, map[uint32]int{}}
	see := func(user uint32, rank int) {
		t.users = append(t.users, user)
		t.now.items[user], _ = r.rank.Item(user)
		t.now.ranks[user] = rank
	}
	for _, e := range t.rivals {
		see(e.User, e.Rank)
	}
	if t.own = r.rankedCaller(q.Caller); t.own != nil {
		if _, rival := t.now.items[t.own.User]; !rival {
			see(t.own.User, t.own.Rank)
		}
	}
	return t
}

// named returns whose names are needed.
func (t *trend) named() (numbers []uint32) {
	for _, u := range t.top {
		numbers = append(numbers, u.User)
	}
	if t.own != nil {
		numbers = append(numbers, t.own.User)
	}
	return numbers
}

// columns returns where all stood at each moment.
func (t *trend) columns(ctx context.Context) (list []column, err error) {
	var from map[uint32]store.Past
	var fromSeq int64
	if t.r.period != AllTime && len(t.users) > 0 {
		if from, fromSeq, err = t.past.at(ctx, t.start, t.users); err != nil {
			return nil, err
		}
	}
	for _, at := range trendTimes(t.r.period, t.start, t.until, t.q.Points) {
		c := column{at, t.now.items, t.now.ranks}
		if !at.After(t.version.at) && !at.Equal(t.until) { // else nothing has come since
			c.items, c.ranks = map[uint32]rank.Item{}, map[uint32]int{}
			then, _, err := t.past.at(ctx, at, t.users)
			if err != nil {
				return nil, err
			}
			for user, p := range then {
				if p.Reached > fromSeq {
					c.items[user] = rank.Item{Score: p.XP - from[user].XP, Seq: p.Reached, User: user}
				}
			}
			t.rank(&c)
		}
		list = append(list, c)
	}
	return list, nil
}

// rank numbers who stands in the column, where that is known.
func (t *trend) rank(c *column) {
	known := func(score int64) bool {
		if t.whole {
			return true
		}
		floor := t.rivals[len(t.rivals)-1].Score
		return score > floor || score == floor && t.r.s.opts.Ranks != rank.Ordinal
	}
	order := make([]rank.Item, 0, len(t.rivals))
	for _, e := range t.rivals {
		if it, there := c.items[e.User]; there && known(it.Score) {
			order = append(order, it)
		}
	}
	slices.SortFunc(order, inOrder)
	count := rank.NewCounter(t.r.s.opts.Ranks)
	if t.own != nil {
		own, there := c.items[t.own.User]
		_, rival := slices.BinarySearchFunc(order, own, inOrder)
		if there && !rival && known(own.Score) { // hidden, or has lost points
			ahead := rank.NewCounter(t.r.s.opts.Ranks)
			for _, it := range order {
				if inOrder(it, own) > 0 {
					break
				}
				ahead.Next(it.Score)
			}
			c.ranks[t.own.User] = ahead.Would(own.Score)
		}
	}
	for _, it := range order {
		c.ranks[it.User] = count.Next(it.Score)
	}
}

// inOrder compares the standings of two users who have points: no seq is that of both.
func inOrder(a, b rank.Item) int {
	return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Seq, b.Seq))
}

func (u *rankedUser) series(columns []column, shown map[uint32]store.Shown) TrendSeries {
	t := TrendSeries{UserID: u.id, Username: shown[u.User].Username, RankBadge: u.badge}
	for _, c := range columns {
		t.Ranks = append(t.Ranks, c.ranks[u.User])
		t.Scores = append(t.Scores, c.items[u.User].Score)
	}
	return t
}
