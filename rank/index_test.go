package rank_test

import (
	"cmp"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"marcador/rank"
)

// higherFirst is a tie-breaker. Like the order of user ids, it differs from the order of the
// numbers.
func higherFirst(a, b uint32) bool { return a > b }

func compare(a, b rank.Item) int {
	return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Seq, b.Seq), cmp.Compare(b.User, a.User))
}

// The index does what a sorted slice does, through any sequence of operations, and stays consistent
// after each.
func TestIndex_model(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		t.Repeat(rapid.StateMachineActions(newIndexMachine(t)))
	})
}

// indexMachine changes an index and a sorted slice in the same way. rapid calls the exported
// methods in random order, and Check after each of them.
type indexMachine struct {
	index *rank.Index
	model []rank.Item // sorted

	items      *rapid.Generator[rank.Item]
	bulk, most int // items that are inserted at once, and that Load takes at most
}

func newIndexMachine(t *rapid.T) *indexMachine {
	m := &indexMachine{index: rank.NewIndex(higherFirst, rapid.Bool().Draw(t, "sparse")), bulk: 400, most: 900}
	if rapid.Bool().Draw(t, "narrow") {
		m.index.Narrow()
		m.bulk, m.most = 40, 200
	}
	// Few scores and few sequence numbers, so that the order needs all three criteria.
	scores := rapid.Int64Range(-1, rapid.SampledFrom([]int64{1, 10, 1 << 50}).Draw(t, "spread"))
	m.items = rapid.Custom(func(t *rapid.T) rank.Item {
		return rank.Item{
			Score: scores.Draw(t, "score"),
			Seq:   rapid.Int64Range(0, 5).Draw(t, "seq"),
			User:  rapid.Uint32Range(0, 3000).Draw(t, "user"),
		}
	})
	return m
}

// search returns the offset of the item in the model, or where it would have to be inserted.
func (m *indexMachine) search(it rank.Item) (at int, found bool) {
	return slices.BinarySearchFunc(m.model, it, compare)
}

func (m *indexMachine) remove(t *rapid.T, it rank.Item) {
	at, found := m.search(it)
	want := 0
	if found {
		want = at + 1
		m.model = slices.Delete(m.model, at, at+1)
	}
	if got := m.index.Remove(it); got != want {
		t.Fatalf("Remove(%v) = %d, want %d", it, got, want)
	}
}

func (m *indexMachine) Insert(t *rapid.T) {
	for range rapid.SampledFrom([]int{1, 1, m.bulk}).Draw(t, "n") {
		it := m.items.Draw(t, "item")
		at, found := m.search(it)
		if found || slices.ContainsFunc(m.model, func(other rank.Item) bool { return other.User == it.User }) {
			continue
		}
		m.model = slices.Insert(m.model, at, it)
		if got := m.index.Insert(it); got != at+1 {
			t.Fatalf("Insert(%v) = %d, want %d", it, got, at+1)
		}
	}
}

func (m *indexMachine) RemoveAny(t *rapid.T) { m.remove(t, m.items.Draw(t, "item")) }

func (m *indexMachine) RemoveSome(t *rapid.T) {
	if len(m.model) == 0 {
		t.Skip("empty")
	}
	from := rapid.IntRange(0, len(m.model)-1).Draw(t, "from")
	for range min(len(m.model)-from, rapid.SampledFrom([]int{1, m.bulk}).Draw(t, "n")) {
		m.remove(t, m.model[from])
	}
}

func (m *indexMachine) Position(t *rapid.T) {
	it := m.items.Draw(t, "item")
	at, _ := m.search(it)
	if got := m.index.Position(it); got != at+1 {
		t.Fatalf("Position(%v) = %d, want %d", it, got, at+1)
	}
}

func (m *indexMachine) Page(t *rapid.T) {
	first := rapid.IntRange(-1, len(m.model)+2).Draw(t, "first")
	n := rapid.IntRange(-1, 600).Draw(t, "n")
	var want []rank.Item
	if first >= 1 && first <= len(m.model) && n > 0 {
		want = m.model[first-1 : min(first-1+n, len(m.model))]
	}
	if got := m.index.Page(nil, first, n); !slices.Equal(got, want) {
		t.Fatalf("Page(%d, %d) = %v, want %v", first, n, got, want)
	}
}

func (m *indexMachine) Load(t *rapid.T) {
	user := func(it rank.Item) uint32 { return it.User }
	m.model = rapid.SliceOfNDistinct(m.items, 0, m.most, user).Draw(t, "items")
	m.index.Load(slices.Clone(m.model))
	slices.SortFunc(m.model, compare)
}

func (m *indexMachine) Check(t *rapid.T) {
	if err := m.index.CheckInvariants(); err != nil {
		t.Fatal(err)
	}
	if m.index.Len() != len(m.model) {
		t.Fatalf("Len() = %d, want %d", m.index.Len(), len(m.model))
	}
}
