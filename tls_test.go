package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"marcador/test/testkit/certs"
)

func http1(p *http.Protocols) { p.SetHTTP1(true) }
func http2(p *http.Protocols) { p.SetHTTP2(true) }
func h2c(p *http.Protocols)   { p.SetUnencryptedHTTP2(true) }

// Requests and streams go over each protocol.
func TestServe_protocols(t *testing.T) {
	a := certs.New(t)
	certFile, keyFile := a.Pair(t.TempDir(), "marcador")
	secure := []string{"--tls-cert", certFile, "--tls-key", keyFile}
	for name, c := range map[string]struct {
		flags  []string
		set    func(*http.Protocols)
		scheme string
		major  int
	}{
		"HTTP/2 over TLS":    {secure, http2, "https://", 2},
		"HTTP/1.1 over TLS":  {secure, http1, "https://", 1},
		"HTTP/2 without TLS": {nil, h2c, "http://", 2},
		"HTTP/1.1":           {nil, http1, "http://", 1},
	} {
		t.Run(name, func(t *testing.T) {
			p := serveOn(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "m.db"), c.flags...)
			transport := a.Transport(c.set)
			p.client = &http.Client{Transport: transport}
			if !strings.HasPrefix(p.url, c.scheme) {
				t.Errorf("url = %s, want %s", p.url, c.scheme)
			}
			res, err := p.client.Get(p.url + "/healthz")
			if err != nil {
				t.Fatal(err)
			}
			if err := res.Body.Close(); err != nil {
				t.Error(err)
			}
			if res.ProtoMajor != c.major || res.StatusCode != http.StatusOK {
				t.Errorf("answered with %s %s, want HTTP/%d", res.Proto, res.Status, c.major)
			}

			p.enrol(2)
			service := tokenFor(t, "svc", "xp:write", time.Hour)
			heard := p.followOver(transport, service, "board=global", "")
			next(t, heard, "authenticated")
			next(t, heard, "leaderboard:updated")
			var wrote struct{ Version int }
			p.call(service, http.MethodPost, "/v1/users/u2/xp", `{"xp":7}`, &wrote)
			if u := updateOf(t, next(t, heard, "leaderboard:updated")); u.Version != wrote.Version {
				t.Errorf("version %d, want %d", u.Version, wrote.Version)
			}
			p.stop()
			next(t, heard, "goodbye")
		})
	}
}

// Browsers open six connections to a site, but one of HTTP/2 carries any number
// of streams, and requests beside them.
func TestServe_oneConnection(t *testing.T) {
	a := certs.New(t)
	certFile, keyFile := a.Pair(t.TempDir(), "marcador")
	p := serveOn(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "m.db"), "--tls-cert", certFile, "--tls-key", keyFile)
	transport := a.Transport(http2)
	var dialled atomic.Int32
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		dialled.Add(1)
		return new(net.Dialer).DialContext(ctx, network, addr)
	}
	client := &http.Client{Transport: transport}
	page := func() {
		t.Helper()
		res, err := client.Get(p.url + "/")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK {
			t.Errorf("page: %s, %v", res.Status, err)
		}
		if err := res.Body.Close(); err != nil {
			t.Error(err)
		}
	}
	page()
	var streams []<-chan message
	for i := range 20 {
		heard := p.followOver(transport, tokenFor(t, fmt.Sprintf("u%d", i), "", time.Hour), "", "")
		next(t, heard, "authenticated")
		next(t, heard, "leaderboard:updated")
		streams = append(streams, heard)
	}
	page()
	if got := dialled.Load(); got != 1 {
		t.Errorf("%d connections, want 1", got)
	}
	p.stop()
	for _, heard := range streams {
		next(t, heard, "goodbye")
	}
}

// What clients do wrong is for those who look for it.
func TestServe_handshakeErrors(t *testing.T) {
	a := certs.New(t)
	certFile, keyFile := a.Pair(t.TempDir(), "marcador")
	p := serveOn(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "m.db"), "--tls-cert", certFile, "--tls-key", keyFile, "--log-level", "debug")
	plain := strings.Replace(p.url, "https://", "http://", 1)
	res, err := (&http.Client{Transport: a.Transport(http1)}).Get(plain)
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		t.Error(err)
	}
	if res.StatusCode != http.StatusBadRequest {
		t.Errorf("HTTP at the port of HTTPS: %s", res.Status)
	}
	p.stop()
	if !strings.Contains(p.log.String(), `level=DEBUG msg="http: TLS handshake error`) {
		t.Errorf("log = %s", p.log)
	}
}

func TestServe_certificateErrors(t *testing.T) {
	t.Setenv("MARCADOR_JWT_SECRET", secret)
	a := certs.New(t)
	folder, other := t.TempDir(), t.TempDir()
	certFile, keyFile := a.Pair(folder, "marcador")
	_, otherKey := a.Pair(other, "other")
	missing := filepath.Join(folder, "missing.pem")
	letter := filepath.Join(folder, "letter.pem")
	write(t, letter, []byte("Dear Sir or Madam."))
	for name, c := range map[string]struct {
		flags []string
		want  []string
	}{
		"no key":              {[]string{"--tls-cert", certFile}, []string{"--tls-cert needs --tls-key"}},
		"no certificate":      {[]string{"--tls-key", keyFile}, []string{"--tls-key needs --tls-cert"}},
		"missing certificate": {[]string{"--tls-cert", missing, "--tls-key", keyFile}, []string{"--tls-cert", missing}},
		"missing key":         {[]string{"--tls-cert", certFile, "--tls-key", missing}, []string{"--tls-key", missing}},
		"a folder":            {[]string{"--tls-cert", folder, "--tls-key", keyFile}, []string{"--tls-cert", folder}},
		"not PEM":             {[]string{"--tls-cert", letter, "--tls-key", keyFile}, []string{"--tls-cert", letter, "PEM"}},
		"another's key":       {[]string{"--tls-cert", certFile, "--tls-key", otherKey}, []string{"--tls-key", otherKey, "does not match"}},
		"switched":            {[]string{"--tls-cert", keyFile, "--tls-key", certFile}, []string{"--tls-cert", "switched"}},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"serve", "--addr", "127.0.0.1:0", "--db", filepath.Join(folder, "m.db")}, c.flags...)
			var said bytes.Buffer
			err := run(t.Context(), args, &said, &said)
			if err == nil || strings.Contains(err.Error(), "\n") {
				t.Fatalf("error = %v, want one of one line", err)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q lacks %q", err, want)
				}
			}
		})
	}
}

// Over HTTP/2 a write deadline that passes ends the stream, even if nothing is
// being written; a stream that is quiet for longer must go on.
func TestServe_quietStream(t *testing.T) {
	p := serveOn(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "m.db"), "--write-timeout", "100ms", "--heartbeat", "400ms")
	heard := p.followOver(certs.New(t).Transport(h2c), tokenFor(t, "u1", "", time.Hour), "", "")
	next(t, heard, "authenticated")
	next(t, heard, "leaderboard:updated")
	for range 2 {
		next(t, heard, "ping")
	}
}

// stallable is a connection that can be made to read no more.
type stallable struct {
	net.Conn

	stalled chan struct{} // closed to stall it
	closed  chan struct{}
	close   func()
}

func (c *stallable) Read(b []byte) (int, error) {
	select {
	case <-c.stalled:
		<-c.closed
		return 0, net.ErrClosed
	default:
		return c.Conn.Read(b)
	}
}

func (c *stallable) Close() error {
	c.close()
	return c.Conn.Close()
}

// A connection that takes nothing is given up after the write timeout, with all
// its streams.
func TestServe_stalledConnection(t *testing.T) {
	p := serveOn(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "m.db"), "--write-timeout", "1s", "--metrics-addr", "127.0.0.1:0")
	service := tokenFor(t, "svc", "admin", time.Hour)
	for i := range 100 { // a broadcast of 200 KB
		p.call(service, http.MethodPut, fmt.Sprintf("/v1/users/u%d", i+1), `{"username":"x","avatar":"https://x/`+strings.Repeat("x", 1900)+`"}`, nil)
	}
	stalled := make(chan struct{})
	transport := certs.New(t).Transport(h2c)
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		closed := make(chan struct{})
		return &stallable{conn, stalled, closed, sync.OnceFunc(func() { close(closed) })}, err
	}
	const streams = 8
	for range streams {
		heard := p.followOver(transport, service, "", "")
		next(t, heard, "authenticated")
		next(t, heard, "leaderboard:updated")
	}
	private := privateOf(p)
	open := func(n int) bool {
		_, body := private.try("", http.MethodGet, "/metrics", "")
		raw := bytes.Contains(body, []byte(`marcador_streams{transport="raw"} 0`))
		return raw && bytes.Contains(body, fmt.Appendf(nil, `marcador_streams{transport="standard"} %d`, n))
	}
	if !open(streams) {
		t.Fatal("not all streams are open")
	}
	close(stalled)
	for began := time.Now(); !open(0); {
		p.call(service, http.MethodPost, "/v1/users/u1/xp", `{"xp":1}`, nil)
		if time.Since(began) > 20*time.Second { // pings would find it later
			t.Fatal("a connection that takes nothing is kept")
		}
	}
}

func write(tb testing.TB, path string, content []byte) {
	tb.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		tb.Fatal(err)
	}
}
