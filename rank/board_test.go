package rank_test

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"marcador/rank"
)

// sorted returns the items of the model in the board's order.
func sorted(m map[uint32]rank.Item) []rank.Item {
	return slices.SortedFunc(maps.Values(m), compare)
}

func rankIn(m map[uint32]rank.Item, user uint32) int {
	return slices.IndexFunc(sorted(m), func(it rank.Item) bool { return it.User == user }) + 1
}

// TestBoard_model holds a board against maps that are sorted whenever they are
// asked.
func TestBoard_model(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		board := rank.NewBoard(higherFirst)
		now, then := map[uint32]rank.Item{}, map[uint32]rank.Item{}
		users := rapid.Uint32Range(1, 40)
		item := rapid.Custom(func(t *rapid.T) rank.Item {
			return rank.Item{
				Score: rapid.Int64Range(0, 8).Draw(t, "score"),
				Seq:   rapid.Int64Range(0, 4).Draw(t, "seq"),
				User:  users.Draw(t, "user"),
			}
		})
		byUser := rapid.MapOfValues(item, func(it rank.Item) uint32 { return it.User })
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				it := item.Draw(t, "item")
				wantBefore := rankIn(now, it.User)
				now[it.User] = it
				wantAfter := rankIn(now, it.User)
				if before, after := board.Put(it.User, it.Score, it.Seq); before != wantBefore || after != wantAfter {
					t.Fatalf("Put(%v) = %d, %d, want %d, %d", it, before, after, wantBefore, wantAfter)
				}
			},
			"remove": func(t *rapid.T) {
				user := users.Draw(t, "user")
				want := rankIn(now, user)
				if want > 0 {
					delete(now, user)
					delete(then, user)
				}
				if got := board.Remove(user); got != want {
					t.Fatalf("Remove(%d) = %d, want %d", user, got, want)
				}
			},
			"rebase": func(*rapid.T) {
				board.Rebase()
				then = maps.Clone(now)
			},
			"load": func(t *rapid.T) {
				now, then = byUser.Draw(t, "now"), byUser.Draw(t, "then")
				maps.DeleteFunc(then, func(u uint32, _ rank.Item) bool { _, ok := now[u]; return !ok })
				board.Load(slices.Collect(maps.Values(now)), slices.Collect(maps.Values(then)))
			},
			"page": func(t *rapid.T) {
				first, n := rapid.IntRange(-1, 42).Draw(t, "first"), rapid.IntRange(-1, 42).Draw(t, "n")
				var want []rank.Entry
				for i, it := range sorted(now) {
					if first >= 1 && i+1 >= first && i+1 < first+n {
						want = append(want, rank.Entry{User: it.User, Rank: i + 1, Before: rankIn(then, it.User), Score: it.Score})
					}
				}
				if got := board.Page(first, n); !slices.Equal(got, want) {
					t.Fatalf("Page(%d, %d) = %v, want %v", first, n, got, want)
				}
			},
			"then": func(t *rapid.T) {
				past := byUser.Draw(t, "past")
				was := maps.Clone(now)
				for user, it := range past {
					if _, there := now[user]; there {
						was[user] = it
					}
				}
				for user := range uint32(43) {
					if got, want := board.RankThen(user, past), rankIn(was, user); got != want {
						t.Fatalf("RankThen(%d, %v) = %d, want %d", user, past, got, want)
					}
				}
			},
			"": func(t *rapid.T) {
				if board.Len() != len(now) {
					t.Fatalf("Len() = %d, want %d", board.Len(), len(now))
				}
				for user := range uint32(43) {
					if got, want := board.Rank(user), rankIn(now, user); got != want {
						t.Fatalf("Rank(%d) = %d, want %d", user, got, want)
					}
					if got, want := board.Score(user), now[user].Score; got != want {
						t.Fatalf("Score(%d) = %d, want %d", user, got, want)
					}
				}
			},
		})
	})
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
