package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// built makes the program as a user would, once for all tests. TestMain removes it.
var built = sync.OnceValues(func() (path string, err error) {
	folder, err := os.MkdirTemp("", "marcador-test-")
	if err != nil {
		return "", err
	}
	path = filepath.Join(folder, "marcador")
	cmd := exec.CommandContext(context.Background(), "go", "build", "-o", path, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	builtIn.Store(&folder)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, nil
})

// builtIn is the folder of the program, nil where no test needed it.
var builtIn atomic.Pointer[string]

// build returns the path of the program.
func build(tb testing.TB) string {
	tb.Helper()
	path, err := built()
	if err != nil {
		tb.Fatal(err)
	}
	return path
}

// serviceOf is the service on a database, to be started.
func serviceOf(binary, db string, flags ...string) *exec.Cmd {
	return commandOf([]string{binary}, db, flags...)
}

// commandOf is serviceOf through other programs, the last of which is the service's.
func commandOf(argv []string, db string, flags ...string) *exec.Cmd {
	args := append(slices.Clone(argv[1:]), "serve", "--addr", "127.0.0.1:0", "--db", db, "--throttle", "0")
	cmd := exec.CommandContext(context.Background(), argv[0], append(args, flags...)...)
	cmd.Env = append(os.Environ(), "MARCADOR_JWT_SECRET="+secret)
	return cmd
}

// spawn starts a real process of the service and waits until it listens.
func spawn(tb testing.TB, binary, db string, flags ...string) (*program, *exec.Cmd) {
	tb.Helper()
	cmd := serviceOf(binary, db, flags...)
	return await(tb, cmd), cmd
}

// await starts the command of a service and waits until that listens.
func await(tb testing.TB, cmd *exec.Cmd) *program {
	tb.Helper()
	p := &program{tb: tb, log: &log{opened: make(chan string, 1)}}
	cmd.Stdout, cmd.Stderr = p.log, p.log
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill() // the test has failed, or does not need it any more
			_ = cmd.Wait()
		}
	})
	select {
	case p.url = <-p.log.opened:
	case <-time.After(patient):
		tb.Fatalf("it does not listen:\n%s", p.log)
	}
	return p
}

// A signal ends the process well: streams are told, and it exits with 0.
func TestProcess_signal(t *testing.T) {
	binary := build(t)
	t.Setenv("MARCADOR_PUBLIC", "") // the same as none
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // under nohup the program ignores it as well
		signals = append(signals, syscall.SIGHUP)
	}
	for _, sent := range signals {
		p, cmd := spawn(t, binary, filepath.Join(t.TempDir(), "m.db"))
		heard := p.follow(tokenFor(t, "u1", "", time.Hour), "", "")
		next(t, heard, "authenticated")
		next(t, heard, "leaderboard:updated")
		if err := cmd.Process.Signal(sent); err != nil {
			t.Fatal(err)
		}
		next(t, heard, "goodbye")
		if err := cmd.Wait(); err != nil {
			t.Errorf("after %v: %v\n%s", sent, err, p.log)
		}
		if !strings.Contains(p.log.String(), "msg=stopped") {
			t.Errorf("log = %s", p.log)
		}
	}
	// What can't start says why in one line, and exits with 1.
	var out bytes.Buffer
	cmd := exec.CommandContext(t.Context(), binary, "serve", "--db", filepath.Join(t.TempDir(), "no", "m.db"), "--addr", "127.0.0.1:0")
	cmd.Env, cmd.Stderr = append(os.Environ(), "MARCADOR_JWT_SECRET="+secret), &out
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 1 || strings.Count(out.String(), "\n") != 1 {
		t.Errorf("start error: %v, %q", err, &out)
	}
}
