package rank_test

import (
	"maps"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"marcador/rank"
)

// model is a board made of maps, which are sorted for every question.
type model struct {
	numbering   rank.Numbering
	now, hidden map[uint32]rank.Item
	baseline    map[uint32]int
}

func newModel(n rank.Numbering) *model {
	return &model{n, map[uint32]rank.Item{}, map[uint32]rank.Item{}, map[uint32]int{}}
}

// position returns the position, from 1, that the item has or would have among the items.
func position(items map[uint32]rank.Item, it rank.Item) int {
	at := 1
	for _, other := range items {
		if compare(other, it) < 0 {
			at++
		}
	}
	return at
}

// rank returns the rank that the item has or would have among the items.
func (m *model) rank(items map[uint32]rank.Item, it rank.Item) int {
	if m.numbering == rank.Ordinal {
		return position(items, it)
	}
	at, seen := 1, map[int64]bool{}
	for _, other := range items {
		if other.Score > it.Score && (m.numbering == rank.Competition || !seen[other.Score]) {
			at++
			seen[other.Score] = true
		}
	}
	return at
}

func (m *model) ranks(items map[uint32]rank.Item) map[uint32]int {
	ranks := map[uint32]int{}
	for user, it := range items {
		ranks[user] = m.rank(items, it)
	}
	return ranks
}

func (m *model) item(user uint32) (it rank.Item, ok bool) {
	if it, ok = m.now[user]; !ok {
		it, ok = m.hidden[user]
	}
	return it, ok
}

// leaveBaseline takes the user out of the baseline. The users behind move up, unless the numbering
// is dense and somebody else has the same rank.
func (m *model) leaveBaseline(user uint32) {
	old, ok := m.baseline[user]
	delete(m.baseline, user)
	if !ok || m.numbering == rank.Dense && slices.Contains(slices.Collect(maps.Values(m.baseline)), old) {
		return
	}
	for other, r := range m.baseline {
		if r > old {
			m.baseline[other] = r - 1
		}
	}
}

// rankThen returns the user's rank among the present users, each with the item of then if it has
// one.
func (m *model) rankThen(user uint32, then map[uint32]rank.Item) int {
	it, ok := m.item(user)
	if !ok || m.numbering == rank.Dense {
		return 0
	}
	items := maps.Clone(m.now)
	items[user] = it
	for other, it := range then {
		if _, there := items[other]; there {
			items[other] = it
		}
	}
	return m.rank(items, items[user])
}

// toNext adds one point after the other until the rank is better.
func (m *model) toNext(user uint32, most int64) (points int64, ok bool) {
	it, ok := m.item(user)
	if !ok {
		return 0, false
	}
	rank := m.rank(m.now, it)
	others := maps.Clone(m.now)
	delete(others, user)
	for points = range most + 2 {
		it.Score++
		it.Seq = 100
		if m.rank(others, it) < rank {
			return points + 1, true
		}
	}
	return 0, false
}

// behind counts the users with a worse rank.
func (m *model) behind(user uint32) (n int) {
	it, ok := m.item(user)
	for _, other := range m.now {
		if ok && (m.numbering == rank.Ordinal && compare(it, other) < 0 || other.Score < it.Score) {
			n++
		}
	}
	return n
}

// toEnter adds one point after the other until a new user would be past the last.
func (m *model) toEnter(most int64) (points int64, rankThere int) {
	points = 1
	if len(m.now) > 0 {
		last := slices.MaxFunc(slices.Collect(maps.Values(m.now)), compare)
		for points <= most && (points < last.Score || m.numbering == rank.Ordinal && points == last.Score) {
			points++
		}
	}
	return points, m.rank(m.now, rank.Item{Score: points, Seq: math.MaxInt64})
}

func (m *model) page(first, n int) (entries []rank.Entry) {
	items := slices.SortedFunc(maps.Values(m.now), compare)
	for i, it := range items {
		if first >= 1 && i+1 >= first && i+1 < first+n {
			entries = append(entries, rank.Entry{User: it.User, Rank: m.rank(m.now, it), Before: m.baseline[it.User], Score: it.Score})
		}
	}
	return entries
}

// Every kind of board answers like the model, whatever happens to it.
func TestBoard_model(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		t.Repeat(rapid.StateMachineActions(newBoardMachine(t)))
	})
}

// Few scores, sequence numbers and users, so that ties and repetitions are frequent.
const low, high, people = -3, 8, 43

// boardMachine changes a board and its model in the same way. rapid calls the exported methods in
// random order, and Check after each of them.
type boardMachine struct {
	board *rank.Board
	model *model

	users *rapid.Generator[uint32]
	items *rapid.Generator[rank.Item]
	many  *rapid.Generator[map[uint32]rank.Item]
}

func newBoardMachine(t *rapid.T) *boardMachine {
	o := rank.Options{
		Tie:       higherFirst,
		Numbering: rapid.SampledFrom([]rank.Numbering{rank.Ordinal, rank.Competition, rank.Dense}).Draw(t, "numbering"),
		Sparse:    rapid.Bool().Draw(t, "sparse"),
	}
	b := &boardMachine{board: rank.NewBoard(o), model: newModel(o.Numbering), users: rapid.Uint32Range(0, people-3)}
	if rapid.Bool().Draw(t, "narrow") {
		b.board.Narrow()
	}
	b.items = rapid.Custom(func(t *rapid.T) rank.Item {
		return rank.Item{
			Score: rapid.Int64Range(low, high).Draw(t, "score"),
			Seq:   rapid.Int64Range(0, 4).Draw(t, "seq"),
			User:  b.users.Draw(t, "user"),
		}
	})
	b.many = rapid.MapOfValues(b.items, func(it rank.Item) uint32 { return it.User })
	return b
}

func (b *boardMachine) Put(t *rapid.T) {
	m, it := b.model, b.items.Draw(t, "item")
	wantBefore := 0
	if old, ok := m.item(it.User); ok {
		wantBefore = m.rank(m.now, old)
	}
	if _, ok := m.hidden[it.User]; ok {
		m.hidden[it.User] = it
	} else {
		m.now[it.User] = it
	}
	wantAfter := m.rank(m.now, it)
	if before, after := b.board.Put(it.User, it.Score, it.Seq); before != wantBefore || after != wantAfter {
		t.Fatalf("Put(%v) = %d, %d, want %d, %d", it, before, after, wantBefore, wantAfter)
	}
}

// PutMore makes Put more likely than what takes users away.
func (b *boardMachine) PutMore(t *rapid.T) { b.Put(t); b.Put(t); b.Put(t) }

func (b *boardMachine) Remove(t *rapid.T) {
	m, user, want := b.model, b.users.Draw(t, "user"), 0
	if it, ok := m.item(user); ok {
		want = m.rank(m.now, it)
	}
	m.leaveBaseline(user)
	delete(m.now, user)
	delete(m.hidden, user)
	if got := b.board.Remove(user); got != want {
		t.Fatalf("Remove(%d) = %d, want %d", user, got, want)
	}
}

func (b *boardMachine) Hide(t *rapid.T) {
	m, user := b.model, b.users.Draw(t, "user")
	m.leaveBaseline(user)
	if it, ok := m.now[user]; ok {
		delete(m.now, user)
		m.hidden[user] = it
	}
	b.board.Hide(user)
}

func (b *boardMachine) Show(t *rapid.T) {
	m, user := b.model, b.users.Draw(t, "user")
	if it, ok := m.hidden[user]; ok {
		delete(m.hidden, user)
		m.now[user] = it
	}
	b.board.Show(user)
}

func (b *boardMachine) Rebase(*rapid.T) {
	b.model.baseline = b.model.ranks(b.model.now)
	b.board.Rebase()
}

func (b *boardMachine) StartOver(*rapid.T) {
	m := b.model
	m.baseline = m.ranks(m.now)
	m.now, m.hidden = map[uint32]rank.Item{}, map[uint32]rank.Item{}
	b.board.StartOver()
}

func (b *boardMachine) Load(t *rapid.T) {
	m, now, then := b.model, b.many.Draw(t, "now"), b.many.Draw(t, "then")
	m.now, m.hidden, m.baseline = now, map[uint32]rank.Item{}, m.ranks(then)
	b.board.Load(slices.Collect(maps.Values(now)), slices.Collect(maps.Values(then)))
}

func (b *boardMachine) Page(t *rapid.T) {
	first, n := rapid.IntRange(-1, people).Draw(t, "first"), rapid.IntRange(-1, people).Draw(t, "n")
	if got, want := b.board.Page(nil, first, n), b.model.page(first, n); !slices.Equal(got, want) {
		t.Fatalf("Page(%d, %d) = %v, want %v", first, n, got, want)
	}
}

func (b *boardMachine) RankThen(t *rapid.T) {
	then := b.many.Draw(t, "then")
	for user := range uint32(people) {
		want := b.model.rankThen(user, then)
		if got := b.board.RankThen(user, then); got != want {
			t.Fatalf("RankThen(%d, %v) = %d, want %d", user, then, got, want)
		}
	}
}

// Check asks the board everything about everybody.
func (b *boardMachine) Check(t *rapid.T) {
	if err := b.board.CheckInvariants(); err != nil {
		t.Fatal(err)
	}
	if b.board.Len() != len(b.model.now) {
		t.Fatalf("Len() = %d, want %d", b.board.Len(), len(b.model.now))
	}
	for user := range uint32(people) {
		b.checkUser(t, user)
		b.checkDistances(t, user)
	}
	wantPoints, wantRank := b.model.toEnter(high - low)
	if points, got := b.board.ToEnter(); points != wantPoints || got != wantRank {
		t.Fatalf("ToEnter() = %d, %d, want %d, %d", points, got, wantPoints, wantRank)
	}
}

// checkUser asks the board what it knows of one user.
func (b *boardMachine) checkUser(t *rapid.T, user uint32) {
	board, m := b.board, b.model
	it, ok := m.item(user)
	_, hidden := m.hidden[user]
	if got := board.Has(user); got != ok {
		t.Fatalf("Has(%d) = %t, want %t", user, got, ok)
	}
	if got := board.Hidden(user); got != hidden {
		t.Fatalf("Hidden(%d) = %t, want %t", user, got, hidden)
	}
	if got := board.Score(user); got != it.Score {
		t.Fatalf("Score(%d) = %d, want %d", user, got, it.Score)
	}
	if got, gotOK := board.Item(user); got != it || gotOK != ok {
		t.Fatalf("Item(%d) = %v, %t, want %v, %t", user, got, gotOK, it, ok)
	}
	if got, want := board.Before(user), m.baseline[user]; got != want {
		t.Fatalf("Before(%d) = %d, want %d", user, got, want)
	}
}

// checkDistances asks the board where one user stands, and how far from the others.
func (b *boardMachine) checkDistances(t *rapid.T, user uint32) {
	board, m := b.board, b.model
	it, ok := m.item(user)
	wantRank, wantPosition := 0, 0
	var wantEntry rank.Entry
	if ok {
		wantRank, wantPosition = m.rank(m.now, it), position(m.now, it)
		wantEntry = rank.Entry{User: user, Rank: wantRank, Before: m.baseline[user], Score: it.Score}
	}
	if got := board.Rank(user); got != wantRank {
		t.Fatalf("Rank(%d) = %d, want %d", user, got, wantRank)
	}
	if got := board.Position(user); got != wantPosition {
		t.Fatalf("Position(%d) = %d, want %d", user, got, wantPosition)
	}
	if got, gotOK := board.Entry(user); got != wantEntry || gotOK != ok {
		t.Fatalf("Entry(%d) = %v, %t, want %v, %t", user, got, gotOK, wantEntry, ok)
	}
	wantPoints, wantOK := m.toNext(user, high-low)
	if points, ok := board.ToNext(user); points != wantPoints || ok != wantOK {
		t.Fatalf("ToNext(%d) = %d, %t, want %d, %t", user, points, ok, wantPoints, wantOK)
	}
	if got, want := board.Behind(user), m.behind(user); got != want {
		t.Fatalf("Behind(%d) = %d, want %d", user, got, want)
	}
}
