package rank

import "fmt"

// CheckInvariants reports what is wrong with the index's bookkeeping.
func (x *Index) CheckInvariants() error {
	var last *Item
	total := 0
	for i, b := range x.blocks {
		switch {
		case len(b) == 0 && len(x.blocks) > 1:
			return fmt.Errorf("block %d of %d is empty", i, len(x.blocks))
		case len(b) > blockCap:
			return fmt.Errorf("block %d holds %d items", i, len(b))
		case len(b) > 0 && x.firsts[i] != b[0]:
			return fmt.Errorf("firsts[%d] = %v, want %v", i, x.firsts[i], b[0])
		case x.front(i) != total:
			return fmt.Errorf("front(%d) = %d, want %d", i, x.front(i), total)
		}
		for j := range b {
			if last != nil && !x.before(*last, b[j]) {
				return fmt.Errorf("block %d: %v does not come before %v", i, *last, b[j])
			}
			last = &b[j]
		}
		total += len(b)
	}
	if len(x.firsts) != len(x.blocks) || len(x.tree) != len(x.blocks)+1 || total != x.len {
		return fmt.Errorf("%d blocks with %d items: %d firsts, tree of %d, len %d", len(x.blocks), total, len(x.firsts), len(x.tree), x.len)
	}
	return nil
}
