package transfer

import (
	"errors"
	"io"
	"strings"
	"testing"
)

// AtOnce has n records be written at once until the test ends.
func AtOnce(tb testing.TB, n int) {
	tb.Helper()
	was := atOnce
	atOnce = n
	tb.Cleanup(func() { atOnce = was })
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
			err = out.write(&record)
		}
		if err != nil {
			return "", err
		}
	}
}
