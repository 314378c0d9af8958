package transfer

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// This file keeps spreadsheets from running text as formulas. A spreadsheet takes a cell for a
// formula if it begins with = + - or @, or with their full-width forms. Some spreadsheets skip
// invisible characters first. So a text that looks like a formula is written with a quote before
// it. A text that begins with a quote gets another one, so that reading can tell the two apart.
//
// The same is done after each semicolon and tab of a text, because a spreadsheet that takes these
// for separators begins another cell there.

// escape returns the text as it is written to a cell.
func escape(s string) string {
	return cells(s, func(part string) string {
		if strings.HasPrefix(part, "'") || formula(part) {
			return "'" + part
		}
		return part
	})
}

// unescape returns the text of a cell that escape wrote.
func unescape(s string) string {
	return cells(s, func(part string) string {
		if rest, quoted := strings.CutPrefix(part, "'"); quoted && (strings.HasPrefix(rest, "'") || formula(rest)) {
			return rest
		}
		return part
	})
}

// cells applies the function to each part of the text that a spreadsheet may take for a cell.
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
	first := norm.NFKC.String(s[:n]) // the plain form of full-width and similar characters
	return n > 0 && strings.ContainsAny(first, "=+-@\u2212")
}
