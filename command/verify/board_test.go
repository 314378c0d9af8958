package verify_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"marcador/command/verify"
)

// school is a world in which everything happens that changes boards, up to noon of Wednesday, 11
// March 2026.
func school(tb testing.TB, zone string) *world {
	tb.Helper()
	w := newWorld(tb, zone)
	w.users("2026-01-01 08:00", "ana", "bea", "cid", "dan", "eva", "fay")
	w.join("2026-01-01 08:00", "ana", "school", "4:2")
	w.join("2026-01-01 08:00", "bea", "school", "4:2")
	w.join("2026-01-01 08:00", "cid", "school", "7")
	w.join("2026-01-01 08:00", "eva", "school", "4:2")
	w.give("2026-01-31 23:59", "ana", 100, 1)
	w.give("2026-02-01 00:00", "bea", 100, 2)
	w.give("2026-02-28 23:59", "cid", 50, 0)
	w.give("2026-03-01 00:00", "dan", 40, 0) // a Sunday
	w.give("2026-03-02 00:00", "ana", 10, 0) // the week before
	w.give("2026-03-08 23:59", "eva", 110, 0)
	w.leave("2026-03-09 09:00", "cid", "school", "7")
	w.join("2026-03-09 09:00", "cid", "school", "4:2") // joined this week
	w.give("2026-03-09 10:00", "cid", 60, 0)
	w.give("2026-03-10 00:00", "bea", 10, 0) // yesterday
	w.give("2026-03-10 10:00", "dan", -40, 0)
	w.give("2026-03-10 23:59", "cid", 5, 7)
	w.befriend("2026-03-10 09:00", "dan", "cid")
	w.befriend("2026-03-11 00:00", "dan", "ana")
	w.users("2026-03-11 00:00", "gus") // today
	w.give("2026-03-11 00:00", "bea", 5, 0)
	w.give("2026-03-11 00:01", "cid", 5, 0)
	w.give("2026-03-11 08:00", "gus", 5, 0)
	w.give("2026-03-11 08:01", "dan", 3, 0)
	w.give("2026-03-11 08:02", "dan", -3, 0)
	w.give("2026-03-11 08:03", "eva", 7, 0)
	w.give("2026-03-11 08:04", "bea", 0, 9) // coins alone
	w.exec(`UPDATE users SET hidden = 1 WHERE id = 'eva'`)
	w.addUp()
	return w
}

// words returns a line of text for each row.
func words(rows []verify.Row) string {
	var b strings.Builder
	for _, r := range rows {
		fmt.Fprintf(&b, "%d<%d %s %d\n", r.Rank, r.Prior, r.UserID, r.Score)
	}
	return b.String()
}

// lines returns each string as a line of text.
func lines(s ...string) string {
	if len(s) == 0 {
		return ""
	}
	return strings.Join(s, "\n") + "\n"
}

// The expected rows were written by hand: rank, rank in the baseline, user, score.
//
// All time: cid 120, bea 115, ana 110, gus 5, then fay and dan with 0; fay never had points, so she
// comes first. eva is hidden and has 117.
func TestDB_Board(t *testing.T) {
	global := verify.AllTime
	cases := []struct {
		name, board string
		period      verify.Period
		opts        verify.Options
		want        []string
	}{
		{"all time since yesterday", "global", global, verify.Options{},
			[]string{"1<1 cid 120", "2<3 bea 115", "3<2 ana 110", "4<0 gus 5", "5<4 fay 0", "6<5 dan 0"}},
		{"all time since last week", "global", global, verify.Options{Baseline: verify.Weekly},
			[]string{"1<3 cid 120", "2<2 bea 115", "3<1 ana 110", "4<0 gus 5", "5<5 fay 0", "6<4 dan 0"}},
		{"all time since last month, competition", "global", global, verify.Options{Baseline: verify.Monthly, Numbering: "competition"},
			[]string{"1<3 cid 120", "2<1 bea 115", "3<1 ana 110", "4<0 gus 5", "5<4 fay 0", "5<4 dan 0"}},
		{"dense", "global", global, verify.Options{Baseline: verify.Monthly, Numbering: "dense"},
			[]string{"1<2 cid 120", "2<1 bea 115", "3<1 ana 110", "4<0 gus 5", "5<3 fay 0", "5<3 dan 0"}},
		{"today", "global", verify.Daily, verify.Options{},
			[]string{"1<1 bea 5", "2<2 cid 5", "3<0 gus 5", "4<3 dan 0"}},
		{"today, competition", "global", verify.Daily, verify.Options{Numbering: "competition"},
			[]string{"1<1 bea 5", "1<2 cid 5", "1<0 gus 5", "4<3 dan 0"}},
		{"today, dense", "global", verify.Daily, verify.Options{Numbering: "dense"},
			[]string{"1<1 bea 5", "1<2 cid 5", "1<0 gus 5", "2<3 dan 0"}},
		{"this week", "global", verify.Weekly, verify.Options{},
			[]string{"1<0 cid 70", "2<0 bea 15", "3<0 gus 5", "4<0 dan -40"}},
		{"this month", "global", verify.Monthly, verify.Options{},
			[]string{"1<2 cid 70", "2<1 bea 15", "3<0 ana 10", "4<0 gus 5", "5<0 dan 0"}},
		{"a group whose id has a colon, with a member since this week", "school:4:2", global, verify.Options{Baseline: verify.Weekly},
			[]string{"1<0 cid 120", "2<2 bea 115", "3<1 ana 110"}},
		{"the group today", "school:4:2", verify.Daily, verify.Options{},
			[]string{"1<1 bea 5", "2<2 cid 5"}},
		{"the group this week", "school:4:2", verify.Weekly, verify.Options{},
			[]string{"1<0 cid 70", "2<0 bea 15"}},
		{"a group without members", "school:7", global, verify.Options{}, nil},
		{"friends: one since yesterday, one since the first moment of today", "friends:dan", global, verify.Options{},
			[]string{"1<1 cid 120", "2<0 ana 110", "3<2 dan 0"}},
		{"no friends", "friends:fay", global, verify.Options{}, []string{"1<1 fay 0"}},
		{"friends of a user who does not exist", "friends:zoe", global, verify.Options{}, nil},
		{"an unknown board", "globe", global, verify.Options{}, nil},
		{"a group without an id", "global:", global, verify.Options{}, nil},
	}
	for _, zone := range []string{"UTC", "America/Mexico_City", "Europe/Madrid"} {
		w := school(t, zone)
		for _, c := range cases {
			t.Run(zone+" "+c.name, func(t *testing.T) {
				rows, err := w.open(c.opts).Board(t.Context(), c.board, c.period, w.time("2026-03-11 12:00"))
				if err != nil {
					t.Fatal(err)
				}
				if got, want := words(rows), lines(c.want...); got != want {
					t.Errorf("Board(%s, %s) =\n%s\nwant\n%s", c.board, c.period, got, want)
				}
			})
		}
	}
}

// Hidden users get the rank that they would have among the others. eva is hidden, and has 117
// points in all, 117 this month, and 7 this week and today.
func TestDB_Hidden(t *testing.T) {
	w := school(t, "America/Mexico_City")
	w.users("2026-03-11 00:00", "hal") // with 0 points he comes after fay, and has the same dense and competition rank as she and dan
	w.exec(`UPDATE users SET hidden = 1 WHERE id = 'hal'`)
	for _, c := range []struct {
		board     string
		period    verify.Period
		numbering string
		want      []string
	}{
		{"global", verify.AllTime, "ordinal", []string{"2<0 eva 117", "6<0 hal 0"}},
		{"global", verify.AllTime, "competition", []string{"2<0 eva 117", "5<0 hal 0"}},
		{"global", verify.AllTime, "dense", []string{"2<0 eva 117", "5<0 hal 0"}},
		{"global", verify.Daily, "competition", []string{"1<0 eva 7"}},
		{"global", verify.Weekly, "dense", []string{"3<0 eva 7"}},
		{"school:4:2", verify.Weekly, "ordinal", []string{"3<0 eva 7"}},
		{"friends:eva", verify.AllTime, "ordinal", []string{"1<0 eva 117"}},
		{"school:7", verify.AllTime, "ordinal", nil},
	} {
		rows, err := w.open(verify.Options{Numbering: c.numbering}).Hidden(t.Context(), c.board, c.period, w.time("2026-03-11 12:00"))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := words(rows), lines(c.want...); got != want {
			t.Errorf("Hidden(%s, %s) %s =\n%s\nwant\n%s", c.board, c.period, c.numbering, got, want)
		}
	}
}

// A user who was hidden and is shown again is new on the boards.
func TestDB_Board_shownAgain(t *testing.T) {
	w := school(t, "Europe/Madrid")
	w.exec(`UPDATE users SET hidden = 0, seen_since = ? WHERE id = 'eva'`, w.ms("2026-03-11 00:00"))
	d := w.open(verify.Options{})
	for board, want := range map[string][]string{
		"global":     {"1<1 cid 120", "2<0 eva 117", "3<3 bea 115", "4<2 ana 110", "5<0 gus 5", "6<4 fay 0", "7<5 dan 0"},
		"school:4:2": {"1<1 cid 120", "2<0 eva 117", "3<3 bea 115", "4<2 ana 110"},
	} {
		rows, err := d.Board(t.Context(), board, verify.AllTime, w.time("2026-03-11 12:00"))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := words(rows), lines(want...); got != want {
			t.Errorf("%s =\n%s\nwant\n%s", board, got, want)
		}
	}
}

// The present period is that of the clock, or that of the last change if it is later.
func TestDB_Board_clock(t *testing.T) {
	w := school(t, "America/Mexico_City")
	d := w.open(verify.Options{})
	today := lines("1<1 bea 5", "2<2 cid 5", "3<0 gus 5", "4<3 dan 0")
	for now, want := range map[string]string{
		"2026-02-20 12:00": today,
		"2026-03-11 23:59": today,
		"2026-03-12 00:00": "", // no points yet
	} {
		rows, err := d.Board(t.Context(), "global", verify.Daily, w.time(now))
		if err != nil {
			t.Fatal(err)
		}
		if got := words(rows); got != want {
			t.Errorf("at %s:\n%s\nwant\n%s", now, got, want)
		}
	}
	w.give("2026-03-12 06:00", "fay", 1, 0)
	rows, err := d.Board(t.Context(), "global", verify.Daily, w.time("2026-03-11 12:00"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := words(rows), lines("1<0 fay 1"); got != want {
		t.Errorf("after a change tomorrow:\n%s\nwant\n%s", got, want)
	}
}

// Points count to the minute on days that changes of the clocks make shorter or longer.
func TestDB_Board_summerTime(t *testing.T) {
	for _, c := range []struct{ zone, before, at, after string }{
		{"Europe/Madrid", "2026-03-28", "2026-03-29", "2026-03-30"},       // 23 hours
		{"Europe/Madrid", "2026-10-24", "2026-10-25", "2026-10-26"},       // 25 hours
		{"America/Mexico_City", "2022-04-02", "2022-04-03", "2022-04-04"}, // 23 hours
		{"America/Mexico_City", "2022-10-29", "2022-10-30", "2022-10-31"}, // 25 hours
	} {
		t.Run(c.zone+" "+c.at, func(t *testing.T) {
			w := newWorld(t, c.zone)
			w.users("2022-01-01 00:00", "ana", "bea")
			w.give(c.before+" 23:59", "ana", 1, 0)
			w.give(c.at+" 00:00", "ana", 2, 0)
			w.give(c.at+" 23:59", "bea", 4, 0)
			w.give(c.after+" 00:00", "bea", 8, 0)
			w.give(c.after+" 00:01", "ana", 16, 0)
			d := w.open(verify.Options{})
			rows, err := d.Board(t.Context(), "global", verify.Daily, w.time(c.after+" 12:00"))
			if err != nil {
				t.Fatal(err)
			}
			if got, want := words(rows), lines("1<2 ana 16", "2<1 bea 8"); got != want {
				t.Errorf("the day after:\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// A badge is the highest that the user's points reach.
func TestDB_Board_badge(t *testing.T) {
	w := newWorld(t, "UTC")
	w.users("2026-01-01 00:00", "ana", "bea", "cid")
	w.give("2026-01-01 00:00", "ana", 5000, 3)
	w.give("2026-01-01 00:00", "bea", 4999, 0)
	w.give("2026-01-02 00:00", "cid", 500000, 0)
	rows, err := w.open(verify.Options{}).Board(t.Context(), "global", verify.Daily, w.time("2026-01-02 00:00"))
	if err != nil {
		t.Fatal(err)
	}
	if want := []verify.Row{{"cid", 1, 0, 500000, 500000, 0, "K'uk'ulkan"}}; !slices.Equal(rows, want) {
		t.Errorf("got %v, want %v", rows, want)
	}
	rows, err = w.open(verify.Options{}).Board(t.Context(), "global", verify.AllTime, w.time("2026-01-02 00:00"))
	if err != nil {
		t.Fatal(err)
	}
	if want := []verify.Row{
		{"cid", 1, 3, 500000, 500000, 0, "K'uk'ulkan"}, {"ana", 2, 1, 5000, 5000, 3, "Nacom"}, {"bea", 3, 2, 4999, 4999, 0, "Ajaw"},
	}; !slices.Equal(rows, want) {
		t.Errorf("got %v, want %v", rows, want)
	}
}

// Open refuses files and options that it can't work with, and makes no file.
func TestOpen_refuses(t *testing.T) {
	w := newWorld(t, "UTC")
	dir := t.TempDir()
	missing, other := filepath.Join(dir, "missing.db"), filepath.Join(dir, "other.db")
	if err := os.WriteFile(other, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path string
		opts verify.Options
		want string
	}{
		{missing, verify.Options{}, "there is no database"},
		{dir, verify.Options{}, "is a folder"},
		{other, verify.Options{}, "not a database of marcador"},
		{w.path, verify.Options{Numbering: "roman"}, `"roman"`},
		{w.path, verify.Options{Baseline: verify.AllTime}, "all-time"},
	} {
		d, err := verify.Open(t.Context(), c.path, c.opts)
		if err == nil {
			t.Errorf("Open(%s, %v) = nil error, want %q", c.path, c.opts, c.want)
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		} else if !strings.Contains(err.Error(), c.want) {
			t.Errorf("Open(%s, %v) = %v, want %q", c.path, c.opts, err, c.want)
		}
	}
	if _, err := os.Stat(missing); err == nil {
		t.Error("Open made the file")
	}
	w.exec(`PRAGMA user_version = 1`)
	if _, err := verify.Open(t.Context(), w.path, verify.Options{}); err == nil || !strings.Contains(err.Error(), "older version") {
		t.Errorf("Open() = %v on an older database", err)
	}
}
