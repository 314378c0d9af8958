// Package store keeps users, their totals and the ledger of their points in
// SQLite. Points change through its writer only; what the ledger's rows do
// depends on nothing but the rows and the state before them.
package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Options says how a Store works. The zero value of a field is its default.
type Options struct {
	// Schema is the text of schema.sql, which makes the tables of a new database. Default:
	// only a database that exists can be opened.
	Schema string

	// Location is where days, weeks (from Monday) and months begin. Default UTC.
	Location *time.Location

	// Committed is told what each transaction changed, after its COMMIT and
	// before anybody is answered, on the writer's goroutine: it must not write
	// to the store, and the next transaction waits for it. It may fill in the
	// OldRank and NewRank of Points. Default: nobody is told.
	Committed func(Commit)

	// Fault is told why writes can't be committed, when that begins and when the reason
	// changes, and nil when they can again; on the writer's goroutine. Default: nobody
	// is told but the callers.
	Fault func(error)

	// Now is the clock. Default time.Now.
	Now func() time.Time

	// Friends is when a friendship counts. Default FriendsMutual.
	Friends FriendsRule

	// Queue is how many writes may wait, each update and each profile of a batch
	// counted; past it they get ErrBusy. Default 65,536, which take a second or two.
	Queue int

	// Bulk is for an import, which nobody waits for: the write-ahead log is brought into
	// the file more seldom, so that pages which change again and again are written less.
	Bulk bool
}

// Commit is what one transaction, or a change by another program, did.
type Commit struct {
	// Changes are in the order of their sequence numbers.
	Changes []Change

	// Foreign says that another program has written to the database file, so
	// that all that was read from it before may be out of date.
	Foreign bool

	Seq int64     // the sequence number that the database now stands at
	At  time.Time // when it was given
}

// Change is one thing that a transaction did; one field but Seq and At is set,
// or none, where only time has passed.
type Change struct {
	Seq        int64
	At         time.Time
	Points     *Points
	Profile    *Profile
	Friendship *Friendship
	Limit      *Limit
	Badges     []Badge // all of them, lowest first
	Erased     uint32  // the number of the user that is gone

	// Hidden says that nobody sees it but the user themselves: a profile that is hidden and
	// was, or the erasure or a friendship of a user whose profile is. Of Points it is not
	// said.
	Hidden bool
}

// Stamp is a sequence number and when it was given.
type Stamp struct {
	Seq int64
	At  time.Time
}

// Seen reports whether others than the user can see the change, and it is not one of
// points.
func (c *Change) Seen() bool {
	return !c.Hidden && (c.Profile != nil || c.Friendship != nil || c.Limit != nil || c.Badges != nil || c.Erased != 0)
}

// Store is an open database. Its methods are safe for concurrent use.
type Store struct {
	opts  Options
	epoch string

	// friendsOf is a query for the friends of the user with the id ?1. See
	// FriendsRule.friendsOf.
	friendsOf string

	write *sql.DB // one connection, the writer's
	read  *sql.DB // a pool
	lock  *lock

	queue  chan *request         // of capacity Options.Queue, so that what weight admits finds room
	weight atomic.Int64          // of those in queue, and those that are being committed
	damage atomic.Pointer[error] // what was found, nil for none

	stop chan struct{} // closed by Close
	done chan struct{} // closed when the writer has gone
	once sync.Once

	seq atomic.Int64 // the last committed sequence number
	at  atomic.Int64 // when it was given, in Unix milliseconds

	seen atomic.Pointer[Stamp]
}

// Open opens the database in the file at path, or makes one where there is
// none; the folder must exist. Errors say what is wrong and what to do: the
// folder is missing, the file is not a database, or another program's, or was
// written by a newer version. Such a file is left as it is. A file that another
// Store has open, of this process or another one, is refused with ErrInUse. A new
// file can be read by its owner alone. ErrAhead is wrapped where its last change lies more
// than a minute ahead of the clock.
func Open(ctx context.Context, path string, opts Options) (*Store, error) {
	if opts.Location == nil {
		opts.Location = time.UTC
	}
	if opts.Committed == nil {
		opts.Committed = func(Commit) {}
	}
	if opts.Fault == nil {
		opts.Fault = func(error) {}
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Queue == 0 {
		opts.Queue = 1 << 16
	}
	path, err := resolve(path)
	if err == nil {
		err = cmp.Or(checkFile(path), logAlone(path))
	}
	if err != nil {
		return nil, err
	}
	lock, err := takeLock(path)
	if err != nil {
		return nil, err
	}
	s := &Store{
		opts:      opts,
		friendsOf: opts.Friends.friendsOf(`(SELECT number FROM users WHERE id = ?1)`),
		lock:      lock,
		queue:     make(chan *request, opts.Queue),
		stop:      make(chan struct{}),
		done:      make(chan struct{}),
	}
	w, err := s.openDatabases(ctx, path)
	if err != nil {
		return nil, errors.Join(err, lock.release())
	}
	go w.run()
	return s, nil
}

// openDatabases opens the connections to the file, which is locked. After an error none
// is open.
func (s *Store) openDatabases(ctx context.Context, path string) (w *writer, err error) {
	empty, err := recognise(ctx, path)
	if err != nil {
		return nil, err
	}
	pragmas := writerPragmas
	if s.opts.Bulk {
		pragmas = append(slices.Clip(pragmas), "wal_autocheckpoint(16384)") // pages; 64 MiB
	}
	if s.write, err = open(path, 1, pragmas); err != nil {
		return nil, err
	}
	if empty {
		err = createDatabase(ctx, s.write, path, s.opts.Schema, s.opts.Now())
	} else {
		err = migrate(ctx, s.write, path)
	}
	if err == nil {
		s.read, err = open(path, readers, readerPragmas)
	}
	if err == nil {
		w, err = newWriter(ctx, s)
	}
	if err == nil {
		err = checkClock(s.At(), s.opts.Now())
	}
	if err == nil {
		err = w.keepZone(ctx)
	}
	if err == nil {
		err = w.checkWritable(ctx, path)
	}
	if err == nil && !s.lock.of(path) {
		err = fmt.Errorf("%w: it was replaced while it was being opened; start again", ErrGone)
	}
	if err == nil {
		return w, nil
	}
	if w != nil {
		w.release() // a connection in use stays open
	}
	_ = s.closeDatabases() // it says the same
	return nil, unusable(path, err)
}

// Close lets the writes that wait be committed and answered, then closes the
// database. Further calls return nil.
func (s *Store) Close() error {
	var err error
	s.once.Do(func() {
		close(s.stop)
		<-s.done
		err = errors.Join(s.closeDatabases(), s.lock.release())
	})
	return err
}

// closeDatabases closes the writer's connection last: the last one to go brings
// the write-ahead log into the file, and readers may not.
func (s *Store) closeDatabases() error {
	var err error
	if s.read != nil {
		err = s.read.Close()
	}
	return errors.Join(err, s.write.Close())
}

// Epoch names the database: it is made with it and stays with it.
func (s *Store) Epoch() string { return s.epoch }

// Seq is the number of the last committed change.
func (s *Store) Seq() int64 { return s.seq.Load() }

// At is when the last committed change was made. It never goes back.
func (s *Store) At() time.Time { return time.UnixMilli(s.at.Load()).UTC() }

// Seen is of the last change, other than of points, that others than one user can see: it
// is no lower than that of any board, where points are left out. The beginning of a day,
// and what another program has written, are such changes.
func (s *Store) Seen() Stamp { return *s.seen.Load() }

// Touch takes a sequence number and the present time without changing
// anything, so that whoever is told of commits notices that time has passed.
func (s *Store) Touch(ctx context.Context) error {
	return s.do(ctx, 1, func(_ context.Context, t *tx) error {
		t.touch()
		return nil
	})
}

// Check asks whether another program has written to the database file since
// the last transaction, and tells Committed if so. It costs one pragma.
func (s *Store) Check(ctx context.Context) error {
	return s.do(ctx, 1, func(context.Context, *tx) error { return nil }) // every transaction looks
}

// Exclusive calls fn while nothing is written. fn must not write to the store.
func (s *Store) Exclusive(ctx context.Context, fn func(context.Context) error) error {
	return s.do(ctx, 1, func(ctx context.Context, _ *tx) error { return fn(ctx) })
}

// Ready reports whether the database can be written, by writing.
func (s *Store) Ready(ctx context.Context) error {
	return s.do(ctx, 1, func(ctx context.Context, t *tx) error {
		_, err := t.conn.ExecContext(ctx, `UPDATE state SET id = 1`)
		return err
	})
}

// do has the writer run fn in its next transaction and waits for the outcome. weight is
// how many rows it is about. fn must refuse, with an *Error, before it writes; any other
// error undoes the transaction.
func (s *Store) do(ctx context.Context, weight int, fn func(context.Context, *tx) error) error {
	if t, ok := ctx.Value(rehearsing{}).(*tx); ok {
		return t.try(ctx, fn)
	}
	select {
	case <-s.stop:
		return ErrClosed
	default:
	}
	r := &request{ctx: ctx, weight: max(weight, 1), fn: fn, answer: make(chan error, 1)}
	if s.weight.Add(int64(r.weight)) > int64(s.opts.Queue) {
		s.weight.Add(int64(-r.weight))
		return ErrBusy
	}
	s.queue <- r
	select {
	case err := <-r.answer:
		return err
	case <-ctx.Done():
		return fmt.Errorf("wait for the commit: %w", ctx.Err())
	case <-s.done:
		// The writer may have answered with its last breath.
		select {
		case err := <-r.answer:
			return err
		default:
			return ErrClosed
		}
	}
}
