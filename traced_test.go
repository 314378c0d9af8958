package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Faults for strace to put in. Only one of the calls is what a system has.
const (
	noLinks   = "inject=?link,linkat:error=EPERM" // as a file system answers that has none
	noRenames = "inject=?rename,?renameat,renameat2:error=EIO"
)

// traced runs the built program under strace, with faults, and returns what it asked the
// kernel for that has to do with files, and what it said where it failed.
func traced(tb testing.TB, faults []string, args ...string) (trace []byte, err error) {
	tb.Helper()
	strace, err := exec.LookPath("strace")
	if err != nil {
		tb.Skip("strace is not here; make test installs it")
	}
	to := filepath.Join(tb.TempDir(), "trace")
	argv := []string{"-f", "-y", "-o", to, "-e", "trace=write,pwrite64,fsync,fdatasync,?link,linkat,?rename,?renameat,renameat2"}
	for _, f := range faults {
		argv = append(argv, "-e", f)
	}
	argv = append(append(argv, build(tb)), args...)
	var errs bytes.Buffer
	cmd := exec.CommandContext(tb.Context(), strace, argv...)
	cmd.Stderr = &errs
	if err = cmd.Run(); err != nil {
		err = fmt.Errorf("%w: %s", err, &errs)
	}
	return readFile(tb, to), err
}

// A copy is on the disk before it has its name, and the name before the command ends; a
// database that is replaced is in its place until then. So it is where there are no links.
func TestProcess_copiesSynced(t *testing.T) {
	folder := t.TempDir()
	db, backup := filepath.Join(folder, "m.db"), filepath.Join(folder, "copy.db")
	printed(t, "import", people(t, 2), "--db", db)
	printed(t, "backup", backup, "--db", db)
	var (
		written = regexp.MustCompile(`write(?:64)?\(\d+<[^>]*\.part-\d+>`)
		synced  = regexp.MustCompile(`f(?:data)?sync\(\d+<[^>]*\.part-\d+>`)
		lasting = regexp.MustCompile(`fsync\(\d+<` + regexp.QuoteMeta(folder) + `>`)
		vacated = regexp.MustCompile(`rename.*"` + regexp.QuoteMeta(db) + `", `)
	)
	for _, faults := range [][]string{nil, {noLinks}} {
		for i, args := range [][]string{
			{"backup", filepath.Join(folder, "new.db"), "--db", db},
			{"export", filepath.Join(folder, "new.jsonl"), "--db", db},
			{"restore", backup, "--db", db},
			{"restore", backup, "--db", filepath.Join(folder, "none.db")},
		} {
			to := args[1]
			if i > 1 {
				to = args[3]
			}
			named := regexp.MustCompile(`(?:link|rename)(?:at2?)?\(.*\.part-\d+", .*"` + regexp.QuoteMeta(to) + `"`)
			trace, err := traced(t, faults, args...)
			if err != nil {
				t.Fatalf("%v with %v: %v", args, faults, err)
			}
			onDisk, hasName, lasts := false, false, false
			for line := range bytes.Lines(trace) {
				switch {
				case unusual.Match(line):
					t.Errorf("a sync failed: %s", line)
				case vacated.Match(line):
					t.Errorf("%v: the database was moved away: %s", args, line)
				case written.Match(line):
					onDisk = false
				case synced.Match(line):
					onDisk = true
				case named.Match(line):
					if !onDisk {
						t.Errorf("%v: it has its name before it is on the disk: %s", args, line)
					}
					hasName = true
				case lasting.Match(line):
					lasts = hasName
				}
			}
			if !lasts {
				t.Errorf("%v with %v: the name is not on the disk; named %v:\n%s", args, faults, hasName, trace)
			}
			if i != 2 {
				if err := os.Remove(to); err != nil {
					t.Error(err)
				}
			}
		}
		kept, err := filepath.Glob(db + ".replaced-*")
		if err != nil || len(kept) != 1 || pointsIn(t, kept[0], "u1") != 1 || pointsIn(t, db, "u1") != 1 {
			t.Errorf("kept are %v (%v)", kept, err)
		}
		for _, name := range kept {
			if err := os.Remove(name); err != nil {
				t.Error(err)
			}
		}
	}
}

// Where there are no links, neither an error nor a crash at any step leaves an empty file,
// or a vacant place where a database was.
func TestProcess_noLinks(t *testing.T) {
	folder := t.TempDir()
	db, backup := filepath.Join(folder, "m.db"), filepath.Join(folder, "copy.db")
	printed(t, "import", people(t, 2), "--db", db)
	printed(t, "backup", backup, "--db", db)
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
		if got := pointsIn(t, db, "u1"); got != 1 {
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
	if killed < 2 { // of the one that is kept, and of the copy
		t.Errorf("it was killed at %d renames only", killed)
	}
}
