package rank_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"marcador/rank"
)

// sizes are the numbers of users that are measured, from a school to a country.
var sizes = []int{1_000, 100_000, 1_000_000, 10_000_000}

// contest is a board whose users keep gaining points.
type contest struct {
	board  *rank.Board
	scores []int32
	seq    int64
	rng    *rand.Rand
}

// newContest returns a board of n users with a baseline. As in practice, many scores are low and
// few are high.
func newContest(n int, o rank.Options) *contest {
	c := &contest{scores: make([]int32, n), seq: int64(n), rng: rand.New(rand.NewPCG(1, 2))}
	items := make([]rank.Item, n)
	for i := range items {
		c.scores[i] = int32(c.rng.ExpFloat64() * 10_000)
		items[i] = rank.Item{Score: int64(c.scores[i]), Seq: int64(i), User: uint32(i)}
	}
	o.Tie = higherFirst
	c.board = rank.NewBoard(o)
	c.board.Load(items, nil)
	c.board.Rebase()
	return c
}

// draw gives a random user some points, without the board.
func (c *contest) draw() rank.Item {
	user := c.rng.IntN(len(c.scores))
	c.scores[user] += 10 + int32(c.rng.IntN(90))
	c.seq++
	return rank.Item{Score: int64(c.scores[user]), Seq: c.seq, User: uint32(user)}
}

// move gives a random user some points.
func (c *contest) move() {
	it := c.draw()
	c.board.Put(it.User, it.Score, it.Seq)
}

func users(n int) string { return fmt.Sprintf("users=%d", n) }

// BenchmarkBoard_Put measures a changed score with the ranks before and after. The changes are
// drawn beforehand, so that drawing is not measured.
func BenchmarkBoard_Put(b *testing.B) {
	bench := func(name string, c *contest) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			moves, i := make([]rank.Item, 1_000), 1_000
			for b.Loop() {
				if i == len(moves) {
					b.StopTimer()
					for i = range moves {
						moves[i] = c.draw()
					}
					i = 0
					b.StartTimer()
				}
				c.board.Put(moves[i].User, moves[i].Score, moves[i].Seq)
				i++
			}
		})
	}
	for _, n := range sizes {
		bench(users(n), newContest(n, rank.Options{}))
	}
	bench(users(1_000_000)+"/competition", newContest(1_000_000, rank.Options{Numbering: rank.Competition}))
	bench(users(1_000_000)+"/dense", newContest(1_000_000, rank.Options{Numbering: rank.Dense}))
}

func BenchmarkBoard_Rank(b *testing.B) {
	for _, n := range sizes {
		c := newContest(n, rank.Options{})
		b.Run(users(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.board.Rank(uint32(c.rng.IntN(n)))
			}
		})
	}
}

// BenchmarkBoard_Page measures a page of 100 entries at a random position, before encoding.
func BenchmarkBoard_Page(b *testing.B) {
	for _, n := range sizes {
		c := newContest(n, rank.Options{})
		b.Run(users(n), func(b *testing.B) {
			b.ReportAllocs()
			var room [100]rank.Entry
			for b.Loop() {
				c.board.Page(room[:0], 1+c.rng.IntN(n), len(room))
			}
		})
	}
}

func BenchmarkBoard_Rebase(b *testing.B) {
	for _, n := range sizes {
		c := newContest(n, rank.Options{})
		b.Run(users(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.board.Rebase()
			}
		})
	}
}

// BenchmarkBoard_memory measures the bytes that a user takes, after Load and after two changes for
// each user.
func BenchmarkBoard_memory(b *testing.B) {
	for _, n := range sizes {
		b.Run(users(n), func(b *testing.B) {
			for b.Loop() {
				before := heap()
				c := newContest(n, rank.Options{})
				perUser := func() float64 {
					const score = 4 // bytes of contest.scores
					return float64(heap()-before)/float64(n) - score
				}
				b.ReportMetric(perUser(), "B/entry-loaded")
				for range 2 * n {
					c.move()
				}
				b.ReportMetric(perUser(), "B/entry-moved")
				runtime.KeepAlive(c)
			}
		})
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
