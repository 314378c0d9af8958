package rank

import "slices"

// This file keeps the blocks and groups of an index neither too full nor too empty.

func (x *Index) block(g *group, i int) *block { return &x.blocks[g.blocks[i]] }

func (b *block) item(i int) Item { return Item{b.keys[i].score, b.keys[i].seq, b.users[i]} }

// offset returns how many of the block's items come before the item. It takes large steps first and
// then small ones. A binary search would wait for memory more often.
func (x *Index) offset(b *block, it Item) int {
	const stride = 8
	at := 0
	for at+stride <= len(b.keys) && x.beforeKey(b, at+stride-1, it) {
		at += stride
	}
	for at < len(b.keys) && x.beforeKey(b, at, it) {
		at++
	}
	return at
}

// beforeKey reports whether item i of the block comes before it.
func (x *Index) beforeKey(b *block, i int, it Item) bool {
	k := &b.keys[i]
	switch {
	case k.score != it.Score:
		return k.score > it.Score
	case k.seq != it.Seq:
		return k.seq < it.Seq
	}
	return b.users[i] != it.User && x.tie(b.users[i], it.User)
}

// reserve makes room for n items and for some more, at most limit.
func (b *block) reserve(n, limit int) {
	if n > cap(b.keys) || n > cap(b.users) {
		room := max(n, min(2*n, limit))
		b.keys = append(make([]key, 0, room), b.keys...)
		b.users = append(make([]uint32, 0, room), b.users...)
	}
}

// count adjusts all counts for an item that was inserted at the spot (by = 1) or removed from it
// (by = -1). O(log n).
func (x *Index) count(s spot, by int32) {
	x.len += int(by)
	for at := s.group.at + 1; at < len(x.tree); at += at & -at {
		x.tree[at] += by
	}
	s.group.len += by
	s.group.counts[s.block] += by
	if s.at == 0 {
		x.refresh(s.group, s.block)
	}
}

// refresh updates what the levels above know of block i: its count and its first item. O(1).
func (x *Index) refresh(g *group, i int) {
	b := x.block(g, i)
	g.counts[i] = int32(len(b.keys))
	if len(b.keys) > 0 {
		g.firsts[i] = b.item(0)
	}
	if i == 0 && g.at < len(x.firsts) {
		x.firsts[g.at] = g.firsts[0]
	}
}

// makeRoom gives the block of the spot room for one more item, by moving items to a neighbour or to
// a new block. It returns the spot's new location.
func (x *Index) makeRoom(s spot) spot {
	g, i := s.group, s.block
	if int(g.counts[i]) < x.blockCap {
		return s
	}
	left, right := i > 0, i+1 < len(g.blocks)
	if left && right {
		left = g.counts[i-1] < g.counts[i+1]
		right = !left
	}
	limit := x.blockCap*15/16 - 1 // both blocks then have room
	switch {
	case left && int(g.counts[i-1]) <= limit:
		n := int(g.counts[i]-g.counts[i-1]) / 2
		x.shift(g, i-1, -n)
		if s.at >= n {
			return spot{g, i, s.at - n}
		}
		return spot{g, i - 1, int(g.counts[i-1]) - n + s.at}
	case right && int(g.counts[i+1]) <= limit:
		x.shift(g, i, int(g.counts[i]-g.counts[i+1])/2)
	default:
		x.addBlock(g, i+1, x.blockCap)
		x.shift(g, i, x.blockCap/2)
	}
	if n := int(g.counts[i]); s.at > n {
		s = spot{g, i + 1, s.at - n}
	}
	if len(g.blocks) > x.groupCap {
		s = x.splitGroup(s)
	}
	return s
}

// shift moves the last n items of block i to the next block. A negative n moves the first -n items
// of the next block to block i. O(block).
func (x *Index) shift(g *group, i, n int) {
	l, r := x.block(g, i), x.block(g, i+1)
	if n > 0 {
		r.reserve(len(r.keys)+n, x.blockCap)
		from := len(l.keys) - n
		x.assign(l.users[from:], g.blocks[i+1])
		r.keys = slices.Insert(r.keys, 0, l.keys[from:]...)
		r.users = slices.Insert(r.users, 0, l.users[from:]...)
		l.keys, l.users = l.keys[:from], l.users[:from]
	} else {
		n = -n
		l.reserve(len(l.keys)+n, x.blockCap)
		x.assign(r.users[:n], g.blocks[i])
		l.keys = append(l.keys, r.keys[:n]...)
		l.users = append(l.users, r.users[:n]...)
		r.keys = slices.Delete(r.keys, 0, n)
		r.users = slices.Delete(r.users, 0, n)
	}
	x.refresh(g, i)
	x.refresh(g, i+1)
}

// assign records that the users are in the block with the number.
func (x *Index) assign(users []uint32, number uint32) {
	for _, user := range users {
		x.blockOf.set(user, number+1)
	}
}

// mergeBlock joins block i with a neighbour if one block has ample room for both.
func (x *Index) mergeBlock(g *group, i int) {
	count := g.counts[i]
	left, right := i > 0, i+1 < len(g.blocks)
	switch {
	case left && right && g.counts[i-1] < g.counts[i+1]:
		i--
	case left && !right:
		i--
	case !right: // the only block of its group
		if count == 0 && len(x.groups) > 1 {
			x.dropBlock(g, 0)
			x.groups = slices.Delete(x.groups, g.at, g.at+1)
			x.rebuildTop()
		}
		return
	}
	if both := int(g.counts[i] + g.counts[i+1]); both > x.blockCap*7/8 && count > 0 {
		return
	}
	x.shift(g, i, -int(g.counts[i+1]))
	x.dropBlock(g, i+1)
	if len(g.blocks) < x.groupCap/4 {
		x.mergeGroup(g)
	}
}

// addBlock inserts an empty block, with room for n items, as block i of the group.
func (x *Index) addBlock(g *group, i, n int) {
	b := block{group: g, users: make([]uint32, 0, n), keys: make([]key, 0, n)}
	number := uint32(len(x.blocks))
	if last := len(x.free) - 1; last >= 0 {
		number = x.free[last]
		x.free = x.free[:last]
		x.blocks[number] = b
	} else {
		x.blocks = append(x.blocks, b)
	}
	g.blocks = slices.Insert(g.blocks, i, number)
	g.firsts = slices.Insert(g.firsts, i, Item{})
	g.counts = slices.Insert(g.counts, i, 0)
}

func (x *Index) dropBlock(g *group, i int) {
	number := g.blocks[i]
	x.blocks[number] = block{}
	x.free = append(x.free, number)
	g.blocks = slices.Delete(g.blocks, i, i+1)
	g.firsts = slices.Delete(g.firsts, i, i+1)
	g.counts = slices.Delete(g.counts, i, i+1)
}

// splitGroup splits the group of the spot in two and returns the spot's new location. O(groups).
func (x *Index) splitGroup(s spot) spot {
	g := s.group
	half := len(g.blocks) / 2
	r := &group{}
	r.take(g, half, x)
	x.groups = slices.Insert(x.groups, g.at+1, r)
	x.rebuildTop()
	if s.block >= half {
		return spot{r, s.block - half, s.at}
	}
	return s
}

// mergeGroup joins a group with a neighbour if one group has ample room for both. O(groups).
func (x *Index) mergeGroup(g *group) {
	if g.at+1 == len(x.groups) {
		if g.at == 0 {
			return
		}
		g = x.groups[g.at-1]
	}
	r := x.groups[g.at+1]
	if len(g.blocks)+len(r.blocks) > x.groupCap*3/4 {
		return
	}
	g.take(r, 0, x)
	x.groups = slices.Delete(x.groups, r.at, r.at+1)
	x.rebuildTop()
}

// take moves the blocks of another group, from block i on, to the end of the group.
func (g *group) take(from *group, i int, x *Index) {
	for j := i; j < len(from.blocks); j++ {
		x.block(from, j).group = g
		g.len += from.counts[j]
		from.len -= from.counts[j]
	}
	g.blocks = append(g.blocks, from.blocks[i:]...)
	g.firsts = append(g.firsts, from.firsts[i:]...)
	g.counts = append(g.counts, from.counts[i:]...)
	from.blocks, from.firsts, from.counts = from.blocks[:i], from.firsts[:i], from.counts[:i]
}

// rebuildTop rebuilds the level above the groups: their first items and the Fenwick tree.
// O(groups).
func (x *Index) rebuildTop() {
	x.firsts = slices.Grow(x.firsts[:0], len(x.groups))[:len(x.groups)]
	x.tree = slices.Grow(x.tree[:0], len(x.groups)+1)[:len(x.groups)+1]
	clear(x.tree)
	for at, g := range x.groups {
		g.at = at
		x.firsts[at] = g.firsts[0]
		n := at + 1
		x.tree[n] += g.len
		if up := n + n&-n; up < len(x.tree) {
			x.tree[up] += x.tree[n]
		}
	}
}
