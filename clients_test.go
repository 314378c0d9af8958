package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// relay passes bytes on, and can break all connections, as a network that goes away does.
type relay struct {
	url string
	to  string // where to

	mu    sync.Mutex
	conns []*net.TCPConn // guarded by mu
	over  sync.WaitGroup
}

func relayTo(tb testing.TB, to string) *relay {
	tb.Helper()
	listener, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	r := &relay{url: "http://" + listener.Addr().String(), to: to}
	r.over.Go(func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return // it is closed
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				_ = in.Close() // as a service that is away refuses
				continue
			}
			r.pass(in.(*net.TCPConn), out.(*net.TCPConn)) //nolint:errcheck // by "tcp" they are
			r.pass(out.(*net.TCPConn), in.(*net.TCPConn)) //nolint:errcheck // likewise
		}
	})
	tb.Cleanup(func() {
		_ = listener.Close() // nothing is lost
		r.cut()
		r.over.Wait()
	})
	return r
}

func (r *relay) pass(from, to *net.TCPConn) {
	r.mu.Lock()
	r.conns = append(r.conns, from)
	r.mu.Unlock()
	r.over.Go(func() {
		if _, err := io.Copy(to, from); err != nil {
			_ = to.SetLinger(0) // a reset is passed on
			_ = to.Close()
			return
		}
		_ = to.CloseWrite() // it may be closed already
	})
}

// cut resets all connections.
func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.conns {
		_ = c.SetLinger(0)
		_ = c.Close()
	}
	r.conns = nil
}

// fromNPM starts tools/peers.mjs with the client of that name, and a token if it is given one.
func fromNPM(tb testing.TB, client, url string, token ...string) <-chan message {
	tb.Helper()
	cmd := exec.CommandContext(tb.Context(), "node", append([]string{"tools/peers.mjs", client, url}, token...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	var errs log
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	heard, ended := make(chan message, 1000), make(chan struct{})
	go func() {
		defer close(ended)
		defer close(heard)
		for lines := json.NewDecoder(out); ; {
			var m struct{ Type, ID, Data string }
			if lines.Decode(&m) != nil {
				return // it has ended
			}
			heard <- message{m.Type, m.ID, m.Data}
		}
	}()
	tb.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		<-ended
		_ = cmd.Wait() // it was killed
		if errs.String() != "" {
			tb.Errorf("%s says: %s", client, &errs)
		}
	})
	return heard
}

// later returns the next message of that type, whatever comes before.
func later(tb testing.TB, heard <-chan message, event string) message {
	tb.Helper()
	late := time.After(patient)
	var seen []string
	for {
		select {
		case m, ok := <-heard:
			if !ok {
				tb.Fatalf("it ended before %q, after %q", event, seen)
			}
			if m.event == event {
				return m
			}
			seen = append(seen, m.event)
		case <-late:
			tb.Fatalf("no %q, but %q", event, seen)
		}
	}
}

// begins reads what a stream begins with, whatever comes before.
func begins(tb testing.TB, heard <-chan message, recovered bool) {
	tb.Helper()
	if m := later(tb, heard, "authenticated"); !strings.Contains(m.data, fmt.Sprintf(`"recovered":%v`, recovered)) {
		tb.Fatalf("authenticated = %s", m.data)
	}
}

// The clients that npm has for Node follow a stream, go on from where they were when the
// network breaks, and come back to a server that was killed, or that said goodbye if they
// come back after an end at all.
func TestPeers_npm(t *testing.T) {
	for _, client := range []string{"eventsource", "fetch-event-source"} {
		t.Run(client, func(t *testing.T) {
			addr, db := freeAddress(t), filepath.Join(t.TempDir(), "m.db")
			again := func() (*program, *exec.Cmd) {
				return spawn(t, build(t), db, "--addr", addr, "--public", "--heartbeat", "30s")
			}
			p, cmd := again()
			p.enrol(3)
			writer := tokenFor(t, "svc", "xp:write", time.Hour)
			give := func() {
				t.Helper()
				p.call(writer, http.MethodPost, "/v1/users/u2/xp", `{"xp":7}`, nil)
			}
			network := relayTo(t, addr)
			heard := fromNPM(t, client, network.url+"/v1/events?mode=diff")
			begins(t, heard, false)
			first := next(t, heard, "leaderboard:updated")
			give()
			m := next(t, heard, "position_change")
			if first.id == "" || m.id == first.id || !strings.Contains(m.data, `"userId":"u2"`) {
				t.Errorf("after %q came %q: %s", first.id, m.id, m.data)
			}

			network.cut()
			give() // while it is away
			later(t, heard, "(failure)")
			begins(t, heard, true)
			next(t, heard, "position_change")

			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()              // it was killed
			next(t, heard, "(failure)") // and no "(end)" before
			p, cmd = again()
			begins(t, heard, false)
			next(t, heard, "leaderboard:updated")
			give()
			next(t, heard, "position_change")

			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			next(t, heard, "goodbye")
			if client == "fetch-event-source" {
				next(t, heard, "(end)")
				return // of an end it makes an end, unless its onclose throws
			}
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
			p, _ = again()
			begins(t, heard, false)
		})
	}
}

// The clients that npm has for Node are told that another device took their place, wait for it
// without disturbing that one, and go on where they were when it has gone. One takes an end
// for the end, unless it is told otherwise.
func TestPeers_npmReplaced(t *testing.T) {
	t.Setenv("MARCADOR_HURRY", "50")
	for _, client := range []string{"eventsource", "fetch-event-source that throws"} {
		t.Run(client, func(t *testing.T) {
			p := serveOn(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "m.db"), "--max-streams-per-user", "1")
			p.enrol(2)
			writer, token := tokenFor(t, "svc", "xp:write", time.Hour), tokenFor(t, "u1", "", time.Hour)
			url := p.url + "/v1/events?mode=diff"
			heard := fromNPM(t, client, url, token)
			begins(t, heard, false)
			next(t, heard, "leaderboard:updated")

			other := startCurl(t, "-H", "Authorization: Bearer "+token, url)
			other.until("event: leaderboard:updated")
			for range 3 { // it comes back, and has to wait
				if m := later(t, heard, "error"); !strings.Contains(m.data, `"code":"replaced"`) || !strings.HasSuffix(m.id, "!replaced") {
					t.Fatalf("error = %q: %s", m.id, m.data)
				}
			}
			p.call(writer, http.MethodPost, "/v1/users/u2/xp", `{"xp":7}`, nil)
			for _, line := range other.until("event: position_change") {
				if strings.HasPrefix(line, "event: error") {
					t.Error("the other device was disturbed")
				}
			}

			if err := other.cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			begins(t, heard, true)
			if m := later(t, heard, "position_change"); !strings.Contains(m.data, `"userId":"u2"`) {
				t.Errorf("position_change = %s", m.data)
			}
			_ = other.cmd.Wait() // it was killed
		})
	}
}

// A page that reads a stream with fetch is told that the server was killed, and is not told so
// after a goodbye: in Node and in Chromium, directly and through proxies.
func TestPeers_fetch(t *testing.T) {
	fronts := map[string]func(*program) *program{
		"direct":  func(p *program) *program { return p },
		"nginx":   func(p *program) *program { return proxied(p) },
		"HAProxy": func(p *program) *program { return haproxied(p, "", "") },
	}
	for name, front := range fronts {
		for signal, want := range map[string]string{"killed": "(failure)", "goodbye": "(end)"} {
			t.Run(name+", "+signal, func(t *testing.T) {
				p, cmd := spawn(t, build(t), filepath.Join(t.TempDir(), "m.db"), "--public")
				p.enrol(3)
				through := front(p)
				heard := fromNPM(t, "fetch", through.url+"/v1/events")
				ctx := browser(t)(800, 600, "en-US")
				must(t, ctx, chromedp.Navigate(through.url+"/")) // its policy lets a script connect to the service
				script(t, ctx, `
					window.came = "";
					fetch("/v1/events").then(async (r) => {
						const text = r.body.pipeThrough(new TextDecoderStream()).getReader();
						for (let piece = await text.read(); !piece.done; piece = await text.read()) came += piece.value;
						came += "(end)";
					}).catch(() => { came += "(failure)"; })`)
				later(t, heard, "leaderboard:updated")
				until(t, ctx, `came.includes("leaderboard:updated")`)
				if signal == "killed" {
					err := cmd.Process.Kill()
					if err != nil {
						t.Fatal(err)
					}
				} else if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
					t.Fatal(err)
				}
				for event := ""; event != want; {
					m := <-heard
					if event = m.event; event == "" || event[0] == '(' && event != want {
						t.Fatalf("Node: %q, want %q", event, want)
					}
				}
				until(t, ctx, `came.endsWith(")")`)
				expect(t, ctx, "the end in Chromium", `came.endsWith("`+want+`")`, true)
				_ = cmd.Wait() // it may have been killed
			})
		}
	}
}
