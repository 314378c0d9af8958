package rank

import "fmt"

// Narrow gives an empty index small blocks and groups, so that a few dozen items make a tree of
// three levels.
func (x *Index) Narrow() { x.blockCap, x.groupCap = 4, 4 }

// Narrow does the same for a board.
func (b *Board) Narrow() {
	b.index.Narrow()
	if b.scores != nil {
		b.scores.Narrow()
	}
}

// Page appends the items of at most n positions, beginning with position first, to dst.
func (x *Index) Page(dst []Item, first, n int) []Item {
	for keys, users := range x.from(first) {
		for i, k := range keys {
			if n <= 0 {
				return dst
			}
			dst = append(dst, Item{k.score, k.seq, users[i]})
			n--
		}
	}
	return dst
}

// Fill returns how full the blocks are, from 0 to 1.
func (b *Board) Fill() float64 {
	return float64(b.Len()) / float64(b.index.blockCap*(len(b.index.blocks)-len(b.index.free)))
}

// CheckInvariants returns an error if parts of the board contradict each other.
func (b *Board) CheckInvariants() error {
	if err := b.index.CheckInvariants(); err != nil {
		return err
	}
	if err := b.index.checkBlockOf(); err != nil {
		return err
	}
	for user := range b.hidden {
		if b.index.blockOf.get(user) != 0 || b.baseline.get(user) != 0 {
			return fmt.Errorf("user %d is hidden, and in the order or the baseline", user)
		}
	}
	if b.scores == nil {
		return nil
	}
	var want []Item
	for _, it := range b.index.Page(nil, 1, b.Len()) {
		if n := len(want); n == 0 || want[n-1].Score != it.Score {
			want = append(want, frontOf(it.Score))
		}
	}
	for i, it := range b.scores.Page(nil, 1, b.scores.Len()) {
		if i >= len(want) || it != want[i] {
			return fmt.Errorf("scores: %v at %d, want %v", it, i, want)
		}
	}
	if len(want) != b.scores.Len() {
		return fmt.Errorf("%d scores, want %d", b.scores.Len(), len(want))
	}
	return b.scores.CheckInvariants()
}

// checkBlockOf returns an error if blockOf names the wrong block for a user.
func (x *Index) checkBlockOf() error {
	found := 0
	for number, b := range x.blocks {
		for at, user := range b.users {
			if got := x.blockOf.get(user); got != uint32(number)+1 {
				return fmt.Errorf("blockOf user %d is %d - 1, want %d", user, got, number)
			}
			if s, ok := x.spotOf(user); !ok || s.at != at || x.item(s) != b.item(at) {
				return fmt.Errorf("spotOf(%d) = %v, %t", user, s, ok)
			}
		}
	}
	for _, number := range x.blockOf.dense {
		if number != 0 {
			found++
		}
	}
	if found += len(x.blockOf.sparse); found != x.len {
		return fmt.Errorf("%d users in blockOf, %d items", found, x.len)
	}
	return nil
}

// CheckInvariants returns an error if parts of the index contradict each other. It leaves out
// blockOf.
func (x *Index) CheckInvariants() error {
	var last *Item
	total, blocks := 0, 0
	for at, g := range x.groups {
		n := len(g.blocks)
		if g.at != at || n == 0 || n > x.groupCap || len(g.firsts) != n || len(g.counts) != n {
			return fmt.Errorf("group %d: at %d, %d blocks, %d firsts, %d counts", at, g.at, n, len(g.firsts), len(g.counts))
		}
		if x.firsts[at] != g.firsts[0] {
			return fmt.Errorf("firsts[%d] = %v, want %v", at, x.firsts[at], g.firsts[0])
		}
		items := 0
		for i := range g.blocks {
			b := x.block(g, i)
			switch n := len(b.keys); {
			case n == 0 && x.len > 0:
				return fmt.Errorf("group %d: block %d is empty", at, i)
			case n > x.blockCap || len(b.users) != n || int(g.counts[i]) != n:
				return fmt.Errorf("group %d: block %d: %d keys, %d users, count %d", at, i, n, len(b.users), g.counts[i])
			case cap(b.keys) > max(x.blockCap, n):
				return fmt.Errorf("group %d: block %d has room for %d", at, i, cap(b.keys))
			case b.group != g:
				return fmt.Errorf("group %d: block %d is of group %d", at, i, b.group.at)
			case n > 0 && g.firsts[i] != b.item(0):
				return fmt.Errorf("group %d: first of block %d = %v, want %v", at, i, g.firsts[i], b.item(0))
			case x.position(spot{g, i, 0}) != total+items+1:
				return fmt.Errorf("group %d: block %d at position %d, want %d", at, i, x.position(spot{g, i, 0}), total+items+1)
			}
			for j := range b.keys {
				it := b.item(j)
				if last != nil && !x.before(*last, it) {
					return fmt.Errorf("group %d: block %d: %v does not come before %v", at, i, *last, it)
				}
				last = &it
			}
			items += len(b.keys)
			blocks++
		}
		if int(g.len) != items {
			return fmt.Errorf("group %d: len %d, want %d", at, g.len, items)
		}
		total += items
	}
	if total != x.len || blocks+len(x.free) != len(x.blocks) || len(x.firsts) != len(x.groups) || len(x.tree) != len(x.groups)+1 {
		return fmt.Errorf("%d groups of %d blocks with %d items: len %d, %d blocks, %d free, %d firsts, tree of %d",
			len(x.groups), blocks, total, x.len, len(x.blocks), len(x.free), len(x.firsts), len(x.tree))
	}
	return nil
}
