package store_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"marcador/internal/schematest"
	"marcador/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is an Options.Now that tests set.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) set(s string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	c.now = t
}

// open opens a database and closes it when the test ends.
func open(tb testing.TB, path string, opts store.Options) *store.Store {
	tb.Helper()
	s := mustOpenWith(tb, path, opts)
	tb.Cleanup(func() { closeStore(tb, s) })
	return s
}

func closeStore(tb testing.TB, s *store.Store) {
	tb.Helper()
	if err := s.Close(); err != nil {
		tb.Error(err)
	}
}

// crash copies the files of a database as they are on the disk, as if the process had died now, and
// returns the path of the copy.
func crash(tb testing.TB, path string) string {
	tb.Helper()
	copied := filepath.Join(tb.TempDir(), "after.db")
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(path + suffix)
		if err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(copied+suffix, b, 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	return copied
}

// put creates users.
func put(tb testing.TB, s *store.Store, ids ...string) {
	tb.Helper()
	var profiles []store.Profile
	for _, id := range ids {
		profiles = append(profiles, store.Profile{ID: id, Username: strings.ToUpper(id)})
	}
	if _, err := s.PutProfiles(tb.Context(), profiles); err != nil {
		tb.Fatal(err)
	}
}

// give gives a user points.
func give(tb testing.TB, s *store.Store, id string, xp int64) *store.Points {
	tb.Helper()
	points, err := s.AddPoints(tb.Context(), []store.Write{{Updates: []store.Update{{UserID: id, XP: xp}}}})
	if err != nil {
		tb.Fatal(err)
	}
	return points[0]
}

func xpOf(tb testing.TB, s *store.Store, id string) int64 {
	tb.Helper()
	u, err := s.User(tb.Context(), id)
	if err != nil {
		tb.Fatal(err)
	}
	return u.XP
}

func wantCode(tb testing.TB, err error, code store.Code, index int) {
	tb.Helper()
	var refusal *store.Error
	if !errors.As(err, &refusal) || refusal.Code != code || refusal.Index != index {
		tb.Fatalf("error = %#v, want code %s at %d", err, code, index)
	}
}

// mustOpen opens a database. The test must close it.
func mustOpen(tb testing.TB, path string) *store.Store {
	tb.Helper()
	return mustOpenWith(tb, path, store.Options{})
}

func mustOpenWith(tb testing.TB, path string, opts store.Options) *store.Store {
	tb.Helper()
	opts.Schema = schematest.Text(tb)
	s, err := store.Open(tb.Context(), path, opts)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// exec runs a statement on the file through another connection, as another program would.
func exec(tb testing.TB, path, query string, args ...any) {
	tb.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := db.ExecContext(tb.Context(), query, args...); err != nil {
		tb.Fatal(err)
	}
	if err := db.Close(); err != nil {
		tb.Fatal(err)
	}
}

func TestStore_AddPoints(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "m.db"), store.Options{})
	put(t, s, "u1", "u2")
	points, err := s.AddPoints(t.Context(), []store.Write{{Updates: []store.Update{
		{UserID: "u1", XP: 50, MLCoins: 5, Reason: "exercise:1"},
		{UserID: "u2", XP: 10},
		{UserID: "u1", XP: -20},
		{UserID: "u1", MLCoins: 7},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	type row struct{ seq, xpAfter, coinsAfter, reached int64 }
	var got []row
	for _, p := range points {
		got = append(got, row{p.Seq, p.XPAfter, p.MLCoinsAfter, p.Reached})
	}
	// The profiles took the seqs 1 and 2. Coins alone do not change Reached.
	want := []row{{3, 50, 5, 3}, {4, 10, 0, 4}, {5, 30, 5, 5}, {6, 30, 12, 5}}
	if !slices.Equal(got, want) {
		t.Errorf("AddPoints() = %v, want %v", got, want)
	}
	u, err := s.User(t.Context(), "u1")
	if err != nil || u.XP != 30 || u.MLCoins != 12 {
		t.Errorf("User(u1) = %d, %d, %v, want 30, 12", u.XP, u.MLCoins, err)
	}
	if s.Seq() != 6 {
		t.Errorf("Seq() = %d, want 6", s.Seq())
	}
}

func TestStore_AddPoints_refusesAllOrNone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.db")
	s := open(t, path, store.Options{})
	put(t, s, "u1", "u2")
	give(t, s, "u1", 50)
	before := s.Seq()
	for name, c := range map[string]struct {
		update store.Update
		code   store.Code
	}{
		"unknown user":      {store.Update{UserID: "nobody", XP: 1}, store.UserNotFound},
		"below 0":           {store.Update{UserID: "u1", XP: -52}, store.NegativeTotal},
		"least number":      {store.Update{UserID: "u1", XP: -1 << 63}, store.NegativeTotal},
		"coins below 0":     {store.Update{UserID: "u2", XP: 1, MLCoins: -1}, store.NegativeTotal},
		"too large":         {store.Update{UserID: "u1", XP: store.MaxTotal - 50}, store.TotalTooLarge},
		"greatest number":   {store.Update{UserID: "u2", MLCoins: 1<<63 - 1}, store.TotalTooLarge},
		"nothing to change": {store.Update{UserID: "u1"}, store.NothingToChange},
	} {
		t.Run(name, func(t *testing.T) {
			// The update before it is valid, and the refused one is checked against its
			// total.
			_, err := s.AddPoints(t.Context(), []store.Write{
				{Key: "good " + name, Updates: []store.Update{{UserID: "u1", XP: 1}}},
				{Updates: []store.Update{c.update}},
			})
			wantCode(t, err, c.code, 1)
			if got := xpOf(t, s, "u1"); got != 50 {
				t.Errorf("xp = %d after a refusal, want 50", got)
			}
			if s.Seq() != before {
				t.Errorf("Seq() = %d after a refusal, want %d", s.Seq(), before)
			}
		})
	}
	// A refusal stores no key either.
	if _, err := s.AddPoints(t.Context(), []store.Write{{Key: "good below 0", Updates: []store.Update{{UserID: "u2", XP: 9}}}}); err != nil {
		t.Errorf("a write with the key of a refused one: %v", err)
	}
}

func TestStore_AddPoints_groupsCommits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.db")
	var commits, changes int
	var last int64
	s := open(t, path, store.Options{Committed: func(c store.Commit) {
		commits++
		for _, ch := range c.Changes {
			changes++
			if ch.Seq != last+1 {
				t.Errorf("change %d follows %d", ch.Seq, last)
			}
			last = ch.Seq
		}
		if c.Seq != last {
			t.Errorf("commit at %d, its last change at %d", c.Seq, last)
		}
	}})
	users := []string{"u1", "u2", "u3", "u4", "u5"}
	put(t, s, users...)
	const callers, each = 50, 40
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for range each {
				p := give(t, s, users[i%len(users)], 3)
				if p.Seq > s.Seq() {
					t.Errorf("answered %d before it was committed (%d)", p.Seq, s.Seq())
				}
			}
		})
	}
	wg.Wait()
	for _, u := range users {
		if got, want := xpOf(t, s, u), int64(callers/len(users)*each*3); got != want {
			t.Errorf("%s has %d, want %d", u, got, want)
		}
	}
	if changes != callers*each+len(users) {
		t.Errorf("%d changes were reported, want %d", changes, callers*each+len(users))
	}
	if commits >= callers*each/2 {
		t.Errorf("%d commits for %d updates by %d callers: they are not grouped", commits, callers*each, callers)
	}
	store.CheckSums(t, s)
}

// A transaction takes maxBatch updates, however many wait.
func TestStore_AddPoints_bounded(t *testing.T) {
	var commits atomic.Int64
	s := open(t, filepath.Join(t.TempDir(), "m.db"), store.Options{Committed: func(store.Commit) { commits.Add(1) }})
	put(t, s, "u1")
	commits.Store(0)
	updates := make([]store.Update, 1000)
	for i := range updates {
		updates[i] = store.Update{UserID: "u1", XP: 1}
	}
	const writes = 4
	var wg sync.WaitGroup
	if err := s.Exclusive(t.Context(), func(context.Context) error {
		for range writes {
			wg.Go(func() {
				if _, err := s.AddPoints(context.Background(), []store.Write{{Updates: updates}}); err != nil {
					t.Error(err)
				}
			})
		}
		for store.Waiting(s) < writes {
			runtime.Gosched()
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if got := commits.Load(); got != 2 {
		t.Errorf("%d commits of 2,000 updates each, want 2", got)
	}
}

// The totals that the writer has in memory are those of the database: also after a write by another
// program, an erasure, and a transaction that was rolled back.
func TestStore_AddPoints_remembered(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.db")
	s := open(t, path, store.Options{})
	put(t, s, "u1")
	give(t, s, "u1", 5)
	exec(t, path, `UPDATE totals SET xp = 100`)
	if got := give(t, s, "u1", 1).XPAfter; got != 101 {
		t.Errorf("after a write by another program it has %d, want 101", got)
	}
	if err := s.Erase(t.Context(), "u1"); err != nil {
		t.Fatal(err)
	}
	put(t, s, "u1")
	if got := give(t, s, "u1", 2).XPAfter; got != 2 {
		t.Errorf("a new user with the id of an erased one has %d, want 2", got)
	}
	exec(t, path, `
		CREATE TRIGGER fails BEFORE INSERT ON ledger WHEN NEW.reason = 'fails'
		BEGIN SELECT RAISE(ABORT, 'as asked'); END`)
	give(t, s, "u1", 3)
	_, err := s.AddPoints(t.Context(), []store.Write{{Updates: []store.Update{{UserID: "u1", XP: 10}, {UserID: "u1", XP: 10, Reason: "fails"}}}})
	if !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("error = %v, want ErrUnavailable", err)
	}
	if got := give(t, s, "u1", 4).XPAfter; got != 9 {
		t.Errorf("after a transaction that was rolled back it has %d, want 9", got)
	}
}

func TestStore_AddPoints_survivesRestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.db")
	s := mustOpen(t, path)
	put(t, s, "u1")
	give(t, s, "u1", 50)
	after := crash(t, path)
	epoch, seq := s.Epoch(), s.Seq()
	closeStore(t, s)
	for _, p := range []string{path, after} {
		again := open(t, p, store.Options{})
		if got := xpOf(t, again, "u1"); got != 50 {
			t.Errorf("xp = %d after a restart, want 50", got)
		}
		if again.Epoch() != epoch || again.Seq() != seq {
			t.Errorf("epoch and seq = %s, %d after a restart, want %s, %d", again.Epoch(), again.Seq(), epoch, seq)
		}
		if p := give(t, again, "u1", 1); p.Seq != seq+1 {
			t.Errorf("the next seq is %d, want %d", p.Seq, seq+1)
		}
	}
}

// Close leaves the database's file and no other.
func TestStore_Close_leavesOneFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.db")
	s := mustOpen(t, path)
	put(t, s, "u1")
	addOne(t, s, keyed("k", "u1", 50))
	if _, err := s.User(t.Context(), "u1"); err != nil { // opens a connection that reads
		t.Fatal(err)
	}
	closeStore(t, s)
	if log, err := os.Stat(path + "-wal"); err == nil {
		t.Errorf("%d bytes are left in the write-ahead log", log.Size())
	}
}

func TestStore_Close(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.db")
	started, proceed := make(chan struct{}), make(chan struct{})
	var once sync.Once
	s := open(t, path, store.Options{Committed: func(store.Commit) {
		once.Do(func() { close(started); <-proceed })
	}})
	// One write is under way and others wait when Close is called.
	const waiting = 20
	errs := make(chan error, waiting+1)
	add := func() {
		_, err := s.PutProfiles(context.Background(), []store.Profile{{ID: "u1", Username: "x"}})
		errs <- err
	}
	go add()
	<-started
	for range waiting {
		go add()
	}
	for store.Waiting(s) < waiting {
		time.Sleep(time.Millisecond) // real goroutines queue up; there is nothing to wait on
	}
	close(proceed)
	closeStore(t, s)
	for range waiting + 1 {
		if err := <-errs; err != nil {
			t.Errorf("a write that waited at Close: %v", err)
		}
	}
	if _, err := s.PutProfiles(t.Context(), nil); !errors.Is(err, store.ErrClosed) {
		t.Errorf("after Close: %v, want ErrClosed", err)
	}
}

func TestStore_busy(t *testing.T) {
	proceed, started := make(chan struct{}), make(chan struct{})
	var once sync.Once
	s := open(t, filepath.Join(t.TempDir(), "m.db"), store.Options{Queue: 2, Committed: func(store.Commit) {
		once.Do(func() { close(started); <-proceed })
	}})
	errs := make(chan error, 2)
	go func() { errs <- s.Touch(context.Background()) }()
	<-started
	go func() { errs <- s.Touch(context.Background()) }()
	for store.Waiting(s) < 1 { // the first write counts as waiting until it is answered
		time.Sleep(time.Millisecond) // as above
	}
	if err := s.Touch(t.Context()); !errors.Is(err, store.ErrBusy) {
		t.Errorf("with a full queue: %v, want ErrBusy", err)
	}
	close(proceed)
	for range 2 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

func TestStore_callerGone(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "m.db"), store.Options{})
	put(t, s, "u1")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.AddPoints(ctx, []store.Write{{Updates: []store.Update{{UserID: "u1", XP: 1}}}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v, want context.Canceled", err)
	}
	if err := s.Touch(t.Context()); err != nil { // after this the writer is done with the write above
		t.Fatal(err)
	}
	if got := xpOf(t, s, "u1"); got != 0 {
		t.Errorf("a write whose context was done gave %d", got)
	}
}

// If another program has the lock, Close waits for it once, and not once for each write that waits.
func TestStore_Close_locked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.db")
	s := mustOpen(t, path)
	other, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := other.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(t.Context(), `BEGIN IMMEDIATE`); err != nil {
		t.Fatal(err)
	}
	errs := make(chan error, 8)
	for range cap(errs) {
		go func() { errs <- s.Touch(context.Background()) }()
	}
	began := time.Now()
	closeStore(t, s)
	if took := time.Since(began); took > 4*store.BusyTimeout {
		t.Errorf("closing took %v", took)
	}
	for range cap(errs) {
		if err := <-errs; !errors.Is(err, store.ErrUnavailable) && !errors.Is(err, store.ErrClosed) {
			t.Errorf("error = %v, want ErrUnavailable or ErrClosed", err)
		}
	}
	if err := errors.Join(conn.Close(), other.Close()); err != nil {
		t.Error(err)
	}
}
