package transfer_test

import (
	"testing"

	"marcador/store"
)

// After an import into another database, a caller's retry is recognised, and equal keys of
// different callers stay apart.
func TestImport_callers(t *testing.T) {
	week := func(caller string, xp int64) store.Write {
		return store.Write{Caller: caller, Key: "week-1", Updates: []store.Update{{UserID: "a", XP: xp}}}
	}
	for _, format := range []string{"jsonl", "csv"} {
		s, path := open(t)
		load(t, s, `{"id":"a","username":"A"}`)
		for _, w := range []store.Write{week("maths", 5), week("music", 5), week("=sport", 7)} {
			if _, err := s.AddPoints(t.Context(), []store.Write{w}); err != nil {
				t.Fatal(err)
			}
		}
		file := export(t, path, format)
		moved, to := open(t)
		if c := load(t, moved, file); c.Points != 3 {
			t.Errorf("%s: counts = %+v", format, c)
		}
		if got := export(t, to, format); got != file {
			t.Errorf("export = %s, want %s", got, file)
		}
		for _, w := range []store.Write{week("maths", 5), week("music", 5), week("=sport", 7), week("arts", 1)} {
			if _, err := moved.AddPoints(t.Context(), []store.Write{w}); err != nil {
				t.Error(err)
			}
		}
		if got := totals(t, moved, "a"); got[0] != 18 {
			t.Errorf("xp = %d, want 18", got[0])
		}
	}
}

// Keys without a caller, as older versions exported them, match the key of any caller.
func TestImport_keysOfNobody(t *testing.T) {
	const file = `{"id":"a","username":"A"}` + "\n" + `{"userId":"a","xp":5,"key":"week-1"}` + "\n"
	s, _ := open(t)
	load(t, s, file)
	load(t, s, `{"userId":"a","xp":2,"key":"week-2","caller":" music\u00a0"}`)
	own := store.Write{Caller: "music", Key: "week-2", Updates: []store.Update{{UserID: "a", XP: 2}}}
	if _, err := s.AddPoints(t.Context(), []store.Write{own}); err != nil {
		t.Error(err)
	}
	if c := load(t, s, file); c.Points != 0 || c.Already != 1 {
		t.Errorf("again: counts = %+v", c)
	}
	retry := store.Write{Caller: "maths", Key: "week-1", Updates: []store.Update{{UserID: "a", XP: 5}}}
	if _, err := s.AddPoints(t.Context(), []store.Write{retry}); err != nil {
		t.Fatal(err)
	}
	if got := totals(t, s, "a"); got[0] != 7 {
		t.Errorf("xp = %d, want 7", got[0])
	}
}
