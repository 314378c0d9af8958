package main

import (
	"strings"
	"testing"
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
