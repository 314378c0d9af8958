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

// Options are the settings of a Store. The zero value of a field is its default.
type Options struct {
	// Schema is the text of schema.sql, which makes the tables of a new database. Default:
	// none, so Open only opens a database that exists.
	Schema string

	// Display names the options that decide what boards show for the same data, such as how equal
	// scores are numbered. If it differs from the last Open that named
	// any, every board gets a new version. Default: no boards are shown.
	Display string

	// Location is the time zone whose clocks begin days, weeks (from Monday) and months.
	// Default UTC.
	Location *time.Location

	// Committed receives what each transaction changed, after its COMMIT and before its callers
	// are answered. It runs on the writer's goroutine: the next transaction waits for it, and
	// it must not write to the store. It may set OldRank and NewRank of Points. Default: not
	// called.
	Committed func(Commit)

	// Fault receives the reason when writes begin to fail, and when the reason changes; it
	// receives nil when writes work again. It runs on the writer's goroutine. Default: not
	// called.
	Fault func(error)

	// Now is the clock. Default time.Now.
	Now func() time.Time

	// Friends says which wishes make two users friends. Default FriendsMutual.
	Friends FriendsRule

	// Queue is how many writes may wait; each update and each profile of a batch counts as one.
	// Writes beyond it get ErrBusy. Default 65,536, which take a second or two to commit.
	Queue int

	// Bulk is for imports, which no user waits for. The write-ahead log is copied into the file
	// less often, so a page that changes many times is written to the file fewer times.
	Bulk bool
}

// Commit is what one transaction, or a write by another program, changed.
type Commit struct {
	// Changes are in the order of their seqs.
	Changes []Change

	// Foreign is set if another program has written to the database file. Everything that was
	// read from the file before may be out of date.
	Foreign bool

	Seq int64     // the last seq that was given
	At  time.Time // when it was given
}

// Change is one change of a transaction. Besides Seq and At, one of its fields is set, or none if
// only time has passed.
type Change struct {
	Seq        int64
	At         time.Time
	Points     *Points
	Profile    *Profile
	Friendship *Friendship
	Limit      *Limit
	Badges     []Badge // all of them, lowest first
	Erased     uint32  // number of the user who was erased

	// Hidden is set if other users can't see the change: the profile was hidden and still is,
	// the user who was erased was hidden, or one of the two users whose friendship changed is
	// hidden. It is never set with Points.
	Hidden bool
}

// Stamp is a seq and the time at which it was given.
type Stamp struct {
	Seq int64
	At  time.Time
}

// Seen reports whether the change is one that other users can see, changes of points aside.
func (c *Change) Seen() bool {
	return !c.Hidden && (c.Profile != nil || c.Friendship != nil || c.Limit != nil || c.Badges != nil || c.Erased != 0)
}

// Store is an open database. Its methods are safe for concurrent use.
type Store struct {
	opts  Options
	epoch string

	// friendsOf is FriendsRule.friendsOf for the user with the id ?1.
	friendsOf string

	write *sql.DB // one connection, the writer's
	read  *sql.DB // a pool
	lock  *lock

	queue  chan *request         // capacity Options.Queue; do never blocks on it, since weight bounds it
	weight atomic.Int64          // of the requests in queue and of the ones being committed
	damage atomic.Pointer[error] // the damage that was found in the file; nil for none

	stop chan struct{} // closed by Close
	done chan struct{} // closed when the writer's goroutine ends
	once sync.Once

	seq atomic.Int64 // the last committed sequence number
	at  atomic.Int64 // when it was given, in Unix milliseconds

	seen atomic.Pointer[Stamp]
}

// Open opens the database in the file at path. If there is no file, it makes one that only its
// owner can read; the folder must exist. An error says what is wrong and what to do, for example if
// the file is no database, belongs to another program or was written by a newer version. Then the
// file is left as it is.
//
// The error wraps ErrInUse if another Store, of this process or another, has the file open, and
// ErrAhead if the last change in it is more than a minute ahead of the clock.
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

// openDatabases opens the connections to the file, which the caller has locked. After an error no
// connection is open.
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
		err = createDatabase(ctx, s.write, path, s.opts)
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
		err = w.matchZone(ctx)
	}
	if err == nil && s.opts.Display != "" {
		err = w.matchDisplay(ctx)
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
		w.release() // Close of the pool would leave a connection open that is in use
	}
	_ = s.closeDatabases() // its error would repeat err
	return nil, unusable(path, err)
}

// Close commits and answers the writes that wait, then closes the database. Further calls return
// nil.
func (s *Store) Close() error {
	var err error
	s.once.Do(func() {
		close(s.stop)
		<-s.done
		err = errors.Join(s.closeDatabases(), s.lock.release())
	})
	return err
}

// closeDatabases closes the writer's connection last. The last connection copies the write-ahead
// log into the file, and the readers' connections may not write.
func (s *Store) closeDatabases() error {
	var err error
	if s.read != nil {
		err = s.read.Close()
	}
	return errors.Join(err, s.write.Close())
}

// Epoch is the name that the database was given when it was made or restored.
func (s *Store) Epoch() string { return s.epoch }

// Seq is the seq of the last committed change.
func (s *Store) Seq() int64 { return s.seq.Load() }

// At is when the last committed change was made. It never decreases.
func (s *Store) At() time.Time { return time.UnixMilli(s.at.Load()).UTC() }

// Seen is the stamp of the last change that other users can see, changes of points aside. The first
// change of a day and writes by another program count. Since then, only points have changed boards.
func (s *Store) Seen() Stamp { return *s.seen.Load() }

// Touch takes a seq with the present time and changes nothing else. So Options.Committed learns
// that time has passed.
func (s *Store) Touch(ctx context.Context) error {
	return s.do(ctx, 1, func(_ context.Context, t *tx) error {
		t.touch()
		return nil
	})
}

// Check looks whether another program has written to the database file since the last transaction,
// and if so calls Options.Committed. It costs an empty transaction and one pragma.
func (s *Store) Check(ctx context.Context) error {
	return s.do(ctx, 1, func(context.Context, *tx) error { return nil }) // see tx.noticeForeign
}

// Exclusive calls fn on the writer's goroutine, so that nothing is written meanwhile. fn must not
// write to the store.
func (s *Store) Exclusive(ctx context.Context, fn func(context.Context) error) error {
	return s.do(ctx, 1, func(ctx context.Context, _ *tx) error { return fn(ctx) })
}

// Ready writes to the database and returns why it can't, or nil.
func (s *Store) Ready(ctx context.Context) error {
	return s.do(ctx, 1, func(ctx context.Context, t *tx) error {
		_, err := t.conn.ExecContext(ctx, `UPDATE state SET id = 1`)
		return err
	})
}

// do runs fn in the writer's next transaction and waits for the commit. weight is how many rows fn
// writes, roughly. fn must return an *Error, a refusal, before it writes anything; any other error
// rolls the transaction back.
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
		// The writer may have answered just before it ended.
		select {
		case err := <-r.answer:
			return err
		default:
			return ErrClosed
		}
	}
}
