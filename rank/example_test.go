package rank_test

import (
	"fmt"

	"marcador/rank"
)

// The board knows users by number. Its owner knows their names.
var pupils = []string{"Ana", "Bruno", "Citlali", "Diego"}

const (
	ana uint32 = iota
	bruno
	citlali
	diego
)

// byName breaks the last ties: users with the same score and the same sequence number.
func byName(a, b uint32) bool { return pupils[a] < pupils[b] }

func Example() {
	board := rank.NewBoard(rank.Options{Tie: byName})
	board.Put(ana, 50, 1) // 50 points, reached with row 1 of the ledger
	board.Put(bruno, 70, 2)
	board.Put(citlali, 70, 3) // as many as Bruno, but later

	before, after := board.Put(ana, 90, 4)
	fmt.Printf("Ana was number %d and is number %d\n", before, after)
	for _, e := range board.Page(nil, 1, 10) {
		fmt.Println(e.Rank, pupils[e.User], e.Score)
	}
	// Output:
	// Ana was number 3 and is number 1
	// 1 Ana 90
	// 2 Bruno 70
	// 3 Citlali 70
}

// Put returns the rank before and after. Before is 0 for a user who is new on the board.
func ExampleBoard_Put() {
	board := rank.NewBoard(rank.Options{Tie: byName})
	fmt.Println(board.Put(ana, 50, 1))
	fmt.Println(board.Put(bruno, 40, 2))
	fmt.Println(board.Put(bruno, 60, 3))
	// Output:
	// 0 1
	// 0 2
	// 2 1
}

// A page begins at any position. It carries the ranks and how far each user has moved since the
// baseline.
func ExampleBoard_Page() {
	board := rank.NewBoard(rank.Options{Tie: byName})
	board.Put(ana, 50, 1)
	board.Put(bruno, 40, 2)
	board.Put(citlali, 30, 3)
	board.Rebase() // a new day: changes are measured from here

	board.Put(citlali, 60, 4)
	board.Put(diego, 10, 5)
	for _, e := range board.Page(nil, 2, 3) {
		places, direction := e.Change()
		fmt.Println(e.Rank, pupils[e.User], e.Score, direction, places)
	}
	// Output:
	// 2 Ana 50 down 1
	// 3 Bruno 40 down 1
	// 4 Diego 10 new 0
}

// A hidden user is not on any page and counts for nobody's rank, but still has a rank to be told.
func ExampleBoard_Hide() {
	board := rank.NewBoard(rank.Options{Tie: byName})
	board.Put(ana, 90, 1)
	board.Put(bruno, 70, 2)
	board.Hide(ana)
	fmt.Println("on the board:", board.Len())
	fmt.Println("Bruno is number", board.Rank(bruno))
	fmt.Println("Ana would be number", board.Rank(ana))
	// Output:
	// on the board: 1
	// Bruno is number 1
	// Ana would be number 1
}

// ToNext says how many points a user lacks for a better rank.
func ExampleBoard_ToNext() {
	board := rank.NewBoard(rank.Options{Tie: byName})
	board.Put(ana, 50, 1)
	board.Put(bruno, 40, 2)
	points, ok := board.ToNext(bruno)
	fmt.Println(points, ok)
	// Output: 11 true
}

// The three numberings differ in the ranks of equal scores.
func ExampleNumbering() {
	for _, n := range []rank.Numbering{rank.Ordinal, rank.Competition, rank.Dense} {
		counter := rank.NewCounter(n)
		fmt.Print(n, ":")
		for _, score := range []int64{9, 7, 7, 5} {
			fmt.Print(" ", counter.Next(score))
		}
		fmt.Println()
	}
	// Output:
	// ordinal: 1 2 3 4
	// competition: 1 2 2 4
	// dense: 1 2 2 3
}
