package transfer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"marcador/command/transfer"
	"marcador/internal/schematest"
	"marcador/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(tb testing.TB) (s *store.Store, path string) {
	tb.Helper()
	return openWith(tb, store.Options{})
}

// openAt opens a database whose clock stands still.
func openAt(tb testing.TB, now time.Time) (s *store.Store, path string) {
	tb.Helper()
	return openWith(tb, store.Options{Now: func() time.Time { return now }})
}

func openWith(tb testing.TB, opts store.Options) (s *store.Store, path string) {
	tb.Helper()
	path = filepath.Join(tb.TempDir(), "m.db")
	opts.Schema = schematest.Text(tb)
	s, err := store.Open(tb.Context(), path, opts)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s, path
}

func load(tb testing.TB, s *store.Store, in string) transfer.Counts {
	tb.Helper()
	c, err := transfer.Import(tb.Context(), s, strings.NewReader(in), transfer.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func export(tb testing.TB, path, format string) string {
	tb.Helper()
	s, err := store.OpenSnapshot(tb.Context(), path)
	if err != nil {
		tb.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := transfer.Export(tb.Context(), s, &b, format, nil); err != nil {
		tb.Fatal(err)
	}
	if err := s.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.String()
}

func totals(tb testing.TB, s *store.Store, id string) [2]int64 {
	tb.Helper()
	u, err := s.User(tb.Context(), id)
	if err != nil {
		tb.Fatal(err)
	}
	return [2]int64{u.XP, u.MLCoins}
}

// fill makes a database with records of all types, and with names that break a careless format.
func fill(tb testing.TB) (path string) {
	tb.Helper()
	s, path := open(tb)
	ctx := tb.Context()
	profiles := []store.Profile{
		{ID: "ana", Username: `Ana "la Pech", Ñandú`, Avatar: "data:image/png;base64,AA==", Email: "ana@school.mx", Groups: map[string][]string{"school": {"42", "7"}, "club": {"a:b/c, d"}}},
		{ID: "=1+1", Username: "=HYPERLINK(1)", Pseudonym: "+Jaguar", Hidden: true},
		{ID: "-5", Username: "@leo"},
		{ID: "'", Username: "''=x"},
		{ID: "日本 🐆", Username: "<b>K'uk'</b>;\\"},
		{ID: "true", Username: "007"},
	}
	if _, err := s.PutProfiles(ctx, profiles); err != nil {
		tb.Fatal(err)
	}
	writes := []store.Write{
		{Updates: []store.Update{{UserID: "ana", XP: 5, MLCoins: 1, Reason: `exercise:"1", and more`}, {UserID: "-5", XP: 7}}},
		{Key: "=key", Updates: []store.Update{{UserID: "=1+1", XP: 9, Reason: "'=1"}}},
		{Updates: []store.Update{{UserID: "ana", XP: -2}}},
		{Key: "batch", Updates: []store.Update{{UserID: "ana", XP: 1}, {UserID: "-5", MLCoins: 2}, {UserID: "ana", XP: store.MaxTotal - 100}}},
		{Updates: []store.Update{{UserID: "日本 🐆", XP: 3}}},
	}
	if _, err := s.AddPoints(ctx, writes); err != nil {
		tb.Fatal(err)
	}
	for _, err := range []error{
		s.Befriend(ctx, "ana", "日本 🐆", true), s.Befriend(ctx, "-5", "'", true), s.Befriend(ctx, "=1+1", "ana", false),
		s.PutLimit(ctx, store.Limit{Board: "school:42", Top: 5}), s.PutLimit(ctx, store.Limit{Board: "global", Top: 3}),
		s.PutBadges(ctx, []store.Badge{{Name: "-Ajaw"}, {MinXP: 10, Name: "Ah K'in"}}),
	} {
		if err != nil {
			tb.Fatal(err)
		}
	}
	return path
}

// An export that is imported into another database gives the same export there, by way of either
// format, and its keys still work.
func TestRoundTrip(t *testing.T) {
	path := fill(t)
	want := export(t, path, transfer.JSONL)
	for _, format := range []string{transfer.JSONL, transfer.CSV} {
		text := export(t, path, format)
		if format == transfer.CSV && !strings.Contains(text, ",'=HYPERLINK(1),") {
			t.Errorf("a spreadsheet takes a name for a formula:\n%s", text)
		}
		s, other := open(t)
		c := load(t, s, text)
		if c.Users != 6 || c.Points != 8 || c.Friendships != 3 || c.Limits != 2 || c.Badges != 2 || c.Already != 0 {
			t.Errorf("%s: counts = %+v", format, c)
		}
		if got := export(t, other, transfer.JSONL); got != want {
			t.Errorf("by way of %s:\n%s\nwant:\n%s", format, got, want)
		}
		if got := export(t, other, format); got != text {
			t.Errorf("%s:\n%s\nwant:\n%s", format, got, text)
		}
		// Repeated writes are recognised, batches too.
		before := s.Seq()
		if _, err := s.AddPoints(t.Context(), []store.Write{
			{Key: "=key", Updates: []store.Update{{UserID: "=1+1", XP: 9, Reason: "'=1"}}},
			{Key: "batch", Updates: []store.Update{{UserID: "ana", XP: 1}, {UserID: "-5", MLCoins: 2}, {UserID: "ana", XP: store.MaxTotal - 100}}},
		}); err != nil || s.Seq() != before {
			t.Errorf("%s: a repetition: %v, seq %d, was %d", format, err, s.Seq(), before)
		}
		// So is the file.
		if c := load(t, s, text); c.Points != 0 || c.Already != 8 {
			t.Errorf("%s again: counts = %+v", format, c)
		}
		if got := export(t, other, transfer.JSONL); got != want {
			t.Errorf("%s again:\n%s\nwant:\n%s", format, got, want)
		}
	}
}

// rows returns two users and n points without keys.
func rows(n int) string {
	var b strings.Builder
	b.WriteString("{\"id\":\"a\",\"username\":\"A\"}\n{\"id\":\"b\",\"username\":\"B\"}\n")
	for i := range n {
		fmt.Fprintf(&b, "{\"userId\":%q,\"xp\":%d,\"reason\":\"%d\"}\n", []string{"a", "b"}[i%2], 1+i%3, i)
	}
	return b.String()
}

// An import writes in parts. Each row counts once, even if an import is cut off or repeated, or the
// file has grown.
func TestImport_again(t *testing.T) {
	transfer.PerWrite(t, 1000)
	s, _ := open(t)
	long := rows(2700)
	// An input that fails before its end is not imported.
	failing := errors.New("the disk is gone")
	c, err := transfer.Import(t.Context(), s, &failingReader{strings.NewReader(long), failing}, transfer.Options{})
	if !errors.Is(err, failing) || c.All() != 0 {
		t.Fatalf("counts = %+v, err = %v", c, err)
	}
	// This import is cut off after 2,000 rows.
	ctx, cancel := context.WithCancel(t.Context())
	c, err = transfer.Import(ctx, s, strings.NewReader(long), transfer.Options{Progress: func(c transfer.Counts, written bool) {
		if written && c.Points == 2000 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || c.Points != 2000 {
		t.Fatalf("counts = %+v, err = %v", c, err)
	}
	if c := load(t, s, long); c.Points != 700 || c.Already != 2000 {
		t.Errorf("again: counts = %+v", c)
	}
	if c := load(t, s, long); c.Points != 0 || c.Already != 2700 {
		t.Errorf("and again: counts = %+v", c)
	}
	longer := rows(4500)
	if c := load(t, s, longer); c.Points != 1800 || c.Already != 2700 {
		t.Errorf("with more rows: counts = %+v", c)
	}
	if c := load(t, s, longer); c.Points != 0 || c.Already != 4500 {
		t.Errorf("with more rows, again: counts = %+v", c)
	}
	if got, want := totals(t, s, "a")[0]+totals(t, s, "b")[0], int64(2*4500); got != want {
		t.Errorf("the totals are %d, want %d", got, want)
	}
	// A row that was changed in the middle is not taken for a new one.
	before := s.Seq()
	_, err = transfer.Import(t.Context(), s, strings.NewReader(strings.Replace(longer, `"reason":"1500"`, `"reason":"other"`, 1)), transfer.Options{})
	if input, ok := errors.AsType[*transfer.InputError](err); !ok || input.Line != 1003 {
		t.Errorf("changed: %v", err)
	}
	if s.Seq() != before {
		t.Errorf("seq = %d, was %d", s.Seq(), before)
	}
	// Another file counts, even if it has similar rows.
	if c := load(t, s, `{"userId":"a","xp":1,"reason":"another"}`); c.Points != 1 {
		t.Errorf("another file: counts = %+v", c)
	}
}

type failingReader struct {
	in  *strings.Reader
	err error
}

func (f *failingReader) Read(p []byte) (int, error) {
	if f.in.Len() == 0 {
		return 0, f.err
	}
	return f.in.Read(p)
}

// Rows with keys are recognised wherever they stand in a file.
func TestImport_keys(t *testing.T) {
	s, _ := open(t)
	people := "id,username\na,A\nb,B\n"
	load(t, s, people)
	load(t, s, "userId,xp,key\na,1,k1\nb,2,k2\n,,\na,4,\n")
	if c := load(t, s, "key,userId,xp\nk2,b,2\nk3,a,8\nk1,a,1\nk3,a,8\n"); c.Points != 1 || c.Already != 3 {
		t.Errorf("counts = %+v", c)
	}
	if got := totals(t, s, "a"); got != [2]int64{13} {
		t.Errorf("a has %v", got)
	}
	_, err := transfer.Import(t.Context(), s, strings.NewReader("key,userId,xp\nk9,a,1\nk2,b,3\n"), transfer.Options{})
	if err == nil || !strings.Contains(err.Error(), `line 3: key: the idempotency key "k2" was used for another write`) {
		t.Errorf("err = %v", err)
	}
	if got := totals(t, s, "a"); got != [2]int64{13} {
		t.Errorf("a has %v: a part of what was refused", got)
	}
}

// Points keep their times, count in the periods of these, and may not be older than earlier points.
func TestImport_times(t *testing.T) {
	s, path := open(t)
	load(t, s, "id,username,createdAt\na,A,2024-01-01T00:00:00Z\n")
	load(t, s, "userId,xp,at\na,1,2024-12-31T23:59:59.999Z\na,2,2025-01-01T01:00:00+01:00\na,4,2025-01-02T00:00:00Z\n")
	if text := export(t, path, transfer.CSV); !strings.Contains(text, ",2025-01-01T00:00:00.000Z,") || !strings.Contains(text, ",2024-01-01T00:00:00.000Z,") {
		t.Errorf("exported:\n%s", text)
	}
	var got []int64
	for _, p := range []store.Period{store.Daily, store.Monthly} {
		start := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
		if err := s.Outcome(t.Context(), &store.Closing{Period: p, Start: start, Ends: p.Next(start)}, func(f *store.Final) {
			got = append(got, f.Score)
		}); err != nil {
			t.Fatal(err)
		}
	}
	if fmt.Sprint(got) != "[2 6]" {
		t.Errorf("of the first of January, and of January: %v", got)
	}
	refuses := func(row, want string) {
		t.Helper()
		before := s.Seq()
		_, err := transfer.Import(t.Context(), s, strings.NewReader("userId,xp,at\na,1,"+row), transfer.Options{})
		if err == nil || !strings.Contains(err.Error(), want) || s.Seq() != before {
			t.Errorf("%q: %v", row, err)
		}
	}
	refuses("2025-01-01T23:00:00Z", "line 2: at: 2025-01-01T23:00:00.000Z is earlier than the points before it, which have 2025-01-02T00:00:00.000Z")
	refuses("2199-01-01T00:00:00Z", "line 2: at: 2199-01-01T00:00:00.000Z lies in the future")
	refuses("2025-02-02T00:00:00Z\na,1,2025-02-01T00:00:00Z", "line 3: at: ")
	refuses("yesterday", "line 2: at: has to be a time such as")
	refuses("1970-01-01T00:00:00Z", "years 2000")
	c := &store.Closing{Period: store.Monthly, Start: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC), Ends: time.Date(2025, 2, 1, 0, 0, 0, 0, time.UTC), Ranks: "ordinal"}
	if err := s.BeginClosing(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	refuses("2025-01-31T23:59:59Z", "lies in a period that is closed, which ended at 2025-02-01T00:00:00.000Z")
	load(t, s, "userId,xp,at\na,1,2025-02-01T00:00:00Z\na,1,\n")
}

// refusals are inputs with a fault, and a part of the message.
func refusals() []struct{ in, want string } {
	return []struct{ in, want string }{
		{"", "there is no record in it"},
		{" \n\n", "there is no record in it"},
		{"userId,xp\n", "there is no record in it"},
		{`{"userId":"a","xp":1}` + "\n{", "line 2: is not one JSON object"},
		{`{"userId":"a","xp":1} {}`, "line 1: is not one JSON object"},
		{`{"userId":"a","points":1}`, "line 1: points: is not a field; the fields are type, id"},
		{`{"userId":"a","xp":1,"xp":2}`, "line 1: xp: is there twice"},
		{`{"userId":"a","xp":1.5}`, "line 1: xp: has to be a whole number"},
		{`{"userId":"a","xp":9007199254740993}`, "line 1: xp: or mlCoins is beyond"},
		{`{"userId":"a","xp":-9223372036854775808}`, "line 1: xp: or mlCoins is beyond"},
		{`{"userId":"a","xp":99999999999999999999}`, "line 1: xp: has to be a whole number"},
		{`{"userId":7,"xp":1}`, "line 1: userId: has to be a text"},
		{`{"userId":"a\nb","xp":1}`, "line 1: userId: has a control character"},
		{"{\"userId\":\"a\xff\",\"xp\":1}", "line 1: is not one JSON object: invalid UTF-8"},
		{`{"userId":"a"}`, "line 1: xp: is missing"},
		{`{"xp":1}`, "line 1: type: is missing"},
		{`{"type":"game","userId":"a"}`, "line 1: type: has to be user"},
		{`{"type":"user","id":"u","username":"U","xp":1}`, "line 1: xp: does not belong"},
		{`{"id":"u"}`, "line 1: username: is missing"},
		{`{"id":"..","username":"U"}`, "line 1: id: can't be dots"},
		{`{"id":"u","username":"U","avatar":"javascript:1"}`, "line 1: avatar: must begin with"},
		{`{"id":"u","username":"U","groups":{"School":["1"]}}`, "line 1: groups: \"School\" can't be"},
		{`{"id":"u","username":"U","groups":{"school":"1"}}`, "line 1: groups.school: has to be"},
		{`{"type":"friends","userId":"a","otherId":"a"}`, "line 1: otherId: nobody can be"},
		{`{"type":"friends","userId":"a","otherId":"nobody"}`, "line 1: otherId: there is no user"},
		{`{"type":"limit","board":"school","top":1}`, "line 1: board: has to be"},
		{`{"type":"limit","board":"school:1","top":0}`, "line 1: top: has to be"},
		{`{"type":"badge","name":"A","minXp":1}`, "line 1: minXp: has to be 0"},
		{"{\"type\":\"badge\",\"name\":\"A\"}\n{\"type\":\"badge\",\"name\":\"B\"}", "line 2: minXp: has to be higher"},
		{`{"userId":"nobody","xp":1}`, `line 1: userId: there is no user "nobody"`},
		{"{\"userId\":\"a\",\"xp\":1}\n{\"userId\":\"a\",\"xp\":-2}", "line 2: xp: -2 would take the total of 1 below 0"},
		{`{"userId":"a","xp":1,"rows":2}`, "line 1: rows: has to be"},
		{`{"userId":"a","xp":1,"key":"k","rows":2}`, "line 1: rows: is 2, but"},
		{"{\"userId\":\"a\",\"xp\":1,\"key\":\"k\",\"rows\":2}\n{\"userId\":\"a\",\"xp\":1,\"key\":\"l\"}", "line 1: rows: is 2, but"},
		{`{"userId":"a","xp":1,"key":"\u001f00"}`, "line 1: key: has a control character"},
		{`{"userId":"a","xp":1,"reason":"` + strings.Repeat("x", 501) + `"}`, "line 1: reason: is longer than 500"},
		{`{"userId":"` + strings.Repeat("x", 2<<20) + `"}`, "line 1: is longer than 2097152 bytes"},
		{"userId,xp\na,1,2\n", "line 2: has something in column 3, which the first line does not name"},
		{"userId,xp\na,\"1\n", "line 2: is not CSV"},
		{"userId,xp\n\"a\nb\",1\n", "line 2: userId: has a control character"},
		{"userId,xp\n\n\"a\",\n", "line 3: xp: is missing"},
		{"userId,xp,xp\n", "line 1: xp: is there twice"},
		{"\"us\ner\",xp\n", `line 1: us\ner: is not the name of a column`},
		{"user,xp\n", "line 1: user: is not the name of a column"},
		{"userId,xp\na,1.0\n", "line 2: xp: has to be a whole number"},
		{"id,username,hidden\nu,U,perhaps\n", "line 2: hidden: has to be true or false"},
		{"id,username,groups\nu,U,school:1\n", "line 2: groups: has to be a JSON object"},
		{"userId,xp\n\"a" + strings.Repeat("x\n", 2<<20), "line 2: or a later line begins a row longer"},
	}
}

// A fault is reported in one line, with its own line and field, and nothing is written.
func TestImport_refuses(t *testing.T) {
	s, path := open(t)
	load(t, s, `{"id":"a","username":"A"}`)
	before := export(t, path, "")
	for _, c := range refusals() {
		_, err := transfer.Import(t.Context(), s, strings.NewReader(c.in), transfer.Options{})
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.80q: %v; want %q", c.in, err, c.want)
		}
		if got := export(t, path, ""); got != before {
			t.Fatalf("%.80q: it was written:\n%s", c.in, got)
		}
	}
}

// A file is read after a spreadsheet has saved it: with a BOM, semicolons and an empty row.
func TestImport_spreadsheet(t *testing.T) {
	s, _ := open(t)
	load(t, s, "\ufeffid;username;hidden;groups\r\na;'=A;FALSE;\"{\"\"school\"\":[\"\"42\"\"]}\"\r\n;;;\r\nb;\"B; C\";TRUE;\r\n")
	a, err := s.User(t.Context(), "a")
	if err != nil || a.Username != "=A" || a.Hidden || len(a.Groups["school"]) != 1 {
		t.Errorf("a = %+v (%v)", a, err)
	}
	if b, err := s.User(t.Context(), "b"); err != nil || b.Username != "B; C" || !b.Hidden {
		t.Errorf("b = %+v (%v)", b, err)
	}
}
