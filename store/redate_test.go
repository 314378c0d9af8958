package store_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"marcador/command/verify"
	"marcador/store"
)

// A database that was written by a clock ten years ahead is refused, and left as it is,
// until it is redated. Then what was given in that time counts today, and nothing else is
// changed.
func TestRedate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.db")
	c := &clock{}
	opts := store.Options{Now: c.Now}
	c.set("2026-11-29T12:00:00Z")
	s := open(t, path, opts)
	put(t, s, "ana", "leo")
	give(t, s, "ana", 5)
	c.set("2036-11-30T03:00:00Z")
	for _, groups := range []string{"7a", "8a", ""} {
		p := store.Profile{ID: "leo", Username: "Leo", Groups: map[string][]string{}}
		if groups != "" {
			p.Groups["school"] = []string{groups}
		}
		_, err := s.PutProfiles(t.Context(), []store.Profile{p})
		mustDo(t, err)
	}
	give(t, s, "ana", 7)
	give(t, s, "leo", 3)
	closing := &store.Closing{Period: store.Daily, Start: time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC), Ends: time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC), Ranks: "ordinal"}
	month := &store.Closing{Period: store.Monthly, Start: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), Ends: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC), Ranks: "ordinal"}
	for _, closed := range []*store.Closing{closing, month} {
		mustDo(t, s.BeginClosing(t.Context(), closed))
		final := []store.Final{{User: 1, Position: 1, Rank: 1, Score: 5, XP: 5}}
		mustDo(t, s.AddFinals(t.Context(), closed, final))
		mustDo(t, s.AddPlaces(t.Context(), closed, final))
		closed.Entries = 1
		mustDo(t, s.EndClosing(t.Context(), closed))
	}
	seq := s.Seq()
	closeStore(t, s)

	c.set("2026-11-30T04:00:00Z")
	before := bytesOf(t, path)
	_, err := store.Open(t.Context(), path, opts)
	if !errors.Is(err, store.ErrAhead) || !strings.Contains(err.Error(), "by 3652 days") || !strings.Contains(err.Error(), "marcador redate") || strings.Contains(err.Error(), "\n") {
		t.Errorf("Open = %v", err)
	}
	if bytesOf(t, path) != before {
		t.Error("the database was changed")
	}
	r, kept, err := store.Redate(t.Context(), path, c.Now())
	if err != nil || r.Rows != 2 || r.Closings != 1 {
		t.Fatalf("Redate = %+v, %q, %v", r, kept, err)
	}
	if got := names(t, path); len(got) != 2 {
		t.Errorf("there are %v, want the two databases", got)
	}

	d, err := verify.Open(t.Context(), path, verify.Options{})
	mustDo(t, err)
	if found, err := d.Totals(t.Context()); found != "" || err != nil {
		t.Errorf("verify says %q, %v", found, err)
	}
	mustDo(t, d.Close())
	s = open(t, path, opts)
	if s.Seq() != seq || !s.At().Equal(c.Now()) {
		t.Errorf("seq is %d, want %d, of %v", s.Seq(), seq, s.At())
	}
	scores := map[uint32]int64{}
	today := &store.Closing{Period: store.Daily, Start: closing.Ends, Ends: store.Daily.Next(closing.Ends)}
	mustDo(t, s.Outcome(t.Context(), today, func(f *store.Final) { scores[f.User] = f.Score }))
	if len(scores) != 2 || scores[1] != 7 || scores[2] != 3 {
		t.Errorf("today's points are %v", scores)
	}
	if list, err := s.Closings(t.Context(), store.Daily, c.Now(), 10); err != nil || len(list) != 1 {
		t.Errorf("closed days are %v, %v", list, err)
	}
	give(t, s, "leo", 1)
	c.set("2036-11-30T03:00:00Z")
	if was := open(t, kept, opts); was.Seq() != seq || !was.At().Equal(c.Now()) {
		t.Errorf("what was there has the seq %d, of %v", was.Seq(), was.At())
	}
}

// A clock may be a little behind another machine's. What is written then keeps the later
// time: it never goes back.
func TestOpen_clockBehind(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.db")
	c := &clock{}
	c.set("2026-11-29T12:01:00Z")
	s := open(t, path, store.Options{Now: c.Now})
	put(t, s, "ana")
	closeStore(t, s)
	c.set("2026-11-29T12:00:00Z")
	s = open(t, path, store.Options{Now: c.Now})
	give(t, s, "ana", 1)
	if got := s.At().Format(time.RFC3339); got != "2026-11-29T12:01:00Z" {
		t.Errorf("it was written at %s", got)
	}
	closeStore(t, s)
	c.set("2026-11-29T11:59:59Z")
	if _, err := store.Open(t.Context(), path, store.Options{Now: c.Now}); !errors.Is(err, store.ErrAhead) {
		t.Errorf("Open = %v, want ErrAhead", err)
	}
}
