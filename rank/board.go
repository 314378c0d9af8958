package rank

// Board is who competes: everybody's score, the order that follows from it, and
// where each stood at the baseline that moves are measured from.
type Board struct {
	index    *Index
	seats    []seat   // by user number
	baseline []uint32 // rank at the baseline by user number; 0: was not there
}

// seat is a user's score. Its zero value is nobody's.
type seat struct {
	score int64
	next  int64 // the seq with which the score was reached, plus 1
}

func (s seat) taken() bool           { return s.next != 0 }
func (s seat) item(user uint32) Item { return Item{s.score, s.next - 1, user} }

// Entry is one line of a board.
type Entry struct {
	User   uint32
	Rank   int // from 1, equal scores numbered on
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

// NewBoard returns a board with nobody on it. For tie see NewIndex.
func NewBoard(tie func(a, b uint32) bool) *Board {
	return &Board{index: NewIndex(tie)}
}

// Load replaces all that is on the board: now are the present items, then
// those at the baseline. Both slices are sorted. O(n log n).
func (b *Board) Load(now, then []Item) {
	clear(b.seats)
	clear(b.baseline)
	at := NewIndex(b.index.tie)
	at.Load(then)
	b.setBaseline(at)
	b.index.Load(now)
	for _, it := range now {
		*b.seat(it.User) = seat{it.Score, it.Seq + 1}
	}
}

// Len is the number of users on the board.
func (b *Board) Len() int { return b.index.Len() }

// Put gives the user a score, reached with seq, and returns the ranks before and
// after; before is 0 for a user who is new on the board. O(log n).
func (b *Board) Put(user uint32, score, seq int64) (before, after int) {
	s := b.seat(user)
	if s.taken() {
		if *s == (seat{score, seq + 1}) {
			before = b.Rank(user)
			return before, before
		}
		before = b.index.Remove(s.item(user))
	}
	*s = seat{score, seq + 1}
	return before, b.index.Insert(s.item(user))
}

// Remove takes the user off the board, now and at the baseline, so that others
// are not said to have moved by it; it returns the rank the user had, 0 for
// none. O(n).
func (b *Board) Remove(user uint32) int {
	s := b.seat(user)
	if !s.taken() {
		return 0
	}
	rank := b.index.Remove(s.item(user))
	*s = seat{}
	if int(user) < len(b.baseline) && b.baseline[user] != 0 {
		was := b.baseline[user]
		b.baseline[user] = 0
		for i, r := range b.baseline {
			if r > was {
				b.baseline[i] = r - 1
			}
		}
	}
	return rank
}

// Rank returns the user's rank, 0 for none. O(log n).
func (b *Board) Rank(user uint32) int {
	if int(user) >= len(b.seats) || !b.seats[user].taken() {
		return 0
	}
	return b.index.Rank(b.seats[user].item(user))
}

// Score returns the user's score, 0 for a user who is not on the board.
func (b *Board) Score(user uint32) int64 {
	if int(user) >= len(b.seats) {
		return 0
	}
	return b.seats[user].score
}

// RankThen returns the rank that the user, who is on the board, had when those in
// then stood where it says and all others where they stand now. Who is in then and
// not on the board is left out. O(len(then)) and O(log n).
func (b *Board) RankThen(user uint32, then map[uint32]Item) int {
	if int(user) >= len(b.seats) || !b.seats[user].taken() {
		return 0
	}
	now := b.seats[user].item(user)
	was, moved := then[user]
	if !moved {
		was = now
	}
	rank := b.index.Rank(was)
	if b.index.before(now, was) {
		rank-- // the index counts the user among those in front
	}
	for other, it := range then {
		if other == user || int(other) >= len(b.seats) || !b.seats[other].taken() {
			continue
		}
		if b.index.before(b.seats[other].item(other), was) {
			rank--
		}
		if b.index.before(it, was) {
			rank++
		}
	}
	return rank
}

// Page returns the entries of the ranks from first, at most n. They are the
// caller's. O(log n) and n.
func (b *Board) Page(first, n int) []Entry {
	if first < 1 || n < 1 || first > b.Len() {
		return nil
	}
	n = min(n, b.Len()-first+1)
	items := b.index.Page(make([]Item, 0, n), first, n)
	entries := make([]Entry, len(items))
	for i, it := range items {
		entries[i] = Entry{User: it.User, Rank: first + i, Before: b.before(it.User), Score: it.Score}
	}
	return entries
}

// Rebase makes the present ranks the baseline. O(n).
func (b *Board) Rebase() {
	clear(b.baseline)
	b.setBaseline(b.index)
}

func (b *Board) setBaseline(x *Index) {
	rank := uint32(0)
	for _, block := range x.blocks {
		for _, it := range block {
			rank++
			b.baseline = grow(b.baseline, it.User)
			b.baseline[it.User] = rank
		}
	}
}

func (b *Board) before(user uint32) int {
	if int(user) >= len(b.baseline) {
		return 0
	}
	return int(b.baseline[user])
}

func (b *Board) seat(user uint32) *seat {
	b.seats = grow(b.seats, user)
	return &b.seats[user]
}

// grow makes room for index i.
func grow[T any](s []T, i uint32) []T {
	if missing := int(i) + 1 - len(s); missing > 0 {
		return append(s, make([]T, missing)...)
	}
	return s
}
