package store_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"marcador/store"
)

// The writes of a rehearsal are refused as usual and seen by its later writes. When it ends, they
// are gone from the database and from memory.
func TestStore_Rehearse(t *testing.T) {
	committed := 0
	s := open(t, filepath.Join(t.TempDir(), "m.db"), store.Options{Committed: func(store.Commit) { committed++ }, Fault: func(err error) { t.Errorf("Fault(%v)", err) }})
	put(t, s, "ana")
	give(t, s, "ana", 5)
	before, seq := committed, s.Seq()
	take := func(ctx context.Context, xp int64) error {
		_, err := s.AddPoints(ctx, []store.Write{{Key: "k", Updates: []store.Update{{UserID: "ana", XP: xp}}}})
		return err
	}
	err := s.Rehearse(t.Context(), func(ctx context.Context) error {
		if _, err := s.PutProfiles(ctx, []store.Profile{{ID: "leo", Username: "Leo"}}); err != nil {
			return err
		}
		for range 2 { // the second is a repetition
			if err := take(ctx, -4); err != nil {
				return err
			}
		}
		_, err := s.AddPoints(ctx, []store.Write{{Updates: []store.Update{{UserID: "leo", XP: 1}, {UserID: "ana", XP: -2}}}})
		if refusal, ok := errors.AsType[*store.Error](err); !ok || refusal.Code != store.NegativeTotal || refusal.Index != 1 {
			t.Errorf("2 points were taken from a user with 1: %v", err)
		}
		return s.BefriendAll(ctx, []store.Pair{{ID: "ana", Other: "leo"}})
	})
	if err != nil || committed != before || s.Seq() != seq {
		t.Errorf("Rehearse = %v, with %d commits, and seq %d after %d", err, committed-before, s.Seq(), seq)
	}
	if _, err := s.User(t.Context(), "leo"); err == nil {
		t.Error("a user of the rehearsal exists")
	}
	if err := take(t.Context(), -5); err != nil {
		t.Errorf("the points from before the rehearsal are missing: %v", err)
	}
	put(t, s, "mia")
	mia, err := s.User(t.Context(), "mia")
	if err != nil || mia.Number != 2 {
		t.Errorf("mia has the number %d (%v), want 2: numbers are dense", mia.Number, err)
	}
	mine := errors.New("mine")
	if err := s.Rehearse(t.Context(), func(context.Context) error { return mine }); !errors.Is(err, mine) || errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Rehearse = %v, want the function's own error", err)
	}
}
