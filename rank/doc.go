// Package rank keeps users in the order of their scores and says where each one stands. It knows
// nothing of time, files or sockets.
//
// A [Board] answers three questions: which rank a user has ([Board.Rank]), who stands where
// ([Board.Page]), and what a change of a score does to the user's rank ([Board.Put]).
//
//	b := rank.NewBoard(rank.Options{Tie: func(a, b uint32) bool { return a < b }})
//	before, after := b.Put(user, score, seq)
//
// # Order
//
// The higher score comes first. Among equal scores, the user who reached the score first comes
// first: the one with the lower sequence number. [Options.Tie] decides the remaining ties. The same
// scores therefore always give the same order, whatever order they were put in.
//
// # Positions and ranks
//
// A position counts from 1 and no two users share one. A rank is the number that people see, and
// [Numbering] makes it from the position:
//
//	score        9  7  7  5
//	position     1  2  3  4
//	Ordinal      1  2  3  4
//	Competition  1  2  2  4
//	Dense        1  2  2  3
//
// # Baseline
//
// A board remembers the ranks of one earlier moment, the baseline. [Entry.Change] compares the
// present rank with the rank at the baseline. [Board.Rebase] moves the baseline to now, as at the
// start of a day; [Board.StartOver] does too, and then empties the board, as at the start of a new
// period.
//
// # Hidden users
//
// A hidden user is on the board, but outside the order: nobody's rank counts them, and no page
// lists them. The board still answers questions about them, as if they stood among the others.
//
// # Cost and concurrency
//
// "O(log n)" in a comment means about a microsecond: with a million users, a changed score with the
// ranks before and after takes 1.2 µs on a server of 2 cores (BenchmarkBoard_Put). A user takes
// about 33 bytes (BenchmarkBoard_memory).
//
// Any number of goroutines may read a board at the same time, as long as none changes it. The owner
// of the board holds the lock.
package rank
