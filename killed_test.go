package main

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// way is how a stream comes to a client: past which proxy, and by which protocols.
type way struct {
	name string
	open func(p *program) (url string, over http.RoundTripper)
}

var ways = []way{
	{"HTTP/1.1", func(p *program) (string, http.RoundTripper) { return p.url, overHTTP1() }},
	{"HTTP/1.0", func(p *program) (string, http.RoundTripper) { return p.url, http10{} }},
	{"HTTP/2", func(p *program) (string, http.RoundTripper) { return p.url, overHTTP2() }},
	{"nginx as it comes", func(p *program) (string, http.RoundTripper) { return proxied(p).url, overHTTP1() }},
	{"nginx, HTTP/1.1 behind", func(p *program) (string, http.RoundTripper) {
		return proxied(p, "proxy_http_version 1.1;").url, overHTTP1()
	}},
	{"HAProxy", func(p *program) (string, http.RoundTripper) { return haproxied(p, "", "").url, overHTTP1() }},
	{"HAProxy, HTTP/2 behind", func(p *program) (string, http.RoundTripper) {
		return haproxied(p, "", "proto h2").url, overHTTP1()
	}},
	{regular, func(p *program) (string, http.RoundTripper) {
		return haproxied(p, "proto h2", "").url, overHTTP2()
	}},
}

// regular is the way on which a client can't tell a killed server from a regular end, unless
// the stream is packed: HAProxy 2.6 ends an HTTP/2 stream well whatever it got.
const regular = "HAProxy, HTTP/2 in front"

func overHTTP1() http.RoundTripper {
	return &http.Transport{DisableCompression: true, DisableKeepAlives: true}
}

func overHTTP2() http.RoundTripper {
	t := &http.Transport{DisableCompression: true, Protocols: new(http.Protocols)}
	t.Protocols.SetUnencryptedHTTP2(true)
	return t
}

// http10 asks in HTTP/1.0. Its answers end with their connections.
type http10 struct{}

func (http10) RoundTrip(r *http.Request) (*http.Response, error) {
	conn, err := new(net.Dialer).DialContext(r.Context(), "tcp", r.URL.Host)
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(conn, "GET %s HTTP/1.0\r\nAccept-Encoding: %s\r\n\r\n", r.URL.RequestURI(), r.Header.Get("Accept-Encoding"))
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), r)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	res.Body = struct {
		io.Reader
		io.Closer
	}{res.Body, conn}
	return res, nil
}

// haproxied starts HAProxy in front of the program. front and behind are what is said of how
// it is spoken to, and how it speaks to the program.
func haproxied(p *program, front, behind string) *program {
	p.tb.Helper()
	folder, addr := p.tb.TempDir(), freeAddress(p.tb)
	config := filepath.Join(folder, "haproxy.cfg")
	write(p.tb, config, fmt.Appendf(nil, `
global
	maxconn 100
defaults
	mode http
	option http-no-delay # else it waits 200 ms for more, in HTTP/1.1 without TLS
	timeout connect 5s
	timeout client 1m
	timeout server 1m
frontend all
	bind %s %s
	default_backend service
backend service
	server one %s %s
`, addr, front, strings.TrimPrefix(p.url, "http://"), behind))
	return inFront(p, "http://"+addr, "haproxy", "-db", "-f", config)
}

// heardStream is a stream that is taken line by line, as it comes.
type heardStream struct {
	tb    testing.TB
	lines chan string
	err   error // how it ended, nil for well; to be read when lines is closed
}

func openOver(tb testing.TB, over http.RoundTripper, url string, packed bool) *heardStream {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		tb.Fatal(err)
	}
	req.Header.Set("Accept-Encoding", map[bool]string{true: "gzip", false: "identity"}[packed])
	res, err := over.RoundTrip(req)
	if err != nil {
		tb.Fatal(err)
	}
	if got := res.Header.Get("Content-Encoding") == "gzip"; res.StatusCode != http.StatusOK || got != packed {
		tb.Fatalf("%s: %v", res.Status, res.Header)
	}
	h := &heardStream{tb: tb, lines: make(chan string, 10_000)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer close(h.lines)
		h.err = h.read(res.Body, packed)
	}()
	tb.Cleanup(func() { cancel(); _ = res.Body.Close(); <-ended })
	return h
}

func (h *heardStream) read(body io.Reader, packed bool) (err error) {
	if packed {
		if body, err = gzip.NewReader(body); err != nil {
			return err
		}
	}
	for in := bufio.NewReader(body); ; {
		line, err := in.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		h.lines <- line
	}
}

// until reads up to the end of an event that has the text, or of the stream.
func (h *heardStream) until(text string) {
	h.tb.Helper()
	late := time.After(10 * time.Second) // less than a heartbeat
	for found := false; ; {
		select {
		case line, ok := <-h.lines:
			if !ok {
				h.tb.Fatalf("it ended before %q: %v", text, h.err)
			}
			found = found || strings.Contains(line, text)
			if found && line == "\n" {
				return
			}
		case <-late:
			h.tb.Fatalf("no %q", text)
		}
	}
}

// end reads to the end and returns how that came.
func (h *heardStream) end() error {
	h.tb.Helper()
	late := time.After(patient)
	for {
		select {
		case _, ok := <-h.lines:
			if !ok {
				return h.err
			}
		case <-late:
			h.tb.Fatal("it does not end")
		}
	}
}

// boards are as small and as large as they get.
var boards = map[string]struct{ rows, avatar int }{"small": {3, 0}, "large": {100, 2000}}

// beginOver starts a service with such a board, and returns the streams that are opened on that
// way when each has got the first page.
func beginOver(t *testing.T, one way, size string) (p *program, cmd *exec.Cmd, streams map[string]*heardStream) {
	t.Helper()
	p, cmd = spawn(t, build(t), filepath.Join(t.TempDir(), "m.db"), "--public", "--heartbeat", "30s")
	var users []string
	for i := range boards[size].rows {
		users = append(users, fmt.Sprintf(`{"id":"u%d","username":"U","avatar":"data:image/png;base64,%s"}`, i, strings.Repeat("A", boards[size].avatar)))
	}
	p.call(tokenFor(t, "svc", "admin", time.Hour), http.MethodPost, "/v1/users", `{"users":[`+strings.Join(users, ",")+`]}`, nil)
	url, over := one.open(p)
	streams = map[string]*heardStream{}
	for _, query := range []string{"mode=snapshot", "mode=diff"} {
		for coding, packed := range map[string]bool{"plain": false, "gzip": true} {
			h := openOver(t, over, url+"/v1/events?"+query, packed)
			h.until("leaderboard:updated")
			streams[query+" "+coding] = h
		}
	}
	return p, cmd, streams
}

// Whatever stands between, what was written is seen without waiting for more, and the end of
// a server that was killed is an error to its clients.
func TestPeers_killed(t *testing.T) {
	for _, one := range ways {
		for size := range boards {
			t.Run(one.name+", "+size, func(t *testing.T) {
				p, cmd, streams := beginOver(t, one, size)
				writer := tokenFor(t, "svc", "xp:write", time.Hour)
				for range 3 {
					p.call(writer, http.MethodPost, "/v1/users/u1/xp", `{"xp":5}`, nil)
					for name, h := range streams {
						h.until(map[bool]string{true: "position_change", false: "leaderboard:updated"}[strings.Contains(name, "diff")])
					}
				}
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
				_ = cmd.Wait() // it was killed
				for name, h := range streams {
					if err := h.end(); err == nil && (one.name != regular || strings.Contains(name, "gzip")) {
						t.Errorf("%s: the stream seems to have ended well", name)
					}
				}
			})
		}
	}
}

// A goodbye is a regular end, in HTTP as in gzip.
func TestPeers_goodbye(t *testing.T) {
	for _, one := range ways {
		t.Run(one.name, func(t *testing.T) {
			_, cmd, streams := beginOver(t, one, "large")
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			for name, h := range streams {
				h.until("goodbye")
				if err := h.end(); err != nil {
					t.Errorf("%s: after the goodbye: %v", name, err)
				}
			}
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
}
