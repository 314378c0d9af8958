// Package live keeps the boards of one database in memory, and decides when their changes
// become visible.
//
// # From a write to a broadcast
//
// A write passes through these steps, in this order:
//
//	AddPoints       the store writes the ledger and the totals in one transaction
//	COMMIT          the transaction is on disk
//	committed       the change is applied to every board that the user is on
//	AddPoints       returns with the old and the new rank
//	publisher       later: a board that somebody follows is encoded once and published
//
// A write never waits for a broadcast, and nothing is ranked, published or answered before its
// commit.
//
// # Boards
//
// A board has a name. "global" has all users, "<kind>:<id>" has the members of a group, and
// "friends:<user id>" has a user with their friends. Every board has four rankings: the points
// of the day, of the week and of the month, and of all time. The global board is always in
// memory. Any other board is loaded when it is first asked for. When the boards in memory have
// too many members in total, the boards that nobody has used for longest are dropped.
//
// # Versions
//
// Every change has a sequence number, which the store gives. The version of a page is the
// number of the last change that an ordinary reader of the board can see. So two pages of a board
// with the same version show the same state. A hidden user's points change no version, so
// nobody can learn from a version that a hidden user was active.
//
// # When boards change
//
// By default, a board changes with each commit. With Options.Recompute, it changes only at the
// times of a cron expression, and totals wait until then. Changes that must not wait, such as
// an erasure, show everything that waits as well, since a version stands for one state.
//
// A follower is sent a broadcast at once after a quiet time, and then at most one in each
// Options.Throttle. Broadcasts of several boards that are due together share one moment.
//
// # Other programs
//
// Another program may write to the database file. The next transaction notices, or a check
// every Options.CacheTTL. Everything in memory is then loaded again.
//
// # Use
//
// Open returns a Service, and Service has a method for everything else; see the example. sse.Server
// writes the streams that Follow begins.
//
// All methods of Service are safe for concurrent use. docs/design/locks.md has a picture of the
// locks.
package live

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"marcador/rank"
	"marcador/store"
)

// Errors of reading boards. Test for them with errors.Is.
var (
	// ErrUnknownBoard says that no board can have that name.
	ErrUnknownBoard = errors.New("live: unknown board")

	// ErrNotOnBoard says that the caller can't see that user on the board.
	ErrNotOnBoard = errors.New("live: not on the board")

	// ErrNotMember says that only members may read the board, and the user is not a member.
	ErrNotMember = errors.New("live: not a member")

	// ErrNotClosed says that the period is not over yet, was never closed, or was removed.
	ErrNotClosed = errors.New("live: no such closed period")
)

// Options configures a Service. The zero value of a field means its default.
type Options struct {
	// Schema is the text of schema.sql. It is required. See store.Options.
	Schema string

	// Recompute is a cron expression in Location. If it is set, boards, pages and streams change
	// only at these times. See CheckCron for the syntax. Default: they change with each commit.
	Recompute string

	// Throttle is the least time between two broadcasts of a board. A negative value means none.
	// Default 10 s.
	Throttle time.Duration

	// CacheTTL is how often the database is checked for changes by other programs, and therefore
	// the longest time for which an encoded page can be out of date. With a negative value, every
	// read checks first. Default 60 s.
	CacheTTL time.Duration

	// Top is how many entries a broadcast has. Default 100.
	Top int

	// Location is the time zone in which days, weeks and months begin. Default UTC.
	Location *time.Location

	// Baseline is a period. The changes of rank on an all-time board count from the moment at
	// which the current period of this kind began. Default Daily.
	Baseline store.Period

	// Ranks is how equal scores are numbered. Default rank.Ordinal.
	Ranks rank.Numbering

	// Friends is when a friendship counts. Default FriendsMutual.
	Friends store.FriendsRule

	// Retention is for how long closed periods are stored. Default: forever.
	Retention time.Duration

	// Now is the clock that dates commits. Default time.Now.
	Now func() time.Time

	// Elapsed is the time since a fixed moment. Setting the machine's clock must not change it.
	// Jumps of Now are detected against it. Default: the machine's monotonic clock; if Now is
	// set, jumps are not detected by default.
	Elapsed func() time.Duration

	// Log receives errors that no caller can be told of. Default slog.Default.
	Log *slog.Logger
}

// display returns the options that decide what boards show for the same data; see
// store.Options.Display.
func (o Options) display() string {
	return fmt.Sprintf("zone=%s baseline=%s ranks=%s friends=%s", o.Location, o.Baseline, o.Ranks, o.Friends)
}

// withDefaults returns the options with every default filled in.
func (o Options) withDefaults() Options {
	if o.Throttle == 0 {
		o.Throttle = 10 * time.Second
	}
	if o.CacheTTL == 0 {
		o.CacheTTL = time.Minute
	}
	if o.Top == 0 {
		o.Top = 100
	}
	if o.Location == nil {
		o.Location = time.UTC
	}
	if o.Now == nil {
		began := time.Now()
		o.Now, o.Elapsed = time.Now, func() time.Duration { return time.Since(began) }
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return o
}
