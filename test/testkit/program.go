// Package testkit starts the whole program for tests and talks to it as clients do.
//
// Start and Serve run it in the test's own process, which is fast and shows data races. Spawn
// builds the binary and runs that, for tests that signal, kill, trace or weigh a process. Both
// return a Program, whose methods send requests and follow streams. Everything that a test
// starts ends with the test.
//
// The packages beneath hold what fewer tests need: browser drives Chromium and Firefox, site
// serves pages that use the service, proxy stands between the program and its clients, witness
// writes points and remembers what was acknowledged, and certs issues TLS certificates.
package testkit

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"marcador/auth"
	"marcador/command"
	"marcador/internal/schematest"
)

// Secret signs the tokens that the tests' programs accept.
const Secret = "0123456789abcdef0123456789abcdef"

// Patience bounds each wait for the program. A wait takes that long only if something is broken.
const Patience = 30 * time.Second

// AnyPort is the address of a program whose port the system chooses.
const AnyPort = "127.0.0.1:0"

// Program is a running marcador, or the way to one through a proxy.
type Program struct {
	URL    string
	Client *http.Client // sends the requests of Call and Try; nil is http.DefaultClient
	Log    *Log         // what the program writes to its outputs

	// Stop ends a program of this process as SIGTERM would, and fails the test if that goes
	// wrong. It is nil for all others.
	Stop func()

	tb testing.TB
}

// At returns the program that is reached at the URL.
func At(tb testing.TB, url string) *Program {
	tb.Helper()
	return &Program{URL: url, Log: newLog(), tb: tb}
}

// For returns the same program for another test, which then fails where the program does.
func (p *Program) For(tb testing.TB) *Program {
	tb.Helper()
	other := *p
	other.tb = tb
	return &other
}

// Host returns the host and port of the program's URL.
func (p *Program) Host() string {
	_, host, _ := strings.Cut(p.URL, "://")
	return host
}

// Log is what a program writes. Safe for concurrent use. The zero value is an empty log.
type Log struct {
	mu     sync.Mutex
	b      bytes.Buffer // guarded by mu
	opened chan string  // receives the first address in the log
}

func newLog() *Log { return &Log{opened: make(chan string, 1)} }

var address = regexp.MustCompile(`https?://[0-9a-z.:]*\d`)

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if url := address.Find(p); url != nil && !bytes.Contains(p, []byte("jwks=")) {
		select {
		case l.opened <- string(url):
		default:
		}
	}
	return l.b.Write(p)
}

// String returns all that was written so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Has reports whether the text was written.
func (l *Log) Has(text string) bool { return strings.Contains(l.String(), text) }

// Await waits until the text was written.
func (l *Log) Await(tb testing.TB, text string) {
	tb.Helper()
	for late := time.Now().Add(Patience); !l.Has(text); time.Sleep(time.Millisecond) {
		if time.Now().After(late) {
			tb.Fatalf("the log has no %q:\n%s", text, l)
		}
	}
}

// Start runs a command of the program in this process, and waits until it listens.
func Start(tb testing.TB, args ...string) *Program {
	tb.Helper()
	p := &Program{tb: tb, Log: newLog()}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	main := mainOf(tb)
	go func() { ended <- main.Run(ctx, args, p.Log, p.Log) }()
	p.Stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			tb.Errorf("%v: %v\n%s", args, err, p.Log)
		}
	})
	tb.Cleanup(p.Stop)
	select {
	case p.URL = <-p.Log.opened:
	case err := <-ended:
		ended <- nil
		tb.Fatalf("%v: %v\n%s", args, err, p.Log)
	}
	return p
}

// mainOf returns the program as package main makes it.
func mainOf(tb testing.TB) command.Program {
	tb.Helper()
	return command.Program{Schema: schematest.Text(tb), Version: "test"}
}

// Serve starts the service on a new database and a port of its own. It publishes without delay.
func Serve(tb testing.TB, flags ...string) *Program {
	tb.Helper()
	return ServeOn(tb, AnyPort, Database(tb), flags...)
}

// ServeOn is Serve at an address, on a database.
func ServeOn(tb testing.TB, addr, db string, flags ...string) *Program {
	tb.Helper()
	return Start(tb, append([]string{"serve", "--addr", addr, "--db", db, "--throttle", "0"}, flags...)...)
}

// Database returns the path of a database that does not exist yet.
func Database(tb testing.TB) string {
	tb.Helper()
	return filepath.Join(tb.TempDir(), "m.db")
}

// Token signs a token that is good for an hour.
func Token(tb testing.TB, user, scopes string) string {
	tb.Helper()
	return TokenFor(tb, user, scopes, time.Hour)
}

// TokenFor signs a token that is good for as long as ttl says. The user's e-mail address is that
// of the school. Scopes are separated by spaces.
func TokenFor(tb testing.TB, user, scopes string, ttl time.Duration) string {
	tb.Helper()
	signer, err := auth.NewVerifier(auth.Options{Secret: []byte(Secret)})
	if err != nil {
		tb.Fatal(err)
	}
	token, err := signer.Sign(auth.Caller{UserID: user, Email: user + "@school.mx", Scopes: strings.Fields(scopes)}, ttl)
	if err != nil {
		tb.Fatal(err)
	}
	return token
}

// Call sends JSON and decodes the answer into v, which may be nil. Any status from 300 on fails
// the test.
func (p *Program) Call(token, method, path, body string, v any) {
	p.tb.Helper()
	if status, b := p.Try(token, method, path, body); status >= 300 {
		p.tb.Fatalf("%s %s = %d %s", method, path, status, b)
	} else if v != nil {
		if err := json.Unmarshal(b, v); err != nil {
			p.tb.Fatalf("%s %s: %v: %s", method, path, err, b)
		}
	}
}

// Try sends a request, with the body as JSON unless it is empty, and returns the answer.
func (p *Program) Try(token, method, path, body string) (status int, answer []byte) {
	p.tb.Helper()
	req, err := http.NewRequestWithContext(p.tb.Context(), method, p.URL+path, strings.NewReader(body))
	if err != nil {
		p.tb.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Close = true // goleak would find a connection that stays open
	res, err := cmp.Or(p.Client, http.DefaultClient).Do(req)
	if err != nil {
		p.tb.Fatal(err)
	}
	answer, err = io.ReadAll(res.Body)
	if err != nil {
		p.tb.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		p.tb.Error(err)
	}
	return res.StatusCode, answer
}

// Ask sends a request with headers, given in pairs, and returns the answer without its body.
func (p *Program) Ask(method, path string, headers ...string) *http.Response {
	p.tb.Helper()
	req, err := http.NewRequestWithContext(p.tb.Context(), method, p.URL+path, nil)
	if err != nil {
		p.tb.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	req.Close = true
	res, err := cmp.Or(p.Client, http.DefaultClient).Do(req)
	if err != nil {
		p.tb.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, res.Body) // the status and the headers are the answer
	if err := res.Body.Close(); err != nil {
		p.tb.Error(err)
	}
	return res
}

// AwaitReady waits until /readyz answers 200.
func (p *Program) AwaitReady() {
	p.tb.Helper()
	for late := time.Now().Add(Patience); ; time.Sleep(time.Millisecond) {
		status, body := p.Try("", http.MethodGet, "/readyz", "")
		if status == http.StatusOK {
			return
		}
		if time.Now().After(late) {
			p.tb.Fatalf("/readyz = %d %s", status, body)
		}
	}
}

// Private returns the program at the address that --metrics-addr gave it.
func (p *Program) Private() *Program {
	p.tb.Helper()
	found := regexp.MustCompile(`metrics=(http://\S+)`).FindStringSubmatch(p.Log.String())
	if found == nil {
		p.tb.Fatalf("no private address in the log: %s", p.Log)
	}
	return At(p.tb, found[1])
}
