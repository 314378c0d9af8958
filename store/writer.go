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

// maxBatch bounds the weight of the requests of one transaction, but for its last,
// and with it how long the first of them waits.
const maxBatch = 2000

// request is a write that waits for its commit.
type request struct {
	ctx    context.Context // the caller's: where it is done before its turn, the write is dropped
	weight int             // how many rows it is about
	fn     func(context.Context, *tx) error
	answer chan error // of capacity 1, so that the writer never waits
}

// writer owns the connection that writes. All its fields belong to run's
// goroutine.
type writer struct {
	s    *Store
	conn *sql.Conn
	stmt statements

	files files // those that conn has open

	seq        int64  // the last number given, committed
	at         int64  // when, in Unix milliseconds
	lastNumber uint32 // the highest user number ever given by this process
	version    int64  // what PRAGMA data_version was: it moves when others write

	// answers are what keyed writes of the last transaction were answered with;
	// the next transaction stores them. Bounded by what one can write.
	answers map[keyName]keyed

	nobodys bool // there may be keys without a caller; new databases have none, which spares each keyed write a look

	remnants bool // the write-ahead log may hold something that was erased

	fault error // what Options.Fault was told last: one of faults, another error, or nil

	// known are totals as the last transaction left them, by user id: of those who were
	// given points last, maxKnown at the most. Reading them takes a quarter of an update.
	// They are never changed, only replaced, and all are forgotten where the database may
	// have others.
	known *simplelru.LRU[string, *totalsRow]

	strangers strangers
}

// maxKnown takes some 20 MB.
const maxKnown = 1 << 16

// tx is a transaction under way. It belongs to the writer's goroutine.
type tx struct {
	*writer
	seq      int64 // the last number given, committed or not
	at       int64
	periods  [Ending]int64 // see starts, as of tomorrow
	tomorrow int64
	changes  []Change
	keyed    map[keyName]keyed     // this transaction's
	written  map[string]*totalsRow // as this transaction leaves them; as known
	version  int64                 // what PRAGMA data_version is
	seen     Stamp                 // see Store.Seen
}

func newWriter(ctx context.Context, s *Store) (*writer, error) {
	conn, err := s.write.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	w := &writer{s: s, conn: conn}
	w.known, _ = simplelru.NewLRU[string, *totalsRow](maxKnown, nil) // which minds numbers below 1
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
		err = w.findNobodys(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open database: %w", err), conn.Close())
	}
	s.seq.Store(w.seq)
	s.at.Store(w.at)
	s.seen.Store(&Stamp{seen, time.UnixMilli(seenAt).UTC()})
	return w, nil
}

// checkWritable notes the files that are open, and returns why they can't be written, if
// they can't.
func (w *writer) checkWritable(ctx context.Context, path string) (err error) {
	if _, err = w.conn.ExecContext(ctx, `UPDATE state SET id = 1`); err == nil {
		w.files, err = filesOf(path)
	}
	return err
}

// run commits requests in batches until the store is closed and the queue is
// empty. Batches form by themselves under load, and a lone write waits for nobody.
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
			// The others that wait get ErrClosed, rather than each the same wait.
			w.release()
			return
		}
		clear(batch)
		if w.remnants {
			w.truncate(ctx)
		}
	}
}

// gather adds all requests to the batch that wait. As long as more come whenever
// others are let run, it lets them: those who were answered a moment ago are about to
// ask again, and half as many transactions carry twice as much. Where nobody else has
// anything to do that takes no time.
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

// truncate empties the write-ahead log, unless somebody reads what is in it: then
// it is tried again after the next batch, which Check brings about if nothing else.
func (w *writer) truncate(ctx context.Context) {
	var busy, pages, moved int
	_, err := w.conn.ExecContext(ctx, `PRAGMA busy_timeout = 0`)
	if err == nil {
		err = w.conn.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &pages, &moved)
	}
	if err == nil && busy == 0 {
		w.remnants = false
	}
	_, _ = w.conn.ExecContext(ctx, fmt.Sprintf(`PRAGMA busy_timeout = %d`, lockTimeout.Milliseconds())) // it has been set like this before
}

// commit runs the batch as one transaction and answers each request. It returns
// false if the database did not let it begin.
func (w *writer) commit(ctx context.Context, batch []*request) (begun bool) {
	outcomes := make([]error, len(batch))
	t, err := w.transact(ctx, batch, outcomes)
	begun = !errors.Is(err, errBegin)
	if err != nil && begun && len(batch) > 1 {
		// One request's trouble must not be its neighbours': each by itself.
		for i := range batch {
			w.commit(ctx, batch[i:i+1])
		}
		return true
	}
	if err == nil {
		w.committed(t)
	}
	rehearsed := errors.Is(err, errRehearsed) // it was undone on purpose
	if err != nil && !rehearsed {
		err = fmt.Errorf("%w: %w", ErrUnavailable, w.s.noteDamage(err))
	}
	if reason := reasonOf(err); reason != w.fault && !rehearsed { //nolint:errorlint // the same value, or another
		w.fault = reason
		w.s.opts.Fault(err)
	}
	for i, r := range batch {
		w.s.weight.Add(int64(-r.weight))
		r.answer <- cmp.Or(err, outcomes[i])
	}
	return begun
}

// errBegin is wrapped where a transaction could not begin, as when another
// program holds the lock.
var errBegin = errors.New("begin")

// transact runs the batch between BEGIN and COMMIT. An error means that
// nothing of it is in the database.
func (w *writer) transact(ctx context.Context, batch []*request, outcomes []error) (t *tx, err error) {
	if err := cmp.Or(w.s.damaged(), w.files.there()); err != nil {
		return nil, fmt.Errorf("%w: %w", errBegin, err)
	}
	if _, err := w.conn.ExecContext(ctx, `BEGIN IMMEDIATE`); err != nil {
		_, _ = w.conn.ExecContext(ctx, `ROLLBACK`) // should one be open that could not be rolled back
		return nil, fmt.Errorf("%w: %w", errBegin, err)
	}
	defer func() {
		if err != nil {
			_, _ = w.conn.ExecContext(ctx, `ROLLBACK`) // SQLite may have done so already
		}
	}()
	// Time in the ledger never goes back, whatever the machine's clock does.
	t = &tx{writer: w, seq: w.seq, at: max(w.s.opts.Now().UnixMilli(), w.at), version: w.version, keyed: map[keyName]keyed{}, written: map[string]*totalsRow{}}
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

// committed makes what the transaction did known.
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

// add gives the change the next sequence number and the transaction's time.
func (t *tx) add(c Change) int64 {
	t.seq++
	c.Seq, c.At = t.seq, time.UnixMilli(t.at).UTC()
	t.changes = append(t.changes, c)
	return t.seq
}

// touch takes a number for something that no other field of a Change describes: time that has
// passed, a write of another program, or a friendship that did not change.
func (t *tx) touch() { t.add(Change{}) }

// lastSeen is what Store.Seen is with the transaction.
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

// saveAnswers stores what the last transaction's keyed writes were answered with.
func (w *writer) saveAnswers(ctx context.Context) error {
	for _, k := range w.answers {
		if err := w.addAnswers(ctx, k.points); err != nil {
			return err
		}
	}
	return nil
}

// noticeForeign compares the database's own count of changes by other
// connections, at the beginning of each transaction. A change by another program
// gets a sequence number, so that pages and streams that show it have a version
// of their own.
func (t *tx) noticeForeign(ctx context.Context) error {
	if err := t.stmt.dataVersion.QueryRowContext(ctx).Scan(&t.version); err != nil {
		return fmt.Errorf("read data_version: %w", err)
	}
	if t.version == t.writer.version {
		return nil
	}
	t.known.Purge()
	if err := t.findNobodys(ctx); err != nil {
		return err
	}
	var seq int64 // it may have taken numbers too
	if err := t.conn.QueryRowContext(ctx, `
		SELECT max(seq, (SELECT coalesce(max(seq), 0) FROM ledger)) FROM state`).Scan(&seq); err != nil {
		return fmt.Errorf("read seq: %w", err)
	}
	t.seq = max(t.seq, seq)
	t.touch()
	return nil
}

func (w *writer) close(ctx context.Context) {
	if len(w.answers) > 0 {
		// What can't be saved here is worked out again at the next start.
		_, _ = w.transact(ctx, nil, nil)
	}
	w.release()
}

// release closes the writer's connection. What goes wrong is not the caller's to
// know: everything is committed.
func (w *writer) release() {
	_ = w.stmt.close()
	_ = w.conn.Close()
}
