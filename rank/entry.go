package rank

import (
	"math"
	"slices"
)

// Entry is a row of a board.
type Entry struct {
	User   uint32
	Rank   int // from 1
	Before int // rank at the baseline, or 0 if the user was not on the board then
	Score  int64
}

// Change returns how far the user's rank has moved since the baseline, and the direction: "up",
// "down", "same", or "new" if the user was not on the board then. by is never negative.
func (e Entry) Change() (by int, direction string) {
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

// Entry returns the user's row, or false if the user is not on the board. O(log n).
func (b *Board) Entry(user uint32) (e Entry, ok bool) {
	it, ok := b.Item(user)
	if !ok {
		return Entry{}, false
	}
	return Entry{User: user, Rank: b.Rank(user), Before: b.Before(user), Score: it.Score}, true
}

// Page appends the entries of at most n positions, beginning with position first, to dst and
// returns the result. O(n + log n).
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
			c.score, c.rank = keys[0].score, b.rank(frontOf(keys[0].score))
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

// ToNext returns the fewest points that give the user a better rank, or false if the user is first
// or not on the board. O(log n).
//
// With Ordinal that is one point more than the next user has, because that user reached an equal
// score first. With the other numberings an equal score is enough.
func (b *Board) ToNext(user uint32) (points int64, ok bool) {
	it, ok := b.Item(user)
	if !ok {
		return 0, false
	}
	ahead, more := b.Position(user)-1, int64(1)
	if b.numbering != Ordinal {
		ahead, more = b.index.Position(frontOf(it.Score))-1, 0
	}
	for keys := range b.index.from(ahead) {
		return keys[0].score - it.Score + more, true
	}
	return 0, false
}

// ToEnter returns the fewest points, at least 1, that take a user without a score past the last
// user of the board, and the rank that these points give. Where equal scores share a rank, an equal
// score is enough. O(log n).
func (b *Board) ToEnter() (points int64, rank int) {
	points = 1
	for keys := range b.index.from(b.Len()) {
		last := keys[0].score
		if b.numbering == Ordinal {
			last++ // the last user reached an equal score first
		}
		points = max(points, last)
	}
	return points, b.rank(Item{Score: points, Seq: math.MaxInt64})
}

// Behind returns how many users have a worse rank than the user, or 0 if the user is not on the
// board. O(log n).
func (b *Board) Behind(user uint32) int {
	it, ok := b.Item(user)
	if !ok {
		return 0
	}
	if b.numbering != Ordinal {
		it.Seq = math.MaxInt64 // behind all users with the same score
	} else if !b.Hidden(user) {
		return b.Len() - b.Position(user)
	}
	return b.Len() + 1 - b.index.Position(it)
}
