package transfer

import (
	"errors"
	"io"
	"strings"
	"testing"

	"marcador/internal/profile"
)

// PerWrite makes transactions write n records until the test ends.
func PerWrite(tb testing.TB, n int) {
	tb.Helper()
	before := perWrite
	perWrite = n
	tb.Cleanup(func() { perWrite = before })
}

// MaxPendingBytes makes users wait only up to n bytes until the test ends.
func MaxPendingBytes(tb testing.TB, n int) {
	tb.Helper()
	before := maxPendingBytes
	maxPendingBytes = n
	tb.Cleanup(func() { maxPendingBytes = before })
}

// Rewrite reads all records of the input, checks them, and writes them in the format.
func Rewrite(in, format, to string) (string, error) {
	var b strings.Builder
	out, err := newWriter(&b, to)
	if err != nil {
		return "", err
	}
	src, err := newSource(strings.NewReader(in), "")
	if err != nil {
		return "", err
	}
	t, err := look(src, Options{Format: format, Notice: func(string) {}})
	if err != nil {
		return "", err
	}
	r, wrong, err := t.again()
	for err == nil && len(wrong) == 0 {
		var record record
		var line int
		line, wrong, err = r.next(&record)
		if errors.Is(err, io.EOF) {
			err = out.flush()
			return b.String(), err
		}
		if wrong = merge(wrong, record.check(line, func(_, _ string) bool { return false })); err == nil && len(wrong) == 0 {
			if record.Type == user { // an export gives these fields too: CSV has no absent cells
				for _, f := range []*profile.Field[string]{&record.Avatar, &record.Email, &record.Pseudonym} {
					f.Given = true
				}
			}
			err = out.write(&record)
		}
	}
	if end, ok := errors.AsType[stop](err); ok {
		return "", end.fault
	}
	if err == nil {
		err = wrong[0]
	}
	return "", err
}

// MaxSpool limits inputs that can't be read twice to n bytes until the test ends.
func MaxSpool(tb testing.TB, n int64) {
	tb.Helper()
	before := maxSpool
	maxSpool = n
	tb.Cleanup(func() { maxSpool = before })
}

// These turn a text into a cell and back.
var (
	Escape   = escape
	Unescape = unescape
)
