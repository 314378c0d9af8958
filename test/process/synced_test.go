package process_test

import (
	"bytes"
	"path/filepath"
	"regexp"
	"testing"

	"marcador/test/testkit"
	"marcador/test/testkit/witness"
)

// System calls of the process, as strace prints them.
var (
	answered   = regexp.MustCompile(`write\(\d+<(?:TCP|socket)[^>]*>*[^"]*"HTTP/1\.1 200`)
	logSynced  = regexp.MustCompile(`f(?:data)?sync\(\d+<[^>]*-wal>`)
	syncFailed = regexp.MustCompile(`f(?:data)?sync\(.*= -1`)
)

// Between two acknowledgements there is always a sync of SQLite's log.
func TestProcess_synced(t *testing.T) {
	trace := filepath.Join(t.TempDir(), "trace")
	argv := []string{strace(t), "-D", "-f", "-y", "-s", "16", "-e", "trace=write,fsync,fdatasync", "-o", trace, testkit.Binary(t)}
	p := testkit.Await(t, testkit.ServiceCommand(argv, testkit.Database(t)))
	p.Enrol(witness.Users)
	before := len(testkit.Read(t, trace))
	const writes = 25
	witness.New(t, 1).Burst(p.URL, writes)
	p.Terminate() // this waits for strace as well, which has the same output
	answers, synced := 0, false
	for line := range bytes.Lines(testkit.Read(t, trace)[before:]) {
		switch {
		case syncFailed.Match(line):
			t.Errorf("a sync failed: %s", line)
		case logSynced.Match(line):
			synced = true
		case answered.Match(line):
			if !synced && answers < writes {
				t.Errorf("answer %d before a sync: %s", answers, line)
			}
			answers, synced = answers+1, false
		}
	}
	if answers < writes {
		t.Errorf("the trace has %d answers, want %d:\n%s", answers, writes, testkit.Read(t, trace)[before:])
	}
}
