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

// maxRivals is how many of a board's present best users are compared at a past moment. It bounds
// the cost of a trend: for each moment, so many users are looked up in the ledger the first time.
const maxRivals = 500

// TrendQuery says which trend is asked for, and by whom.
type TrendQuery struct {
	Board  string
	Period store.Period
	Limit  int    // the greatest number of series, without the caller's own
	Points int    // the greatest number of moments, 2 or more
	Caller string // the id of the user who asks, or empty
	All    bool   // the board's limit does not apply to the caller
}

// Trend shows how the present best users of a board came to their ranks.
type Trend struct {
	Times   []time.Time   // oldest first; the last one is now
	Series  []TrendSeries // by present rank
	Me      *TrendSeries  // the caller's own; nil if the caller is not on the board
	Version int64
}

// TrendSeries has one user's ranks and scores, one for each of Trend.Times.
type TrendSeries struct {
	UserID, Username, RankBadge string

	Ranks  []int   // 0 if the user had no rank, or if it is not known
	Scores []int64 // points in the period up to that time
}

// column has the scores and ranks of users at one moment.
type column struct {
	at    time.Time
	items map[uint32]rank.Item // users without points in the period are missing
	ranks map[uint32]int
}

// trend is a trend that is being made.
type trend struct {
	r       *ranking
	q       *TrendQuery
	version stamp // the last commit that boards show
	seen    int64 // the last change that the reader can see
	past    *pastStandings
	start   time.Time // of the period; zero for all-time
	until   time.Time

	rivals []rank.Entry  // the present best, by rank; at most maxRivals
	whole  bool          // the board has no others
	top    []rankedUser  // the users of the series
	own    *rankedCaller // nil if the caller is not on the board
	users  []uint32      // all users whose past scores are needed
	now    column
}

// Trend returns the ranks and scores of a board's present best users at the ends of the last days
// of the period, or of the last hours if the period is Daily, and now. Hidden users, users who
// have left the board and erased users are left out of the past as well, and names are the
// present ones.
//
// Past ranks are worked out from the ledger, among the present best maxRivals of the board. The
// rank is exact for a user who then had more points than the last of them has now. Points only
// grow, so nobody outside of the list had that many then. For a user with fewer points the rank is
// not known. If a correction has taken points from a user who was among the best, a past rank can
// be too good.
//
// Errors are ErrUnknownBoard and those of reading the database.
func (s *Service) Trend(ctx context.Context, q TrendQuery) (Trend, error) {
	if err := s.checkIfUncached(ctx); err != nil {
		return Trend{}, err
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
		if _, ok := shown[t.top[i].User]; ok { // otherwise erased meanwhile
			out.Series = append(out.Series, t.top[i].series(columns, shown))
		}
	}
	if t.own != nil {
		if _, ok := shown[t.own.User]; ok {
			me := t.own.series(columns, shown)
			out.Me = &me
		}
	}
	return out, nil
}

// trend begins a trend with everything that memory knows.
func (r *ranking) trend(q *TrendQuery) *trend {
	s := r.s
	s.mu.RLock()
	defer s.mu.RUnlock()
	t := &trend{
		r: r, q: q, version: s.shown, seen: r.readable(q.All).version, past: s.pastStandings,
		until: s.opts.Now().In(s.opts.Location).Truncate(time.Millisecond),
	}
	if t.until.Before(s.shown.at) {
		t.until = s.shown.at.In(s.opts.Location)
	}
	if r.period != store.AllTime {
		t.start = s.periods.starts[r.period]
		if last := s.periods.ends[r.period].Add(-time.Millisecond); t.until.After(last) {
			t.until = last // the period is over, but the next one has not been begun yet
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
	add := func(user uint32, rank int) {
		t.users = append(t.users, user)
		t.now.items[user], _ = r.rank.Item(user)
		t.now.ranks[user] = rank
	}
	for _, e := range t.rivals {
		add(e.User, e.Rank)
	}
	if t.own = r.rankedCaller(q.Caller); t.own != nil {
		if _, rival := t.now.items[t.own.User]; !rival {
			add(t.own.User, t.own.Rank)
		}
	}
	return t
}

// named returns the users whose names are needed.
func (t *trend) named() (numbers []uint32) {
	for _, u := range t.top {
		numbers = append(numbers, u.User)
	}
	if t.own != nil {
		numbers = append(numbers, t.own.User)
	}
	return numbers
}

// columns returns the column of each moment, oldest first.
func (t *trend) columns(ctx context.Context) (list []column, err error) {
	var from map[uint32]store.PastStanding
	var fromSeq int64
	if t.r.period != store.AllTime && len(t.users) > 0 {
		if from, fromSeq, err = t.past.at(ctx, t.start, t.users); err != nil {
			return nil, err
		}
	}
	for _, at := range trendTimes(t.r.period, t.start, t.until, t.q.Points) {
		c := column{at, t.now.items, t.now.ranks}
		if !at.After(t.version.at) && !at.Equal(t.until) { // otherwise nothing has changed since
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

// rank fills in the column's ranks, as far as they are known.
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
		if it, ok := c.items[e.User]; ok && known(it.Score) {
			order = append(order, it)
		}
	}
	slices.SortFunc(order, inOrder)
	if t.own != nil {
		own, ok := c.items[t.own.User]
		_, rival := slices.BinarySearchFunc(order, own, inOrder)
		if ok && !rival && known(own.Score) { // the caller is hidden, or has lost points since
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
	count := rank.NewCounter(t.r.s.opts.Ranks)
	for _, it := range order {
		c.ranks[it.User] = count.Next(it.Score)
	}
}

// inOrder compares two users who have points: the better score is first, and of equal scores the
// one that was reached earlier. Two users never reach their scores with the same seq.
func inOrder(a, b rank.Item) int {
	return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Seq, b.Seq))
}

// series returns the user's ranks and scores in the columns.
func (u *rankedUser) series(columns []column, shown map[uint32]store.Shown) TrendSeries {
	t := TrendSeries{UserID: u.id, Username: shown[u.User].Username, RankBadge: u.badge}
	for _, c := range columns {
		t.Ranks = append(t.Ranks, c.ranks[u.User])
		t.Scores = append(t.Scores, c.items[u.User].Score)
	}
	return t
}
