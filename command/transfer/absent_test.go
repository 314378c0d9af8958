package transfer_test

import (
	"strings"
	"testing"
)

const whole = `{"type":"user","id":"ana","username":"Ana Pech","avatar":"https://x","email":"a@x.mx","pseudonym":"Jaguar","hidden":true,"groups":{"classroom":["7a"],"school":["42"]},"createdAt":"2026-01-01T00:00:00.000Z"}` + "\n"

// A file that lacks a column, or has an empty cell of hidden or groups, leaves the field alone: it
// neither shows a hidden pupil nor removes anybody from groups.
func TestImport_absentStays(t *testing.T) {
	for name, c := range map[string]struct{ in, old, new string }{
		"a column":                {"id,username\nana,Ana María\n", "Ana Pech", "Ana María"},
		"an empty cell of hidden": {"id,hidden,groups\nana,,\n", "", ""},
		"an empty text":           {"id,username,email\nana,Ana Pech,\n", `"email":"a@x.mx"`, `"email":""`},
		"a field":                 {`{"id":"ana","username":"Ana María"}`, "Ana Pech", "Ana María"},
		"all fields":              {`{"id":"ana"}`, "", ""},
		"shown":                   {"id,hidden\nana,false\n", `"hidden":true`, `"hidden":false`},
		"null removes":            {`{"id":"ana","pseudonym":null}`, `"pseudonym":"Jaguar"`, `"pseudonym":""`},
		"another kind":            {`{"id":"ana","groups":{"school":["43"]}}`, `"42"`, `"43"`},
		"no kind":                 {`{"id":"ana","groups":null}`, `"groups":{"classroom":["7a"],"school":["42"]},`, ``},
		"no kind, in CSV":         {"id,groups\nana,null\n", `"groups":{"classroom":["7a"],"school":["42"]},`, ``},
		"one kind less, in CSV":   {"id,groups\nana,\"{\"\"school\"\":[]}\"\n", `,"school":["42"]`, ``},
	} {
		t.Run(name, func(t *testing.T) {
			s, path := open(t)
			load(t, s, whole)
			load(t, s, c.in)
			got := users(export(t, path, ""))
			if want := strings.Replace(whole, c.old, c.new, 1); got != want {
				t.Errorf("export = %s, want %s", got, want)
			}
		})
	}
}

// An export gives empty fields too, so importing it restores the profiles as they were.
func TestImport_exportGivesBack(t *testing.T) {
	const bare = `{"type":"user","id":"ana","username":"Ana","avatar":"","email":"","pseudonym":"","hidden":false,"createdAt":"2026-01-01T00:00:00.000Z"}` + "\n"
	for _, format := range []string{"jsonl", "csv"} {
		s, path := open(t)
		load(t, s, bare)
		before := export(t, path, format)
		load(t, s, strings.Replace(whole, `,"groups":{"classroom":["7a"],"school":["42"]}`, "", 1))
		load(t, s, before)
		if got := users(export(t, path, "")); got != bare {
			t.Errorf("%s: export = %s, want %s", format, got, bare)
		}
	}
}

// Importing an export ends no membership that began later in a kind of group that the export does
// not mention.
func TestImport_exportEndsNoMembership(t *testing.T) {
	for _, format := range []string{"jsonl", "csv"} {
		s, path := open(t)
		load(t, s, `{"id":"ana","username":"Ana"}`+"\n"+`{"id":"leo","username":"Leo","groups":{"school":["42"]}}`)
		before := export(t, path, format)
		if strings.Contains(before, "{}") {
			t.Errorf("%s: an empty list of kinds looks like the end of all memberships:\n%s", format, before)
		}
		const later = `{"id":"ana","groups":{"club":["chess"]}}` + "\n" + `{"id":"leo","groups":{"club":["chess"],"school":["43"]}}`
		load(t, s, later)
		load(t, s, before)
		got := users(export(t, path, ""))
		if !strings.Contains(got, `"groups":{"club":["chess"]}`) || !strings.Contains(got, `"groups":{"club":["chess"],"school":["42"]}`) {
			t.Errorf("%s: export = %s", format, got)
		}
	}
}

// users returns the lines of users.
func users(export string) string {
	var b strings.Builder
	for line := range strings.Lines(export) {
		if strings.Contains(line, `"type":"user"`) {
			b.WriteString(line)
		}
	}
	return b.String()
}
