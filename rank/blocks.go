package rank

import "slices"

// What keeps the blocks and the groups of an index full enough, but not too full.

func (x *Index) block(g *group, i int) *block { return &x.blocks[g.blocks[i]] }

func (b *block) item(i int) Item { return Item{b.keys[i].score, b.keys[i].seq, b.users[i]} }

// place returns how many of the block's items come before the item. It goes by
// strides and then by steps, for what is next in memory need not be waited for.
func (x *Index) place(b *block, it Item) int {
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

// beforeKey reports whether the block's item i comes before the item.
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

// reserve makes room for n items, and for some more up to limit.
func (b *block) reserve(n, limit int) {
	if n > cap(b.keys) || n > cap(b.users) {
		room := max(n, min(2*n, limit))
		b.keys = append(make([]key, 0, room), b.keys...)
		b.users = append(make([]uint32, 0, room), b.users...)
	}
}

// changed notes that an item came (by = 1) to that spot, or went from it (-1).
// O(log n).
func (x *Index) changed(s spot, by int32) {
	x.len += int(by)
	for at := s.group.at + 1; at < len(x.tree); at += at & -at {
		x.tree[at] += by
	}
	s.group.len += by
	s.group.counts[s.block] += by
	if s.at == 0 {
		x.note(s.group, s.block)
	}
}

// note brings what is kept of the block beside it up to date. O(1).
func (x *Index) note(g *group, i int) {
	b := x.block(g, i)
	g.counts[i] = int32(len(b.keys))
	if len(b.keys) > 0 {
		g.firsts[i] = b.item(0)
	}
	if i == 0 && g.at < len(x.firsts) {
		x.firsts[g.at] = g.firsts[0]
	}
}

// makeRoom makes sure that the block has room for an item, and returns where
// that spot lies then.
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
	limit := x.blockCap*15/16 - 1 // then both have room afterwards
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

// shift moves the last n items of block i to the next one; where n is negative,
// the first -n of the next one to block i. O(block).
func (x *Index) shift(g *group, i, n int) {
	l, r := x.block(g, i), x.block(g, i+1)
	if n > 0 {
		r.reserve(len(r.keys)+n, x.blockCap)
		from := len(l.keys) - n
		x.reseat(l.users[from:], g.blocks[i+1])
		r.keys = slices.Insert(r.keys, 0, l.keys[from:]...)
		r.users = slices.Insert(r.users, 0, l.users[from:]...)
		l.keys, l.users = l.keys[:from], l.users[:from]
	} else {
		n = -n
		l.reserve(len(l.keys)+n, x.blockCap)
		x.reseat(r.users[:n], g.blocks[i])
		l.keys = append(l.keys, r.keys[:n]...)
		l.users = append(l.users, r.users[:n]...)
		r.keys = slices.Delete(r.keys, 0, n)
		r.users = slices.Delete(r.users, 0, n)
	}
	x.note(g, i)
	x.note(g, i+1)
}

func (x *Index) reseat(users []uint32, number uint32) {
	for _, user := range users {
		x.seats.set(user, number+1)
	}
}

// mergeBlock joins a thin block with a neighbour if both fit well into one.
func (x *Index) mergeBlock(g *group, i int) {
	count := g.counts[i]
	left, right := i > 0, i+1 < len(g.blocks)
	switch {
	case left && right && g.counts[i-1] < g.counts[i+1]:
		i--
	case left && !right:
		i--
	case !right: // the only one of its group
		if count == 0 && len(x.groups) > 1 {
			x.dropBlock(g, 0)
			x.groups = slices.Delete(x.groups, g.at, g.at+1)
			x.reindex()
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

// addBlock puts an empty block with room for n items at place i of the group.
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

// splitGroup halves a group and returns where that spot of it lies then. O(groups).
func (x *Index) splitGroup(s spot) spot {
	g := s.group
	half := len(g.blocks) / 2
	r := &group{}
	r.take(g, half, x)
	x.groups = slices.Insert(x.groups, g.at+1, r)
	x.reindex()
	if s.block >= half {
		return spot{r, s.block - half, s.at}
	}
	return s
}

// mergeGroup joins a thin group with a neighbour if both fit well into one.
// O(groups).
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
	x.reindex()
}

// take appends to the group the blocks of another one, from place i on.
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

// reindex makes anew what stands above the groups. O(groups).
func (x *Index) reindex() {
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
