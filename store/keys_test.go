package store_test

import (
	"errors"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"marcador/store"
)

// keyed returns a write of one update under a key.
func keyed(key, id string, xp int64) store.Write {
	return store.Write{Key: key, Updates: []store.Update{{UserID: id, XP: xp}}}
}

// ranker is an Options.Committed that makes up ranks, different ones for each update.
func ranker(c store.Commit) {
	for _, ch := range c.Changes {
		if ch.Points != nil {
			ch.Points.OldRank, ch.Points.NewRank = int(1000+ch.Seq), int(2000+ch.Seq)
		}
	}
}

func addOne(tb testing.TB, s *store.Store, w store.Write) store.Points {
	tb.Helper()
	points, err := s.AddPoints(tb.Context(), []store.Write{w})
	if err != nil {
		tb.Fatal(err)
	}
	p := *points[0]
	p.Reached = 0
	p.Scores = [store.Ending]store.Score{} // not part of an answer
	return p
}

func TestStore_AddPoints_sameKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.db")
	s := open(t, path, store.Options{Committed: ranker})
	put(t, s, "u1")
	first := addOne(t, s, keyed("k", "u1", 50))
	for name, between := range map[string]func(){
		"at once":            func() {},
		"after other writes": func() { give(t, s, "u1", 7) },
		"after a crash": func() {
			give(t, s, "u1", 7) // this transaction stores the first answer
			path = crash(t, path)
			s = open(t, path, store.Options{Committed: ranker})
		},
	} {
		t.Run(name, func(t *testing.T) {
			between()
			xp := xpOf(t, s, "u1")
			if again := addOne(t, s, keyed("k", "u1", 50)); again != first {
				t.Errorf("again = %+v, want %+v", again, first)
			}
			if got := xpOf(t, s, "u1"); got != xp {
				t.Errorf("xp = %d after a repetition, want %d", got, xp)
			}
		})
	}
	for name, w := range map[string]store.Write{
		"another xp":   keyed("k", "u1", 51),
		"another user": keyed("k", "u2", 50),
		"more updates": {Key: "k", Updates: []store.Update{{UserID: "u1", XP: 50}, {UserID: "u1", XP: 1}}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.AddPoints(t.Context(), []store.Write{w})
			wantCode(t, err, store.KeyReused, 0)
		})
	}
}

func TestStore_AddPoints_sameKeyTwiceInABatch(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "m.db"), store.Options{Committed: ranker})
	put(t, s, "u1")
	points, err := s.AddPoints(t.Context(), []store.Write{keyed("a", "u1", 5), keyed("b", "u1", 5), keyed("a", "u1", 5)})
	if err != nil {
		t.Fatal(err)
	}
	if points[0] != points[2] || points[0] == points[1] {
		t.Errorf("points = %v, want the third to be the first", points)
	}
	if got := xpOf(t, s, "u1"); got != 10 {
		t.Errorf("xp = %d, want 10", got)
	}
	_, err = s.AddPoints(t.Context(), []store.Write{keyed("c", "u1", 5), keyed("c", "u1", 6)})
	wantCode(t, err, store.KeyReused, 1)
}

func TestStore_AddPoints_sameKeyAtTheSameTime(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "m.db"), store.Options{Committed: ranker})
	put(t, s, "u1")
	const callers = 40
	got := make([]store.Points, callers)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() { got[i] = addOne(t, s, keyed("k", "u1", 50)) })
	}
	wg.Wait()
	for i := range got {
		if got[i] != got[0] {
			t.Errorf("caller %d was told %+v, another %+v", i, got[i], got[0])
		}
	}
	if xp := xpOf(t, s, "u1"); xp != 50 {
		t.Errorf("xp = %d, want 50", xp)
	}
}

func TestStore_AddPoints_batchUnderOneKey(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "m.db"), store.Options{Committed: ranker})
	put(t, s, "u1", "u2")
	batch := store.Write{Key: "k", Updates: []store.Update{{UserID: "u1", XP: 5}, {UserID: "u2", XP: 6}, {UserID: "u1", XP: 7}}}
	add := func() (points []store.Points) {
		t.Helper()
		list, err := s.AddPoints(t.Context(), []store.Write{batch})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range list {
			c := *p
			c.Reached = 0
			c.Scores = [store.Ending]store.Score{}
			points = append(points, c)
		}
		return points
	}
	first := add()
	give(t, s, "u1", 1)
	for i, p := range add() {
		if p != first[i] {
			t.Errorf("update %d: again = %+v, want %+v", i, p, first[i])
		}
	}
	for _, part := range [][]store.Update{batch.Updates[:2], append(batch.Updates[:3:3], store.Update{UserID: "u1", XP: 1})} {
		_, err := s.AddPoints(t.Context(), []store.Write{{Key: "k", Updates: part}})
		wantCode(t, err, store.KeyReused, 0)
	}
	if u1, u2 := xpOf(t, s, "u1"), xpOf(t, s, "u2"); u1 != 13 || u2 != 6 {
		t.Errorf("xp = %d, %d, want 13, 6", u1, u2)
	}
	// After a user of the batch was erased, and even enrolled again, it counts nobody twice.
	if err := s.Erase(t.Context(), "u1"); err != nil {
		t.Fatal(err)
	}
	put(t, s, "u1")
	_, err := s.AddPoints(t.Context(), []store.Write{batch})
	wantCode(t, err, store.UserNotFound, 0)
	if u2 := xpOf(t, s, "u2"); u2 != 6 {
		t.Errorf("u2 has %d after the repetition, want 6", u2)
	}
}

func TestStore_Unanswered(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.db")
	s := open(t, path, store.Options{Committed: ranker})
	put(t, s, "u1")
	reached := give(t, s, "u1", 10).Seq
	if _, err := s.AddPoints(t.Context(), []store.Write{
		keyed("k", "u1", 50), {Updates: []store.Update{{UserID: "u1", XP: 7}}},
	}); err != nil {
		t.Fatal(err)
	}
	// The next transaction would store the ranks, but it never comes.
	after := open(t, crash(t, path), store.Options{})
	recent, err := after.Unanswered(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	type row struct {
		xp, xpAfter, reachedBefore int64
		keyed                      bool
	}
	var got []row
	for _, r := range recent {
		got = append(got, row{r.XP, r.XPAfter, r.ReachedBefore, r.Keyed})
	}
	if want := []row{{50, 60, reached, true}, {7, 67, reached + 1, false}}; !slices.Equal(got, want) {
		t.Fatalf("Unanswered() = %v, want %v", got, want)
	}
	recent[0].OldRank, recent[0].NewRank = 7, 3
	if err := after.Answer(t.Context(), []*store.Points{recent[0].Points}); err != nil {
		t.Fatal(err)
	}
	if p := addOne(t, after, keyed("k", "u1", 50)); p.OldRank != 7 || p.NewRank != 3 {
		t.Errorf("the repetition was answered with ranks %d, %d, want 7, 3", p.OldRank, p.NewRank)
	}
}

func TestStore_Close_savesAnswers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.db")
	s := mustOpenWith(t, path, store.Options{Committed: ranker})
	put(t, s, "u1")
	first := addOne(t, s, keyed("k", "u1", 50))
	closeStore(t, s)
	again := open(t, path, store.Options{})
	if recent, err := again.Unanswered(t.Context()); err != nil || len(recent) > 0 {
		t.Errorf("Unanswered() = %v, %v after Close, want none", recent, err)
	}
	if p := addOne(t, again, keyed("k", "u1", 50)); p != first {
		t.Errorf("again = %+v, want %+v", p, first)
	}
}

// If a keyed write and the erasure of its user are in one transaction, the next transaction has an
// answer to store whose row is gone. Its writes must not fail because of that.
func TestStore_Erase_rightAfterAKeyedWrite(t *testing.T) {
	s, together := grouped(t)
	put(t, s, "u1", "u2")
	together(
		func() error {
			_, err := s.AddPoints(t.Context(), []store.Write{keyed("k", "u1", 50)})
			return err
		},
		func() error { return s.Erase(t.Context(), "u1") },
	)
	give(t, s, "u2", 1)
	give(t, s, "u2", 1)
	if got := xpOf(t, s, "u2"); got != 2 {
		t.Errorf("u2 has %d, want 2", got)
	}
}

// A request that makes its transaction fail is rolled back as a whole. The other requests of that
// transaction are committed.
func TestStore_failedRequestFailsAlone(t *testing.T) {
	s, together := grouped(t)
	put(t, s, "u1", "u2")
	exec(t, store.Path(t, s), `CREATE TRIGGER fault BEFORE INSERT ON ledger WHEN NEW.xp = 666 BEGIN SELECT RAISE(ABORT, 'a fault'); END`)
	seq := s.Seq()
	var failed error
	together(
		func() error { give(t, s, "u1", 1); return nil },
		func() error {
			_, failed = s.AddPoints(t.Context(), []store.Write{{Updates: []store.Update{{UserID: "u2", XP: 5}, {UserID: "u2", XP: 666}}}})
			return nil
		},
		func() error { give(t, s, "u1", 2); return nil },
	)
	if !errors.Is(failed, store.ErrUnavailable) {
		t.Errorf("error = %v, want ErrUnavailable", failed)
	}
	if u1, u2 := xpOf(t, s, "u1"), xpOf(t, s, "u2"); u1 != 3 || u2 != 0 {
		t.Errorf("xp = %d, %d, want 3, 0", u1, u2)
	}
	if s.Seq() != seq+4 { // two updates, the touch before them, and the trigger of another program
		t.Errorf("Seq() = %d, want %d", s.Seq(), seq+4)
	}
	store.CheckSums(t, s)
}

// grouped returns a store and a function that has writes committed in one transaction, in order.
func grouped(t *testing.T) (*store.Store, func(...func() error)) {
	t.Helper()
	var pause sync.Mutex
	s := open(t, filepath.Join(t.TempDir(), "m.db"), store.Options{Committed: func(c store.Commit) {
		ranker(c)
		pause.Lock()
		defer pause.Unlock()
	}})
	return s, func(writes ...func() error) {
		t.Helper()
		pause.Lock()
		var wg sync.WaitGroup
		wg.Go(func() { // the writer stops after this one
			if err := s.Touch(t.Context()); err != nil {
				t.Error(err)
			}
		})
		for before := s.Seq(); s.Seq() == before; {
			time.Sleep(time.Millisecond) // real goroutines; there is nothing to wait on
		}
		for i, write := range writes {
			wg.Go(func() {
				if err := write(); err != nil {
					t.Error(err)
				}
			})
			for store.Waiting(s) <= i {
				time.Sleep(time.Millisecond) // as above
			}
		}
		pause.Unlock()
		wg.Wait()
	}
}
