package transfer_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"

	"golang.org/x/text/encoding/charmap"

	"marcador/command/transfer"
	"marcador/store"
)

// utf16Of encodes the text in UTF-16, without a byte order mark.
func utf16Of(s string, little bool) string {
	var b strings.Builder
	for _, unit := range utf16.Encode([]rune(s)) {
		if little {
			b.Write([]byte{byte(unit), byte(unit >> 8)})
		} else {
			b.Write([]byte{byte(unit >> 8), byte(unit)})
		}
	}
	return b.String()
}

func cp1252(tb testing.TB, s string) string {
	tb.Helper()
	encoded, err := charmap.Windows1252.NewEncoder().String(s)
	if err != nil {
		tb.Fatal(err)
	}
	return encoded
}

// However a spreadsheet saves a file, the import reads the same users. If the encoding is a guess,
// the import says so.
func TestImport_spreadsheets(t *testing.T) {
	const roster = "id;username;hidden;groups\r\nA1;Núñez Peña, José;VERDADERO;\"{\"\"classroom\"\":[\"\"7º A\"\"]}\"\r\nA2;Íñigo;FALSO;\r\n"
	change := strings.NewReplacer
	for _, c := range []struct{ name, in, notice string }{
		{"UTF-8", roster, ""},
		{"UTF-8 with a BOM", "\ufeff" + roster, ""},
		{"UTF-16 of Excel's Unicode text", "\xff\xfe" + utf16Of(change(";", "\t").Replace(roster), true), ""},
		{"UTF-16, big-endian", "\xfe\xff" + utf16Of(roster, false), ""},
		{"UTF-16 without a BOM", utf16Of(roster, true), ""},
		{"UTF-16 without a BOM, big-endian", utf16Of(roster, false), ""},
		{"Windows-1252", cp1252(t, roster), "Windows-1252"},
		{"Windows-1252, an accent in groups alone", cp1252(t, change("Núñez Peña, José", "Nunez Pena, Jose", "Íñigo", "Inigo").Replace(roster)), "Windows-1252"},
		{"tabs", change(";", "\t").Replace(roster), ""},
		{"commas", change("Núñez Peña, José", `"Núñez Peña, José"`, ";", ",").Replace(roster), ""},
		{"commas, and a semicolon in the first line", change("Núñez Peña, José", `"Núñez Peña, José"`, "groups", "groups,,\" ; \"", ";", ",").Replace(roster), "name"},
		{"sep=", "sep=;\r\n" + roster, ""},
		{"sep=, saved again", "\"SEP=;\";;;\r\n" + roster, ""},
		{"sep= of a pipe", "sep=|\n" + change(";", "|").Replace(roster), ""},
		{"empty columns", change("groups\r\n", "groups;;\r\n", "FALSO;\r\n", "FALSO;;;\r\n").Replace(roster), ""},
		{"empty rows", change("\r\nA2", "\r\n;;;\r\n\u00a0;;;\r\n\r\nA2").Replace("\r\n\n"+roster) + ";;;\r\n", ""},
		{"short rows", change("FALSO;\r\n", "FALSO\r\n").Replace(roster), ""},
		{"line ends of old Macs", change("\r\n", "\r").Replace(roster), ""},
		{"line ends of Unix, none at the end", strings.TrimSuffix(change("\r\n", "\n").Replace(roster), "\n"), ""},
		{"names in other cases, with spaces", change("id;username;hidden", "\u00a0ID; UserName ;HIDDEN\u200b").Replace(roster), ""},
		{"numbers for booleans", change("VERDADERO", "1", "FALSO", " 0 ").Replace(roster), ""},
		{"English booleans", change("VERDADERO", "TRUE", "FALSO", "False").Replace(roster), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, _ := open(t)
			var notices []string
			counts, err := transfer.Import(t.Context(), s, strings.NewReader(c.in), transfer.Options{Notice: func(n string) { notices = append(notices, n) }})
			if c.notice == "name" { // the extra column has a name that is no field
				if err == nil || !strings.Contains(err.Error(), "line 1: ") {
					t.Errorf("err = %v", err)
				}
				return
			}
			if err != nil || counts.Users != 2 {
				t.Fatalf("counts = %+v, err = %v", counts, err)
			}
			if got := strings.Join(notices, ""); (got != "") != (c.notice != "") || !strings.Contains(got, c.notice) {
				t.Errorf("notices = %q, want %q", notices, c.notice)
			}
			a, errA := s.User(t.Context(), "A1")
			b, errB := s.User(t.Context(), "A2")
			if err := errors.Join(errA, errB); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(c.in, "Jose") { // this input has no accents in names
				a.Username, b.Username = "Núñez Peña, José", "Íñigo"
			}
			if a.Username != "Núñez Peña, José" || !a.Hidden || fmt.Sprint(a.Groups) != "map[classroom:[7º A]]" || b.Username != "Íñigo" || b.Hidden {
				t.Errorf("users = %+v and %+v", a.Profile, b.Profile)
			}
		})
	}
}

// faultsOf imports an input that has several faults and returns them.
func faultsOf(tb testing.TB, s *store.Store, in string) (lines []string, more int) {
	tb.Helper()
	before := s.Seq()
	counts, err := transfer.Import(tb.Context(), s, strings.NewReader(in), transfer.Options{})
	faults, ok := errors.AsType[*transfer.Faults](err)
	if !ok {
		tb.Fatalf("err = %v", err)
	}
	if s.Seq() != before || counts.All() != 0 {
		tb.Errorf("seq is %d after %d, and counts = %+v: something was written", s.Seq(), before, counts)
	}
	for _, f := range faults.Named {
		lines = append(lines, f.Error())
	}
	return lines, faults.More
}

// Every fault is reported with its line, and nothing is written.
func TestImport_everyFault(t *testing.T) {
	s, _ := open(t)
	load(t, s, `{"id":"old","username":"O"}`)
	got, _ := faultsOf(t, s, strings.Join([]string{
		"type;id;username;hidden;groups;userId;otherId;xp;at",
		"user;a;A;;;;;;",
		"user;b;;perhaps;school:1;;;;",
		`user;c;"C;;;;;;;`, // the quote ends on the next line
		`user;d";D;;;;;;;`,
		"user;e;E;;;;;;",
		"user;a;Other;;;;;;",
		"friends;;;;;a;nobody;;",
		"friends;;;;;a;b;;", // b has a fault of its own
		"points;;;;;a;;1;",
		"points;;;;;ghost;;1;",
		"points;;;;;a;;1.5;yesterday",
		"points;;;;;e;;-7;;more",
	}, "\n"))
	want := []string{
		"line 3: hidden: ", "line 3: groups: ", "line 4: username: has a control character or line break", "line 5: hidden: ",
		"line 7: id: \"a\" is on line 2 already", `line 8: otherId: there is no user "nobody"`, `line 11: userId: there is no user "ghost"`,
		"line 12: xp: ", "line 12: at: ", "line 13: has something in column 10",
	}
	if len(got) != len(want) {
		t.Fatalf("faults are\n%s", strings.Join(got, "\n"))
	}
	for n := range want {
		if !strings.HasPrefix(got[n], want[n]) {
			t.Errorf("fault %d is %q, want %q", n, got[n], want[n])
		}
	}

	// Some bytes are no character in Windows-1252.
	got, _ = faultsOf(t, s, "id;username\nx;Jos\xe9\ny;z\x81\nw;\x8d\n")
	if len(got) != 2 || !strings.HasPrefix(got[0], "line 3: username: has a character that can't be read") {
		t.Errorf("faults are %q", got)
	}

	// Faults that only the database knows are all found too.
	got, _ = faultsOf(t, s, strings.Join([]string{
		`{"userId":"nobody","xp":1}`, `{"userId":"old","xp":3}`, `{"userId":"old","xp":-4}`, `{"userId":"old","xp":-3}`,
		`{"type":"friends","userId":"old","otherId":"old"}`, `{"id":"new"}`, `{"userId":"new","xp":1}`, `{"userId":"nobody","xp":1,"key":"k"}`,
	}, "\n"))
	want = []string{
		`line 1: userId: there is no user "nobody"`, "line 3: xp: -4 would take the total of 3 below 0",
		"line 5: otherId: nobody can be a friend", "line 6: username: is missing", `line 8: userId: there is no user "nobody"`,
	}
	if len(got) != len(want) {
		t.Fatalf("faults are\n%s", strings.Join(got, "\n"))
	}
	for n := range want {
		if !strings.HasPrefix(got[n], want[n]) {
			t.Errorf("fault %d is %q, want %q", n, got[n], want[n])
		}
	}
}

// A fault at the end of a long file keeps everything out. 100 faults are reported, and the others
// are counted.
func TestImport_faultFarDown(t *testing.T) {
	transfer.PerWrite(t, 100)
	s, _ := open(t)
	var b strings.Builder
	b.WriteString("id,username\n")
	for n := range 2_500 {
		fmt.Fprintf(&b, "u%d,Peña %d\n", n, n)
	}
	before := s.Seq()
	_, err := transfer.Import(t.Context(), s, strings.NewReader(b.String()+"last,Pe\xf1a\n"), transfer.Options{})
	if err == nil || !strings.HasPrefix(err.Error(), "line 2502: username: is not valid UTF-8") || s.Seq() != before {
		t.Errorf("err = %v, seq %d after %d", err, s.Seq(), before)
	}
	lines, more := faultsOf(t, s, b.String()+strings.Repeat("u1,\n", 250))
	if len(lines) != 100 || more != 150 {
		t.Errorf("%d faults are named, and %d more", len(lines), more)
	}
}

// An input that changes between the check and the writing is not written.
func TestImport_changedMeanwhile(t *testing.T) {
	transfer.PerWrite(t, 1000)
	s, _ := open(t)
	in := &changing{Reader: strings.NewReader(rows(3000))}
	c, err := transfer.Import(t.Context(), s, in, transfer.Options{Progress: func(_ transfer.Counts, written bool) {
		if !written {
			in.Reset(strings.Replace(rows(3000), `"reason":"7"`, `"reason":"8"`, 1))
		}
	}})
	if err == nil || !strings.Contains(err.Error(), "it was changed while it was being imported") || c.All() != 0 {
		t.Errorf("counts = %+v, err = %v", c, err)
	}
}

type changing struct{ *strings.Reader }

// An input that can't be read twice has a limit.
func TestImport_spoolBound(t *testing.T) {
	transfer.MaxSpool(t, 100)
	s, _ := open(t)
	_, err := transfer.Import(t.Context(), s, struct{ *onlyReader }{&onlyReader{strings.NewReader(rows(10))}}, transfer.Options{Folder: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "larger than 100 bytes; put it into a file") {
		t.Errorf("err = %v", err)
	}
}

type onlyReader struct{ in *strings.Reader }

func (o *onlyReader) Read(p []byte) (int, error) { return o.in.Read(p) } //nolint:wrapcheck // io.EOF

// Ids that differ only in invisible characters are one id, and a CSV file may have a user only
// once.
func TestImport_oneRowAUser(t *testing.T) {
	s, _ := open(t)
	for name, second := range map[string]string{"a space": "ñ1 ", "a no-break space": "\u00a0ñ1", "a composed letter": "n\u03031", "the same": "ñ1"} {
		_, err := transfer.Import(t.Context(), s, strings.NewReader("id,username\nñ1,Ana\n"+second+",Ana\n"), transfer.Options{})
		if err == nil || !strings.Contains(err.Error(), `line 3: id: "ñ1" is on line 2 already`) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
