package main

import (
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// leave is within what the process is gone after the first signal, whatever clients do.
const leave = 10 * time.Second

// A service that is told to go under full load has committed all that it
// acknowledged, tells each of its streams, and goes.
func TestProcess_shutdownUnderLoad(t *testing.T) {
	const callers, streams = 64, 100
	db := filepath.Join(t.TempDir(), "m.db")
	p, cmd := spawn(t, build(t), db)
	p.enrol(witnessUsers)
	var heard []<-chan message
	for i := range streams {
		heard = append(heard, p.follow(tokenFor(t, fmt.Sprintf("u%d", i+1), "", time.Hour), "board=global&mode=diff", ""))
	}
	var followers, told sync.WaitGroup
	var farewells atomic.Int64
	followers.Add(streams)
	for _, h := range heard {
		told.Go(func() {
			first := true
			for m := range h {
				if first {
					followers.Done()
				}
				if first = false; m.event == "goodbye" {
					farewells.Add(1)
				}
			}
		})
	}
	followers.Wait()
	w := newWitness(t, callers)
	var acknowledged atomic.Int64
	var loading sync.WaitGroup
	loading.Go(func() { w.load(t.Context(), p.url, &acknowledged) })
	for late := time.Now().Add(patient); acknowledged.Load() < 5*callers; {
		if time.Now().After(late) {
			t.Fatalf("it takes no writes:\n%s", p.log)
		}
		time.Sleep(time.Millisecond) // a process under real load
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := exits(t, cmd, leave); err != nil {
		t.Errorf("%v\n%s", err, p.log)
	}
	loading.Wait()
	told.Wait()
	if farewells.Load() != streams {
		t.Errorf("%d of %d streams were told", farewells.Load(), streams)
	}
	w.check(db)
	for _, suffix := range []string{"-wal", "-shm"} {
		if names, err := filepath.Glob(db + suffix); err != nil || len(names) > 0 {
			t.Errorf("%v is left (%v)", names, err)
		}
	}
}

// A second signal ends the process at once, while it waits for somebody who does not
// let it go. That loses nothing that was acknowledged, either.
func TestProcess_secondSignal(t *testing.T) {
	db := filepath.Join(t.TempDir(), "m.db")
	p, cmd := spawn(t, build(t), db)
	p.enrol(witnessUsers)
	w := newWitness(t, 4)
	var acknowledged atomic.Int64
	burst(t, w, p.url, &acknowledged, 20)
	// A request whose body does not come is waited for.
	slow, err := net.Dial("tcp", p.url[len("http://"):])
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = slow.Close() }() // it is cut off
	fmt.Fprintf(slow, "POST /v1/users/u1/xp HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n", w.token)
	if _, err := slow.Read(make([]byte, 64)); err != nil { // 100: it waits for the body
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.log.await(t, "shutting down")
	ended := make(chan error, 1)
	go func() { ended <- exits(t, cmd, leave) }()
	for again := true; again; { // it may not have let go of signals yet
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may be gone
		select {
		case err := <-ended:
			if again = false; err == nil {
				t.Error("it ended as if it had not been told twice")
			}
		case <-time.After(20 * time.Millisecond):
		}
	}
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() || status.Signal() != syscall.SIGTERM {
		t.Errorf("it ended with %v, want the signal", cmd.ProcessState)
	}
	w.check(db)
}

// exits waits until the process has ended, and returns how. It is killed where that takes
// longer than it may.
func exits(tb testing.TB, cmd *exec.Cmd, within time.Duration) error {
	tb.Helper()
	late := time.AfterFunc(within, func() {
		tb.Errorf("it has not ended within %s", within)
		_ = cmd.Process.Kill() // it may just have ended
	})
	defer late.Stop()
	return cmd.Wait()
}
