package rank

import (
	"math"
	"slices"
)

// Numbering says how equal scores are ranked.
type Numbering uint8

// The numberings, with the ranks that they give to the scores 9, 7, 7 and 5.
const (
	Ordinal     Numbering = iota // 1 2 3 4: the user who reached a score first comes first
	Competition                  // 1 2 2 4
	Dense                        // 1 2 2 3
)

// names are the names of the numberings.
var names = []string{"ordinal", "competition", "dense"}

// String returns the name of the numbering.
func (n Numbering) String() string { return names[n] }

// ParseNumbering returns the numbering with the name, or false if there is none.
func ParseNumbering(name string) (n Numbering, ok bool) {
	i := slices.Index(names, name)
	return Numbering(max(i, 0)), i >= 0
}

// Counter numbers a list of scores that is sorted already, best score first.
type Counter struct {
	numbering      Numbering
	position, rank int   // of the last score
	score          int64 // the last score
}

// NewCounter returns a counter at the beginning of a list.
func NewCounter(n Numbering) Counter { return Counter{numbering: n} }

// Len is how many scores were numbered.
func (c *Counter) Len() int { return c.position }

// Next returns the rank of the next score of the list.
func (c *Counter) Next(score int64) int {
	c.position++
	switch {
	case c.numbering == Ordinal:
		c.rank = c.position
	case c.position > 1 && score == c.score:
	case c.numbering == Competition:
		c.rank = c.position
	default:
		c.rank++
	}
	c.score = score
	return c.rank
}

// Would returns the rank that Next would return for the score, and numbers nothing.
func (c *Counter) Would(score int64) int {
	next := *c
	return next.Next(score)
}

// frontOf returns an item that sorts before every user's item with the score.
func frontOf(score int64) Item { return Item{Score: score, Seq: math.MinInt64} }

// rank returns the rank that the item has or would have. O(log n).
func (b *Board) rank(it Item) int {
	switch b.numbering {
	case Competition:
		return b.index.Position(frontOf(it.Score))
	case Dense:
		return b.scores.Position(frontOf(it.Score))
	}
	return b.index.Position(it)
}

// rankAt returns the rank of the item at the spot. With Ordinal it spares the search. O(log n).
func (b *Board) rankAt(s spot) int {
	if b.numbering == Ordinal {
		return b.index.position(s)
	}
	return b.rank(b.index.item(s))
}

// ahead reports whether one has a better rank than other.
func (b *Board) ahead(one, other Item) bool {
	if b.numbering == Ordinal {
		return b.index.before(one, other)
	}
	return one.Score > other.Score
}

// insert adds the item to the order and returns its rank. O(log n).
func (b *Board) insert(it Item) int {
	position := b.index.Insert(it)
	if b.numbering == Ordinal {
		return position
	}
	if b.numbering == Dense && !b.scores.has(it.Score) {
		return b.scores.Insert(frontOf(it.Score))
	}
	return b.rank(it)
}

// removeAt takes the item at the spot out of the order. O(log n).
func (b *Board) removeAt(s spot) {
	score := b.index.item(s).Score
	b.index.removeAt(s)
	if b.numbering == Dense && !b.index.has(score) {
		b.scores.Remove(frontOf(score))
	}
}

// loadScores makes the index of scores from the order. O(n).
func (b *Board) loadScores() {
	if b.numbering != Dense {
		return
	}
	var scores []Item
	for keys := range b.index.from(1) {
		for _, k := range keys {
			if n := len(scores); n == 0 || scores[n-1].Score != k.score {
				scores = append(scores, frontOf(k.score))
			}
		}
	}
	b.scores.Load(scores)
}
