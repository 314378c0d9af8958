package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// maxBatch bounds the weight of a transaction: gather adds requests until it is reached. So it
// bounds how long the first request waits.
const maxBatch = 2000

// request is a write that waits for its commit.
type request struct {
	ctx    context.Context // the caller's; if it is done by then, fn is not run
	weight int             // how many rows fn writes, roughly
	fn     func(context.Context, *tx) error
	answer chan error // capacity 1, so that the writer never waits for the caller
}

// writer owns the connection that writes. Its fields belong to the goroutine of run, which commits
// many callers' writes with one transaction:
//
//	callers                    run, one goroutine
//	AddPoints   ──┐
//	PutProfiles ──┼─ do ──▶ queue ──▶ gather: all requests that wait, up to maxBatch
//	Erase       ──┘                     │
//	   ▲                     BEGIN IMMEDIATE
//	   │                       noticeForeign: has another program written?
//	   │                       saveAnswers: ranks of the last transaction's writes
//	   │                       request.fn: one after another; a refusal writes nothing
//	   │                     COMMIT, synced ──error──▶ ROLLBACK, then each request alone
//	   │                                │
//	   │                     Options.Committed: ranks the changes
//	   └────────answer──────────────────┘
//
// While one transaction is being synced, the next requests gather in the queue. So batches grow
// with the load, without a timer, and a lone write waits for nothing.
type writer struct {
	s    *Store
	conn *sql.Conn
	stmt statements

	files files // the files that conn has open

	seq        int64  // the last seq that was committed
	at         int64  // its time, in Unix milliseconds
	lastNumber uint32 // the highest user number that this process has given or found
	version    int64  // PRAGMA data_version, which changes when another connection writes

	// answers are the keyed writes of the last transaction, with the ranks that they were
	// answered with. The next transaction stores them. Bounded by maxBatch.
	answers map[keyName]keyed

	// callerless is set if there may be keys without a caller. New databases have none, and
	// then keyed writes need not look for one.
	callerless bool

	remnants bool // the write-ahead log may have data that was erased

	fault error // the last argument of Options.Fault: one of faults, another error, or nil

	// known has the totals of the users who got points last, by user id, maxKnown at the most;
	// beyond it the least recently used are dropped. They are as the last transaction left
	// them. Reading them from the database would take a quarter of an update. Entries are never
	// changed, only replaced. All are dropped when another program may have changed totals.
	known *simplelru.LRU[string, *totalsRow]

	strangers strangers
}

// maxKnown totals take some 20 MB.
const maxKnown = 1 << 16

// tx is a transaction under way. It belongs to the writer's goroutine.
type tx struct {
	*writer
	seq      int64         // the last seq that was given, committed or not
	at       int64         // the time of the transaction
	started  [Ending]int64 // starts of the periods, good until tomorrow: see starts
	tomorrow int64
	changes  []Change
	keyed    map[keyName]keyed     // keyed writes of this transaction
	written  map[string]*totalsRow // totals that this transaction changed, as in known
	version  int64                 // PRAGMA data_version now
	seen     Stamp                 // Store.Seen after this transaction
}

func newWriter(ctx context.Context, s *Store) (*writer, error) {
	conn, err := s.write.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	w := &writer{s: s, conn: conn}
	w.known, _ = simplelru.NewLRU[string, *totalsRow](maxKnown, nil) // its only error is a size below 1
	w.strangers = newStrangers()
	err = w.stmt.prepare(ctx, conn)
	var seen, seenAt int64
	if err == nil {
		err = conn.QueryRowContext(ctx, `
			SELECT epoch, max(seq, (SELECT coalesce(max(seq), 0) FROM ledger)), at,
			       (SELECT coalesce(max(number), 0) FROM users), data_version, seen, seen_at
			FROM state, pragma_data_version`).Scan(&s.epoch, &w.seq, &w.at, &w.lastNumber, &w.version, &seen, &seenAt)
	}
	if err == nil {
		err = w.findCallerless(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open database: %w", err), conn.Close())
	}
	s.seq.Store(w.seq)
	s.at.Store(w.at)
	s.seen.Store(&Stamp{seen, time.UnixMilli(seenAt).UTC()})
	return w, nil
}

// checkWritable returns an error if the database can't be written. It sets files.
func (w *writer) checkWritable(ctx context.Context, path string) (err error) {
	if _, err = w.conn.ExecContext(ctx, `UPDATE state SET id = 1`); err == nil {
		w.files, err = filesOf(path)
	}
	return err
}

// run commits requests in batches until the store is closed and the queue is empty.
func (w *writer) run() {
	defer close(w.s.done)
	ctx := context.Background()
	var batch []*request
	stopping := false
	for {
		var first *request
		select {
		case first = <-w.s.queue:
		case <-w.s.stop:
			stopping = true
			select {
			case first = <-w.s.queue:
			default:
				w.close(ctx)
				return
			}
		}
		batch = w.gather(append(batch[:0], first))
		if !w.commit(ctx, batch) && stopping {
			// The requests that still wait get ErrClosed at once. Otherwise each batch
			// of them would wait for the lock as long as this one.
			w.release()
			return
		}
		clear(batch)
		if w.remnants {
			w.truncate(ctx)
		}
	}
}

// gather adds the requests that wait to the batch. Before that it yields to other goroutines, as
// long as more requests come each time: callers that were answered a moment ago are about to write
// again, and so half as many transactions carry twice as many writes each. If no other goroutine
// can run, yielding takes no time.
func (w *writer) gather(batch []*request) []*request {
	for waiting := 0; waiting < len(w.s.queue) && waiting < maxBatch; {
		waiting = len(w.s.queue)
		runtime.Gosched()
	}
	weight := batch[0].weight
	for weight < maxBatch {
		select {
		case r := <-w.s.queue:
			batch = append(batch, r)
			weight += r.weight
		default:
			return batch
		}
	}
	return batch
}

// truncate empties the write-ahead log. If a reader still needs it, run tries again after the next
// batch; Check makes one even if nothing is written.
func (w *writer) truncate(ctx context.Context) {
	var busy, pages, moved int
	_, err := w.conn.ExecContext(ctx, `PRAGMA busy_timeout = 0`)
	if err == nil {
		err = w.conn.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &pages, &moved)
	}
	if err == nil && busy == 0 {
		w.remnants = false
	}
	_, _ = w.conn.ExecContext(ctx, fmt.Sprintf(`PRAGMA busy_timeout = %d`, lockTimeout.Milliseconds())) // it worked when the connection was opened
}

// commit runs the batch as one transaction and answers each request. begun is false if the
// transaction could not begin.
func (w *writer) commit(ctx context.Context, batch []*request) (begun bool) {
	outcomes := make([]error, len(batch))
	t, err := w.transact(ctx, batch, outcomes)
	begun = !errors.Is(err, errBegin)
	if err != nil && begun && len(batch) > 1 {
		// One request may have made the others fail, so each runs alone.
		for i := range batch {
			w.commit(ctx, batch[i:i+1])
		}
		return true
	}
	if err == nil {
		w.committed(t)
	}
	rehearsed := errors.Is(err, errRehearsed) // rolled back on purpose
	if err != nil && !rehearsed {
		err = fmt.Errorf("%w: %w", ErrUnavailable, w.s.Fault(err))
	}
	if reason := reasonOf(err); reason != w.fault && !rehearsed { //nolint:errorlint // compares values of reasonOf
		w.fault = reason
		w.s.opts.Fault(err)
	}
	for i, r := range batch {
		w.s.weight.Add(int64(-r.weight))
		r.answer <- cmp.Or(err, outcomes[i])
	}
	return begun
}

// errBegin is returned if a transaction could not begin, for example because another program has
// the database's lock.
var errBegin = errors.New("begin")

// transact runs the batch between BEGIN and COMMIT. After an error nothing of it is in the
// database. It sets outcomes to refusals and to errors of contexts that are done.
func (w *writer) transact(ctx context.Context, batch []*request, outcomes []error) (t *tx, err error) {
	if err := cmp.Or(w.s.damaged(), w.files.check()); err != nil {
		return nil, fmt.Errorf("%w: %w", errBegin, err)
	}
	if _, err := w.conn.ExecContext(ctx, `BEGIN IMMEDIATE`); err != nil {
		_, _ = w.conn.ExecContext(ctx, `ROLLBACK`) // a transaction may be open whose ROLLBACK failed
		return nil, fmt.Errorf("%w: %w", errBegin, err)
	}
	defer func() {
		if err != nil {
			_, _ = w.conn.ExecContext(ctx, `ROLLBACK`) // SQLite may have rolled back already
		}
	}()
	t = &tx{
		writer: w, seq: w.seq, version: w.version,
		at:    max(w.s.opts.Now().UnixMilli(), w.at), // the ledger's times never decrease
		keyed: map[keyName]keyed{}, written: map[string]*totalsRow{},
	}
	if err := t.noticeForeign(ctx); err != nil {
		return nil, err
	}
	if err := w.saveAnswers(ctx); err != nil {
		return nil, err
	}
	for i, r := range batch {
		if outcomes[i] = r.ctx.Err(); outcomes[i] != nil {
			continue
		}
		err := r.fn(ctx, t)
		if refusal, ok := errors.AsType[*Error](err); ok {
			outcomes[i] = refusal
		} else if err != nil {
			return nil, err
		}
	}
	if t.seq > w.seq || len(w.answers) > 0 {
		at := w.at
		if t.seq > w.seq {
			at = t.at
		}
		t.seen = t.lastSeen()
		if _, err := w.stmt.saveState.ExecContext(ctx, t.seq, at, w.seq, t.seen.Seq, t.seen.At.UnixMilli()); err != nil {
			return nil, fmt.Errorf("save state: %w", err)
		}
	}
	if _, err := w.conn.ExecContext(ctx, `COMMIT`); err != nil {
		return nil, fmt.Errorf("commit: %w", err)
	}
	return t, nil
}

// committed updates what the writer and the store know, and calls Options.Committed.
func (w *writer) committed(t *tx) {
	w.answers = t.keyed
	for id, of := range t.written {
		w.known.Add(id, of)
	}
	if len(t.changes) == 0 {
		return
	}
	foreign := t.version != w.version
	w.seq, w.at, w.version = t.seq, t.at, t.version
	w.s.seq.Store(w.seq)
	w.s.at.Store(w.at)
	w.s.seen.Store(&t.seen)
	w.s.opts.Committed(Commit{Changes: t.changes, Foreign: foreign, Seq: t.seq, At: time.UnixMilli(t.at).UTC()})
}

// add gives the change the next seq and the transaction's time, and returns the seq.
func (t *tx) add(c Change) int64 {
	t.seq++
	c.Seq, c.At = t.seq, time.UnixMilli(t.at).UTC()
	t.changes = append(t.changes, c)
	return t.seq
}

// touch adds an empty Change: for time that has passed, for writes by another program, and for a
// wish that changed no friendship.
func (t *tx) touch() { t.add(Change{}) }

// lastSeen returns Store.Seen as it is after the transaction.
func (t *tx) lastSeen() Stamp {
	at := time.UnixMilli(t.at).UTC()
	for i := range slices.Backward(t.changes) {
		if c := &t.changes[i]; c.Seen() {
			return Stamp{c.Seq, at}
		}
	}
	loc := t.s.opts.Location
	dayBegins := Daily.Start(at.In(loc)).After(time.UnixMilli(t.writer.at).In(loc))
	if len(t.changes) > 0 && (dayBegins || t.version != t.writer.version) {
		return Stamp{t.changes[0].Seq, at}
	}
	return t.s.Seen()
}

// saveAnswers stores the ranks that the last transaction's keyed writes were answered with.
func (w *writer) saveAnswers(ctx context.Context) error {
	for _, k := range w.answers {
		if err := w.addAnswers(ctx, k.points); err != nil {
			return err
		}
	}
	return nil
}

// noticeForeign finds out, at the beginning of each transaction, whether another program has
// written to the database since the last one. If so it adds an empty Change, so that pages and
// streams that show the new data have a version of their own.
func (t *tx) noticeForeign(ctx context.Context) error {
	if err := t.stmt.dataVersion.QueryRowContext(ctx).Scan(&t.version); err != nil {
		return fmt.Errorf("read data_version: %w", err)
	}
	if t.version == t.writer.version {
		return nil
	}
	t.known.Purge()
	if err := t.findCallerless(ctx); err != nil {
		return err
	}
	var seq int64 // the other program may have used seqs too
	if err := t.conn.QueryRowContext(ctx, `
		SELECT max(seq, (SELECT coalesce(max(seq), 0) FROM ledger)) FROM state`).Scan(&seq); err != nil {
		return fmt.Errorf("read seq: %w", err)
	}
	t.seq = max(t.seq, seq)
	t.touch()
	return nil
}

// close saves the last answers and closes the writer's connection.
func (w *writer) close(ctx context.Context) {
	if len(w.answers) > 0 {
		// After an error the next start computes them again: see Unanswered.
		_, _ = w.transact(ctx, nil, nil)
	}
	w.release()
}

// release closes the writer's connection. Errors are dropped, since everything is committed.
func (w *writer) release() {
	_ = w.stmt.close()
	_ = w.conn.Close()
}
