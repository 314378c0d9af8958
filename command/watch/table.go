package watch

import (
	"strconv"
	"strings"
	"unicode"

	"github.com/rivo/uniseg"
)

// table has the widths of the columns, in cells of the terminal.
type table struct {
	rank, change, name, badge, points int
}

// gap separates two columns.
const gap = "  "

// newTable returns a table for the rows. The names get the width that the other columns leave. If
// that is too little, there is no column of badges.
func newTable(rows []entry, width int) table {
	t := table{rank: 1, change: 3, badge: 5, points: 6}
	longest := 4
	for _, e := range rows {
		t.rank = max(t.rank, len(grouped(int64(e.Rank))))
		t.change = max(t.change, uniseg.StringWidth(moved(e)))
		t.badge = max(t.badge, min(uniseg.StringWidth(plain(e.RankBadge)), 16))
		t.points = max(t.points, len(grouped(e.Score)))
		longest = max(longest, uniseg.StringWidth(plain(e.Username)))
	}
	left := func() int {
		taken := 2 + t.rank + t.change + t.points + 3*len(gap)
		if t.badge > 0 {
			taken += t.badge + len(gap)
		}
		return width - taken
	}
	if left() < 12 {
		t.badge = 0
	}
	t.name = max(min(longest, left()), 1)
	return t
}

func (t table) head() string {
	return t.format("  ", "#", "", "Name", "Badge", "Points")
}

func (t table) row(e entry, own bool) string {
	pointer := "  "
	if own {
		pointer = "▸ "
	}
	return t.format(pointer, grouped(int64(e.Rank)), moved(e), plain(e.Username), plain(e.RankBadge), grouped(e.Score))
}

// format pads the cells of a row. pointer stands before the row.
func (t table) format(pointer, rank, change, name, badge, points string) string {
	cells := []string{pointer + right(rank, t.rank), fit(change, t.change), fit(name, t.name)}
	if t.badge > 0 {
		cells = append(cells, fit(badge, t.badge))
	}
	return strings.Join(append(cells, right(points, t.points)), gap)
}

// moved says how far a user's rank has moved, and in which direction.
func moved(e entry) string {
	switch e.ChangeType {
	case "up":
		return "▲ " + strconv.Itoa(e.Change)
	case "down":
		return "▼ " + strconv.Itoa(e.Change)
	case "new":
		return "new"
	}
	return "="
}

// plain makes a text harmless: characters that control a terminal, or the direction of other text,
// are replaced by a box.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\u200d' || r == '\u200c': // they join characters into one
			return r
		case unicode.Is(unicode.Cc, r), unicode.Is(unicode.Cf, r), r == '\u2028', r == '\u2029':
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(s, string(unicode.ReplacementChar)))
}

// fit cuts the text off, between two characters, or pads it, so that it takes width cells.
func fit(s string, width int) string {
	s = plain(s)
	if n := uniseg.StringWidth(s); n <= width {
		return s + strings.Repeat(" ", width-n)
	}
	var b strings.Builder
	used, state := 0, -1
	for len(s) > 0 {
		var char string
		var cells int
		char, s, cells, state = uniseg.FirstGraphemeClusterInString(s, state)
		if used+cells > width-1 {
			break
		}
		b.WriteString(char)
		used += cells
	}
	return b.String() + "…" + strings.Repeat(" ", max(width-1-used, 0))
}

// right pads a number on its left, so that it takes width cells.
func right(s string, width int) string {
	return strings.Repeat(" ", max(width-uniseg.StringWidth(s), 0)) + s
}

// grouped formats a number with commas between thousands.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	first := 0
	if n < 0 {
		first = 1
	}
	for i := len(s) - 3; i > first; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
