package rank_test

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"marcador/rank"
)

// model is a board as maps that are sorted whenever they are asked.
type model struct {
	numbering   rank.Numbering
	now, hidden map[uint32]rank.Item
	baseline    map[uint32]int
}

// position is the place from 1 that the item has among the items, or would have.
func position(items map[uint32]rank.Item, it rank.Item) int {
	at := 1
	for _, other := range items {
		if compare(other, it) < 0 {
			at++
		}
	}
	return at
}

// rank is the rank that the item has among the items, or would have.
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

// leaveBaseline lets the others of the baseline close up: those behind the user
// go down one, unless somebody else keeps the rank taken in a dense numbering.
func (m *model) leaveBaseline(user uint32) {
	was, ok := m.baseline[user]
	delete(m.baseline, user)
	if !ok || m.numbering == rank.Dense && slices.Contains(slices.Collect(maps.Values(m.baseline)), was) {
		return
	}
	for other, r := range m.baseline {
		if r > was {
			m.baseline[other] = r - 1
		}
	}
}

// toNext tries ever more points until the rank is better.
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

func (m *model) page(first, n int) (entries []rank.Entry) {
	items := slices.SortedFunc(maps.Values(m.now), compare)
	for i, it := range items {
		if first >= 1 && i+1 >= first && i+1 < first+n {
			entries = append(entries, rank.Entry{User: it.User, Rank: m.rank(m.now, it), Before: m.baseline[it.User], Score: it.Score})
		}
	}
	return entries
}

// TestBoard_model holds boards of every kind against a model.
func TestBoard_model(t *testing.T) {
	const low, high, users = -3, 8, 43
	rapid.Check(t, func(t *rapid.T) {
		o := rank.Options{
			Tie:       higherFirst,
			Numbering: rapid.SampledFrom([]rank.Numbering{rank.Ordinal, rank.Competition, rank.Dense}).Draw(t, "numbering"),
			Sparse:    rapid.Bool().Draw(t, "sparse"),
		}
		board := rank.NewBoard(o)
		if rapid.Bool().Draw(t, "narrow") {
			board.Narrow()
		}
		m := &model{o.Numbering, map[uint32]rank.Item{}, map[uint32]rank.Item{}, map[uint32]int{}}
		user := rapid.Uint32Range(0, users-3)
		item := rapid.Custom(func(t *rapid.T) rank.Item {
			return rank.Item{
				Score: rapid.Int64Range(low, high).Draw(t, "score"),
				Seq:   rapid.Int64Range(0, 4).Draw(t, "seq"),
				User:  user.Draw(t, "user"),
			}
		})
		byUser := rapid.MapOfValues(item, func(it rank.Item) uint32 { return it.User })
		put := func(t *rapid.T) {
			it := item.Draw(t, "item")
			wantBefore := 0
			if was, ok := m.item(it.User); ok {
				wantBefore = m.rank(m.now, was)
			}
			if _, ok := m.hidden[it.User]; ok {
				m.hidden[it.User] = it
			} else {
				m.now[it.User] = it
			}
			wantAfter := m.rank(m.now, it)
			if before, after := board.Put(it.User, it.Score, it.Seq); before != wantBefore || after != wantAfter {
				t.Fatalf("Put(%v) = %d, %d, want %d, %d", it, before, after, wantBefore, wantAfter)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"put":      put,
			"put more": func(t *rapid.T) { put(t); put(t); put(t) },
			"remove": func(t *rapid.T) {
				user, want := user.Draw(t, "user"), 0
				if it, ok := m.item(user); ok {
					want = m.rank(m.now, it)
				}
				m.leaveBaseline(user)
				delete(m.now, user)
				delete(m.hidden, user)
				if got := board.Remove(user); got != want {
					t.Fatalf("Remove(%d) = %d, want %d", user, got, want)
				}
			},
			"hide": func(t *rapid.T) {
				user := user.Draw(t, "user")
				m.leaveBaseline(user)
				if it, ok := m.now[user]; ok {
					delete(m.now, user)
					m.hidden[user] = it
				}
				board.Hide(user)
			},
			"show": func(t *rapid.T) {
				user := user.Draw(t, "user")
				if it, ok := m.hidden[user]; ok {
					delete(m.hidden, user)
					m.now[user] = it
				}
				board.Show(user)
			},
			"rebase": func(*rapid.T) {
				m.baseline = m.ranks(m.now)
				board.Rebase()
			},
			"turn": func(*rapid.T) {
				m.baseline = m.ranks(m.now)
				m.now, m.hidden = map[uint32]rank.Item{}, map[uint32]rank.Item{}
				board.Turn()
			},
			"load": func(t *rapid.T) {
				now, then := byUser.Draw(t, "now"), byUser.Draw(t, "then")
				m.now, m.hidden, m.baseline = now, map[uint32]rank.Item{}, m.ranks(then)
				board.Load(slices.Collect(maps.Values(now)), slices.Collect(maps.Values(then)))
			},
			"page": func(t *rapid.T) {
				first, n := rapid.IntRange(-1, users).Draw(t, "first"), rapid.IntRange(-1, users).Draw(t, "n")
				if got, want := board.Page(nil, first, n), m.page(first, n); !slices.Equal(got, want) {
					t.Fatalf("Page(%d, %d) = %v, want %v", first, n, got, want)
				}
			},
			"then": func(t *rapid.T) {
				past := byUser.Draw(t, "past")
				for user := range uint32(users) {
					it, ok := m.item(user)
					was := maps.Clone(m.now)
					if ok {
						was[user] = it
					}
					for other, it := range past {
						if _, there := was[other]; there {
							was[other] = it
						}
					}
					want := 0
					if ok && o.Numbering != rank.Dense {
						want = m.rank(was, was[user])
					}
					if got := board.RankThen(user, past); got != want {
						t.Fatalf("RankThen(%d, %v) = %d, want %d", user, past, got, want)
					}
				}
			},
			"": func(t *rapid.T) {
				if err := board.CheckInvariants(); err != nil {
					t.Fatal(err)
				}
				if board.Len() != len(m.now) {
					t.Fatalf("Len() = %d, want %d", board.Len(), len(m.now))
				}
				for user := range uint32(users) {
					checkUser(t, board, m, user, high-low)
				}
				checkEnter(t, board, m, high-low)
			},
		})
	})
}

// checkUser asks the board all there is to ask about one user.
func checkUser(t *rapid.T, board *rank.Board, m *model, user uint32, spread int64) {
	it, ok := m.item(user)
	_, hidden := m.hidden[user]
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
	if got, gotOK := board.Entry(user); got != wantEntry || gotOK != ok {
		t.Fatalf("Entry(%d) = %v, %t, want %v, %t", user, got, gotOK, wantEntry, ok)
	}
	if got, want := board.Before(user), m.baseline[user]; got != want {
		t.Fatalf("Before(%d) = %d, want %d", user, got, want)
	}
	wantPoints, wantOK := m.toNext(user, spread)
	if points, ok := board.ToNext(user); points != wantPoints || ok != wantOK {
		t.Fatalf("ToNext(%d) = %d, %t, want %d, %t", user, points, ok, wantPoints, wantOK)
	}
}

// checkEnter compares what a user without a score needs with trying one score after the
// other.
func checkEnter(t *rapid.T, board *rank.Board, m *model, spread int64) {
	bottom := func(score int64) int { return m.rank(m.now, rank.Item{Score: score, Seq: math.MaxInt64}) }
	want := int64(1)
	if len(m.now) > 0 {
		last := slices.MaxFunc(slices.Collect(maps.Values(m.now)), compare)
		for want <= spread && (want < last.Score || m.numbering == rank.Ordinal && want == last.Score) {
			want++
		}
	}
	if points, got := board.ToEnter(); points != want || got != bottom(want) {
		t.Fatalf("ToEnter() = %d, %d, want %d, %d", points, got, want, bottom(want))
	}
}

// TestBoard_large is a board of several groups of full-sized blocks in long use.
func TestBoard_large(t *testing.T) {
	const users = 40_000
	for name, numbering := range map[string]rank.Numbering{"ordinal": rank.Ordinal, "dense": rank.Dense} {
		t.Run(name, func(t *testing.T) {
			c := newContest(users, rank.Options{Numbering: numbering})
			check := func(what string) {
				t.Helper()
				if err := c.board.CheckInvariants(); err != nil {
					t.Fatalf("%s: %v", what, err)
				}
			}
			check("loaded")
			for range 3 * users {
				c.move()
			}
			check("moved")
			if got := c.board.Fill(); got < 0.7 {
				t.Errorf("blocks are filled to %.2f", got)
			}
			gone := rand.New(rand.NewPCG(5, 6)).Perm(users)[:users-50]
			for i, user := range gone {
				if before, _ := c.board.Put(uint32(user), int64(i%100), 0); before == 0 {
					t.Fatalf("user %d was not there", user)
				}
			}
			check("all low")
			c.board.Turn()
			check("turned")
			for user := range uint32(users) {
				c.board.Put(user, int64(user), 1)
			}
			check("climbed")
			c.board.Load(nil, nil)
			for user := range uint32(users) {
				c.board.Put(user, int64(user/3), 1)
			}
			check("came one by one")
			for user := range uint32(users - 10) {
				c.board.Hide(user)
			}
			check("hidden")
			for user := range uint32(100) {
				c.board.Show(user)
			}
			check("shown")
			if got := c.board.Len(); got != 110 {
				t.Errorf("Len() = %d, want 110", got)
			}
		})
	}
}

func TestEntry_Change(t *testing.T) {
	for name, c := range map[string]struct {
		entry     rank.Entry
		places    int
		direction string
	}{
		"up":   {rank.Entry{Rank: 3, Before: 5}, 2, "up"},
		"down": {rank.Entry{Rank: 5, Before: 3}, 2, "down"},
		"same": {rank.Entry{Rank: 5, Before: 5}, 0, "same"},
		"new":  {rank.Entry{Rank: 5}, 0, "new"},
	} {
		if places, direction := c.entry.Change(); places != c.places || direction != c.direction {
			t.Errorf("%s: Change() = %d, %s, want %d, %s", name, places, direction, c.places, c.direction)
		}
	}
}
