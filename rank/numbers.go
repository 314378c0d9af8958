package rank

import "slices"

// numbers maps a user to a number. 0 means that the user has none. It is a slice, by user, or a map
// if few users have a number.
type numbers struct {
	dense  []uint32
	sparse map[uint32]uint32 // nil if dense is used
}

func newNumbers(sparse bool) numbers {
	if sparse {
		return numbers{sparse: map[uint32]uint32{}}
	}
	return numbers{}
}

// get returns the user's number. O(1).
func (n *numbers) get(user uint32) uint32 {
	if int(user) < len(n.dense) {
		return n.dense[user]
	}
	return n.sparse[user]
}

// set gives the user a number; 0 removes it. O(1), amortised.
func (n *numbers) set(user, number uint32) {
	switch {
	case int(user) < len(n.dense):
		n.dense[user] = number
	case number == 0:
		delete(n.sparse, user)
	case n.sparse != nil:
		n.sparse[user] = number
	default:
		n.dense = append(n.dense, make([]uint32, int(user)+1-len(n.dense))...)
		n.dense[user] = number
	}
}

// reset removes all numbers and makes room for the users below top. O(top).
func (n *numbers) reset(top int) {
	clear(n.sparse)
	clear(n.dense)
	if n.sparse == nil && len(n.dense) < top {
		n.dense = make([]uint32, top)
	}
}

// contains reports whether any user has the number. O(users).
func (n *numbers) contains(number uint32) bool {
	for _, m := range n.sparse {
		if m == number {
			return true
		}
	}
	return slices.Contains(n.dense, number)
}

// lower subtracts one from every number above floor. O(users).
func (n *numbers) lower(floor uint32) {
	for user, m := range n.sparse {
		if m > floor {
			n.sparse[user] = m - 1
		}
	}
	for user, m := range n.dense {
		if m > floor {
			n.dense[user] = m - 1
		}
	}
}
