package testkit

import (
	"bytes"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// RunTo runs a command of the program in this process and returns its error.
func RunTo(tb testing.TB, stdout, stderr io.Writer, args ...string) error {
	tb.Helper()
	return mainOf(tb).Run(tb.Context(), args, stdout, stderr)
}

// Run runs a command that has to succeed in this process, and returns what it writes.
func Run(tb testing.TB, args ...string) string {
	tb.Helper()
	var out bytes.Buffer
	if err := RunTo(tb, &out, io.Discard, args...); err != nil {
		tb.Fatalf("%v: %v", args, err)
	}
	return out.String()
}

// RunBinary is Run with the built program, which is faster than this process under the race
// detector.
func RunBinary(tb testing.TB, args ...string) string {
	tb.Helper()
	cmd := exec.CommandContext(tb.Context(), Binary(tb), args...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		tb.Fatalf("%v: %v\n%s%s", args, err, out, &errs)
	}
	return string(out)
}

// Refuses runs a command that has to fail, with one line that contains want.
func Refuses(tb testing.TB, want string, args ...string) {
	tb.Helper()
	err := RunTo(tb, io.Discard, io.Discard, args...)
	if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
		tb.Errorf("%v: %v; want %q in one line", args, err, want)
	}
}
