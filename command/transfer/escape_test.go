package transfer_test

import (
	"testing"

	"pgregory.net/rapid"

	"marcador/command/transfer"
)

// No spreadsheet takes a cell of an export for a formula, however the sign is written or hidden.
func TestEscape(t *testing.T) {
	for _, s := range []string{
		"=1+1", "+1", "-1", "@SUM(A1)", "＝1+1", "＋1", "－1", "＠SUM(A1)", "﹦1", "﹢1", "﹣1", "﹫x", "⁼1", "−1",
		" =1", "\u00a0=1", "\u3000＝1", "\u2003-1", "\u200b=1", "\ufeff=1", "\t=1", "\r=1", "\n=1", "\x00=1", " \u200b \u00a0@x", "'=1", "'", "''",
	} {
		cell := transfer.Escape(s)
		for _, part := range []string{s, cell} {
			if transfer.Unescape(transfer.Escape(part)) != part {
				t.Errorf("%q becomes %q, and that %q", part, transfer.Escape(part), transfer.Unescape(transfer.Escape(part)))
			}
		}
		if cell == s {
			t.Errorf("%q is written unchanged", s)
		}
	}
	for s, want := range map[string]string{
		"Ana Pech": "Ana Pech", "": "", "1+1=2": "1+1=2", "Ana; Leo": "Ana; Leo",
		"Ana;=1+1": "Ana;'=1+1", "Ana\t ＝1": "Ana\t' ＝1", // another cell may begin here
	} {
		if got := transfer.Escape(s); got != want || transfer.Unescape(got) != s {
			t.Errorf("%q is written as %q and read as %q, want %q", s, got, transfer.Unescape(got), want)
		}
	}
}

func TestEscape_comesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringOf(rapid.RuneFrom([]rune("=+-@＝'\";\t a\u00a0\u200b\r\n,"))).Draw(t, "text")
		if got := transfer.Unescape(transfer.Escape(s)); got != s {
			t.Fatalf("%q comes back as %q", s, got)
		}
	})
}
