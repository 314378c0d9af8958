package store_test

import (
	"path/filepath"
	"sync"
	"testing"

	"marcador/store"
)

// keyed is a write of one update under a key.
func keyed(key, id string, xp int64) store.Write {
	return store.Write{Key: key, Updates: []store.Update{{UserID: id, XP: xp}}}
}

// ranker stands for what ranks: it makes up ranks that tell updates apart.
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
	p.Reached = 0 // not part of the answer
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
			give(t, s, "u1", 7) // with it the first answer is stored
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
	// Erasing one of them, and even enrolling them again, counts nobody twice.
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
	addOne(t, s, keyed("k", "u1", 50))
	// The ranks of that write come with the next, which never happens.
	after := open(t, crash(t, path), store.Options{})
	points, before, err := after.Unanswered(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(points) != 1 || points[0].XP != 50 || points[0].XPAfter != 60 || before[0] != reached {
		t.Fatalf("Unanswered() = %+v, %v, want the write of 50, reached %d before", points, before, reached)
	}
	points[0].OldRank, points[0].NewRank = 7, 3
	if err := after.Answer(t.Context(), points); err != nil {
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
	if points, _, err := again.Unanswered(t.Context()); err != nil || len(points) > 0 {
		t.Errorf("Unanswered() = %v, %v after Close, want none", points, err)
	}
	if p := addOne(t, again, keyed("k", "u1", 50)); p != first {
		t.Errorf("again = %+v, want %+v", p, first)
	}
}
