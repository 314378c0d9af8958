package command_test

import (
	"bytes"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"marcador/command"
	"marcador/test/testkit/certs"
)

// synced is a log that handshakes write to. Safe for concurrent use.
type synced struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

func (s *synced) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *synced) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func write(tb testing.TB, path string, content []byte) {
	tb.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		tb.Fatal(err)
	}
}

func TestCertificate_renewal(t *testing.T) {
	a := certs.New(t)
	folder := t.TempDir()
	certFile, keyFile := a.Pair(folder, "first")
	var now atomic.Int64
	var said synced
	c, err := command.NewCertificate(certFile, keyFile, func() time.Time { return time.Unix(now.Load(), 0) }, slog.New(slog.NewTextHandler(&said, nil)))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := command.Secured(plain, c)
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
		if got := a.Dial(l); got != want {
			t.Errorf("%s: shows %q, want %q", when, got, want)
		}
		if got := strings.Count(said.String(), "level=WARN"); got != warnings {
			t.Errorf("%s: %d warnings, want %d:\n%s", when, got, warnings, &said)
		}
	}
	later := func() { now.Add(1) }

	shows("at the start", "first", 0)
	a.Pair(folder, "second")
	shows("within the second", "first", 0)
	later()
	shows("renewed", "second", 0)

	cert, key := a.Issue("third")
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
	a.Pair(fourth, "fourth")
	a.Pair(fifth, "fifth")
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

	if _, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{RootCAs: a.Pool, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
}
