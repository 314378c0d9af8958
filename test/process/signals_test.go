package process_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"marcador/test/testkit"
	"marcador/test/testkit/witness"
)

// A signal ends the process well: its streams get a goodbye, and it exits with 0.
func TestProcess_signal(t *testing.T) {
	t.Setenv("MARCADOR_PUBLIC", "") // an empty variable is as good as none
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // under nohup the program ignores it as well
		signals = append(signals, syscall.SIGHUP)
	}
	for _, sent := range signals {
		p := testkit.Spawn(t, testkit.Database(t))
		heard := p.Follow(testkit.Token(t, "u1", ""), "", "")
		testkit.Next(t, heard, "authenticated")
		testkit.Next(t, heard, "leaderboard:updated")
		p.Signal(sent)
		testkit.Next(t, heard, "goodbye")
		p.AwaitEnd()
		if !p.Log.Has("msg=stopped") {
			t.Errorf("after %v the log is %s", sent, p.Log)
		}
	}
}

// A process that can't start says why in one line, and exits with 1.
func TestProcess_startError(t *testing.T) {
	var out bytes.Buffer
	cmd := testkit.ServiceCommand([]string{testkit.Binary(t)}, filepath.Join(t.TempDir(), "no", "m.db"))
	cmd.Stderr = &out
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 1 || strings.Count(out.String(), "\n") != 1 {
		t.Errorf("start error: %v, %q", err, &out)
	}
}

// endsWithin is how long the process may take to end after the first signal, whatever its clients
// do.
const endsWithin = 10 * time.Second

// A service that gets a signal under full load commits all that it has acknowledged, says goodbye
// to each of its streams, and ends.
func TestProcess_shutdownUnderLoad(t *testing.T) {
	const callers, streams = 64, 100
	db := testkit.Database(t)
	p := testkit.Spawn(t, db)
	p.Enrol(witness.Users)
	goodbyes, ended := followAll(t, p.Program, streams)
	w := witness.New(t, callers)
	var loading sync.WaitGroup
	loading.Go(func() { w.Load(t.Context(), p.URL) })
	for late := time.Now().Add(testkit.Patience); w.Acknowledged.Load() < 5*callers; {
		if time.Now().After(late) {
			t.Fatalf("it takes no writes:\n%s", p.Log)
		}
		time.Sleep(time.Millisecond) // a process under real load
	}
	p.Signal(syscall.SIGTERM)
	if _, err := p.End(endsWithin); err != nil {
		t.Errorf("%v\n%s", err, p.Log)
	}
	loading.Wait()
	ended.Wait()
	if goodbyes.Load() != streams {
		t.Errorf("%d of %d streams got a goodbye", goodbyes.Load(), streams)
	}
	w.Check(db)
	for _, suffix := range []string{"-wal", "-shm"} {
		if names, err := filepath.Glob(db + suffix); err != nil || len(names) > 0 {
			t.Errorf("%v is left (%v)", names, err)
		}
	}
}

// followAll opens streams and waits for the first event of each. It counts their goodbyes; ended
// waits for their ends.
func followAll(t *testing.T, p *testkit.Program, streams int) (goodbyes *atomic.Int64, ended *sync.WaitGroup) {
	t.Helper()
	goodbyes, ended = new(atomic.Int64), new(sync.WaitGroup)
	var begun sync.WaitGroup
	begun.Add(streams)
	for i := range streams {
		heard := p.Follow(testkit.Token(t, fmt.Sprintf("u%d", i+1), ""), "board=global&mode=diff", "")
		ended.Go(func() {
			first := true
			for m := range heard {
				if first {
					begun.Done()
				}
				if first = false; m.Event == "goodbye" {
					goodbyes.Add(1)
				}
			}
		})
	}
	begun.Wait()
	return goodbyes, ended
}

// A second signal ends a process at once that still waits for a client. Nothing that it
// acknowledged is lost.
func TestProcess_secondSignal(t *testing.T) {
	db := testkit.Database(t)
	p := testkit.Spawn(t, db)
	p.Enrol(witness.Users)
	w := witness.New(t, 4)
	w.Burst(p.URL, 20)
	// A request whose body does not come is waited for.
	slow, err := net.Dial("tcp", p.Host())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = slow.Close() }() // it is cut off
	fmt.Fprintf(slow, "POST /v1/users/u1/xp HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n", w.Token)
	if _, err := slow.Read(make([]byte, 64)); err != nil { // 100 Continue: it waits for the body
		t.Fatal(err)
	}
	p.Signal(syscall.SIGTERM)
	p.Log.Await(t, "shutting down")
	type end struct {
		state *os.ProcessState
		err   error
	}
	ended := make(chan end, 1)
	go func() {
		state, err := p.End(endsWithin)
		ended <- end{state, err}
	}()
	var how end
	for again := true; again; { // it may not have let go of signals yet
		p.TrySignal(syscall.SIGTERM)
		select {
		case how = <-ended:
			again = false
		case <-time.After(20 * time.Millisecond):
		}
	}
	if how.err == nil {
		t.Error("it ended as if there had been one signal")
	}
	if status, ok := how.state.Sys().(syscall.WaitStatus); !ok || !status.Signaled() || status.Signal() != syscall.SIGTERM {
		t.Errorf("it ended with %v, want the signal", how.state)
	}
	w.Check(db)
}
