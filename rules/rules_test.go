package rules_test

import (
	"strings"
	"testing"

	"marcador/rules"
)

func TestIdentifier(t *testing.T) {
	for in, want := range map[string]string{
		"ana":                    "",
		"Ñandú 7":                "",
		"":                       "is empty",
		" \u200b":                "is empty",
		"..":                     "dots alone",
		"a\nb":                   "line break",
		"a\u2028b":               "line break",
		"a\x1fb":                 "control character",
		"\xff":                   "UTF-8",
		strings.Repeat("é", 128): "",
		strings.Repeat("é", 129): "longer than 128",
	} {
		if got := rules.Identifier(in); !strings.Contains(got, want) || (got == "") != (want == "") {
			t.Errorf("Identifier(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestBoard(t *testing.T) {
	for name, want := range map[string]bool{
		"global": true, "school:42": true, "friends:ana": true, "school:a:b": true,
		"": false, "school": false, "school:": false, "global:1": false, ":1": false, "School:1": false, "school:..": false,
	} {
		if got := rules.Board(name); got != want {
			t.Errorf("Board(%q) = %v", name, got)
		}
	}
}

func TestProfile_Check(t *testing.T) {
	p := rules.Profile{
		Username: "", Avatar: "javascript:alert(1)", Email: "a\r\nb", Pseudonym: " ",
		Groups: map[string][]string{"global": {"1"}, "school": {"ok", ""}},
	}
	var wrong []string
	p.Check(func(field, message string) {
		if message != "" {
			wrong = append(wrong, field)
		}
	})
	if got, want := strings.Join(wrong, " "), "username avatar email pseudonym groups groups.school[1]"; got != want {
		t.Errorf("wrong = %s, want %s", got, want)
	}
	good := rules.Profile{Username: "=Ana\u00a0", Avatar: "https://x", Groups: map[string][]string{"school": {"42"}}}
	good.Check(func(field, message string) {
		if message != "" {
			t.Errorf("%s %s", field, message)
		}
	})
}
