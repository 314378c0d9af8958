package live_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"marcador/command/verify"
	"marcador/live"
	"marcador/rank"
)

// model is a service with an oracle. The oracle works out each board from the ledger in SQL, and
// shares no code with the service's ranking.
type model struct {
	*fixture

	t      *rapid.T
	now    atomic.Int64 // nanoseconds since 1970
	opts   live.Options
	oracle *verify.DB
	people []string                 // ids that may be in use
	last   map[string]live.PageBody // the last page of each board and period
	boards []string
}

var (
	periods      = []live.Period{live.Daily, live.Weekly, live.Monthly, live.AllTime}
	friendsRules = []live.FriendsRule{live.FriendsMutual, live.FriendsInGroup, live.FriendsOpen}
)

// Random things happen to a service, with restarts and the passing of periods. Every board, page,
// rank and change is what the oracle says.
func TestService_model(t *testing.T) {
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		_ = f.Value.Set("3") // each checks hundreds of boards; -rapid.checks=100 for more
	}
	folder := t.TempDir()
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		m := newModel(t, rt, filepath.Join(folder, strconv.Itoa(n)+".db"))
		m.open(m.opts)
		m.consult()
		defer func() {
			err := errors.Join(m.oracle.Close(), m.Close())
			if err == nil {
				err = os.Remove(m.path)
			}
			if err != nil {
				rt.Fatal(err)
			}
		}()
		m.enrol()
		rt.Repeat(map[string]func(*rapid.T){
			"give":     m.give,
			"give 2":   m.give,
			"enrol":    func(*rapid.T) { m.enrol() },
			"erase":    m.erase,
			"befriend": m.befriend,
			"sleep":    m.sleep,
			"limit":    m.limit,
			"restart":  m.restart,
			"":         m.compare,
		})
		for _, board := range m.boards {
			for _, p := range periods {
				m.compareBoard(board, p)
			}
		}
		if found, err := m.oracle.Totals(t.Context()); err != nil || found != "" {
			rt.Fatalf("%s (%v)", found, err)
		}
	})
}

// newModel returns a model with random options, which is not open yet. It begins shortly before a
// month ends and the clocks change in one of the time zones.
func newModel(t *testing.T, rt *rapid.T, path string) *model {
	t.Helper()
	zones := []string{"UTC", "America/Mexico_City", "Europe/Madrid", "Asia/Kathmandu"}
	zone, err := time.LoadLocation(rapid.SampledFrom(zones).Draw(rt, "zone"))
	if err != nil {
		rt.Fatal(err)
	}
	m := &model{
		fixture: &fixture{t: t, path: path, log: &logBuffer{}}, t: rt,
		opts: live.Options{
			Location: zone, CacheTTL: 1000 * time.Hour,
			Ranks:    rapid.SampledFrom([]rank.Numbering{rank.Ordinal, rank.Competition, rank.Dense}).Draw(rt, "ranks"),
			Baseline: rapid.SampledFrom(periods[:3]).Draw(rt, "baseline"),
			Friends:  rapid.SampledFrom(friendsRules).Draw(rt, "friends"),
		},
		last:   map[string]live.PageBody{},
		people: []string{"ana", "Bea", "carl", "dé", "eva", "fin"},
		boards: []string{"global", "school:1", "school:2", "class:a:b", "friends:ana", "friends:eva", "club:none"},
	}
	m.now.Store(time.Date(2026, 3, 27, 20, 0, 0, 0, time.UTC).UnixNano())
	m.opts.Now = m.clock
	return m
}

func (m *model) clock() time.Time { return time.Unix(0, m.now.Load()) }

// ask does the work of fixture.ask outside of a bubble.
func (m *model) ask(q live.Query) (p live.PageBody) {
	m.t.Helper()
	body, err := m.Page(m.fixture.t.Context(), q)
	if err == nil {
		err = json.Unmarshal(body, &p)
	}
	if err != nil {
		m.t.Fatal(err)
	}
	return p
}

// somebody returns a random id.
func (m *model) somebody() string { return rapid.SampledFrom(m.people).Draw(m.t, "who") }

// allow fails the test unless there was no error, or a refusal with one of these codes.
func (m *model) allow(err error, codes ...live.Code) {
	var refusal *live.Error
	if err != nil && !(errors.As(err, &refusal) && slices.Contains(codes, refusal.Code)) {
		m.t.Fatal(err)
	}
}

// give gives points to some users at once, and checks the answer against the page.
func (m *model) give(t *rapid.T) {
	who := m.somebody()
	var updates []live.Update
	for range rapid.SampledFrom([]int{1, 1, 3}).Draw(t, "n") {
		updates = append(updates, live.Update{UserID: who, XP: rapid.Int64Range(-2, 4).Draw(t, "xp"), MLCoins: rapid.Int64Range(0, 1).Draw(t, "coins")})
		who = m.somebody()
	}
	results, err := m.AddPoints(m.fixture.t.Context(), []live.Write{{Updates: updates}})
	m.allow(err, live.UserNotFound, live.NegativeTotal, live.NothingToChange)
	if err != nil {
		return
	}
	last := results[len(results)-1]
	p := m.ask(live.Query{Board: live.Global, Period: live.AllTime, Limit: 1000, Caller: last.UserID})
	// The user is missing from the entries if the user is hidden.
	seen := slices.ContainsFunc(p.Entries, func(e live.Entry) bool { return e.UserID == last.UserID })
	if p.Me == nil || p.Me.Rank != last.NewRank || seen && p.Version != last.Version || !seen && p.Version == last.Version {
		t.Fatalf("the answer says rank %d at %d, the page %+v at %d", last.NewRank, last.Version, p.Me, p.Version)
	}
}

// enrol stores random profiles.
func (m *model) enrol() {
	var profiles []live.Profile
	for _, id := range rapid.SliceOfNDistinct(rapid.SampledFrom(m.people), 1, 4, rapid.ID[string]).Draw(m.t, "who") {
		groups := map[string][]string{}
		if school := rapid.SampledFrom([]string{"", "1", "2"}).Draw(m.t, "school"); school != "" {
			groups["school"] = []string{school}
		}
		if rapid.Bool().Draw(m.t, "in class") {
			groups["class"] = []string{"a:b"}
		}
		profiles = append(profiles, live.Profile{ID: id, Username: id, Groups: groups, Hidden: rapid.IntRange(0, 4).Draw(m.t, "hidden") == 0})
	}
	_, err := m.PutProfiles(m.fixture.t.Context(), profiles)
	m.allow(err)
}

// erase erases a user, who may not exist.
func (m *model) erase(*rapid.T) {
	m.allow(m.Erase(m.fixture.t.Context(), m.somebody()), live.UserNotFound)
}

// befriend begins or ends a friendship.
func (m *model) befriend(t *rapid.T) {
	var err error
	if a, b := m.somebody(), m.somebody(); rapid.IntRange(0, 3).Draw(t, "off") == 0 {
		err = m.Unfriend(m.fixture.t.Context(), a, b)
	} else {
		err = m.Befriend(m.fixture.t.Context(), a, b, rapid.Bool().Draw(t, "both"))
	}
	m.allow(err, live.UserNotFound, live.OwnFriend)
}

// limit sets a limit that hides nobody. It matters because with FriendsInGroup a limit decides
// which friendships count.
func (m *model) limit(t *rapid.T) {
	board := rapid.SampledFrom([]string{"school:1", "school:*", "class:a:b"}).Draw(t, "board")
	m.allow(m.PutLimit(m.fixture.t.Context(), board, rapid.SampledFrom([]int{0, 1000}).Draw(t, "top")))
}

// restart opens the service again. Friendships may then count by another rule.
func (m *model) restart(t *rapid.T) {
	m.close()
	m.opts.Friends = rapid.SampledFrom(friendsRules).Draw(t, "friends")
	m.open(m.opts)
	if err := m.oracle.Close(); err != nil {
		t.Fatal(err)
	}
	m.consult()
}

// consult opens the oracle.
func (m *model) consult() {
	var err error
	m.oracle, err = verify.Open(m.fixture.t.Context(), m.path, verify.Options{
		Location: m.opts.Location, Baseline: verify.Period(m.opts.Baseline.String()), Numbering: m.opts.Ranks.String(), Friends: m.opts.Friends.String(),
	})
	if err != nil {
		m.t.Fatal(err)
	}
}

// sleep lets time pass, while the service runs or while it is closed.
func (m *model) sleep(t *rapid.T) {
	d := rapid.SampledFrom([]time.Duration{time.Minute, 5 * time.Hour, 24 * time.Hour, 3 * 24 * time.Hour, 8 * 24 * time.Hour, 33 * 24 * time.Hour}).Draw(t, "for")
	switch rapid.IntRange(0, 3).Draw(t, "how") {
	case 0:
		m.close()
		m.now.Add(int64(d))
		m.open(m.opts)
	case 1: // until the next day begins
		m.now.Store(live.Daily.Next(m.clock().In(m.opts.Location)).UnixNano())
	default:
		m.now.Add(int64(d))
	}
	live.BeginOverduePeriods(m.Service)
}

// compare compares some random boards.
func (m *model) compare(t *rapid.T) {
	for range 3 {
		m.compareBoard(rapid.SampledFrom(m.boards).Draw(t, "board"), rapid.SampledFrom(periods).Draw(t, "period"))
	}
}

// compareBoard compares the pages and all ranks of a board in a period.
func (m *model) compareBoard(board string, period live.Period) {
	ctx, t := m.fixture.t.Context(), m.t
	t.Helper()
	want, err := m.oracle.Board(ctx, board, verify.Period(period.String()), m.clock())
	if err != nil {
		t.Fatal(err)
	}
	q := live.Query{Board: board, Period: period, Limit: 1000}
	p := m.ask(q)
	if got, want := said(p.Entries), expected(want); got != want {
		t.Fatalf("%s %s:\n got %s\nwant %s", board, period, got, want)
	}
	// A version stands for one state, and never goes back, not even after a restart.
	was := m.last[board+period.String()]
	if same := said(was.Entries) == said(p.Entries); p.Version < was.Version || !same && p.Version == was.Version && was.Entries != nil {
		t.Fatalf("%s %s: version %d has\n%s\nand version %d had\n%s", board, period, p.Version, said(p.Entries), was.Version, said(was.Entries))
	}
	if p.LastUpdated.Before(was.LastUpdated) {
		t.Fatalf("%s %s: updated %v, and before %v", board, period, p.LastUpdated, was.LastUpdated)
	}
	m.last[board+period.String()] = p
	if p.TotalEntries != len(want) {
		t.Fatalf("%s %s: totalEntries = %d, want %d", board, period, p.TotalEntries, len(want))
	}
	if end := period.Next(m.clock().In(m.opts.Location)); (p.ResetsAt == nil) != end.IsZero() || p.ResetsAt != nil && !p.ResetsAt.Equal(end) {
		t.Fatalf("%s %s: resetsAt = %v, want %v", board, period, p.ResetsAt, end)
	}
	hidden, err := m.oracle.Hidden(ctx, board, verify.Period(period.String()), m.clock())
	if err != nil {
		t.Fatal(err)
	}
	m.compareCallers(board, period, want, hidden)
}

// compareCallers compares what each user is told of their own rank. want has the visible rows of
// the board, and hidden has the rows of hidden users.
func (m *model) compareCallers(board string, period live.Period, want, hidden []verify.Row) {
	t := m.t
	t.Helper()
	ranks := map[string]int{}
	for _, row := range slices.Concat(want, hidden) {
		ranks[row.UserID] = row.Rank
	}
	isOwn := func(who string) func(live.Entry) bool {
		return func(e live.Entry) bool { return e.UserID == who && e.Rank == ranks[who] && e.IsCurrentUser }
	}
	members := m.members(board)
	for _, who := range m.people {
		q := live.Query{Board: board, Period: period, Caller: who, Around: who, Neighbours: 1}
		p := m.ask(q)
		switch rank := ranks[who]; {
		case (p.Me == nil) != (rank == 0 && !members[who]), p.Me != nil && p.Me.Rank != rank:
			t.Fatalf("%s %s: me of %s = %+v, want rank %d", board, period, who, p.Me, rank)
		case p.Me != nil && rank == 0 && *p.Me.NextRank > len(want)+1:
			t.Fatalf("%s %s: %s would have rank %d of %d", board, period, who, *p.Me.NextRank, len(want)+1)
		case rank == 0 && len(p.Entries) > 0:
			t.Fatalf("%s %s: around %s, who is not on the board: %s", board, period, who, said(p.Entries))
		case rank != 0 && m.visible(want, who) != slices.ContainsFunc(p.Entries, isOwn(who)):
			t.Fatalf("%s %s: around %s with rank %d: %s", board, period, who, rank, said(p.Entries))
		}
	}
	who := m.somebody()
	if u, err := m.User(m.fixture.t.Context(), who); err == nil && m.shows(board, u) && u.Ranks[board][period.String()] != ranks[who] {
		t.Fatalf("%s %s: user %s has %v, want %d", board, period, who, u.Ranks, ranks[who])
	}
}

// members returns the users on a board, with and without a score in the period.
func (m *model) members(board string) map[string]bool {
	m.t.Helper()
	members := map[string]bool{}
	for _, read := range []func(context.Context, string, verify.Period, time.Time) ([]verify.Row, error){m.oracle.Board, m.oracle.Hidden} {
		rows, err := read(m.fixture.t.Context(), board, verify.AllTime, m.clock())
		if err != nil {
			m.t.Fatal(err)
		}
		for _, row := range rows {
			members[row.UserID] = true
		}
	}
	return members
}

// visible reports whether the rows have the user.
func (m *model) visible(rows []verify.Row, who string) bool {
	return slices.ContainsFunc(rows, func(r verify.Row) bool { return r.UserID == who })
}

// shows reports whether User returns the user's ranks on the board.
func (m *model) shows(board string, u live.User) bool {
	kind, _ := live.KindOf(board)
	for k, ids := range u.Groups {
		for _, id := range ids {
			if board == k+":"+id {
				return true
			}
		}
	}
	return kind == live.Global
}

// said returns everything that the entries say.
func said(entries []live.Entry) (s string) {
	for _, e := range entries {
		s += fmt.Sprintf("%d %s %d xp=%d coins=%d %s %s%d, ", e.Rank, e.UserID, e.Score, e.XP, e.MLCoins, e.RankBadge, e.ChangeType, e.Change)
	}
	return s
}

// expected returns what said should return for the oracle's rows.
func expected(rows []verify.Row) (s string) {
	for _, r := range rows {
		moved, way := rank.Entry{Rank: r.Rank, Before: r.Prior}.Change()
		s += fmt.Sprintf("%d %s %d xp=%d coins=%d %s %s%d, ", r.Rank, r.UserID, r.Score, r.XP, r.MLCoins, r.Badge, way, moved)
	}
	return s
}
