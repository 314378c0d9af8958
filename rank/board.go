package rank

// Board holds the users that compete: their scores, the order of the scores, and the ranks at the
// baseline.
type Board struct {
	numbering Numbering
	index     *Index
	scores    *Index          // one item for each different score; nil unless Dense
	hidden    map[uint32]Item // on the board, but outside the order
	baseline  numbers         // ranks at the baseline, by user
}

// Options says how a board orders and numbers its users.
type Options struct {
	// Tie reports whether user a comes before user b when their scores and sequence numbers are
	// equal. It has to be a strict order that never changes.
	Tie func(a, b uint32) bool

	// Numbering says how equal scores are ranked. The zero value is Ordinal.
	Numbering Numbering

	// Sparse suits a board that has few of all users. It takes 50 to 80 bytes for each user on the
	// board. A board that is not sparse takes 24 to 28 bytes for each user on it, and 8 bytes for
	// each number up to its highest user number.
	Sparse bool
}

// NewBoard returns an empty board.
func NewBoard(o Options) *Board {
	b := &Board{
		numbering: o.Numbering,
		index:     NewIndex(o.Tie, o.Sparse),
		hidden:    map[uint32]Item{},
		baseline:  newNumbers(o.Sparse),
	}
	if o.Numbering == Dense {
		b.scores = NewIndex(o.Tie, false)
	}
	return b
}

// Load replaces the whole board. The items of now become the order, and nobody is hidden. The items
// of then become the baseline; they may have other users. Load sorts both slices. O(n log n).
func (b *Board) Load(now, then []Item) {
	clear(b.hidden)
	b.index.Load(now)
	b.loadScores()
	b.loadBaseline(then)
}

// Len is the number of users in the order. Hidden users don't count.
func (b *Board) Len() int { return b.index.Len() }

// Has reports whether the user is on the board, hidden or not. O(1).
func (b *Board) Has(user uint32) bool { return b.index.blockOf.get(user) != 0 || b.Hidden(user) }

// Put gives the user a score that was reached at sequence number seq. It returns the user's ranks
// before and after; before is 0 if the user was not on the board. For a hidden user these are the
// ranks that the user would have in the order. O(log n).
func (b *Board) Put(user uint32, score, seq int64) (before, after int) {
	it := Item{score, seq, user}
	if old, hidden := b.hidden[user]; hidden {
		b.hidden[user] = it
		return b.rank(old), b.rank(it)
	}
	s, there := b.index.spotOf(user)
	if !there {
		return 0, b.insert(it)
	}
	before = b.rankAt(s)
	if b.index.item(s) == it {
		return before, before
	}
	b.removeAt(s)
	return before, b.insert(it)
}

// Remove takes the user off the board and out of the baseline, and returns the rank that the user
// had, or 0. In the baseline the users behind move up by one, so that Change doesn't say that they
// moved. O(n).
func (b *Board) Remove(user uint32) int {
	rank := b.Rank(user)
	b.leaveBaseline(user)
	if s, ok := b.index.spotOf(user); ok {
		b.removeAt(s)
	}
	delete(b.hidden, user)
	return rank
}

// Hide takes the user out of the order and out of the baseline, where the users behind move up by
// one. The user stays on the board with the score. A user who is not on the board only leaves the
// baseline, and a later Put does not hide them. O(n).
func (b *Board) Hide(user uint32) {
	b.leaveBaseline(user)
	if s, ok := b.index.spotOf(user); ok {
		b.hidden[user] = b.index.item(s)
		b.removeAt(s)
	}
}

// Show puts a hidden user back into the order. The user is not in the baseline. O(log n).
func (b *Board) Show(user uint32) {
	if it, ok := b.hidden[user]; ok {
		delete(b.hidden, user)
		b.insert(it)
	}
}

// Hidden reports whether the user is on the board and hidden. O(1).
func (b *Board) Hidden(user uint32) bool {
	_, ok := b.hidden[user]
	return ok
}

// Rank returns the user's rank, or 0 if the user is not on the board. O(log n).
func (b *Board) Rank(user uint32) int {
	if s, ok := b.index.spotOf(user); ok {
		return b.rankAt(s)
	}
	if it, ok := b.hidden[user]; ok {
		return b.rank(it)
	}
	return 0
}

// Position returns the user's position, or 0 if the user is not on the board. O(log n).
func (b *Board) Position(user uint32) int {
	if s, ok := b.index.spotOf(user); ok {
		return b.index.position(s)
	}
	if it, ok := b.hidden[user]; ok {
		return b.index.Position(it)
	}
	return 0
}

// Item returns the score and sequence number that Put last gave the user, or false if the user is
// not on the board. O(1).
func (b *Board) Item(user uint32) (it Item, ok bool) {
	if it, ok = b.index.get(user); !ok {
		it, ok = b.hidden[user]
	}
	return it, ok
}

// Score returns the user's score, or 0 if the user is not on the board. O(1).
func (b *Board) Score(user uint32) int64 {
	it, _ := b.Item(user)
	return it.Score
}
