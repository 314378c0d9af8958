package main

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
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A fault of the file system while the service runs: writes are refused with the
// reason, /readyz names it, reads and streams go on, and when it has ended so do writes,
// with nothing lost and nothing counted twice.
func TestFaults(t *testing.T) {
	binary := build(t)
	for name, c := range map[string]struct {
		want string
		// begin starts a service and returns how the fault comes over it, and goes.
		begin func(t *testing.T) (p *program, db string, come, end func())
	}{
		"disk full": {"the disk is full", func(t *testing.T) (*program, string, func(), func()) {
			folder := t.TempDir()
			cmd := onSmallDisk(binary, folder)
			p := await(t, cmd)
			// The disk is seen by the service alone, and through it.
			inside := fmt.Sprintf("/proc/%d/root%s", cmd.Process.Pid, folder)
			filler := filepath.Join(inside, "filler")
			return p, filepath.Join(inside, "m.db"), func() { fill(t, filler) }, func() { remove(t, filler) }
		}},
		"I/O error": {"the disk reports an error", func(t *testing.T) (*program, string, func(), func()) {
			db := filepath.Join(t.TempDir(), "m.db")
			p, cmd := spawn(t, binary, db)
			limit := func(bytes uint64) func() {
				return func() {
					l := unix.Rlimit{Cur: bytes, Max: unix.RLIM_INFINITY}
					if err := unix.Prlimit(cmd.Process.Pid, unix.RLIMIT_FSIZE, &l, nil); err != nil {
						t.Fatal(err)
					}
				}
			}
			return p, db, limit(4096), limit(unix.RLIM_INFINITY)
		}},
		"locked": {"another program holds the database's lock", func(t *testing.T) (*program, string, func(), func()) {
			db := filepath.Join(t.TempDir(), "m.db")
			p, _ := spawn(t, binary, db)
			var release func()
			return p, db, func() { release = hold(t, db) }, func() { release() }
		}},
		"moved away": {"the database's file is gone", func(t *testing.T) (*program, string, func(), func()) {
			db := filepath.Join(t.TempDir(), "m.db")
			p, _ := spawn(t, binary, db)
			away := db + ".away"
			return p, db, func() { rename(t, db, away) }, func() { rename(t, away, db) }
		}},
	} {
		t.Run(name, func(t *testing.T) {
			p, db, come, end := c.begin(t)
			p.enrol(witnessUsers)
			w := newWitness(t, 1)
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			if !w.write(t.Context(), client, p.url, w.callers[0]) {
				t.Fatal("a write before the fault was refused")
			}
			heard := p.follow(tokenFor(t, "u1", "", time.Hour), "board=global", "")
			next(t, heard, "authenticated")
			before := updateOf(t, next(t, heard, "leaderboard:updated"))

			come()
			var asking sync.WaitGroup // all at once: for a lock they wait
			asking.Go(func() { unavailable(t, p, w.token, http.MethodPost, "/v1/users/u1/xp", `{"xp":1000}`, c.want) })
			asking.Go(func() { unavailable(t, p, w.token, http.MethodGet, "/readyz", "", c.want) })
			asking.Go(func() {
				if w.write(t.Context(), client, p.url, w.callers[0]) {
					t.Error("a write was acknowledged")
				}
			})
			asking.Wait()
			var page struct{ Version int }
			if p.call(w.token, http.MethodGet, "/v1/leaderboards/global", "", &page); page.Version != before.Version {
				t.Errorf("the page's version is %d, that of the stream %d", page.Version, before.Version)
			}
			other := p.follow(tokenFor(t, "u2", "", time.Hour), "board=global", "")
			next(t, other, "authenticated")

			end()
			for late := time.Now().Add(patient); !w.write(t.Context(), client, p.url, w.callers[0]); {
				if time.Now().After(late) {
					t.Fatalf("writes do not come back\n%s", p.log)
				}
			}
			for late := time.Now().Add(patient); ; {
				status, body := p.try("", http.MethodGet, "/readyz", "")
				if status == http.StatusOK {
					break
				}
				if time.Now().After(late) {
					t.Fatalf("/readyz = %d %s", status, body)
				}
			}
			if after := updateOf(t, next(t, heard, "leaderboard:updated")); after.Version <= before.Version {
				t.Errorf("the stream is told of version %d after %d", after.Version, before.Version)
			}
			w.check(copied(t, db))
		})
	}
}

// A file that rots while the service runs is not written to any more. What is in memory
// is still served, and what has to be read says why it can't be.
func TestFaults_damage(t *testing.T) {
	db := filepath.Join(t.TempDir(), "m.db")
	p, _ := spawn(t, build(t), db)
	p.enrol(witnessUsers)
	w := newWitness(t, 1)
	var acknowledged atomic.Int64
	burst(t, w, p.url, &acknowledged, 20)
	p.call(w.token, http.MethodGet, "/v1/leaderboards/global", "", nil)
	for _, path := range []string{db, db + "-wal"} {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt(bytes.Repeat([]byte("rot "), int(sizeOf(t, path)/4)), 0); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	damaged := "the database is damaged"
	unavailable(t, p, w.token, http.MethodGet, "/v1/users/u3/history", "", damaged)
	unavailable(t, p, w.token, http.MethodPost, "/v1/users/u1/xp", `{"xp":1000}`, damaged)
	p.call(w.token, http.MethodGet, "/v1/leaderboards/global", "", nil)
}

// copied is a copy of a database that nobody writes to. SQLite would take the path of
// one on a disk that only another process sees for one of its own.
func copied(tb testing.TB, db string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "copy.db")
	for _, suffix := range []string{"", "-wal"} {
		write(tb, path+suffix, readFile(tb, db+suffix))
	}
	return path
}

// unavailable checks that a request is refused with the reason.
func unavailable(tb testing.TB, p *program, token, method, path, body, reason string) {
	tb.Helper()
	status, answer := p.try(token, method, path, body)
	var problem struct{ Code, Detail string }
	if err := json.Unmarshal(answer, &problem); err != nil || status != http.StatusServiceUnavailable ||
		problem.Code != "database_unavailable" || !strings.Contains(problem.Detail, reason) {
		tb.Errorf("%s = %d %s, want a 503 that says %q", path, status, answer, reason)
	}
}

// smallDisk is enough for a new database and some hundred writes.
const smallDisk = "2m"

// onSmallDisk is the service on a file system of its own at folder, that is small and
// that nobody else sees.
func onSmallDisk(binary, folder string) *exec.Cmd {
	script := `mount -t tmpfs -o size=` + smallDisk + ` tmpfs "$0" && exec "$@"`
	cmd := commandOf([]string{"sh", "-c", script, folder, binary}, filepath.Join(folder, "m.db"))
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

// fill writes to the file until the disk has no room.
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

// hold takes the database's lock and returns what lets go of it.
func hold(tb testing.TB, path string) func() {
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

// nobody is the user that owns nothing.
const nobody = 65534

// A file that can't be used is said to be so in one line, with what to do; the exit is
// not zero, and the file is as it was.
func TestFaults_start(t *testing.T) {
	binary := build(t)
	good := filepath.Join(t.TempDir(), "good.db")
	p, cmd := spawn(t, binary, good)
	p.enrol(20)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	whole := readFile(t, good)
	damaged := bytes.Clone(whole)
	for at := 4096; at < len(damaged); at += 4096 { // each page but the first, which says what the file is
		for i := range 8 {
			damaged[at+i] ^= 0xff
		}
	}
	newer := bytes.Clone(whole)
	newer[63]++ // user_version: https://www.sqlite.org/fileformat.html#the_database_header
	for name, c := range map[string]struct {
		content []byte
		mode    os.FileMode // of the folder
		want    string
	}{
		"damaged":           {damaged, 0o777, "the database is damaged"},
		"cut off":           {whole[:len(whole)/2], 0o777, "the database is damaged"},
		"newer":             {newer, 0o777, "was written by a newer version of marcador"},
		"not a database":    {[]byte(strings.Repeat("Dear Sir or Madam. ", 400)), 0o777, "not an SQLite database"},
		"another program's": {anotherPrograms(t), 0o777, "of another program"},
		"read-only folder":  {whole, 0o555, "can't be written"},
		"new, read-only":    {nil, 0o555, "can't be written"},
	} {
		t.Run(name, func(t *testing.T) {
			folder, err := os.MkdirTemp("", "marcador-") //nolint:usetesting // somebody else has to reach it
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = os.RemoveAll(folder) }()
			db := filepath.Join(folder, "m.db")
			if c.content != nil {
				write(t, db, c.content)
			}
			program := filepath.Join(folder, "marcador")
			if err := os.Link(binary, program); err != nil {
				write(t, program, readFile(t, binary))
			}
			cmd := serviceOf(program, db)
			if os.Geteuid() == 0 { // to whom modes mean nothing
				cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
			}
			for path, mode := range map[string]os.FileMode{db: 0o666, program: 0o755, folder: c.mode} {
				if err := os.Chmod(path, mode); err != nil && !errors.Is(err, os.ErrNotExist) {
					t.Fatal(err)
				}
			}
			var said bytes.Buffer
			cmd.Stderr = &said
			timer := time.AfterFunc(patient, func() { _ = cmd.Process.Kill() }) // it serves what it should refuse
			err = cmd.Run()
			timer.Stop()
			if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 1 {
				t.Errorf("it ended with %v, want 1", err)
			}
			if !strings.Contains(said.String(), c.want) || strings.Count(said.String(), "\n") != 1 || !strings.Contains(said.String(), db) {
				t.Errorf("it says %q, want a line with %q and the file", &said, c.want)
			}
			if now, err := os.ReadFile(db); err == nil && !bytes.Equal(now, c.content) || c.content != nil && err != nil {
				t.Errorf("the file has changed (%v)", err)
			}
		})
	}
}

func anotherPrograms(tb testing.TB) []byte {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "other.db")
	damage(tb, path, `CREATE TABLE notes (text TEXT)`)
	return readFile(tb, path)
}
