package main

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestTable_write(t *testing.T) {
	one := table{title: "idle", intro: "Quiet.", head: []string{"server", "RSS"}}
	one.add("bare", "0.9 KB")
	one.add("señales", "26 KB")
	one.remark("of %d streams", 5)
	var b strings.Builder
	if err := one.write(&b); err != nil {
		t.Fatal(err)
	}
	const want = `## idle

Quiet.

| server  |    RSS |
| ------- | -----: |
| bare    | 0.9 KB |
| señales |  26 KB |

- of 5 streams

`
	if got := b.String(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestWrapped(t *testing.T) {
	long := strings.TrimSpace(strings.Repeat("señal ", 40))
	got := "- " + wrapped(long, "  ")
	for line := range strings.Lines(got) {
		if n := utf8.RuneCountInString(strings.TrimSpace(line)); n > columns-2 {
			t.Errorf("a line has %d columns:\n%s", n+2, got)
		}
	}
	if joined := strings.Join(strings.Fields(got)[1:], " "); joined != long {
		t.Errorf("the words are %q, want %q", joined, long)
	}
	if got := wrapped("  two   words ", ""); got != "two words" {
		t.Errorf("got %q", got)
	}
}
