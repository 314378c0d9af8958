package command_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"marcador/test/testkit"
)

// watching is a process of the watch command, and what it writes.
type watching struct {
	t      *testing.T
	cmd    *exec.Cmd
	lines  chan string // of standard output; closed at its end
	errors *testkit.Log
}

// startWatch starts one with a further variable in its environment.
func startWatch(t *testing.T, env string, args ...string) *watching {
	t.Helper()
	w := &watching{t: t, lines: make(chan string, 100), errors: new(testkit.Log)}
	w.cmd = exec.CommandContext(context.Background(), testkit.Binary(t), append([]string{"watch"}, args...)...)
	w.cmd.Env = append(os.Environ(), env)
	w.cmd.Stderr = w.errors
	out, err := w.cmd.StdoutPipe()
	if err == nil {
		err = w.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if w.cmd.ProcessState == nil {
			_ = w.cmd.Process.Kill()
			_ = w.cmd.Wait()
		}
	})
	go func() {
		defer close(w.lines)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			w.lines <- lines.Text()
		}
	}()
	return w
}

// next returns the next line.
func (w *watching) next() (board struct {
	Board, Period string
	Version       int64
	TotalEntries  int
	Leaderboard   []struct {
		Rank     int
		UserID   string
		Username string
		Score    int64
	}
},
) {
	w.t.Helper()
	select {
	case line := <-w.lines:
		if err := json.Unmarshal([]byte(line), &board); err != nil {
			w.t.Fatalf("%v: %q\n%s", err, line, w.errors)
		}
	case <-time.After(testkit.Patience):
		w.t.Fatalf("nothing came\n%s", w.errors)
	}
	return board
}

// endBy sends the command a signal, and fails unless it then ends well.
func (w *watching) endBy(signal os.Signal) {
	w.t.Helper()
	if err := w.cmd.Process.Signal(signal); err != nil {
		w.t.Fatal(err)
	}
	if err := w.cmd.Wait(); err != nil {
		w.t.Errorf("after %v: %v\n%s", signal, err, w.errors)
	}
}

// Without a terminal each update is written as a line, even after the service was away, and Ctrl-C
// ends the command well.
func TestWatch_lines(t *testing.T) {
	db := testkit.Database(t)
	p := testkit.ServeOn(t, testkit.AnyPort, db)
	admin := testkit.Token(t, "svc", "admin")
	p.Call(admin, http.MethodPut, "/v1/users/ana", `{"username":"Ana Pech"}`, nil)
	p.Call(admin, http.MethodPut, "/v1/users/leo", `{"username":"Leo"}`, nil)
	w := startWatch(t, "MARCADOR_TOKEN="+testkit.Token(t, "ana", ""), "--url", p.URL, "--rows", "1", "--period", "weekly")
	if got := w.next(); got.Board != "global" || got.Period != "weekly" || len(got.Leaderboard) != 0 {
		t.Errorf("first line = %+v", got)
	}
	p.Call(admin, http.MethodPost, "/v1/xp", `{"updates":[{"userId":"ana","xp":5},{"userId":"leo","xp":3}]}`, nil)
	if got := w.next(); got.TotalEntries != 2 || len(got.Leaderboard) != 1 || got.Leaderboard[0].UserID != "ana" || got.Leaderboard[0].Score != 5 {
		t.Errorf("after a write = %+v", got)
	}
	p.Stop()
	p = testkit.ServeOn(t, p.Host(), db)
	p.Give("leo", 10)
	for got := w.next(); got.Leaderboard[0].UserID != "leo" || got.Leaderboard[0].Score != 13; {
		got = w.next() // it may come back before the write
	}
	if said := w.errors.String(); !strings.Contains(said, "no connection (") || !strings.Contains(said, "trying again in") {
		t.Errorf("of the restart it said %q", said)
	}
	w.endBy(os.Interrupt)
}

// A fault that lasts ends the command with 1 and one line, which names the flag to change.
func TestWatch_refused(t *testing.T) {
	p := testkit.Serve(t)
	page := testkit.Start(t, "demo", "--addr", testkit.AnyPort, "--students", "3")
	good := testkit.Token(t, "ana", "")
	for name, c := range map[string]struct {
		token string
		args  []string
		want  string
	}{
		"no token":       {"", []string{"--url", p.URL}, "--token"},
		"forged token":   {good + "x", []string{"--url", p.URL}, "--token"},
		"not a member":   {good, []string{"--url", p.URL, "--board", "school:42"}, "--board school:42"},
		"no such board":  {good, []string{"--url", p.URL, "--board", "school: "}, "--board"},
		"not a board":    {good, []string{"--url", p.URL, "--board", "none"}, "--board"},
		"not a service":  {"", []string{"--url", page.URL + "/docs"}, "--url"},
		"not an address": {"", []string{"--url", "localhost:8080"}, "--url"},
		"rows":           {"", []string{"--url", p.URL, "--rows", "0"}, "--rows"},
	} {
		w := startWatch(t, "MARCADOR_TOKEN="+c.token, c.args...)
		for range w.lines { // until it ends
		}
		err := w.cmd.Wait()
		if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 1 || !strings.Contains(w.errors.String(), c.want) || strings.Count(w.errors.String(), "\n") != 1 {
			t.Errorf("%s: %v, %q", name, err, w.errors)
		}
	}
	// A token that expires while the command runs.
	w := startWatch(t, "NO_COLOR=1", "--url", p.URL, "--token", testkit.TokenFor(t, "ana", "", -29*time.Second)) // clocks may differ by 30 s
	for range w.lines {
	}
	if err := w.cmd.Wait(); err == nil || !strings.Contains(w.errors.String(), "--token") {
		t.Errorf("of a token that expired: %v, %q", err, w.errors)
	}
}

// A service that is not there yet is waited for.
func TestWatch_unreachable(t *testing.T) {
	w := startWatch(t, "MARCADOR_TOKEN=", "--url", "http://127.0.0.1:1")
	for began := time.Now(); strings.Count(w.errors.String(), "trying again in") < 2; time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > testkit.Patience {
			t.Fatalf("it said %q", w.errors)
		}
	}
	w.endBy(syscall.SIGTERM)
}

// The command says so when a newer stream of the same user has replaced its own, and lets it be.
func TestWatch_replaced(t *testing.T) {
	p := testkit.Serve(t, "--max-streams-per-user", "1")
	p.Enrol(1)
	token := testkit.Token(t, "u1", "")
	w := startWatch(t, "MARCADOR_TOKEN="+token, "--url", p.URL)
	w.next()
	testkit.Next(t, p.Follow(token, "", ""), "authenticated")
	w.errors.Await(t, "replaced this one")
	w.errors.Await(t, "trying again in 1m")
	w.endBy(os.Interrupt)
}
