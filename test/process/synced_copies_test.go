package process_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"marcador/test/testkit"
)

// Faults that strace injects. Of the calls with a ?, a system may have none.
const (
	noLinks   = "inject=?link,linkat:error=EPERM" // as a file system without links answers
	noRenames = "inject=?rename,?renameat,renameat2:error=EIO"
)

// strace returns the path of strace, and skips the test if there is none.
func strace(tb testing.TB) string {
	tb.Helper()
	path, err := exec.LookPath("strace")
	if err != nil {
		tb.Skip("strace is not here; make test installs it")
	}
	return path
}

// traced runs the built program under strace, with faults. It returns the system calls that have to
// do with files, and the error with the program's words if the program failed.
func traced(tb testing.TB, faults []string, args ...string) (trace []byte, err error) {
	tb.Helper()
	to := filepath.Join(tb.TempDir(), "trace")
	argv := []string{"-f", "-y", "-o", to, "-e", "trace=write,pwrite64,fsync,fdatasync,?link,linkat,?rename,?renameat,renameat2"}
	for _, f := range faults {
		argv = append(argv, "-e", f)
	}
	argv = append(append(argv, testkit.Binary(tb)), args...)
	var errs bytes.Buffer
	cmd := exec.CommandContext(tb.Context(), strace(tb), argv...)
	cmd.Stderr = &errs
	if err = cmd.Run(); err != nil {
		err = fmt.Errorf("%w: %s", err, &errs)
	}
	return testkit.Read(tb, to), err
}

// A copy is on the disk before it gets its name, and the name is on the disk before the command
// ends. A database stays where it is until another one replaces it. This holds on a file system
// without links, too.
func TestProcess_copiesSynced(t *testing.T) {
	folder := t.TempDir()
	db, backup := filepath.Join(folder, "m.db"), filepath.Join(folder, "copy.db")
	testkit.RunBinary(t, "import", people(t, 2), "--db", db)
	testkit.RunBinary(t, "backup", backup, "--db", db)
	none := filepath.Join(folder, "none.db")
	for _, faults := range [][]string{nil, {noLinks}} {
		for _, c := range []struct {
			to   string
			args []string
		}{
			{filepath.Join(folder, "new.db"), []string{"backup", filepath.Join(folder, "new.db"), "--db", db}},
			{filepath.Join(folder, "new.jsonl"), []string{"export", filepath.Join(folder, "new.jsonl"), "--db", db}},
			{db, []string{"restore", backup, "--db", db}},
			{none, []string{"restore", backup, "--db", none}},
		} {
			trace, err := traced(t, faults, c.args...)
			if err != nil {
				t.Fatalf("%v with %v: %v", c.args, faults, err)
			}
			t.Logf("%v with %v", c.args, faults)
			checkOrder(t, trace, db, c.to)
			if c.to != db {
				if err := os.Remove(c.to); err != nil {
					t.Error(err)
				}
			}
		}
		replaced, err := filepath.Glob(db + ".replaced-*")
		if err != nil || len(replaced) != 1 || testkit.PointsIn(t, replaced[0], "u1") != 1 || testkit.PointsIn(t, db, "u1") != 1 {
			t.Errorf("the replaced databases are %v (%v)", replaced, err)
		}
		for _, name := range replaced {
			if err := os.Remove(name); err != nil {
				t.Error(err)
			}
		}
	}
}

// checkOrder checks in a trace that the new file is synced before it gets its name, and its folder
// after that, and that the database was never moved away.
func checkOrder(t *testing.T, trace []byte, db, to string) {
	t.Helper()
	var (
		written      = regexp.MustCompile(`write(?:64)?\(\d+<[^>]*\.part-\d+>`)
		synced       = regexp.MustCompile(`f(?:data)?sync\(\d+<[^>]*\.part-\d+>`)
		named        = regexp.MustCompile(`(?:link|rename)(?:at2?)?\(.*\.part-\d+", .*"` + regexp.QuoteMeta(to) + `"`)
		folderSynced = regexp.MustCompile(`fsync\(\d+<` + regexp.QuoteMeta(filepath.Dir(to)) + `>`)
		movedAway    = regexp.MustCompile(`rename.*"` + regexp.QuoteMeta(db) + `", `)
	)
	onDisk, hasName, lasts := false, false, false
	for line := range bytes.Lines(trace) {
		switch {
		case syncFailed.Match(line):
			t.Errorf("a sync failed: %s", line)
		case movedAway.Match(line):
			t.Errorf("the database was moved away: %s", line)
		case written.Match(line):
			onDisk = false
		case synced.Match(line):
			onDisk = true
		case named.Match(line):
			if !onDisk {
				t.Errorf("it gets its name before it is on the disk: %s", line)
			}
			hasName = true
		case folderSynced.Match(line):
			lasts = hasName
		}
	}
	if !lasts {
		t.Errorf("the name is not on the disk; named %v:\n%s", hasName, trace)
	}
}

// On a file system without links, neither an error nor a crash at any step leaves an empty file or
// takes a database away.
func TestProcess_noLinks(t *testing.T) {
	folder := t.TempDir()
	db, backup := filepath.Join(folder, "m.db"), filepath.Join(folder, "copy.db")
	testkit.RunBinary(t, "import", people(t, 2), "--db", db)
	testkit.RunBinary(t, "backup", backup, "--db", db)
	for _, args := range [][]string{
		{"backup", filepath.Join(folder, "new"), "--db", db},
		{"export", filepath.Join(folder, "new"), "--db", db},
		{"restore", backup, "--db", db},
	} {
		_, err := traced(t, []string{noLinks, noRenames}, args...)
		entries, readErr := os.ReadDir(folder)
		if err == nil || readErr != nil || len(entries) != 2 {
			t.Errorf("%v: %v; there is %v (%v)", args, err, entries, readErr)
		}
	}
	killed := 0
	for n := 1; ; n++ {
		_, err := traced(t, []string{noLinks, fmt.Sprintf("%s:signal=KILL:when=%d", noRenames, n)}, "restore", backup, "--db", db)
		if got := testkit.PointsIn(t, db, "u1"); got != 1 {
			t.Errorf("killed at rename %d, u1 has %d", n, got)
		}
		if err == nil {
			break
		}
		if !strings.Contains(err.Error(), "killed") {
			t.Fatal(err)
		}
		killed = n
	}
	if killed < 2 { // one moves the old database away, one the copy in
		t.Errorf("it was killed at %d renames only", killed)
	}
}
