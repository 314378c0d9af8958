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

// safeBuffer collects a log that several handshakes write to. Safe for concurrent use.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
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

// site is a server whose certificate the test replaces. Its clock stands still until later moves it
// on by a second.
type site struct {
	*testing.T

	authority *certs.Authority
	folder    string
	certFile  string
	keyFile   string
	listener  net.Listener
	now       atomic.Int64
	log       safeBuffer
}

// newSite serves a certificate with the name "first".
func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{T: t, authority: certs.New(t), folder: t.TempDir()}
	s.certFile, s.keyFile = s.authority.Pair(s.folder, "first")
	clock := func() time.Time { return time.Unix(s.now.Load(), 0) }
	c, err := command.NewCertificate(s.certFile, s.keyFile, clock, slog.New(slog.NewTextHandler(&s.log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.listener = command.Secured(plain, c)
	server := &http.Server{Handler: http.NotFoundHandler(), ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(s.listener) }()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		<-served
	})
	return s
}

func (s *site) later() { s.now.Add(1) }

// shows checks which certificate a client sees, and how many warnings were logged so far.
func (s *site) shows(when, want string, warnings int) {
	s.Helper()
	if got := s.authority.Dial(s.listener); got != want {
		s.Errorf("%s: shows %q, want %q", when, got, want)
	}
	if got := strings.Count(s.log.String(), "level=WARN"); got != warnings {
		s.Errorf("%s: %d warnings, want %d:\n%s", when, got, warnings, &s.log)
	}
}

// A renewed pair is served as soon as both files match. Until then, and whatever else the files
// contain, the previous pair stays.
func TestCertificate_renewal(t *testing.T) {
	s := newSite(t)
	s.shows("at the start", "first", 0)
	s.authority.Pair(s.folder, "second")
	s.shows("within the second", "first", 0)
	s.later()
	s.shows("renewed", "second", 0)

	cert, key := s.authority.Issue("third")
	write(t, s.certFile, cert)
	s.later()
	s.shows("before its key is there", "second", 1)
	s.later()
	s.shows("and a second later", "second", 1)
	if !strings.Contains(s.log.String(), "private key does not match") || !strings.Contains(s.log.String(), s.certFile) {
		t.Errorf("log = %s", &s.log)
	}
	write(t, s.keyFile, key)
	s.later()
	s.shows("with its key", "third", 1)

	write(t, s.certFile, []byte("nonsense"))
	s.later()
	s.shows("not PEM", "third", 2)
	if err := os.Remove(s.certFile); err != nil {
		t.Fatal(err)
	}
	s.later()
	s.shows("missing", "third", 3)
	s.later()
	s.shows("still missing", "third", 3)
	s.authority.Pair(s.folder, "fourth")
	s.later()
	s.shows("there again", "fourth", 3)
}

// Mounted secrets are folders behind a symbolic link, which is redirected to renew them.
func TestCertificate_renewalByLink(t *testing.T) {
	s := newSite(t)
	second, third, link := t.TempDir(), t.TempDir(), filepath.Join(s.folder, "data")
	s.authority.Pair(second, "second")
	s.authority.Pair(third, "third")
	for _, file := range []string{s.certFile, s.keyFile} {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Join(link, filepath.Base(file)), file); err != nil {
			t.Fatal(err)
		}
	}
	redirect := func(to string) {
		t.Helper()
		if err := os.Symlink(to, link+".new"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(link+".new", link); err != nil {
			t.Fatal(err)
		}
	}
	redirect(second)
	s.later()
	s.shows("by a link", "second", 0)
	redirect(third)
	s.later()
	s.shows("the link redirected", "third", 0)
}

func TestCertificate_refusesOldTLS(t *testing.T) {
	s := newSite(t)
	if _, err := tls.Dial("tcp", s.listener.Addr().String(), &tls.Config{RootCAs: s.authority.Pool, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
}
