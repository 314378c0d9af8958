package rank_test

import (
	"cmp"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"marcador/rank"
)

// higherFirst stands for the order of user ids, unlike that of the numbers.
func higherFirst(a, b uint32) bool { return a > b }

func compare(a, b rank.Item) int {
	return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Seq, b.Seq), cmp.Compare(b.User, a.User))
}

// TestIndex_model holds the index against a sorted slice through any sequence
// of operations, and checks its own bookkeeping after each.
func TestIndex_model(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		index := rank.NewIndex(higherFirst, rapid.Bool().Draw(t, "sparse"))
		bulk, most := 400, 900
		if rapid.Bool().Draw(t, "narrow") {
			index.Narrow()
			bulk, most = 40, 200
		}
		var model []rank.Item
		// Few scores and few seqs, so that all three tie-breakers are needed.
		scores := rapid.Int64Range(-1, rapid.SampledFrom([]int64{1, 10, 1 << 50}).Draw(t, "spread"))
		item := rapid.Custom(func(t *rapid.T) rank.Item {
			return rank.Item{
				Score: scores.Draw(t, "score"),
				Seq:   rapid.Int64Range(0, 5).Draw(t, "seq"),
				User:  rapid.Uint32Range(0, 3000).Draw(t, "user"),
			}
		})
		place := func(it rank.Item) (int, bool) { return slices.BinarySearchFunc(model, it, compare) }
		remove := func(it rank.Item) {
			at, found := place(it)
			want := 0
			if found {
				want = at + 1
				model = slices.Delete(model, at, at+1)
			}
			if got := index.Remove(it); got != want {
				t.Fatalf("Remove(%v) = %d, want %d", it, got, want)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"insert": func(t *rapid.T) {
				for range rapid.SampledFrom([]int{1, 1, bulk}).Draw(t, "n") {
					it := item.Draw(t, "item")
					at, found := place(it)
					if found || slices.ContainsFunc(model, func(other rank.Item) bool { return other.User == it.User }) {
						continue
					}
					model = slices.Insert(model, at, it)
					if got := index.Insert(it); got != at+1 {
						t.Fatalf("Insert(%v) = %d, want %d", it, got, at+1)
					}
				}
			},
			"remove any": func(t *rapid.T) { remove(item.Draw(t, "item")) },
			"remove some": func(t *rapid.T) {
				if len(model) == 0 {
					t.Skip("empty")
				}
				from := rapid.IntRange(0, len(model)-1).Draw(t, "from")
				for range min(len(model)-from, rapid.SampledFrom([]int{1, bulk}).Draw(t, "n")) {
					remove(model[from])
				}
			},
			"position": func(t *rapid.T) {
				it := item.Draw(t, "item")
				at, _ := place(it)
				if got := index.Position(it); got != at+1 {
					t.Fatalf("Position(%v) = %d, want %d", it, got, at+1)
				}
			},
			"page": func(t *rapid.T) {
				first := rapid.IntRange(-1, len(model)+2).Draw(t, "first")
				n := rapid.IntRange(-1, 600).Draw(t, "n")
				var want []rank.Item
				if first >= 1 && first <= len(model) && n > 0 {
					want = model[first-1 : min(first-1+n, len(model))]
				}
				if got := index.Page(nil, first, n); !slices.Equal(got, want) {
					t.Fatalf("Page(%d, %d) = %v, want %v", first, n, got, want)
				}
			},
			"load": func(t *rapid.T) {
				user := func(it rank.Item) uint32 { return it.User }
				model = rapid.SliceOfNDistinct(item, 0, most, user).Draw(t, "items")
				index.Load(slices.Clone(model))
				slices.SortFunc(model, compare)
			},
			"": func(t *rapid.T) {
				if err := index.CheckInvariants(); err != nil {
					t.Fatal(err)
				}
				if index.Len() != len(model) {
					t.Fatalf("Len() = %d, want %d", index.Len(), len(model))
				}
			},
		})
	})
}
