package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// watching is the program that follows, with what it writes.
type watching struct {
	t      *testing.T
	cmd    *exec.Cmd
	lines  chan string // of standard output; closed at its end
	errors *log
}

func startWatch(t *testing.T, env string, args ...string) *watching {
	t.Helper()
	w := &watching{t: t, lines: make(chan string, 100), errors: &log{opened: make(chan string, 1)}}
	w.cmd = exec.CommandContext(context.Background(), build(t), append([]string{"watch"}, args...)...)
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
	case <-time.After(patient):
		w.t.Fatalf("nothing came\n%s", w.errors)
	}
	return board
}

// Where there is no terminal each update is a line, whatever happens to the connection,
// and Ctrl-C is the end of it.
func TestWatch_lines(t *testing.T) {
	db := filepath.Join(t.TempDir(), "m.db")
	p := serveOn(t, "127.0.0.1:0", db)
	admin := tokenFor(t, "svc", "admin", time.Hour)
	p.call(admin, http.MethodPut, "/v1/users/ana", `{"username":"Ana Pech"}`, nil)
	p.call(admin, http.MethodPut, "/v1/users/leo", `{"username":"Leo"}`, nil)
	w := startWatch(t, "MARCADOR_TOKEN="+tokenFor(t, "ana", "", time.Hour), "--url", p.url, "--rows", "1", "--period", "weekly")
	if got := w.next(); got.Board != "global" || got.Period != "weekly" || len(got.Leaderboard) != 0 {
		t.Errorf("first line = %+v", got)
	}
	p.call(admin, http.MethodPost, "/v1/xp", `{"updates":[{"userId":"ana","xp":5},{"userId":"leo","xp":3}]}`, nil)
	if got := w.next(); got.TotalEntries != 2 || len(got.Leaderboard) != 1 || got.Leaderboard[0].UserID != "ana" || got.Leaderboard[0].Score != 5 {
		t.Errorf("after a write = %+v", got)
	}
	p.stop()
	p = serveOn(t, strings.TrimPrefix(p.url, "http://"), db)
	p.call(admin, http.MethodPost, "/v1/users/leo/xp", `{"xp":10}`, nil)
	for got := w.next(); got.Leaderboard[0].UserID != "leo" || got.Leaderboard[0].Score != 13; {
		got = w.next() // the state that it comes back to may be from before the write
	}
	if said := w.errors.String(); !strings.Contains(said, "no connection (") || !strings.Contains(said, "trying again in") {
		t.Errorf("of the restart it said %q", said)
	}
	if err := w.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := w.cmd.Wait(); err != nil {
		t.Errorf("after Ctrl-C: %v\n%s", err, w.errors)
	}
}

// What does not go away by itself ends it, with 1 and a line that names the flag.
func TestWatch_refused(t *testing.T) {
	p := serveOn(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "m.db"))
	page := start(t, "demo", "--addr", "127.0.0.1:0", "--students", "3")
	good := tokenFor(t, "ana", "", time.Hour)
	for name, c := range map[string]struct {
		token string
		args  []string
		want  string
	}{
		"no token":       {"", []string{"--url", p.url}, "--token"},
		"forged token":   {good + "x", []string{"--url", p.url}, "--token"},
		"not a member":   {good, []string{"--url", p.url, "--board", "school:42"}, "--board school:42"},
		"no such board":  {good, []string{"--url", p.url, "--board", "school: "}, "--board"},
		"not a board":    {good, []string{"--url", p.url, "--board", "none"}, "--board"},
		"not a service":  {"", []string{"--url", page.url + "/docs"}, "--url"},
		"not an address": {"", []string{"--url", "localhost:8080"}, "--url"},
		"rows":           {"", []string{"--url", p.url, "--rows", "0"}, "--rows"},
	} {
		w := startWatch(t, "MARCADOR_TOKEN="+c.token, c.args...)
		for range w.lines { // until it ends
		}
		err := w.cmd.Wait()
		if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 1 || !strings.Contains(w.errors.String(), c.want) || strings.Count(w.errors.String(), "\n") != 1 {
			t.Errorf("%s: %v, %q", name, err, w.errors)
		}
	}
	// A token that ends meanwhile.
	w := startWatch(t, "NO_COLOR=1", "--url", p.url, "--token", tokenFor(t, "ana", "", -29*time.Second)) // clocks may differ by 30 s
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
		if time.Since(began) > patient {
			t.Fatalf("it said %q", w.errors)
		}
	}
	if err := w.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := w.cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v", err)
	}
}

// A watch whose place a newer stream of the user took says so, and leaves it the place.
func TestWatch_replaced(t *testing.T) {
	p := serveOn(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "m.db"), "--max-streams-per-user", "1")
	p.enrol(1)
	token := tokenFor(t, "u1", "", time.Hour)
	w := startWatch(t, "MARCADOR_TOKEN="+token, "--url", p.url)
	w.next()
	if e := <-device(t, p, token, ""); e.name != "authenticated" {
		t.Fatalf("event = %+v", e)
	}
	w.errors.await(t, "replaced this one")
	w.errors.await(t, "trying again in 1m")
	if err := w.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := w.cmd.Wait(); err != nil {
		t.Errorf("after Ctrl-C: %v\n%s", err, w.errors)
	}
}
