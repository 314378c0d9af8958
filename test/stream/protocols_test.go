package stream_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"marcador/test/testkit"
	"marcador/test/testkit/certs"
)

func http1(p *http.Protocols) { p.SetHTTP1(true) }

func http2(p *http.Protocols) { p.SetHTTP2(true) }

func h2c(p *http.Protocols) { p.SetUnencryptedHTTP2(true) }

// Requests and streams work over each protocol.
func TestServe_protocols(t *testing.T) {
	t.Parallel()
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
			p := testkit.Serve(t, c.flags...)
			transport := a.Transport(c.set)
			p.Client = &http.Client{Transport: transport}
			if !strings.HasPrefix(p.URL, c.scheme) {
				t.Errorf("url = %s, want %s", p.URL, c.scheme)
			}
			res, err := p.Client.Get(p.URL + "/healthz")
			if err != nil {
				t.Fatal(err)
			}
			if err := res.Body.Close(); err != nil {
				t.Error(err)
			}
			if res.ProtoMajor != c.major || res.StatusCode != http.StatusOK {
				t.Errorf("answered with %s %s, want HTTP/%d", res.Proto, res.Status, c.major)
			}

			p.Enrol(2)
			service := testkit.Token(t, "svc", "xp:write")
			heard := p.FollowOver(transport, service, "board=global", "")
			testkit.Next(t, heard, "authenticated")
			testkit.Next(t, heard, "leaderboard:updated")
			var wrote struct{ Version int }
			p.Call(service, http.MethodPost, "/v1/users/u2/xp", `{"xp":7}`, &wrote)
			if u := testkit.UpdateOf(t, testkit.Next(t, heard, "leaderboard:updated")); u.Version != wrote.Version {
				t.Errorf("version %d, want %d", u.Version, wrote.Version)
			}
			p.Stop()
			testkit.Next(t, heard, "goodbye")
		})
	}
}

// One connection of HTTP/2 carries any number of streams, and requests beside them. Browsers
// open no more than six connections of HTTP/1.1 to a site.
func TestServe_oneConnection(t *testing.T) {
	t.Parallel()
	a := certs.New(t)
	certFile, keyFile := a.Pair(t.TempDir(), "marcador")
	p := testkit.Serve(t, "--tls-cert", certFile, "--tls-key", keyFile)
	transport := a.Transport(http2)
	var dialled atomic.Int32
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		dialled.Add(1)
		return new(net.Dialer).DialContext(ctx, network, addr)
	}
	client := &http.Client{Transport: transport}
	page := func() {
		t.Helper()
		res, err := client.Get(p.URL + "/")
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
	var streams []<-chan testkit.Message
	for i := range 20 {
		heard := p.FollowOver(transport, testkit.Token(t, fmt.Sprintf("u%d", i), ""), "", "")
		testkit.Next(t, heard, "authenticated")
		testkit.Next(t, heard, "leaderboard:updated")
		streams = append(streams, heard)
	}
	page()
	if got := dialled.Load(); got != 1 {
		t.Errorf("%d connections, want 1", got)
	}
	p.Stop()
	for _, heard := range streams {
		testkit.Next(t, heard, "goodbye")
	}
}

// A failed TLS handshake is the client's fault, so it is logged for debugging only.
func TestServe_handshakeErrors(t *testing.T) {
	t.Parallel()
	a := certs.New(t)
	certFile, keyFile := a.Pair(t.TempDir(), "marcador")
	p := testkit.Serve(t, "--tls-cert", certFile, "--tls-key", keyFile, "--log-level", "debug")
	plain := strings.Replace(p.URL, "https://", "http://", 1)
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
	p.Stop()
	if !strings.Contains(p.Log.String(), `level=DEBUG msg="http: TLS handshake error`) {
		t.Errorf("log = %s", p.Log)
	}
}
