package live_test

import (
	"context"
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"marcador/command/verify"
	"marcador/live"
	"marcador/rank"
	"marcador/store"
)

// compare compares some random boards.
func (m *model) compare(t *rapid.T) {
	for range 3 {
		m.compareBoard(rapid.SampledFrom(m.boards).Draw(t, "board"), rapid.SampledFrom(periods).Draw(t, "period"))
	}
}

// compareBoard compares the pages and all ranks of a board in a period.
func (m *model) compareBoard(board string, period store.Period) {
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
func (m *model) compareCallers(board string, period store.Period, want, hidden []verify.Row) {
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
