package watch_test

import (
	"slices"
	"strings"
	"testing"

	"marcador/command/watch"
)

// people have names with an accent as a character of its own, with characters two cells wide, with
// one character made of three, and with characters that would clear the screen or reverse the text.
var people = []watch.Row{
	{Rank: 1, UserID: "a", Username: "Nicte\u0301 Poot", RankBadge: "Halach Uinic", Score: 1234567, ChangeType: "up", Change: 12},
	{Rank: 2, UserID: "b", Username: "李小龍", RankBadge: "Ah K'in", Score: 25000, ChangeType: "down", Change: 1},
	{Rank: 3, UserID: "c", Username: "👩‍🔬 Ana", RankBadge: "Nacom", Score: 999, ChangeType: "same"},
	{Rank: 1000, UserID: "d", Username: "x\x1b[2J\u202ey", RankBadge: "Ajaw", Score: -5, ChangeType: "new"},
}

func TestTable(t *testing.T) {
	for width, want := range map[int][]string{
		80: {
			"      #        Name        Badge            Points",
			"      1  ▲ 12  Nicte\u0301 Poot  Halach Uinic  1,234,567",
			"▸     2  ▼ 1   李小龍      Ah K'in          25,000",
			"      3  =     👩‍🔬 Ana      Nacom               999",
			"  1,000  new   x�[2J�y     Ajaw                 -5",
		},
		40: { // too narrow for badges
			"      #        Name           Points",
			"      1  ▲ 12  Nicte\u0301 Poot  1,234,567",
			"▸     2  ▼ 1   李小龍         25,000",
			"      3  =     👩‍🔬 Ana            999",
			"  1,000  new   x�[2J�y            -5",
		},
		31: {
			"      #        Name      Points",
			"      1  ▲ 12  Nict…  1,234,567",
			"▸     2  ▼ 1   李小…     25,000",
			"      3  =     👩‍🔬 A…        999",
			"  1,000  new   x�[2…         -5",
		},
	} {
		if got := watch.Table(people, width, "b"); !slices.Equal(got, want) {
			t.Errorf("in %d cells:\n%s\nwant\n%s", width, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

func TestFit(t *testing.T) {
	for _, c := range []struct {
		text  string
		width int
		want  string
	}{
		{"Ana", 5, "Ana  "}, {"Ana", 3, "Ana"}, {"Anabel", 4, "Ana…"}, {"李小龍", 6, "李小龍"}, {"李小龍", 5, "李小…"}, {"李小龍", 4, "李… "},
		{"e\u0301e\u0301e\u0301", 2, "e\u0301…"}, {"", 2, "  "}, {"Ana", 1, "…"}, {"a\tb\r\n\x07\x7f\u009b", 9, "a�b����� "}, {"\xff\xfe", 2, "� "},
	} {
		if got := watch.Fit(c.text, c.width); got != c.want {
			t.Errorf("Fit(%q, %d) = %q, want %q", c.text, c.width, got, c.want)
		}
	}
}

// Whatever a user's name is, only characters that show reach the terminal.
func FuzzPlain(f *testing.F) {
	for _, p := range people {
		f.Add(p.Username)
	}
	f.Add("\x9b31m")
	f.Fuzz(func(t *testing.T, s string) {
		for _, r := range watch.Plain(s) {
			if r < ' ' || r >= 0x7f && r < 0xa0 || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' {
				t.Errorf("%q is shown with %q", s, r)
			}
		}
		watch.Table([]watch.Row{{Username: s, RankBadge: s}}, 40, "")
	})
}
