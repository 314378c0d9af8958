// Package rank keeps users in order of their scores and answers where each
// stands. It knows nothing of time, files or sockets. Nothing in it is safe for
// concurrent use: the owner of a board locks.
package rank

import (
	"iter"
	"slices"
)

// Item is one user's place in the order: the higher Score first, then the lower
// Seq, then what the tie-breaker says.
type Item struct {
	Score int64
	Seq   int64  // when the score was reached, in the ledger's numbering
	User  uint32 // the user's number
}

// blockCap is the most items a block holds, groupCap the most blocks of a group.
const blockCap, groupCap = 128, 128

// Index is an ordered set of items, one a user, that knows each one's position.
// The items lie in order in blocks and the blocks in groups, as in a B+tree of
// three levels whose top is as wide as it has to be. There a Fenwick tree (P. M.
// Fenwick, "A new data structure for cumulative frequency tables", 1994) counts
// the items of the groups in front. An index of up to 128 items is one sorted
// slice.
type Index struct {
	tie    func(a, b uint32) bool
	blocks []block  // by number, which a block keeps while others come and go
	free   []uint32 // numbers of no block
	groups []*group
	firsts []Item  // the first item of each group
	tree   []int32 // Fenwick tree over the groups' items, from 1
	seats  numbers // 1 + the number of the block that the user is in
	len    int

	blockCap, groupCap int // as the constants, but in tests
}

// block is a run of items, users apart from what they are ordered by: a user is
// found among the users, a place among the keys.
type block struct {
	group *group
	users []uint32
	keys  []key
}

type key struct{ score, seq int64 }

// group is a run of blocks. Neither a group nor a block is empty, but for the
// only block of the only group.
type group struct {
	at     int      // its place among the groups
	len    int32    // items
	blocks []uint32 // their numbers
	firsts []Item   // the first item of each block
	counts []int32  // the items of each block
}

// spot is where an item lies, or would.
type spot struct {
	group *group
	block int // of the group
	at    int // in the block
}

// NewIndex returns an empty index. tie says whether user a goes before user b
// where score and seq are equal; it must be a strict order that does not change.
// For sparse see Options.
func NewIndex(tie func(a, b uint32) bool, sparse bool) *Index {
	x := &Index{tie: tie, seats: newNumbers(sparse), blockCap: blockCap, groupCap: groupCap}
	x.Load(nil)
	return x
}

// Len is the number of items. O(1).
func (x *Index) Len() int { return x.len }

// Load replaces all items, sorting the slice that it is given. O(n log n).
func (x *Index) Load(items []Item) {
	sortItems(items, x.before)
	top := 0
	for _, it := range items {
		top = max(top, int(it.User)+1)
	}
	x.seats.reset(top)
	x.len, x.blocks, x.free, x.groups = len(items), nil, nil, nil
	fill, room := len(items), len(items)
	if fill > x.blockCap {
		room = x.blockCap
		fill = x.blockCap * 7 / 8 // room for the first few to come
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
			x.seats.set(it.User, g.blocks[i]+1)
		}
		x.note(g, i)
		g.len += g.counts[i]
	}
	x.reindex()
}

// has reports whether any item has the score. O(log n).
func (x *Index) has(score int64) bool {
	s := x.find(bar(score))
	b := x.block(s.group, s.block)
	if s.at < len(b.keys) {
		return b.keys[s.at].score == score
	}
	for keys := range x.from(x.position(s)) {
		return keys[0].score == score
	}
	return false
}

// Insert adds the item, whose user must not be there, and returns its position.
// O(log n).
func (x *Index) Insert(it Item) int {
	s := x.find(it)
	position := x.position(s)
	s = x.makeRoom(s)
	b := x.block(s.group, s.block)
	b.reserve(len(b.keys)+1, x.blockCap)
	b.keys = slices.Insert(b.keys, s.at, key{it.Score, it.Seq})
	b.users = slices.Insert(b.users, s.at, it.User)
	x.seats.set(it.User, s.group.blocks[s.block]+1)
	x.changed(s, 1)
	return position
}

// Remove takes the item out and returns the position it had, or 0 if it was not
// there. O(log n).
func (x *Index) Remove(it Item) int {
	s := x.find(it)
	if b := x.block(s.group, s.block); s.at == len(b.keys) || b.item(s.at) != it {
		return 0
	}
	position := x.position(s)
	x.removeAt(s)
	return position
}

// removeAt takes out the item that lies there. No spot is good afterwards.
func (x *Index) removeAt(s spot) {
	b := x.block(s.group, s.block)
	x.seats.set(b.users[s.at], 0)
	b.keys = slices.Delete(b.keys, s.at, s.at+1)
	b.users = slices.Delete(b.users, s.at, s.at+1)
	x.changed(s, -1)
	if len(b.keys) < x.blockCap*3/4 {
		x.mergeBlock(s.group, s.block)
	}
}

// Position returns the item's position, from 1, or the one that it would have if
// it is not there. O(log n).
func (x *Index) Position(it Item) int { return x.position(x.find(it)) }

// from yields the items from a position on, by runs of keys and users that are
// the index's own. O(log n) to begin.
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

// get returns the user's item; false for a user who has none. O(1).
func (x *Index) get(user uint32) (it Item, ok bool) {
	number := x.seats.get(user)
	if number == 0 {
		return Item{}, false
	}
	b := &x.blocks[number-1]
	return b.item(slices.Index(b.users, user)), true
}

// seat returns where the user's item lies; false for a user who has none.
func (x *Index) seat(user uint32) (s spot, ok bool) {
	number := x.seats.get(user)
	if number == 0 {
		return spot{}, false
	}
	b := &x.blocks[number-1]
	return spot{b.group, slices.Index(b.group.blocks, number-1), slices.Index(b.users, user)}, true
}

// find returns where the item lies, or would.
func (x *Index) find(it Item) spot {
	g := x.groups[x.last(x.firsts, it)]
	i := x.last(g.firsts, it)
	b := x.block(g, i)
	return spot{g, i, x.place(b, it)}
}

// last returns the last of the items that is not after it, or the first item.
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

// locate returns where the item of that position lies.
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
