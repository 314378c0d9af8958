package rank

import (
	"math"
	"slices"
)

// Board is who competes: everybody's score, the order that follows from it, and
// where each stood at the baseline that moves are measured from.
type Board struct {
	numbering Numbering
	index     *Index
	scores    *Index          // one item for each score; only for Dense
	hidden    map[uint32]Item // on the board but out of the order
	baseline  numbers         // rank at the baseline
}

// Options says what kind of board it is.
type Options struct {
	// Tie says whether user a goes before user b where score and seq are equal.
	// It must be a strict order that does not change.
	Tie func(a, b uint32) bool
	// Numbering is how equal scores are ranked.
	Numbering Numbering
	// Sparse is for a board with few of the users there are: 50 to 80 bytes for
	// each of them, and none for others. A board that is not sparse takes 8 bytes
	// for every user up to the highest number, and 24 to 28 for each that is on it.
	Sparse bool
}

// Entry is one line of a board.
type Entry struct {
	User   uint32
	Rank   int // from 1
	Before int // rank at the baseline, 0 if the user was not there
	Score  int64
}

// Change returns how many places the user moved since the baseline, never
// negative, and which way: "up", "down", "same", or "new" for who was not there.
func (e Entry) Change() (places int, direction string) {
	switch {
	case e.Before == 0:
		return 0, "new"
	case e.Before > e.Rank:
		return e.Before - e.Rank, "up"
	case e.Before < e.Rank:
		return e.Rank - e.Before, "down"
	}
	return 0, "same"
}

// NewBoard returns a board with nobody on it.
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

// Load replaces all that is on the board, and nobody is hidden any more: now are
// the present items, then those at the baseline, which may also be of users who
// are not on the board. Both slices are sorted. O(n log n).
func (b *Board) Load(now, then []Item) {
	clear(b.hidden)
	b.index.Load(now)
	b.loadScores()
	sortItems(then, b.index.before)
	top := 0
	for _, it := range then {
		top = max(top, int(it.User)+1)
	}
	b.baseline.reset(top)
	c := Counter{numbering: b.numbering}
	for _, it := range then {
		b.baseline.set(it.User, uint32(c.Next(it.Score)))
	}
}

// Len is the number of users in the order: those on the board but the hidden.
func (b *Board) Len() int { return b.index.Len() }

// Has reports whether the user is on the board, hidden or not.
func (b *Board) Has(user uint32) bool { return b.index.seats.get(user) != 0 || b.Hidden(user) }

// Put gives the user a score, reached with seq, and returns the ranks before and
// after; before is 0 for a user who is new on the board. Of a hidden user they
// are the ranks that the user would have. O(log n).
func (b *Board) Put(user uint32, score, seq int64) (before, after int) {
	it := Item{score, seq, user}
	if was, hidden := b.hidden[user]; hidden {
		b.hidden[user] = it
		return b.rank(was), b.rank(it)
	}
	s, there := b.index.seat(user)
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

// Remove takes the user off the board, now and at the baseline, and returns what
// Rank said of them. At the baseline the others close up, so that nobody is said
// to have moved by it. O(n).
func (b *Board) Remove(user uint32) int {
	rank := b.Rank(user)
	b.leaveBaseline(user)
	if s, ok := b.index.seat(user); ok {
		b.removeAt(s)
	}
	delete(b.hidden, user)
	return rank
}

// Hide takes the user out of the order and out of the baseline, where the others
// close up. The user stays on the board, with the score, and all that is asked of
// them is answered as if they stood among the others. A user who is not on the
// board only leaves the baseline: who is put there later is not hidden. O(n).
func (b *Board) Hide(user uint32) {
	b.leaveBaseline(user)
	if s, ok := b.index.seat(user); ok {
		b.hidden[user] = b.index.item(s)
		b.removeAt(s)
	}
}

// Show takes a hidden user back into the order. They are new to the baseline.
// O(log n).
func (b *Board) Show(user uint32) {
	if it, ok := b.hidden[user]; ok {
		delete(b.hidden, user)
		b.insert(it)
	}
}

// Hidden reports whether the user is on the board and hidden.
func (b *Board) Hidden(user uint32) bool {
	_, ok := b.hidden[user]
	return ok
}

// leaveBaseline takes the user out of the baseline.
func (b *Board) leaveBaseline(user uint32) {
	was := b.baseline.get(user)
	if was == 0 {
		return
	}
	b.baseline.set(user, 0)
	if b.numbering != Dense || !b.baseline.holds(was) {
		b.baseline.lower(was)
	}
}

// Rank returns the user's rank, 0 for a user who is not on the board. O(log n).
func (b *Board) Rank(user uint32) int {
	if s, ok := b.index.seat(user); ok {
		return b.rankAt(s)
	}
	if it, ok := b.hidden[user]; ok {
		return b.rank(it)
	}
	return 0
}

// Position returns the user's place, from 1 and different for each, whatever the
// numbering; 0 for a user who is not on the board. O(log n).
func (b *Board) Position(user uint32) int {
	if s, ok := b.index.seat(user); ok {
		return b.index.position(s)
	}
	if it, ok := b.hidden[user]; ok {
		return b.index.Position(it)
	}
	return 0
}

// Item returns what the user was put with last; false for a user who is not on
// the board. O(1).
func (b *Board) Item(user uint32) (it Item, ok bool) {
	if it, ok = b.index.get(user); !ok {
		it, ok = b.hidden[user]
	}
	return it, ok
}

// Score returns the user's score, 0 for a user who is not on the board. O(1).
func (b *Board) Score(user uint32) int64 {
	it, _ := b.Item(user)
	return it.Score
}

// Before returns the user's rank at the baseline, 0 if the user was not there.
// O(1).
func (b *Board) Before(user uint32) int { return int(b.baseline.get(user)) }

// Entry returns the user's line; false for a user who is not on the board.
// O(log n).
func (b *Board) Entry(user uint32) (e Entry, ok bool) {
	it, ok := b.Item(user)
	if !ok {
		return Entry{}, false
	}
	return Entry{User: user, Rank: b.Rank(user), Before: b.Before(user), Score: it.Score}, true
}

// ToNext returns the least points that take the user to a better rank: one more
// than the difference to the user in front, who reached an equal score first;
// where equal scores have equal ranks, the difference to the next higher score.
// It is false for who is first or not on the board. O(log n).
func (b *Board) ToNext(user uint32) (points int64, ok bool) {
	it, ok := b.Item(user)
	if !ok {
		return 0, false
	}
	ahead, more := b.Position(user)-1, int64(1)
	if b.numbering != Ordinal {
		ahead, more = b.index.Position(bar(it.Score))-1, 0
	}
	for keys := range b.index.from(ahead) {
		return keys[0].score - it.Score + more, true
	}
	return 0, false
}

// ToEnter returns the least points, at least 1, that take a user who has no score past
// the last on the board, or beside them where equal scores have equal ranks; and the
// rank that these points give. O(log n).
func (b *Board) ToEnter() (points int64, rank int) {
	points = 1
	for keys := range b.index.from(b.Len()) {
		last := keys[0].score
		if b.numbering == Ordinal {
			last++ // whoever reached an equal score first goes first
		}
		points = max(points, last)
	}
	return points, b.rank(Item{Score: points, Seq: math.MaxInt64})
}

// Behind counts those who have a worse rank than the user, 0 for one who is not on the
// board. O(log n).
func (b *Board) Behind(user uint32) int {
	it, ok := b.Item(user)
	if !ok {
		return 0
	}
	if b.numbering != Ordinal {
		it.Seq = math.MaxInt64 // behind all that have the score
	} else if !b.Hidden(user) {
		return b.Len() - b.Position(user)
	}
	return b.Len() + 1 - b.index.Position(it)
}

// Page appends to dst the entries of the positions from first, at most n, and returns
// it. O(log n) and n.
func (b *Board) Page(dst []Entry, first, n int) []Entry {
	if first < 1 || n < 1 || first > b.Len() {
		return dst
	}
	n = min(n, b.Len()-first+1)
	entries := slices.Grow(dst, n)
	n += len(dst)
	c := Counter{numbering: b.numbering, position: first - 1}
	for keys, users := range b.index.from(first) {
		if len(entries) == len(dst) && first > 1 && b.numbering != Ordinal {
			c.score, c.rank = keys[0].score, b.rank(bar(keys[0].score))
		}
		for i, user := range users[:min(len(users), n-len(entries))] {
			score := keys[i].score
			entries = append(entries, Entry{user, c.Next(score), b.Before(user), score})
		}
		if len(entries) == n {
			break
		}
	}
	return entries
}

// Rebase makes the present ranks the baseline. It is O(n), and on a sparse board
// some ten times slower than on another.
func (b *Board) Rebase() {
	b.baseline.reset(len(b.index.seats.dense))
	c := Counter{numbering: b.numbering}
	for keys, users := range b.index.from(1) {
		for i, user := range users {
			b.baseline.set(user, uint32(c.Next(keys[i].score)))
		}
	}
}

// Turn makes the present ranks the baseline and takes all off the board, the
// hidden ones too: a new period begins. As Rebase.
func (b *Board) Turn() {
	b.Rebase()
	clear(b.hidden)
	b.index.Load(nil)
	b.loadScores()
}

// RankThen returns the rank that the user had when those in then stood where it
// says and all others where they stand now. Who is in then and not in the order
// is left out; so is the user's own place of now. 0 for a user who is not on the
// board, and with Dense, where it would take a look at everybody. O(len(then)) and
// O(log n).
func (b *Board) RankThen(user uint32, then map[uint32]Item) int {
	now, ok := b.Item(user)
	if !ok || b.numbering == Dense {
		return 0
	}
	was, moved := then[user]
	if !moved {
		was = now
	}
	rank := b.rank(was)
	if b.ahead(now, was) && !b.Hidden(user) {
		rank-- // the index counts the user among those in front
	}
	for other, it := range then {
		now, ok := b.index.get(other)
		if !ok || other == user {
			continue
		}
		if b.ahead(now, was) {
			rank--
		}
		if b.ahead(it, was) {
			rank++
		}
	}
	return rank
}
