package main

import (
	"bytes"
	"context"
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

// spawn starts a real process of the service and waits until it listens.
func spawn(tb testing.TB, binary, db string) (*program, *exec.Cmd) {
	tb.Helper()
	p := &program{tb: tb, log: &log{opened: make(chan string, 1)}}
	cmd := exec.CommandContext(context.Background(), binary, "serve", "--addr", "127.0.0.1:0", "--db", db, "--throttle", "0")
	cmd.Env = append(os.Environ(), "MARCADOR_JWT_SECRET="+secret)
	cmd.Stdout, cmd.Stderr = p.log, p.log
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill() // the test has failed
			_ = cmd.Wait()
		}
	})
	select {
	case p.url = <-p.log.opened:
	case <-time.After(patient):
		tb.Fatalf("it does not listen:\n%s", p.log)
	}
	return p, cmd
}

// A signal ends the process well: streams are told, and it exits with 0.
func TestProcess_signal(t *testing.T) {
	binary := build(t)
	t.Setenv("MARCADOR_PUBLIC", "") // the same as none
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		p, cmd := spawn(t, binary, filepath.Join(t.TempDir(), "m.db"))
		heard := p.follow(tokenFor(t, "u1", "", time.Hour), "", "")
		next(t, heard, "authenticated")
		next(t, heard, "leaderboard:updated")
		if err := cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		next(t, heard, "goodbye")
		if err := cmd.Wait(); err != nil {
			t.Errorf("after %v: %v\n%s", signal, err, p.log)
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

// A killed process has lost nothing that it had acknowledged, and counts nothing
// twice when what it had not is repeated.
func TestProcess_killed(t *testing.T) {
	binary := build(t)
	db := filepath.Join(t.TempDir(), "m.db")
	service := tokenFor(t, "svc", "admin", time.Hour)
	const users, rounds = 8, 5
	var given [users]int // updates made, acknowledged or repeated until they were
	for round := range rounds {
		p, cmd := spawn(t, binary, db)
		if round == 0 {
			p.enrol(users)
		}
		var acknowledged atomic.Int64
		var wg sync.WaitGroup
		for u := range users {
			wg.Go(func() {
				for {
					// The key is the update's number: unanswered, it is sent again.
					key := fmt.Sprintf("%d-%d", u, given[u])
					if !give(t, p.url, service, u+1, key) {
						return
					}
					given[u]++
					acknowledged.Add(1)
				}
			})
		}
		for acknowledged.Load() < int64(100*(round+1)) {
			time.Sleep(time.Millisecond) // a process under real load
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		_ = cmd.Wait() // it was killed
	}
	p, cmd := spawn(t, binary, db)
	for u := range users {
		if !give(t, p.url, service, u+1, fmt.Sprintf("%d-%d", u, given[u])) { // the one that was cut off, perhaps
			t.Error("a repetition was refused")
		}
		given[u]++
		var user struct{ XP int }
		p.call(service, http.MethodGet, fmt.Sprintf("/v1/users/u%d", u+1), "", &user)
		if user.XP != 10*given[u] {
			t.Errorf("u%d has %d, want %d", u+1, user.XP, 10*given[u])
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, p.log)
	}
}

// give sends ten points with a key and reports whether that was acknowledged;
// the process may be gone.
func give(tb testing.TB, url, token string, user int, key string) bool {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodPost, fmt.Sprintf("%s/v1/users/u%d/xp", url, user), strings.NewReader(`{"xp":10}`))
	if err != nil {
		tb.Error(err)
		return false
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", key)
	req.Close = true
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = res.Body.Close() // its status has come
	if res.StatusCode != http.StatusOK {
		tb.Errorf("status %d", res.StatusCode)
	}
	return res.StatusCode == http.StatusOK
}
