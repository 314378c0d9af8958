package watch

import (
	"strconv"
	"strings"
	"unicode"

	"github.com/rivo/uniseg"
)

// table is the widths of its columns, in cells of the terminal.
type table struct {
	rank, change, name, badge, points int
}

// gap is what stands between two columns.
const gap = "  "

// newTable returns one in which all rows fit, and names get what is left. Where there is
// little room, badges go first.
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
	return t.line("  ", "#", "", "Name", "Badge", "Points")
}

func (t table) row(e entry, own bool) string {
	mark := "  "
	if own {
		mark = "▸ "
	}
	return t.line(mark, grouped(int64(e.Rank)), moved(e), plain(e.Username), plain(e.RankBadge), grouped(e.Score))
}

func (t table) line(mark, rank, change, name, badge, points string) string {
	cells := []string{mark + right(rank, t.rank), fit(change, t.change), fit(name, t.name)}
	if t.badge > 0 {
		cells = append(cells, fit(badge, t.badge))
	}
	return strings.Join(append(cells, right(points, t.points)), gap)
}

// moved says how many places somebody has moved, and which way.
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

// plain returns a text that does nothing but stand there: what controls a terminal, or
// the direction of others' text, is shown as a box.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\u200d' || r == '\u200c': // they join what is one sign
			return r
		case unicode.Is(unicode.Cc, r), unicode.Is(unicode.Cf, r), r == '\u2028', r == '\u2029':
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(s, string(unicode.ReplacementChar)))
}

// fit returns the text in that many cells: cut off between two signs, or filled up.
func fit(s string, width int) string {
	s = plain(s)
	if n := uniseg.StringWidth(s); n <= width {
		return s + strings.Repeat(" ", width-n)
	}
	var b strings.Builder
	used, state := 0, -1
	for len(s) > 0 {
		var sign string
		var cells int
		sign, s, cells, state = uniseg.FirstGraphemeClusterInString(s, state)
		if used+cells > width-1 {
			break
		}
		b.WriteString(sign)
		used += cells
	}
	return b.String() + "…" + strings.Repeat(" ", max(width-1-used, 0))
}

// right is fit for numbers.
func right(s string, width int) string {
	return strings.Repeat(" ", max(width-uniseg.StringWidth(s), 0)) + s
}

// grouped is a number with its thousands apart.
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
