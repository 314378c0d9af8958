package transfer_test

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"marcador/command/transfer"
	"marcador/command/verify"
	"marcador/store"
)

// checked fails the test if verify finds a difference between totals and ledger.
func checked(tb testing.TB, path string) {
	tb.Helper()
	d, err := verify.Open(tb.Context(), path, verify.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	if found, err := d.Totals(tb.Context()); found != "" || err != nil {
		tb.Errorf("Totals() = %q, %v", found, err)
	}
	if err := d.Close(); err != nil {
		tb.Error(err)
	}
}

// A file is recognised even after the only user of its first part was erased. The erased user's
// points don't come back, and nobody else's count twice.
func TestImport_afterErasure(t *testing.T) {
	s, path := open(t)
	const people = `{"id":"a","username":"A"}` + "\n" + `{"id":"b","username":"B"}` + "\n"
	const first = `{"userId":"a","xp":10}` + "\n"
	const file = first + `{"userId":"b","xp":10}` + "\n" + `{"userId":"b","xp":20}` + "\n"
	load(t, s, people+first)
	load(t, s, people+file)
	if err := s.Erase(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	checked(t, path)
	if c := load(t, s, people+file); c.Points != 0 || c.Already != 3 {
		t.Errorf("counts = %+v", c)
	}
	if a, b := totals(t, s, "a"), totals(t, s, "b"); a[0] != 0 || b[0] != 30 {
		t.Errorf("a has %d, want 0; b has %d, want 30", a[0], b[0])
	}
	checked(t, path)
}

// Importing an export into its own database counts nothing again, even if all its points are from
// the last millisecond, or its first points were imported.
func TestImport_own(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	batch := store.Write{Updates: []store.Update{{UserID: "a", XP: 5}, {UserID: "b", XP: 6}}}
	keyed := batch
	keyed.Key = "k"
	const people = `{"id":"a","username":"A"}` + "\n" + `{"id":"b","username":"B"}` + "\n"
	const old = `{"userId":"a","xp":1,"at":"2026-03-01T00:00:00Z"}` + "\n"
	for _, c := range []struct {
		name, before string
		writes       []store.Write
		line         string
	}{
		{"no keys", people, []store.Write{batch}, "line 8: at: "},
		{"a key behind", people, []store.Write{batch, keyed}, "line 8: at: "},
		{"a key before", people, []store.Write{keyed, batch}, "line 10: at: "},
		{"imported before", people + old, []store.Write{batch}, "line 9: at: "},
		{"keys alone", people, []store.Write{keyed}, ""},
		{"all imported", people + old + strings.ReplaceAll(old, "T00", "T12"), nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, path := openAt(t, at)
			load(t, s, c.before)
			if _, err := s.AddPoints(t.Context(), c.writes); err != nil {
				t.Fatal(err)
			}
			was := [2][2]int64{totals(t, s, "a"), totals(t, s, "b")}
			file := export(t, path, transfer.JSONL)
			_, err := transfer.Import(t.Context(), s, strings.NewReader(file), transfer.Options{})
			if c.line == "" && err != nil || c.line != "" && (err == nil || !strings.HasPrefix(err.Error(), c.line)) {
				t.Errorf("err = %v, want %q\n%s", err, c.line, file)
			}
			if got := [2][2]int64{totals(t, s, "a"), totals(t, s, "b")}; got != was {
				t.Errorf("the totals are %v, were %v", got, was)
			}
		})
	}
}

// Rows with the same time are all imported, even if the file grows from one import to the next.
func TestImport_sameTime(t *testing.T) {
	transfer.PerWrite(t, 2)
	s, path := open(t)
	load(t, s, `{"id":"a","username":"A"}`)
	row := `{"userId":"a","xp":1,"at":"2026-03-01T00:00:00Z"}` + "\n"
	file := row + strings.Replace(row, "}", `,"key":"k"}`, 1)
	for n := range 4 {
		want := int64(1)
		if n == 0 {
			want = 2
		}
		if c := load(t, s, file); c.Points != want {
			t.Errorf("%d: counts = %+v", n, c)
		}
		file += row
	}
	if got := totals(t, s, "a")[0]; got != 5 {
		t.Errorf("a has %d, want 5", got)
	}
	checked(t, path)
}

// Refused records are not counted, nor are records of the same transaction.
func TestImport_counts(t *testing.T) {
	for _, in := range []string{
		`{"type":"friends","userId":"a","otherId":"b"}` + "\n" + `{"type":"friends","userId":"a","otherId":"nobody"}`,
		`{"type":"badge","name":"A"}` + "\n" + `{"type":"badge","name":"B"}`,
		rows(1) + `{"userId":"a","xp":2,"key":"k"}` + "\n" + `{"userId":"nobody","xp":1}`,
	} {
		s, _ := open(t)
		load(t, s, rows(1))
		c, err := transfer.Import(t.Context(), s, strings.NewReader(in), transfer.Options{})
		if err == nil {
			t.Errorf("%s: no error", in)
		}
		c.Users = 0 // an earlier transaction wrote them
		if c != (transfer.Counts{}) {
			t.Errorf("%s: counts = %+v", in, c)
		}
	}
}

// All limits are written in one transaction.
func TestImport_limits(t *testing.T) {
	commits := 0
	s, _ := openWith(t, store.Options{Committed: func(store.Commit) { commits++ }})
	const limits = `{"type":"limit","board":"school:1","top":1}` + "\n" + `{"type":"limit","board":"school:2","top":2}`
	if c := load(t, s, limits); c.Limits != 2 || commits != 1 {
		t.Errorf("counts = %+v, in %d transactions", c, commits)
	}
	got, err := s.Limits(t.Context())
	if err != nil || len(got) != 2 {
		t.Errorf("Limits() = %v, %v", got, err)
	}
}

// A few large users fill a transaction. The size of points does not matter.
func TestImport_large(t *testing.T) {
	transfer.MaxPendingBytes(t, 10_000)
	commits := 0
	s, _ := openWith(t, store.Options{Committed: func(store.Commit) { commits++ }})
	var people strings.Builder
	for n := range 20 {
		fmt.Fprintf(&people, `{"id":"u%d","username":"U","groups":{"school":["%s"],"club":["%[2]s1"]}}`+"\n", n, strings.Repeat("x", 100))
	}
	var renamed strings.Builder // a new name each time, because equal profiles change nothing
	for n := range 10 {
		renamed.WriteString(strings.ReplaceAll(people.String(), `"U"`, fmt.Sprintf(`"%d"`, n)))
	}
	load(t, s, renamed.String())
	if commits < 4 || commits > 6 {
		t.Errorf("%d transactions", commits)
	}
	commits = 0
	load(t, s, strings.Repeat(`{"userId":"u1","xp":1,"reason":"`+strings.Repeat("y", 500)+`"}`+"\n", 100))
	if commits != 1 {
		t.Errorf("points: %d transactions", commits)
	}
}

// A cell of groups follows the same JSON rules as a line of JSON.
func TestImport_csvGroups(t *testing.T) {
	s, _ := open(t)
	for _, cell := range []string{`{"school":["1"],"school":["2"]}`, `{"school":[1]}`, `{"school":["1"]} {}`} {
		in := "id,username,groups\nu,U,\"" + strings.ReplaceAll(cell, `"`, `""`) + "\"\n"
		_, err := transfer.Import(t.Context(), s, strings.NewReader(in), transfer.Options{Format: transfer.CSV})
		if err == nil || !strings.HasPrefix(err.Error(), "line 2: groups: has to be") {
			t.Errorf("%q: %v", cell, err)
		}
	}
}

// The separator is found even if the first line arrives in parts, as from a pipe.
func TestImport_pipe(t *testing.T) {
	for _, in := range []string{"username;id\nA;a\n", "username,id\nA;B,a\n"} {
		for _, half := range []func(io.Reader) io.Reader{iotest.OneByteReader, iotest.HalfReader, iotest.DataErrReader} {
			s, _ := open(t)
			if _, err := transfer.Import(t.Context(), s, half(strings.NewReader(in)), transfer.Options{Format: transfer.CSV}); err != nil {
				t.Errorf("%q: %v", in, err)
			}
		}
	}
}
