package transfer

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// A spreadsheet takes a cell for a formula that begins with one of = + - @, also in full
// width, and some do so behind characters that show nothing. A text that could be taken for
// one is written with a quote in front, and so is a text that begins with a quote, so that
// it can be told when it is read. The same goes for what follows a semicolon or a tab in a
// text: where a spreadsheet takes these for separators, another cell begins there.

// escape returns the text as it is written into a cell.
func escape(s string) string {
	return cells(s, func(part string) string {
		if strings.HasPrefix(part, "'") || formula(part) {
			return "'" + part
		}
		return part
	})
}

// unescape returns the text that escape made a cell of.
func unescape(s string) string {
	return cells(s, func(part string) string {
		if rest, quoted := strings.CutPrefix(part, "'"); quoted && (strings.HasPrefix(rest, "'") || formula(rest)) {
			return rest
		}
		return part
	})
}

// cells applies the function to each part of the text that a spreadsheet may take for a
// cell.
func cells(s string, of func(part string) string) string {
	if !strings.ContainsAny(s, ";\t") {
		return of(s)
	}
	var b strings.Builder
	for s != "" {
		n := strings.IndexAny(s, ";\t")
		if n < 0 {
			n = len(s)
		}
		b.WriteString(of(s[:n]))
		if s = s[n:]; s != "" {
			b.WriteByte(s[0])
			s = s[1:]
		}
	}
	return b.String()
}

// formula reports whether a spreadsheet may take the text for a formula.
func formula(s string) bool {
	s = strings.TrimLeftFunc(s, unseen)
	_, n := utf8.DecodeRuneInString(s)
	first := norm.NFKC.String(s[:n]) // full width, and other forms, as the plain sign
	return n > 0 && strings.ContainsAny(first, "=+-@\u2212")
}
