package process_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"marcador/test/testkit"
	"marcador/test/testkit/witness"
)

// fault is something that goes wrong with the file while a service runs.
type fault struct {
	reason string // as the service words it

	// begin starts a service on a database, and returns what brings the fault and what ends it.
	begin func(t *testing.T) (p *testkit.Process, db string, come, end func())
}

var faults = map[string]fault{
	"disk full": {"the disk is full", func(t *testing.T) (*testkit.Process, string, func(), func()) {
		folder := t.TempDir()
		p := testkit.Await(t, onSmallDisk(testkit.Binary(t), folder))
		// The service alone sees the disk, so it is reached through the service.
		inside := fmt.Sprintf("/proc/%d/root%s", p.PID(), folder)
		filler := filepath.Join(inside, "filler")
		return p, filepath.Join(inside, "m.db"), func() { fill(t, filler) }, func() { remove(t, filler) }
	}},
	"I/O error": {"the disk reports an error", func(t *testing.T) (*testkit.Process, string, func(), func()) {
		db := testkit.Database(t)
		p := testkit.Spawn(t, db)
		limit := func(bytes uint64) func() {
			return func() {
				l := unix.Rlimit{Cur: bytes, Max: unix.RLIM_INFINITY}
				if err := unix.Prlimit(p.PID(), unix.RLIMIT_FSIZE, &l, nil); err != nil {
					t.Fatal(err)
				}
			}
		}
		return p, db, limit(4096), limit(unix.RLIM_INFINITY)
	}},
	"locked": {"another program holds the database's lock", func(t *testing.T) (*testkit.Process, string, func(), func()) {
		db := testkit.Database(t)
		p := testkit.Spawn(t, db)
		var release func()
		return p, db, func() { release = lock(t, db) }, func() { release() }
	}},
	"moved away": {"the database's file is gone", func(t *testing.T) (*testkit.Process, string, func(), func()) {
		db := testkit.Database(t)
		p := testkit.Spawn(t, db)
		away := db + ".away"
		return p, db, func() { rename(t, db, away) }, func() { rename(t, away, db) }
	}},
}

// While the file has a fault, writes are refused with the reason, /readyz names it, and reads and
// streams go on. Afterwards writes work again, and none is lost or counted twice.
func TestFaults(t *testing.T) {
	for name, c := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // they wait for locks
			p, db, come, end := c.begin(t)
			p.Enrol(witness.Users)
			w := witness.New(t, 1)
			if !w.Write(p.URL) {
				t.Fatal("a write before the fault was refused")
			}
			heard := p.Follow(testkit.Token(t, "u1", ""), "board=global", "")
			testkit.Next(t, heard, "authenticated")
			before := testkit.UpdateOf(t, testkit.Next(t, heard, "leaderboard:updated"))

			come()
			checkReadOnly(t, p.Program, w, before.Version, c.reason)

			end()
			for late := time.Now().Add(testkit.Patience); !w.Write(p.URL); {
				if time.Now().After(late) {
					t.Fatalf("writes do not come back\n%s", p.Log)
				}
			}
			p.AwaitReady()
			if after := testkit.UpdateOf(t, testkit.Next(t, heard, "leaderboard:updated")); after.Version <= before.Version {
				t.Errorf("the stream is told of version %d after %d", after.Version, before.Version)
			}
			w.Check(copied(t, db))
		})
	}
}

// checkReadOnly checks that the service refuses writes for a reason, and serves the board of a
// version.
func checkReadOnly(t *testing.T, p *testkit.Program, w *witness.Witness, version int, reason string) {
	t.Helper()
	var asking sync.WaitGroup // all at once, since each waits for a lock
	asking.Go(func() { unavailable(t, p, w.Token, http.MethodPost, "/v1/users/u1/xp", `{"xp":1000}`, reason) })
	asking.Go(func() { unavailable(t, p, w.Token, http.MethodGet, "/readyz", "", reason) })
	asking.Go(func() {
		if w.Write(p.URL) {
			t.Error("a write was acknowledged")
		}
	})
	asking.Wait()
	var page struct{ Version int }
	if p.Call(w.Token, http.MethodGet, "/v1/leaderboards/global", "", &page); page.Version != version {
		t.Errorf("the page's version is %d, the stream's was %d", page.Version, version)
	}
	other := p.Follow(testkit.Token(t, "u2", ""), "board=global", "")
	testkit.Next(t, other, "authenticated")
}

// A service stops writing to a file that is damaged while it runs. It still serves the boards,
// which are in memory, and answers requests that need the file with the reason.
func TestFaults_damage(t *testing.T) {
	db := testkit.Database(t)
	p := testkit.Spawn(t, db)
	p.Enrol(witness.Users)
	w := witness.New(t, 1)
	w.Burst(p.URL, 20)
	p.Call(w.Token, http.MethodGet, "/v1/leaderboards/global", "", nil)
	for _, path := range []string{db, db + "-wal"} {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt(bytes.Repeat([]byte("rot "), int(testkit.Size(t, path)/4)), 0); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	damaged := "the database is damaged"
	unavailable(t, p.Program, w.Token, http.MethodGet, "/v1/users/u3/history", "", damaged)
	unavailable(t, p.Program, w.Token, http.MethodPost, "/v1/users/u1/xp", `{"xp":1000}`, damaged)
	p.Call(w.Token, http.MethodGet, "/v1/leaderboards/global", "", nil)
}

// copied copies a database that nobody writes to, and returns the path of the copy. SQLite can't
// open a file under /proc/…/root as it is: it would look for it on this process's own disk.
func copied(tb testing.TB, db string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "copy.db")
	for _, suffix := range []string{"", "-wal"} {
		testkit.Write(tb, path+suffix, testkit.Read(tb, db+suffix))
	}
	return path
}

// unavailable checks that a request is refused with the reason.
func unavailable(tb testing.TB, p *testkit.Program, token, method, path, body, reason string) {
	tb.Helper()
	status, answer := p.Try(token, method, path, body)
	var problem struct{ Code, Detail string }
	if err := json.Unmarshal(answer, &problem); err != nil || status != http.StatusServiceUnavailable ||
		problem.Code != "database_unavailable" || !strings.Contains(problem.Detail, reason) {
		tb.Errorf("%s = %d %s, want a 503 that says %q", path, status, answer, reason)
	}
}

// smallDisk is the size of a disk with room for a new database and some hundred writes.
const smallDisk = "2m"

// onSmallDisk returns the command of a service whose folder is a small file system of its own,
// which no other process sees.
func onSmallDisk(binary, folder string) *exec.Cmd {
	script := `mount -t tmpfs -o size=` + smallDisk + ` tmpfs "$0" && exec "$@"`
	cmd := testkit.ServiceCommand([]string{"sh", "-c", script, folder, binary}, filepath.Join(folder, "m.db"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	} else {
		cmd.SysProcAttr.Unshareflags = syscall.CLONE_NEWNS // makes mounts private first
		cmd.SysProcAttr.Cloneflags = 0
	}
	return cmd
}

// fill writes a file until the disk is full.
func fill(tb testing.TB, path string) {
	tb.Helper()
	f, err := os.Create(path)
	if err != nil {
		tb.Fatal(err)
	}
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		tb.Fatal(err)
	}
	if err := f.Close(); err != nil {
		tb.Fatal(err)
	}
}

func remove(tb testing.TB, path string) {
	tb.Helper()
	if err := os.Remove(path); err != nil {
		tb.Fatal(err)
	}
}

func rename(tb testing.TB, from, to string) {
	tb.Helper()
	if err := os.Rename(from, to); err != nil {
		tb.Fatal(err)
	}
}

// lock takes the database's lock and returns what gives it back.
func lock(tb testing.TB, path string) func() {
	tb.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		tb.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(tb.Context(), `BEGIN IMMEDIATE`); err != nil {
		tb.Fatal(err)
	}
	return func() {
		_, err := db.ExecContext(context.Background(), `ROLLBACK`)
		if err := errors.Join(err, db.Close()); err != nil {
			tb.Error(err)
		}
	}
}
