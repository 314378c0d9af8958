// Package rank keeps users in order of their scores and answers where each
// stands. It knows nothing of time, files or sockets. Nothing in it is safe for
// concurrent use: the owner of a board locks.
package rank

import "slices"

// Item is one user's place in the order: the higher Score first, then the lower
// Seq, then what the index's tie-breaker says. 24 bytes.
type Item struct {
	Score int64
	Seq   int64  // when the score was reached, in the ledger's numbering
	User  uint32 // the user's number
}

// blockCap is the most items a block holds. A move shifts half a block or less,
// 3 KB, which costs about as much as finding the block among the others.
const blockCap = 256

// Index is an ordered set of items that knows each one's rank: items lie in
// order in blocks, and a Fenwick tree (P. M. Fenwick, "A new data structure for
// cumulative frequency tables", 1994) over the blocks' sizes counts those in
// front. A board of up to 256 items is one sorted slice. 32 bytes an item or
// less after Load, about 35 when long in use.
type Index struct {
	tie    func(a, b uint32) bool
	blocks [][]Item // none is empty, unless it is the only one
	firsts []Item   // blocks[i][0], side by side for the search
	tree   []int32  // Fenwick tree over len(blocks[i]), from 1
	len    int
}

// NewIndex returns an empty index. tie says whether user a goes before user b
// where score and seq are equal; it must be a strict order that does not change.
func NewIndex(tie func(a, b uint32) bool) *Index {
	x := &Index{tie: tie}
	x.Load(nil)
	return x
}

// Len is the number of items. O(1).
func (x *Index) Len() int { return x.len }

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

// Load replaces all items, sorting the slice that it is given. O(n log n).
func (x *Index) Load(items []Item) {
	slices.SortFunc(items, func(a, b Item) int {
		switch {
		case x.before(a, b):
			return -1
		case x.before(b, a):
			return 1
		}
		return 0
	})
	const fill = blockCap * 7 / 8 // room for the first few to come
	x.len = len(items)
	x.blocks = x.blocks[:0]
	for len(items) > blockCap {
		x.blocks = append(x.blocks, append(make([]Item, 0, blockCap), items[:fill]...))
		items = items[fill:]
	}
	x.blocks = append(x.blocks, slices.Clone(items))
	x.reindex()
}

// reindex makes firsts and tree anew. O(blocks).
func (x *Index) reindex() {
	x.firsts = slices.Grow(x.firsts[:0], len(x.blocks))[:len(x.blocks)]
	x.tree = slices.Grow(x.tree[:0], len(x.blocks)+1)[:len(x.blocks)+1]
	clear(x.tree)
	for i, b := range x.blocks {
		if len(b) > 0 {
			x.firsts[i] = b[0]
		}
		n := i + 1
		x.tree[n] += int32(len(b))
		if up := n + n&-n; up < len(x.tree) {
			x.tree[up] += x.tree[n]
		}
	}
}

// find returns the block that the item lies in, or would, and its place there.
func (x *Index) find(it Item) (block, at int) {
	// The last block whose first item is not after it. The searches are written
	// out: as closures they cost half as much again.
	lo, hi := 1, len(x.blocks)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if x.before(it, x.firsts[mid]) {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	block = lo - 1
	b := x.blocks[block]
	lo, hi = 0, len(b)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if x.before(b[mid], it) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return block, lo
}

// front counts the items of the blocks before this one.
func (x *Index) front(block int) (n int) {
	for ; block > 0; block &= block - 1 {
		n += int(x.tree[block])
	}
	return n
}

func (x *Index) count(block int, by int32) {
	for i := block + 1; i < len(x.tree); i += i & -i {
		x.tree[i] += by
	}
}

// Rank returns the item's rank, from 1, or the one that it would have if it is
// not there. O(log n).
func (x *Index) Rank(it Item) int {
	block, at := x.find(it)
	return x.front(block) + at + 1
}

// Insert adds the item, which must not be there, and returns its rank. O(log n).
func (x *Index) Insert(it Item) int {
	block, at := x.find(it)
	rank := x.front(block) + at + 1
	if len(x.blocks[block]) == blockCap {
		x.split(block)
		if half := len(x.blocks[block]); at > half {
			block, at = block+1, at-half
		}
	}
	x.blocks[block] = slices.Insert(x.blocks[block], at, it)
	if at == 0 {
		x.firsts[block] = it
	}
	x.count(block, 1)
	x.len++
	return rank
}

// Remove takes the item out and returns the rank it had, or 0 if it was not
// there. O(log n).
func (x *Index) Remove(it Item) int {
	block, at := x.find(it)
	b := x.blocks[block]
	if at == len(b) || b[at] != it {
		return 0
	}
	rank := x.front(block) + at + 1
	b = slices.Delete(b, at, at+1)
	x.blocks[block] = b
	x.len--
	switch {
	case len(b) == 0 && len(x.blocks) > 1:
		x.blocks = slices.Delete(x.blocks, block, block+1)
		x.reindex()
		return rank
	case at == 0 && len(b) > 0:
		x.firsts[block] = b[0]
	}
	x.count(block, -1)
	if len(b) < blockCap/4 {
		x.merge(block)
	}
	return rank
}

// Page appends to dst the items of the ranks from first, at most n, and returns
// it. O(log n) and the copying.
func (x *Index) Page(dst []Item, first, n int) []Item {
	if first < 1 || first > x.len || n <= 0 {
		return dst
	}
	block, at := x.locate(first - 1)
	for n > 0 && block < len(x.blocks) {
		part := x.blocks[block][at:]
		part = part[:min(n, len(part))]
		dst = append(dst, part...)
		n -= len(part)
		block, at = block+1, 0
	}
	return dst
}

// locate returns where the item with i others in front of it lies.
func (x *Index) locate(i int) (block, at int) {
	step := 1
	for step*2 < len(x.tree) {
		step *= 2
	}
	for ; step > 0; step /= 2 {
		if next := block + step; next < len(x.tree) && int(x.tree[next]) <= i {
			block = next
			i -= int(x.tree[next])
		}
	}
	return block, i
}

// split halves a full block. O(blocks), once in a hundred insertions or fewer.
func (x *Index) split(block int) {
	b := x.blocks[block]
	half := len(b) / 2
	right := append(make([]Item, 0, blockCap), b[half:]...)
	x.blocks[block] = b[:half]
	x.blocks = slices.Insert(x.blocks, block+1, right)
	x.reindex()
}

// merge joins a thin block with a neighbour if both fit well into one.
func (x *Index) merge(block int) {
	if block+1 == len(x.blocks) {
		block--
	}
	if block < 0 || len(x.blocks[block])+len(x.blocks[block+1]) > blockCap*3/4 {
		return
	}
	x.blocks[block] = append(x.blocks[block], x.blocks[block+1]...)
	x.blocks = slices.Delete(x.blocks, block+1, block+2)
	x.reindex()
}
