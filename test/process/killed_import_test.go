package process_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"marcador/test/testkit"
)

// people writes a file of two users and n rows of points without keys, and returns its path.
func people(tb testing.TB, n int) string {
	tb.Helper()
	var b strings.Builder
	b.WriteString("{\"id\":\"u1\",\"username\":\"A\"}\n{\"id\":\"u2\",\"username\":\"B\"}\n")
	for i := range n {
		fmt.Fprintf(&b, "{\"userId\":\"u%d\",\"xp\":%d,\"reason\":\"exercise:%d\"}\n", 1+i%2, 1+i%5, i)
	}
	path := filepath.Join(tb.TempDir(), "people.jsonl")
	testkit.Write(tb, path, []byte(b.String()))
	return path
}

// killed runs a command and kills it once ready holds. It reports whether the command was killed,
// and not done before.
func killed(tb testing.TB, ready func() bool, args ...string) bool {
	tb.Helper()
	cmd := exec.CommandContext(tb.Context(), testkit.Binary(tb), args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case err := <-ended:
			if err != nil {
				tb.Fatalf("%v: %v\n%s", args, err, &out)
			}
			return false
		case <-time.After(time.Millisecond): // a real process
			if ready() {
				_ = cmd.Process.Kill() // it may be gone
				return (<-ended) != nil
			}
		}
	}
}

// The same command goes on with an import that was killed, and each row counts once.
func TestProcess_importKilled(t *testing.T) {
	const n = 60_000
	file, db := people(t, n), testkit.Database(t)
	size := func() int64 {
		info, err := os.Stat(db + "-wal")
		if err != nil {
			return 0
		}
		return info.Size()
	}
	kills := 0
	for range 3 {
		if killed(t, func() bool { return size() > 1<<20 }, "import", file, "--db", db) {
			kills++
		}
	}
	if kills == 0 {
		t.Error("it was never killed")
	}
	testkit.RunBinary(t, "import", file, "--db", db)
	if got := testkit.RunBinary(t, "import", file, "--db", db); got != fmt.Sprintf("imported: 2 users, 0 friendships, 0 limits, 0 badges, 0 points, and %d points that were there already\n", n) {
		t.Errorf("import says %q", got)
	}
	if got := testkit.PointsIn(t, db, "u1") + testkit.PointsIn(t, db, "u2"); got != 3*n {
		t.Errorf("the totals are %d, want %d", got, 3*n)
	}
	if got := testkit.RunBinary(t, "verify", "--db", db); !strings.HasSuffix(got, "\nno difference\n") {
		t.Errorf("verify says %q", got)
	}
	checkKilledCopies(t, db)
}

// checkKilledCopies kills a backup and an export, which must leave no file under the name that they
// were given.
func checkKilledCopies(t *testing.T, db string) {
	t.Helper()
	for _, command := range []string{"backup", "export"} {
		folder := t.TempDir()
		to := filepath.Join(folder, "out")
		begun := func() bool {
			parts, err := filepath.Glob(to + ".part-*")
			if err != nil || len(parts) == 0 {
				return false
			}
			info, err := os.Stat(parts[0])
			return err == nil && info.Size() > 0
		}
		if !killed(t, begun, command, to, "--db", db) {
			t.Errorf("%s was done before it was killed", command)
		}
		if _, err := os.Stat(to); err == nil {
			t.Errorf("a killed %s has left a file", command)
		}
		testkit.RunBinary(t, command, to, "--db", db)
	}
}
