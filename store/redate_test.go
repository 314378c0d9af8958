package store_test

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"marcador/command/verify"
	"marcador/store"
)

// wroteAhead returns the path of a database that a service wrote to while its clock was ten years
// ahead, and the seq of its last change. ana got 5 points by the right clock; ana got 7 and leo 3
// by the wrong one, which also closed the present month.
func wroteAhead(t *testing.T, c *clock) (path string, seq int64) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "m.db")
	c.set("2026-11-29T12:00:00Z")
	s := open(t, path, store.Options{Now: c.Now})
	put(t, s, "ana", "leo")
	give(t, s, "ana", 5)
	c.set("2036-11-30T03:00:00Z")
	for _, group := range []string{"7a", "8a", ""} {
		p := store.Profile{ID: "leo", Username: "Leo", Groups: map[string][]string{}}
		if group != "" {
			p.Groups["school"] = []string{group}
		}
		_, err := s.PutProfiles(t.Context(), []store.Profile{p})
		mustDo(t, err)
	}
	give(t, s, "ana", 7)
	give(t, s, "leo", 3)
	closePeriod(t, s, &store.Closing{Period: store.Daily, Start: utc(11, 29), Ends: utc(11, 30), Ranks: "ordinal"})
	closePeriod(t, s, &store.Closing{Period: store.Monthly, Start: utc(11, 1), Ends: utc(12, 1), Ranks: "ordinal"})
	seq = s.Seq()
	closeStore(t, s)
	return path, seq
}

// utc returns the beginning of a day of 2026.
func utc(month time.Month, day int) time.Time {
	return time.Date(2026, month, day, 0, 0, 0, 0, time.UTC)
}

// closePeriod closes a period in which user 1 alone has a place.
func closePeriod(t *testing.T, s *store.Store, c *store.Closing) {
	t.Helper()
	mustDo(t, s.BeginClosing(t.Context(), c))
	final := []store.Final{{User: 1, Position: 1, Rank: 1, Score: 5, XP: 5}}
	mustDo(t, s.AddFinals(t.Context(), c, final))
	mustDo(t, s.AddPlaces(t.Context(), c, final))
	c.Entries = 1
	mustDo(t, s.EndClosing(t.Context(), c))
}

// A database with changes ahead of the clock is refused, with an error that says what to do, and
// left as it is.
func TestOpen_aheadOfTheClock(t *testing.T) {
	c := &clock{}
	path, _ := wroteAhead(t, c)
	c.set("2026-11-30T04:00:00Z")
	before := bytesOf(t, path)
	_, err := store.Open(t.Context(), path, store.Options{Now: c.Now})
	if !errors.Is(err, store.ErrAhead) {
		t.Errorf("Open = %v, want ErrAhead", err)
	}
	wantOneLine(t, err, "by 3652 days")
	wantOneLine(t, err, "marcador redate")
	if bytesOf(t, path) != before {
		t.Error("the database was changed")
	}
}

// After Redate the points given by a wrong clock count today, a period that it closed too early is
// open again, and nothing else has changed. The database as it was stays beside the new one.
func TestRedate(t *testing.T) {
	c := &clock{}
	path, seq := wroteAhead(t, c)
	opts := store.Options{Now: c.Now}
	c.set("2026-11-30T04:00:00Z")
	r, former, err := store.Redate(t.Context(), path, c.Now())
	if err != nil || r.Rows != 2 || r.Closings != 1 {
		t.Fatalf("Redate = %+v, %q, %v", r, former, err)
	}
	if got := names(t, path); len(got) != 2 {
		t.Errorf("files = %v, want the two databases", got)
	}

	d, err := verify.Open(t.Context(), path, verify.Options{})
	mustDo(t, err)
	if found, err := d.Totals(t.Context()); found != "" || err != nil {
		t.Errorf("verify says %q, %v", found, err)
	}
	mustDo(t, d.Close())

	s := open(t, path, opts)
	if s.Seq() != seq || !s.At().Equal(c.Now()) {
		t.Errorf("seq %d at %v, want %d at %v", s.Seq(), s.At(), seq, c.Now())
	}
	scores := map[uint32]int64{}
	today := &store.Closing{Period: store.Daily, Start: utc(11, 30), Ends: utc(12, 1)}
	mustDo(t, s.Outcome(t.Context(), today, func(f *store.Final) { scores[f.User] = f.Score }))
	if len(scores) != 2 || scores[1] != 7 || scores[2] != 3 {
		t.Errorf("today's points are %v", scores)
	}
	if list, err := s.Closings(t.Context(), store.Daily, c.Now(), 10); err != nil || len(list) != 1 {
		t.Errorf("closed days are %v, %v", list, err)
	}
	give(t, s, "leo", 1)
	c.set("2036-11-30T03:00:00Z")
	if was := open(t, former, opts); was.Seq() != seq || !was.At().Equal(c.Now()) {
		t.Errorf("the former database has the seq %d at %v", was.Seq(), was.At())
	}
}

// A clock may be a minute behind the one of the machine before. New rows then get the time of the
// last change, since times never decrease.
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
		t.Errorf("the row has the time %s", got)
	}
	closeStore(t, s)
	c.set("2026-11-29T11:59:59Z")
	if _, err := store.Open(t.Context(), path, store.Options{Now: c.Now}); !errors.Is(err, store.ErrAhead) {
		t.Errorf("Open = %v, want ErrAhead", err)
	}
}
