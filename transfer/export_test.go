package transfer

import (
	"errors"
	"io"
	"strings"
	"testing"

	"marcador/profile"
)

// PerWrite has n records be written at once until the test ends.
func PerWrite(tb testing.TB, n int) {
	tb.Helper()
	was := perWrite
	perWrite = n
	tb.Cleanup(func() { perWrite = was })
}

// MaxWaiting has users be written once they are n bytes, until the test ends.
func MaxWaiting(tb testing.TB, n int) {
	tb.Helper()
	was := maxWaiting
	maxWaiting = n
	tb.Cleanup(func() { maxWaiting = was })
}

// Rewrite reads all records of the input, checks them, and writes them in the format.
func Rewrite(in, format, to string) (string, error) {
	var b strings.Builder
	out, err := newWriter(&b, to)
	if err != nil {
		return "", err
	}
	r, err := newReader(strings.NewReader(in), format)
	if err != nil {
		return "", err
	}
	for {
		var record record
		line, err := r.next(&record)
		if errors.Is(err, io.EOF) {
			err = out.flush()
			return b.String(), err
		}
		if err == nil {
			err = record.check(line)
		}
		if err == nil {
			if record.Type == user { // as an export does: a cell of CSV can't be absent
				for _, f := range []*profile.Field[string]{&record.Avatar, &record.Email, &record.Pseudonym} {
					f.Given = true
				}
			}
			err = out.write(&record)
		}
		if err != nil {
			return "", err
		}
	}
}
