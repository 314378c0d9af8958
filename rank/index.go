package rank

import (
	"iter"
	"slices"
)

// Item is a user's entry in the order: a score, and when the user reached it.
type Item struct {
	Score int64
	Seq   int64  // the ledger's sequence number at which the user reached the score
	User  uint32 // the user's number
}

// blockCap is how many items a block has at most, and groupCap how many blocks a group.
const blockCap, groupCap = 128, 128

// Index is an ordered set of items, one for each user, that knows the position of each.
//
//	tree    how many items the groups have, summed up as in a Fenwick tree
//	groups  [ group ]  [ group ]  [ group ]  …          found by their first items
//	blocks   [b][b][b]  [b][b]     [b][b][b][b]         found by their first items
//	items     …128      …          …                    searched one by one
//
// It is a B+tree of three levels, the top one as wide as it has to be. The Fenwick tree (P. M.
// Fenwick, "A new data structure for cumulative frequency tables", 1994) counts the items of all
// groups before a given one in O(log n). An index of up to 128 items is one sorted slice.
type Index struct {
	tie     func(a, b uint32) bool
	blocks  []block  // by number; a block's number never changes
	free    []uint32 // numbers that no block has
	groups  []*group
	firsts  []Item  // the first item of each group
	tree    []int32 // Fenwick tree over the groups' lengths; its first element is unused
	blockOf numbers // 1 + the number of the block that has the user
	len     int

	blockCap, groupCap int // the constants; smaller in tests
}

// block is a run of items. Their users lie apart from their keys, because one search reads only the
// users and the other only the keys.
type block struct {
	group *group
	users []uint32
	keys  []key
}

type key struct{ score, seq int64 }

// group is a run of blocks. No group and no block is empty, except the only block of an empty
// index.
type group struct {
	at     int      // index in Index.groups
	len    int32    // items
	blocks []uint32 // numbers of the blocks
	firsts []Item   // the first item of each block
	counts []int32  // how many items each block has
}

// spot is where an item lies, or where it would have to be inserted.
type spot struct {
	group *group
	block int // index in group.blocks
	at    int // index in the block
}

// NewIndex returns an empty index. For tie and sparse see [Options].
func NewIndex(tie func(a, b uint32) bool, sparse bool) *Index {
	x := &Index{tie: tie, blockOf: newNumbers(sparse), blockCap: blockCap, groupCap: groupCap}
	x.Load(nil)
	return x
}

// Len is the number of items. O(1).
func (x *Index) Len() int { return x.len }

// Load replaces all items. It sorts the slice. O(n log n).
func (x *Index) Load(items []Item) {
	sortItems(items, x.before)
	x.blockOf.reset(end(items))
	x.len, x.blocks, x.free, x.groups = len(items), nil, nil, nil
	fill, room := len(items), len(items)
	if fill > x.blockCap {
		room = x.blockCap
		fill = x.blockCap * 7 / 8 // room for the first few inserts
	}
	g := &group{}
	x.groups = append(x.groups, g)
	for first := true; first || len(items) > 0; first = false {
		if len(g.blocks) >= x.groupCap*7/8 {
			g = &group{at: len(x.groups)}
			x.groups = append(x.groups, g)
		}
		part := items[:min(fill, len(items))]
		items = items[len(part):]
		i := len(g.blocks)
		x.addBlock(g, i, room)
		b := x.block(g, i)
		for _, it := range part {
			b.keys = append(b.keys, key{it.Score, it.Seq})
			b.users = append(b.users, it.User)
			x.blockOf.set(it.User, g.blocks[i]+1)
		}
		x.refresh(g, i)
		g.len += g.counts[i]
	}
	x.rebuildTop()
}

// has reports whether any item has the score. O(log n).
func (x *Index) has(score int64) bool {
	s := x.find(frontOf(score))
	b := x.block(s.group, s.block)
	if s.at < len(b.keys) {
		return b.keys[s.at].score == score
	}
	for keys := range x.from(x.position(s)) {
		return keys[0].score == score
	}
	return false
}

// Insert adds the item and returns its position. The user must not have an item yet. O(log n).
func (x *Index) Insert(it Item) int {
	s := x.find(it)
	position := x.position(s)
	s = x.makeRoom(s)
	b := x.block(s.group, s.block)
	b.reserve(len(b.keys)+1, x.blockCap)
	b.keys = slices.Insert(b.keys, s.at, key{it.Score, it.Seq})
	b.users = slices.Insert(b.users, s.at, it.User)
	x.blockOf.set(it.User, s.group.blocks[s.block]+1)
	x.count(s, 1)
	return position
}

// Remove removes the item and returns the position that it had, or 0 if it was not there. O(log n).
func (x *Index) Remove(it Item) int {
	s := x.find(it)
	if b := x.block(s.group, s.block); s.at == len(b.keys) || b.item(s.at) != it {
		return 0
	}
	position := x.position(s)
	x.removeAt(s)
	return position
}

// removeAt removes the item at the spot. Spots that were found before are no longer valid.
func (x *Index) removeAt(s spot) {
	b := x.block(s.group, s.block)
	x.blockOf.set(b.users[s.at], 0)
	b.keys = slices.Delete(b.keys, s.at, s.at+1)
	b.users = slices.Delete(b.users, s.at, s.at+1)
	x.count(s, -1)
	if len(b.keys) < x.blockCap*3/4 {
		x.mergeBlock(s.group, s.block)
	}
}

// Position returns the position, from 1, that the item has or would have. O(log n).
func (x *Index) Position(it Item) int { return x.position(x.find(it)) }

// from yields the items from a position on, as runs of keys and users. The slices belong to the
// index. The first run takes O(log n).
func (x *Index) from(position int) iter.Seq2[[]key, []uint32] {
	return func(yield func([]key, []uint32) bool) {
		if position < 1 || position > x.len {
			return
		}
		s := x.locate(position)
		for _, g := range x.groups[s.group.at:] {
			for _, number := range g.blocks[s.block:] {
				b := &x.blocks[number]
				if !yield(b.keys[s.at:], b.users[s.at:]) {
					return
				}
				s.at = 0
			}
			s.block = 0
		}
	}
}

// get returns the user's item, or false if there is none. O(1).
func (x *Index) get(user uint32) (it Item, ok bool) {
	number := x.blockOf.get(user)
	if number == 0 {
		return Item{}, false
	}
	b := &x.blocks[number-1]
	return b.item(slices.Index(b.users, user)), true
}

// spotOf returns where the user's item lies, or false if there is none. O(1).
func (x *Index) spotOf(user uint32) (s spot, ok bool) {
	number := x.blockOf.get(user)
	if number == 0 {
		return spot{}, false
	}
	b := &x.blocks[number-1]
	return spot{b.group, slices.Index(b.group.blocks, number-1), slices.Index(b.users, user)}, true
}

// find returns where the item lies or would lie. O(log n).
func (x *Index) find(it Item) spot {
	g := x.groups[x.last(x.firsts, it)]
	i := x.last(g.firsts, it)
	b := x.block(g, i)
	return spot{g, i, x.offset(b, it)}
}

// last returns the index of the last item of firsts that does not come after it, or 0.
func (x *Index) last(firsts []Item, it Item) int {
	lo, hi := 1, len(firsts)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if x.before(it, firsts[mid]) {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo - 1
}

// locate returns where the item with the position lies. O(log n).
func (x *Index) locate(position int) spot {
	ahead, at, step := position-1, 0, 1
	for step*2 < len(x.tree) {
		step *= 2
	}
	for ; step > 0; step /= 2 {
		if next := at + step; next < len(x.tree) && int(x.tree[next]) <= ahead {
			at = next
			ahead -= int(x.tree[next])
		}
	}
	g, i := x.groups[at], 0
	for ; ahead >= int(g.counts[i]); i++ {
		ahead -= int(g.counts[i])
	}
	return spot{g, i, ahead}
}

// position returns the position of the spot. O(log n).
func (x *Index) position(s spot) int {
	n := s.at + 1
	for _, count := range s.group.counts[:s.block] {
		n += int(count)
	}
	for at := s.group.at; at > 0; at &= at - 1 {
		n += int(x.tree[at])
	}
	return n
}

func (x *Index) item(s spot) Item { return x.block(s.group, s.block).item(s.at) }

// before reports whether a comes before b.
func (x *Index) before(a, b Item) bool {
	switch {
	case a.Score != b.Score:
		return a.Score > b.Score
	case a.Seq != b.Seq:
		return a.Seq < b.Seq
	}
	return a.User != b.User && x.tie(a.User, b.User)
}

func sortItems(items []Item, before func(a, b Item) bool) {
	slices.SortFunc(items, func(a, b Item) int {
		switch {
		case before(a, b):
			return -1
		case before(b, a):
			return 1
		}
		return 0
	})
}

// end returns a number above every user's number.
func end(items []Item) int {
	top := 0
	for _, it := range items {
		top = max(top, int(it.User)+1)
	}
	return top
}
