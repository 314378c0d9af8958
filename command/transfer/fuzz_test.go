package transfer_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"marcador/command/transfer"
)

func FuzzImportJSONL(f *testing.F) {
	f.Add(export(f, fill(f), transfer.JSONL))
	for _, line := range []string{
		`{"userId":"a","xp":1}`, `{"id":"a","username":"A","groups":{"school":["42"]},"hidden":true}`, `{"type":"friends","userId":"a","otherId":"b","since":"2025-01-01T00:00:00Z"}`,
		`{"userId":"a","xp":1,"key":"k","rows":3}`, `{"type":"badge","name":"A"}`, `[{}]`, `{"userId":"\ud800"}`, "{\"userId\":\"\xff\"}", `{"a":` + strings.Repeat("[", 10_000),
	} {
		f.Add(line + "\n" + line)
	}
	fuzz(f, transfer.JSONL)
}

func FuzzImportCSV(f *testing.F) {
	f.Add(export(f, fill(f), transfer.CSV))
	for _, text := range []string{
		"userId,xp\na,1\n", "\ufeffid;username\r\na;\"A\nB\"\r\n", "type,board,top\nlimit,school:1,5\n", "xp,xp\n", "\"\n", "userId,xp,key,rows\na,1,k,2\na,2,,\n", "id,username,groups\nu,U,\"{\"\"a\"\":[\"\"b\"\"]}\"",
	} {
		f.Add(text)
	}
	fuzz(f, transfer.CSV)
}

// fuzz reads any input. An accepted input can be written in either format and reads the same again.
// A refused input gives an error of one line that blames the input.
func fuzz(f *testing.F, format string) {
	f.Helper()
	f.Fuzz(func(t *testing.T, in string) {
		text, err := transfer.Rewrite(in, format, format)
		if err != nil {
			if _, ok := errors.AsType[*transfer.InputError](err); !ok && !errors.Is(err, io.EOF) || strings.Contains(err.Error(), "\n") {
				t.Errorf("err = %q", err)
			}
			return
		}
		for _, other := range []string{transfer.JSONL, transfer.CSV} {
			by, err := transfer.Rewrite(text, format, other)
			if err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			if got, err := transfer.Rewrite(by, other, format); err != nil || got != text {
				t.Errorf("by way of %s:\n%q\nwant:\n%q (%v)", other, got, text, err)
			}
		}
	})
}
