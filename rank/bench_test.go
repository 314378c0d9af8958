package rank_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"marcador/rank"
)

// sizes are the boards that are measured: a class, a school, a country.
var sizes = []int{30, 1_000, 100_000, 1_000_000}

// filled returns a board of n users with scores as they are found in practice,
// many low and few high.
func filled(b *testing.B, n int) (*rank.Board, []int64) {
	b.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	scores := make([]int64, n)
	items := make([]rank.Item, n)
	for i := range items {
		scores[i] = int64(rng.ExpFloat64() * 10_000)
		items[i] = rank.Item{Score: scores[i], Seq: int64(i), User: uint32(i)}
	}
	board := rank.NewBoard(higherFirst)
	board.Load(items, nil)
	return board, scores
}

// BenchmarkBoard_Put is a move: points for anybody, the old rank and the new.
func BenchmarkBoard_Put(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprintf("users=%d", n), func(b *testing.B) {
			board, scores := filled(b, n)
			rng := rand.New(rand.NewPCG(3, 4))
			b.ReportAllocs()
			seq := int64(n)
			for b.Loop() {
				u := rng.IntN(n)
				scores[u] += 10 + int64(rng.IntN(90))
				seq++
				board.Put(uint32(u), scores[u], seq)
			}
		})
	}
}

func BenchmarkBoard_Rank(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprintf("users=%d", n), func(b *testing.B) {
			board, _ := filled(b, n)
			rng := rand.New(rand.NewPCG(3, 4))
			b.ReportAllocs()
			for b.Loop() {
				board.Rank(uint32(rng.IntN(n)))
			}
		})
	}
}

// BenchmarkBoard_Page is a page of 100 from anywhere, before encoding.
func BenchmarkBoard_Page(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprintf("users=%d", n), func(b *testing.B) {
			board, _ := filled(b, n)
			rng := rand.New(rand.NewPCG(3, 4))
			b.ReportAllocs()
			for b.Loop() {
				board.Page(1+rng.IntN(n), 100)
			}
		})
	}
}
