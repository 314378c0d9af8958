package validate_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"marcador/internal/profile"
	"marcador/internal/validate"
)

// Ids that look the same are the same.
func TestID_canonicalForm(t *testing.T) {
	for in, want := range map[string]string{
		"ana":                               "ana",
		"Ñandú 7":                           "Ñandú 7",
		" ana\t":                            "ana",
		"\u00a0A1\u00a0\u2003":              "A1",
		"\u3000A1\u202f\n":                  "A1",
		"Jose\u0301":                        "Jos\u00e9",
		"\u212b":                            "\u00c5", // the sign for Ångström becomes the letter
		"1年\u30002組":                        "1年\u30002組",
		"لاله":                              "لاله",
		"👩 1":                               "👩 1",
		strings.Repeat("é", validate.MaxID): strings.Repeat("é", validate.MaxID),
		strings.Repeat("e\u0301", validate.MaxID): strings.Repeat("é", validate.MaxID),
	} {
		if got, fault := validate.ID(in); got != want || fault != "" {
			t.Errorf("ID(%q) = %q, %q, want %q", in, got, fault, want)
		}
	}
}

// Ids that can't be seen, or can't be in a path or an event, are refused.
func TestID_refuses(t *testing.T) {
	for in, want := range map[string]string{
		"":                       "is empty",
		" \u00a0 ":               "is empty",
		"..":                     "dots alone",
		" . ":                    "dots alone",
		"a\nb":                   "line break",
		"a\u2028b":               "line break",
		"a\x1fb":                 "control character",
		"a\u0085b":               "control character",
		"\xff":                   "UTF-8",
		" \u200b":                "U+200B",
		"a\u200bb":               "U+200B", // zero-width space
		"a\u200d":                "U+200D",
		"\ufeffa":                "U+FEFF",
		"a\u00adb":               "U+00AD", // soft hyphen
		"a\u202eb":               "U+202E", // reverses the text behind it
		"\u3164":                 "U+3164",
		"a\u2800":                "U+2800",
		"\u115fa":                "U+115F",
		"a\u1160":                "U+1160",
		"a\uffa0":                "U+FFA0",
		"a\u17b4":                "U+17B4",
		"a\u17b5":                "U+17B5",
		"a\u180e":                "U+180E",
		"a\u034f":                "U+034F",
		"❤\ufe0f":                "U+FE0F",
		"a\U000e0100":            "U+E0100",
		"a\U000e0061":            "U+E0061",
		"a\U000e0001":            "U+E0001",
		"a\ufffe":                "U+FFFE",
		"a\u00a0b":               "U+00A0",
		"a\u2009b":               "U+2009",
		"*":                      "stands for all",
		" *\u00a0":               "stands for all",
		strings.Repeat("é", 129): "longer than 128",
	} {
		if _, fault := validate.ID(in); !strings.Contains(fault, want) || fault == "" {
			t.Errorf("the fault of ID(%q) is %q, want %q", in, fault, want)
		}
	}
}

// An id that an older database has is not changed, and neither is its board.
func TestIDIn_leavesExistingIDs(t *testing.T) {
	exists := func(id string) bool { return id == "A1 " || id == "a\u200bb" }
	for in, want := range map[string]string{"A1 ": "A1 ", "a\u200bb": "a\u200bb", " A1": "A1", "A2 ": "A2", "A1": "A1"} {
		if got, fault := validate.IDIn(in, exists); got != want || fault != "" {
			t.Errorf("IDIn(%q) = %q, %q", in, got, fault)
		}
	}
	if _, fault := validate.IDIn("a\u200b", exists); fault == "" {
		t.Error("a zero-width space is accepted")
	}
	group := func(kind, id string) bool { return kind == "school" && exists(id) }
	for in, want := range map[string]string{"school:A1 ": "school:A1 ", "school:a\u200bb": "school:a\u200bb", "club:A1 ": "club:A1", "school: A1": "school:A1"} {
		if got, ok := validate.BoardIn(in, group); got != want || !ok {
			t.Errorf("BoardIn(%q) = %q, %v", in, got, ok)
		}
	}
}

func TestName(t *testing.T) {
	for in, want := range map[string]string{
		"Ana\u00a0 Pech ":      "Ana\u00a0 Pech",
		"Jose\u0301":           "Jos\u00e9",
		"👩\u200d🚀 Ana ❤\ufe0f": "👩\u200d🚀 Ana ❤\ufe0f",
		"🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f": "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
		"می\u200cخواهم": "می\u200cخواهم", // Persian needs the non-joiner
		"葛\U000e0100城":  "葛\U000e0100城",
		"=1+1":          "=1+1",
		"1️⃣":           "1️⃣",
		"\U0001f4a9":    "\U0001f4a9",
	} {
		if got, fault := validate.Name(in); got != want || fault != "" {
			t.Errorf("Name(%q) = %q, %q, want %q", in, got, fault, want)
		}
	}
	for in, want := range map[string]string{
		"":                       "is empty",
		"\u00a0 \u3000":          "is empty",
		"\u3164":                 "U+3164",
		"\u2800\u2800":           "U+2800",
		"Ana\u3164":              "U+3164",
		"\u115f\u1160":           "U+115F",
		"\u200d":                 "U+200D",
		"\ufe0f":                 "U+FE0F",
		" \ufe0fa":               "U+FE0F",
		"\u0301":                 "shows nothing",
		"A\u202eB":               "U+202E",
		"A\u200bB":               "U+200B",
		"A\nB":                   "line break",
		strings.Repeat("é", 101): "longer than 100",
	} {
		if _, fault := validate.Name(in); !strings.Contains(fault, want) || fault == "" {
			t.Errorf("the fault of Name(%q) is %q, want %q", in, fault, want)
		}
	}
}

// An accepted id or name does not change the next time, and has nothing invisible in it.
func FuzzID(f *testing.F) {
	for _, s := range []string{"ana", " A1\u00a0", "Jose\u0301", "\u2000a", "a\u200bb", "\u1e9b\u0323", " \u0301a", "\uac00\u11a8"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for name, normalise := range map[string]func(string) (string, string){"ID": validate.ID, "Name": validate.Name} {
			once, fault := normalise(s)
			if fault != "" {
				continue
			}
			if twice, fault := normalise(once); twice != once || fault != "" {
				t.Errorf("%s(%q) = %q, which becomes %q, %q", name, s, once, twice, fault)
			}
			if !utf8.ValidString(once) || strings.TrimSpace(once) != once || once == "" {
				t.Errorf("%s(%q) = %q", name, s, once)
			}
		}
		id, fault := validate.ID(s)
		if looks := validate.Looks(id); fault == "" && looks != id {
			t.Errorf("ID(%q) = %q, which looks like %q", s, id, looks)
		}
		if fault == "" {
			if board, ok := validate.Board("school: " + s + "\u00a0"); !ok || board != "school:"+id {
				t.Errorf("Board(school: %q) = %q, %v", s, board, ok)
			}
		}
	})
}

func TestBoard(t *testing.T) {
	for name, want := range map[string]string{
		"global": "global", " global\u00a0": "global", "school:42": "school:42", "friends:ana": "friends:ana", "school: *": "school:*", "school:a:b": "school:a:b",
		" classroom: 7a ": "classroom:7a", "school:Jose\u0301": "school:Jos\u00e9",
	} {
		if got, ok := validate.Board(name); got != want || !ok {
			t.Errorf("Board(%q) = %q, %v, want %q", name, got, ok, want)
		}
	}
	for _, name := range []string{"", "school", "school:", "school: ", "global:1", ":1", "School:1", "school:..", "school :1", "school:a\u200b"} {
		if got, ok := validate.Board(name); ok {
			t.Errorf("Board(%q) = %q", name, got)
		}
	}
}

// noGroup says that the database has no groups.
func noGroup(_, _ string) bool { return false }

// The id of a group that an older database has is not changed.
func TestCheckProfile_leavesExistingGroups(t *testing.T) {
	p := profile.Patch{Groups: profile.Given(map[string][]string{"school": {"42 ", "4\u200b2", "43 "}, "club": {"42 "}})}
	exists := func(kind, id string) bool { return kind == "school" && (id == "42 " || id == "4\u200b2") }
	validate.CheckProfile(&p, exists, func(field, message string) {
		if message != "" {
			t.Errorf("%s %s", field, message)
		}
	})
	if got, want := fmt.Sprintf("%+q", p.Groups.Value), `map["club":["42"] "school":["42 " "4\u200b2" "43"]]`; got != want {
		t.Errorf("groups = %s, want %s", got, want)
	}
}

func TestCheckProfile(t *testing.T) {
	p := profile.Patch{
		Username: profile.Given(""), Avatar: profile.Given("javascript:alert(1)"), Email: profile.Given("a\r\nb"), Pseudonym: profile.Given(" "),
		Groups: profile.Given(map[string][]string{"global": {"1"}, "school": {"ok", ""}}),
	}
	var wrong []string
	validate.CheckProfile(&p, noGroup, func(field, message string) {
		if message != "" {
			wrong = append(wrong, field)
		}
	})
	if got, want := strings.Join(wrong, " "), "username avatar email pseudonym groups groups.school[1]"; got != want {
		t.Errorf("wrong = %s, want %s", got, want)
	}
	spaced := profile.Patch{Username: profile.Given(" Jose\u0301 "), Pseudonym: profile.Given("\u00a0Jaguar"), Groups: profile.Given(map[string][]string{"school": {" 42\u00a0"}})}
	validate.CheckProfile(&spaced, noGroup, func(field, message string) {
		if message != "" {
			t.Errorf("%s %s", field, message)
		}
	})
	if spaced.Username.Value != "Jos\u00e9" || spaced.Pseudonym.Value != "Jaguar" || spaced.Groups.Value["school"][0] != "42" {
		t.Errorf("the canonical form is %+v", spaced)
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
		validate.CheckProfile(&good, noGroup, func(field, message string) {
			if message != "" {
				t.Errorf("%s: %s %s", name, field, message)
			}
		})
	}
}
