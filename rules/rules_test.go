package rules_test

import (
	"strings"
	"testing"

	"marcador/profile"
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

func TestCheckProfile(t *testing.T) {
	p := profile.Patch{
		Username: profile.Given(""), Avatar: profile.Given("javascript:alert(1)"), Email: profile.Given("a\r\nb"), Pseudonym: profile.Given(" "),
		Groups: profile.Given(map[string][]string{"global": {"1"}, "school": {"ok", ""}}),
	}
	var wrong []string
	rules.CheckProfile(&p, func(field, message string) {
		if message != "" {
			wrong = append(wrong, field)
		}
	})
	if got, want := strings.Join(wrong, " "), "username avatar email pseudonym groups groups.school[1]"; got != want {
		t.Errorf("wrong = %s, want %s", got, want)
	}
	for name, good := range map[string]profile.Patch{
		"a profile": {
			Username: profile.Given("=Ana\u00a0"), Avatar: profile.Given("https://x"),
			Groups: profile.Given(map[string][]string{"school": {"42"}}),
		},
		"nothing": {},
		"removal": {
			Avatar: profile.Given(""), Email: profile.Given(""), Pseudonym: profile.Given(""), Groups: profile.Given(map[string][]string{"school": nil}),
		},
	} {
		rules.CheckProfile(&good, func(field, message string) {
			if message != "" {
				t.Errorf("%s: %s %s", name, field, message)
			}
		})
	}
}
