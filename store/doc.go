// Package store keeps users, groups, points and closed periods in one SQLite file.
//
// # Opening
//
// Open makes the file if there is none, from the text of schema.sql in Options.Schema, and brings
// a file of an older version up to date. One Store at a time has a file open, in whatever process;
// others get ErrInUse. Other programs may still read the file, and write to it: the store notices
// that and reports it (Commit.Foreign). Close answers the writes that wait and closes the file.
//
// # Writing
//
// AddPoints, PutProfiles, Befriend, Erase and the other writing methods may be called from any
// number of goroutines. One goroutine, the writer, commits the writes that wait together in one
// transaction, and each call returns after the COMMIT that holds its write, with the data on the
// disk. So 64 callers need a fraction of the disk's syncs that they would need one after another.
//
// A write is refused with an *Error, which has a stable Code and says which update of a batch is
// at fault, and then it has changed nothing. "It refuses with UserNotFound" in a comment means an
// *Error with that Code. Other errors are ErrBusy (too many writes wait),
// ErrClosed, and ErrUnavailable with a reason such as ErrDiskFull.
//
// An idempotency key makes a write safe to repeat: a second write with the same caller and key
// changes nothing and returns what the first one did.
//
// # The ledger
//
// Points change only by rows that are added to the ledger. What a row does depends on the row and
// on the rows before it, and on nothing else; its time is in the row and is never earlier than the
// time of the row before. Totals are sums of the ledger, changed in the same transaction. Package
// verify computes them a second time.
//
// Every committed change takes the next number of one sequence, its seq. Options.Committed receives
// each transaction's changes in that order, before the callers are answered. Package live keeps the
// boards in memory up to date with it.
//
// # Periods
//
// Points are also counted in days, weeks (from Monday) and months, which begin by the clocks of
// Options.Location. When a period is over, BeginClosing, AddFinals, AddPlaces and EndClosing record
// the final places of its board; Finals reads them.
//
// # Copies
//
// Backup copies a database while it is in use, Restore puts a checked copy in place of a database
// that is not in use, and OpenSnapshot reads a whole database as it is at one moment.
package store
