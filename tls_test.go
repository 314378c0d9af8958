package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// authority issues certificates for 127.0.0.1.
type authority struct {
	tb   testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool // of itself
}

func newAuthority(tb testing.TB) *authority {
	tb.Helper()
	a := &authority{tb: tb, pool: x509.NewCertPool()}
	template := &x509.Certificate{Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true}
	cert, _ := a.sign(template)
	block, _ := pem.Decode(cert)
	parsed, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		tb.Fatal(err)
	}
	a.cert = parsed
	a.pool.AddCert(parsed)
	return a
}

// issue returns the PEM of a certificate with that common name, and of its key.
func (a *authority) issue(name string) (cert, key []byte) {
	a.tb.Helper()
	return a.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
}

// sign signs with the authority's key; the first that it signs is its own.
func (a *authority) sign(template *x509.Certificate) (cert, key []byte) {
	a.tb.Helper()
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.tb.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent := a.cert
	if parent == nil {
		parent, a.key = template, own
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &own.PublicKey, a.key)
	if err != nil {
		a.tb.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(own)
	if err != nil {
		a.tb.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
}

// transport speaks nothing but these protocols.
func (a *authority) transport(set func(*http.Protocols)) *http.Transport {
	t := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: a.pool}, Protocols: new(http.Protocols)}
	set(t.Protocols)
	a.tb.Cleanup(t.CloseIdleConnections)
	return t
}

func write(tb testing.TB, path string, content []byte) {
	tb.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		tb.Fatal(err)
	}
}

// pair writes a new certificate and its key into the folder.
func (a *authority) pair(folder, name string) (certFile, keyFile string) {
	a.tb.Helper()
	certFile, keyFile = filepath.Join(folder, "tls.crt"), filepath.Join(folder, "tls.key")
	cert, key := a.issue(name)
	write(a.tb, certFile, cert)
	write(a.tb, keyFile, key)
	return certFile, keyFile
}

func http1(p *http.Protocols) { p.SetHTTP1(true) }
func http2(p *http.Protocols) { p.SetHTTP2(true) }
func h2c(p *http.Protocols)   { p.SetUnencryptedHTTP2(true) }

// Requests and streams go over each protocol.
func TestServe_protocols(t *testing.T) {
	a := newAuthority(t)
	certFile, keyFile := a.pair(t.TempDir(), "marcador")
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
			transport := a.transport(c.set)
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
	a := newAuthority(t)
	certFile, keyFile := a.pair(t.TempDir(), "marcador")
	p := serveOn(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "m.db"), "--tls-cert", certFile, "--tls-key", keyFile)
	transport := a.transport(http2)
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

// dial returns the common name that the listener shows.
func (a *authority) dial(l net.Listener) string {
	a.tb.Helper()
	conn, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{RootCAs: a.pool})
	if err != nil {
		a.tb.Fatal(err)
	}
	defer func() { _ = conn.Close() }() // the other side may have
	return conn.ConnectionState().PeerCertificates[0].Subject.CommonName
}

func TestCertificate_renewal(t *testing.T) {
	a := newAuthority(t)
	folder := t.TempDir()
	certFile, keyFile := a.pair(folder, "first")
	var now atomic.Int64
	var said log
	c, err := newCertificate(certFile, keyFile, func() time.Time { return time.Unix(now.Load(), 0) }, slog.New(slog.NewTextHandler(&said, nil)))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := secured(plain, c)
	server := &http.Server{Handler: http.NotFoundHandler(), ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(l) }()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		<-served
	})
	shows := func(when, want string, warnings int) {
		t.Helper()
		if got := a.dial(l); got != want {
			t.Errorf("%s: shows %q, want %q", when, got, want)
		}
		if got := strings.Count(said.String(), "level=WARN"); got != warnings {
			t.Errorf("%s: %d warnings, want %d:\n%s", when, got, warnings, &said)
		}
	}
	later := func() { now.Add(1) }

	shows("at the start", "first", 0)
	a.pair(folder, "second")
	shows("within the second", "first", 0)
	later()
	shows("renewed", "second", 0)

	cert, key := a.issue("third")
	write(t, certFile, cert)
	later()
	shows("with the key still to come", "second", 1)
	later()
	shows("and still", "second", 1)
	if !strings.Contains(said.String(), "private key does not match") || !strings.Contains(said.String(), certFile) {
		t.Errorf("log = %s", &said)
	}
	write(t, keyFile, key)
	later()
	shows("with its key", "third", 1)

	write(t, certFile, []byte("nonsense"))
	later()
	shows("not PEM", "third", 2)
	if err := os.Remove(certFile); err != nil {
		t.Fatal(err)
	}
	later()
	shows("missing", "third", 3)
	later()
	shows("still missing", "third", 3)

	// Mounted secrets are folders that a link is turned to.
	fourth, fifth, link := t.TempDir(), t.TempDir(), filepath.Join(folder, "data")
	a.pair(fourth, "fourth")
	a.pair(fifth, "fifth")
	for _, file := range []string{certFile, keyFile} {
		_ = os.Remove(file) // one is gone already
		if err := os.Symlink(filepath.Join(link, filepath.Base(file)), file); err != nil {
			t.Fatal(err)
		}
	}
	turn := func(to string) {
		t.Helper()
		if err := os.Symlink(to, link+".new"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(link+".new", link); err != nil {
			t.Fatal(err)
		}
	}
	turn(fourth)
	later()
	shows("by a link", "fourth", 3)
	turn(fifth)
	later()
	shows("the link turned", "fifth", 3)

	if _, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{RootCAs: a.pool, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
}

// What clients do wrong is for those who look for it.
func TestServe_handshakeErrors(t *testing.T) {
	a := newAuthority(t)
	certFile, keyFile := a.pair(t.TempDir(), "marcador")
	p := serveOn(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "m.db"), "--tls-cert", certFile, "--tls-key", keyFile, "--log-level", "debug")
	plain := strings.Replace(p.url, "https://", "http://", 1)
	res, err := (&http.Client{Transport: a.transport(http1)}).Get(plain)
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
	a := newAuthority(t)
	folder, other := t.TempDir(), t.TempDir()
	certFile, keyFile := a.pair(folder, "marcador")
	_, otherKey := a.pair(other, "other")
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
	heard := p.followOver(newAuthority(t).transport(h2c), tokenFor(t, "u1", "", time.Hour), "", "")
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
	transport := newAuthority(t).transport(h2c)
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
