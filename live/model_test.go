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

// model is a service beside an oracle, which works out each board from the ledger by
// SQL and shares no code with what ranks.
type model struct {
	*fixture

	t      *rapid.T
	now    atomic.Int64 // nanoseconds since 1970
	opts   live.Options
	oracle *verify.DB
	people []string // who may be there
	known  map[string]live.PageBody
	boards []string
}

var periods = []live.Period{live.Daily, live.Weekly, live.Monthly, live.AllTime}

// TestService_model has random things happen, and compares every board, page, rank and
// change with what the oracle says.
func TestService_model(t *testing.T) {
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		_ = f.Value.Set("3") // each is hundreds of boards; -rapid.checks=100 for more
	}
	folder := t.TempDir()
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		path := filepath.Join(folder, strconv.Itoa(n)+".db")
		zone, err := time.LoadLocation(rapid.SampledFrom([]string{"UTC", "America/Mexico_City", "Europe/Madrid", "Asia/Kathmandu"}).Draw(rt, "zone"))
		if err != nil {
			rt.Fatal(err)
		}
		m := &model{
			fixture: &fixture{t: t, path: path, log: &logBuffer{}}, t: rt,
			opts: live.Options{
				Location: zone, CacheTTL: 1000 * time.Hour,
				Ranks:    rapid.SampledFrom([]rank.Numbering{rank.Ordinal, rank.Competition, rank.Dense}).Draw(rt, "ranks"),
				Baseline: rapid.SampledFrom(periods[:3]).Draw(rt, "baseline"),
				Friends:  rapid.SampledFrom([]live.FriendsRule{live.FriendsMutual, live.FriendsInGroup, live.FriendsOpen}).Draw(rt, "friends"),
			},
			known:  map[string]live.PageBody{},
			people: []string{"ana", "Bea", "carl", "dé", "eva", "fin"},
			boards: []string{"global", "school:1", "school:2", "class:a:b", "friends:ana", "friends:eva", "club:none"},
		}
		// Shortly before a month ends, and clocks are changed in one of the zones.
		m.now.Store(time.Date(2026, 3, 27, 20, 0, 0, 0, time.UTC).UnixNano())
		m.opts.Now = m.clock
		m.open(m.opts)
		m.consult()
		defer func() {
			err := errors.Join(m.oracle.Close(), m.Close())
			if err == nil {
				err = os.Remove(path)
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

func (m *model) clock() time.Time { return time.Unix(0, m.now.Load()) }

// ask is fixture.ask outside of a bubble.
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

func (m *model) somebody() string { return rapid.SampledFrom(m.people).Draw(m.t, "who") }

// allow passes over a refusal.
func (m *model) allow(err error, codes ...live.Code) {
	var refusal *live.Error
	if err != nil && !(errors.As(err, &refusal) && slices.Contains(codes, refusal.Code)) {
		m.t.Fatal(err)
	}
}

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
	seen := slices.ContainsFunc(p.Entries, func(e live.Entry) bool { return e.UserID == last.UserID }) // else hidden
	if p.Me == nil || p.Me.Rank != last.NewRank || seen && p.Version != last.Version || !seen && p.Version == last.Version {
		t.Fatalf("the answer says rank %d at %d, the page %+v at %d", last.NewRank, last.Version, p.Me, p.Version)
	}
}

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

func (m *model) erase(*rapid.T) {
	m.allow(m.Erase(m.fixture.t.Context(), m.somebody()), live.UserNotFound)
}

func (m *model) befriend(t *rapid.T) {
	var err error
	if a, b := m.somebody(), m.somebody(); rapid.IntRange(0, 3).Draw(t, "off") == 0 {
		err = m.Unfriend(m.fixture.t.Context(), a, b)
	} else {
		err = m.Befriend(m.fixture.t.Context(), a, b, rapid.Bool().Draw(t, "both"))
	}
	m.allow(err, live.UserNotFound, live.OwnFriend)
}

// limit sets a limit that shows everybody, and so changes friendships alone.
func (m *model) limit(t *rapid.T) {
	board := rapid.SampledFrom([]string{"school:1", "school:*", "class:a:b"}).Draw(t, "board")
	m.allow(m.PutLimit(m.fixture.t.Context(), board, rapid.SampledFrom([]int{0, 1000}).Draw(t, "top")))
}

// restart goes on with friendships that may count by another rule.
func (m *model) restart(t *rapid.T) {
	m.close()
	m.opts.Friends = rapid.SampledFrom([]live.FriendsRule{live.FriendsMutual, live.FriendsInGroup, live.FriendsOpen}).Draw(t, "friends")
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
		Location: m.opts.Location, Baseline: m.opts.Baseline, Numbering: m.opts.Ranks.String(), Friends: m.opts.Friends.String(),
	})
	if err != nil {
		m.t.Fatal(err)
	}
}

// sleep lets time pass: with the service running, or not.
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

func (m *model) compare(t *rapid.T) {
	for range 3 {
		m.compareBoard(rapid.SampledFrom(m.boards).Draw(t, "board"), rapid.SampledFrom(periods).Draw(t, "period"))
	}
}

// compareBoard compares the pages and all ranks of a board in a period.
func (m *model) compareBoard(board string, period live.Period) {
	ctx, t := m.fixture.t.Context(), m.t
	t.Helper()
	want, err := m.oracle.Board(ctx, board, period, m.clock())
	if err != nil {
		t.Fatal(err)
	}
	q := live.Query{Board: board, Period: period, Limit: 1000}
	p := m.ask(q)
	if got, want := said(p.Entries), expected(want); got != want {
		t.Fatalf("%s %s:\n got %s\nwant %s", board, period, got, want)
	}
	// A version is of one state, and never goes back, not even with a restart.
	was := m.known[board+period.String()]
	if same := said(was.Entries) == said(p.Entries); p.Version < was.Version || !same && p.Version == was.Version && was.Entries != nil {
		t.Fatalf("%s %s: version %d has\n%s\nand version %d had\n%s", board, period, p.Version, said(p.Entries), was.Version, said(was.Entries))
	}
	if p.LastUpdated.Before(was.LastUpdated) {
		t.Fatalf("%s %s: updated %v, and before %v", board, period, p.LastUpdated, was.LastUpdated)
	}
	m.known[board+period.String()] = p
	if p.TotalEntries != len(want) {
		t.Fatalf("%s %s: totalEntries = %d, want %d", board, period, p.TotalEntries, len(want))
	}
	if end := period.Next(m.clock().In(m.opts.Location)); (p.ResetsAt == nil) != end.IsZero() || p.ResetsAt != nil && !p.ResetsAt.Equal(end) {
		t.Fatalf("%s %s: resetsAt = %v, want %v", board, period, p.ResetsAt, end)
	}
	hidden, err := m.oracle.Hidden(ctx, board, period, m.clock())
	if err != nil {
		t.Fatal(err)
	}
	ranks := map[string]int{}
	for _, row := range append(want, hidden...) {
		ranks[row.UserID] = row.Rank
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
			t.Fatalf("%s %s: around %s, who is not there: %s", board, period, who, said(p.Entries))
		case rank != 0 && m.visible(want, who) != slices.ContainsFunc(p.Entries, func(e live.Entry) bool { return e.UserID == who && e.Rank == rank && e.IsCurrentUser }):
			t.Fatalf("%s %s: around %s with rank %d: %s", board, period, who, rank, said(p.Entries))
		}
	}
	who := m.somebody()
	if u, err := m.User(ctx, who); err == nil && m.shows(board, u) && u.Ranks[board][period.String()] != ranks[who] {
		t.Fatalf("%s %s: user %s has %v, want %d", board, period, who, u.Ranks, ranks[who])
	}
}

// members are the users on a board, with a score in the period or without one.
func (m *model) members(board string) map[string]bool {
	m.t.Helper()
	members := map[string]bool{}
	for _, read := range []func(context.Context, string, live.Period, time.Time) ([]verify.Row, error){m.oracle.Board, m.oracle.Hidden} {
		rows, err := read(m.fixture.t.Context(), board, live.AllTime, m.clock())
		if err != nil {
			m.t.Fatal(err)
		}
		for _, row := range rows {
			members[row.UserID] = true
		}
	}
	return members
}

func (m *model) visible(rows []verify.Row, who string) bool {
	return slices.ContainsFunc(rows, func(r verify.Row) bool { return r.UserID == who })
}

// shows reports whether the user's ranks have the board.
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

func said(entries []live.Entry) (s string) {
	for _, e := range entries {
		s += fmt.Sprintf("%d %s %d xp=%d coins=%d %s %s%d, ", e.Rank, e.UserID, e.Score, e.XP, e.MLCoins, e.RankBadge, e.ChangeType, e.Change)
	}
	return s
}

func expected(rows []verify.Row) (s string) {
	for _, r := range rows {
		places, way := rank.Entry{Rank: r.Rank, Before: r.Prior}.Change()
		s += fmt.Sprintf("%d %s %d xp=%d coins=%d %s %s%d, ", r.Rank, r.UserID, r.Score, r.XP, r.MLCoins, r.Badge, way, places)
	}
	return s
}
