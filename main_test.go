package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"marcador/auth"
)

const secret = "0123456789abcdef0123456789abcdef"

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(suite{m}, goleak.Cleanup(func(code int) {
		if folder := builtIn.Load(); folder != nil {
			_ = os.RemoveAll(*folder) // a folder for temporary files
		}
		os.Exit(code)
	}))
}

// suite is all tests, and what they share.
type suite struct{ m *testing.M }

// Run implements goleak.TestingM.
func (s suite) Run() int {
	code := s.m.Run()
	if err := closeBrowser(); err != nil {
		fmt.Fprintln(os.Stderr, "close Chromium:", err)
		return max(code, 1)
	}
	return code
}

// program is marcador, running in this process as main would run it.
type program struct {
	tb     testing.TB
	url    string
	client *http.Client // http.DefaultClient where it is nil
	stop   func()       // ends it as SIGTERM does, and checks that it ends well
	log    *log
}

// log is what a program says. Safe for concurrent use.
type log struct {
	mu     sync.Mutex
	b      bytes.Buffer // guarded by mu
	opened chan string  // is sent the address once it is known
}

var address = regexp.MustCompile(`https?://[0-9a-z.:]*\d`)

func (l *log) Write(p []byte) (int, error) {
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

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// await waits until the program has said that.
func (l *log) await(tb testing.TB, text string) {
	tb.Helper()
	for late := time.Now().Add(patient); !strings.Contains(l.String(), text); time.Sleep(time.Millisecond) {
		if time.Now().After(late) {
			tb.Fatalf("it does not say %q:\n%s", text, l)
		}
	}
}

// start runs the program and waits until it listens.
func start(tb testing.TB, args ...string) *program {
	tb.Helper()
	tb.Setenv("MARCADOR_JWT_SECRET", secret)
	p := &program{tb: tb, log: &log{opened: make(chan string, 1)}}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, args, p.log, p.log) }()
	p.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			tb.Errorf("%v: %v\n%s", args, err, p.log)
		}
	})
	tb.Cleanup(p.stop)
	select {
	case p.url = <-p.log.opened:
	case err := <-ended:
		ended <- nil
		tb.Fatalf("%v: %v\n%s", args, err, p.log)
	}
	return p
}

// serveOn starts the service on any port, or that of an address.
func serveOn(tb testing.TB, addr, db string, flags ...string) *program {
	tb.Helper()
	return start(tb, append([]string{"serve", "--addr", addr, "--db", db, "--throttle", "0"}, flags...)...)
}

func tokenFor(tb testing.TB, sub, scope string, ttl time.Duration) string {
	tb.Helper()
	var out bytes.Buffer
	tb.Setenv("MARCADOR_JWT_SECRET", secret)
	err := run(tb.Context(), []string{"token", "--sub", sub, "--email", sub + "@school.mx", "--scope", scope, "--ttl=" + ttl.String()}, &out, io.Discard)
	if err != nil {
		tb.Fatal(err)
	}
	return strings.TrimSpace(out.String())
}

// call sends JSON and decodes the answer into v, which may be nil.
func (p *program) call(token, method, path, body string, v any) {
	p.tb.Helper()
	if status, b := p.try(token, method, path, body); status >= 300 {
		p.tb.Fatalf("%s %s = %d %s", method, path, status, b)
	} else if v != nil {
		if err := json.Unmarshal(b, v); err != nil {
			p.tb.Fatalf("%s %s: %v: %s", method, path, err, b)
		}
	}
}

func (p *program) try(token, method, path, body string) (int, []byte) {
	p.tb.Helper()
	req, err := http.NewRequestWithContext(p.tb.Context(), method, p.url+path, strings.NewReader(body))
	if err != nil {
		p.tb.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Close = true // no connection is left for goleak to find
	res, err := cmp.Or(p.client, http.DefaultClient).Do(req)
	if err != nil {
		p.tb.Fatal(err)
	}
	b, err := io.ReadAll(res.Body)
	if err != nil {
		p.tb.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		p.tb.Error(err)
	}
	return res.StatusCode, b
}

// enrol creates users u1 to un.
func (p *program) enrol(n int) {
	p.tb.Helper()
	admin := tokenFor(p.tb, "svc", "admin", time.Hour)
	for i := range n {
		p.call(admin, http.MethodPut, fmt.Sprintf("/v1/users/u%d", i+1), fmt.Sprintf(`{"username":"User %d"}`, i+1), nil)
	}
}

func TestStartErrors(t *testing.T) {
	folder := t.TempDir()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := taken.Close(); err != nil {
			t.Error(err)
		}
	}()
	letter := filepath.Join(folder, "letter.db")
	if err := os.WriteFile(letter, []byte(strings.Repeat("Dear Sir or Madam. ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	good := []string{"serve", "--addr", "127.0.0.1:0", "--db", filepath.Join(folder, "m.db")}
	for name, c := range map[string]struct {
		secret string
		args   []string
		want   string
	}{
		"no key":            {"", good, "MARCADOR_JWT_SECRET, or --jwt-secret"},
		"no key says which": {"", good, "--jwt-public-key"},
		"JWKS over http":    {"", append(good, "--jwks-url", "http://login.example.org/keys"), "--jwks-url: it must begin with https://"},
		"JWKS no address":   {"", append(good, "--jwks-url", "keys"), "--jwks-url: it is not an address"},
		"key file missing":  {"", append(good, "--jwt-public-key", filepath.Join(folder, "no.pem")), "--jwt-public-key"},
		"key file a letter": {"", append(good, "--jwt-public-key", letter), "letter.db\": there is no PEM block"},
		"key file a folder": {secret, append(good, "--jwt-public-key", folder), "--jwt-public-key"},
		"key too short":     {secret[:31], good, "--jwt-secret has 31 bytes; it needs 32"},
		"port taken":        {secret, append(good, "--addr", taken.Addr().String()), "taken by another program"},
		"address":           {secret, append(good, "--addr", "nonsense"), "--addr"},
		"proxy":             {secret, append(good, "--trust-proxy", "proxy.lan"), `--trust-proxy: "proxy.lan" is no address; give one such as 10.0.0.7`},
		"folder missing":    {secret, append(good, "--db", filepath.Join(folder, "no", "m.db")), "does not exist"},
		"not a database":    {secret, append(good, "--db", letter), "not an SQLite database"},
		"throttle below 0":  {secret, append(good, "--throttle", "-1s"), "--throttle"},
		"throttle":          {secret, append(good, "--throttle", "often"), "--throttle"},
		"top 0":             {secret, append(good, "--top", "0"), "--top"},
		"cache-ttl 1ns":     {secret, append(good, "--cache-ttl", "1ns"), "--cache-ttl"},
		"heartbeat 1m":      {secret, append(good, "--heartbeat", "1m"), "--heartbeat"},
		"heartbeat 0":       {secret, append(good, "--heartbeat", "0s"), "--heartbeat"},
		"max-streams 0":     {secret, append(good, "--max-streams", "0"), "--max-streams"},
		"streams per user":  {secret, append(good, "--max-streams-per-user", "-1"), "--max-streams-per-user"},
		"write-rate":        {secret, append(good, "--write-rate", "-1"), "--write-rate"},
		"timezone":          {secret, append(good, "--timezone", "Mars/Olympus"), "--timezone"},
		"recompute":         {secret, append(good, "--recompute", "now and then"), "--recompute"},
		"log level":         {secret, append(good, "--log-level", "loud"), "--log-level"},
		"unknown flag":      {secret, append(good, "--colour", "red"), "--colour"},
		"unknown command":   {secret, []string{"sing"}, "sing"},
		"no command":        {secret, nil, "expected one of"},
		"token without sub": {secret, []string{"token"}, "--sub"},
		"unknown scope":     {secret, []string{"token", "--sub", "x", "--scope", "root"}, "there is no scope"},
		"too few students":  {secret, []string{"demo", "--students", "0"}, "--students"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("MARCADOR_JWT_SECRET", c.secret)
			var out, errs bytes.Buffer
			err := run(t.Context(), c.args, &out, &errs)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("run(%v) = %v, want an error with %q", c.args, err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("the error has more than a line: %v", err)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"serve", "--help"}, {"demo", "--help"}, {"token", "--help"}, {"--version"}} {
		var out bytes.Buffer
		if err := run(t.Context(), args, &out, io.Discard); err != nil {
			t.Errorf("%v: %v", args, err)
		}
		if out.Len() == 0 {
			t.Errorf("%v says nothing", args)
		}
	}
	var out bytes.Buffer
	if err := run(t.Context(), []string{"serve", "--help"}, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"--addr", "MARCADOR_ADDR", "--jwt-secret", "MARCADOR_JWT_SECRET", "--jwt-public-key", "MARCADOR_JWT_PUBLIC_KEY", "--jwks-url", "MARCADOR_JWKS_URL", "--throttle", "10s", "--cache-ttl", "MARCADOR_CACHE_TTL", "--recompute"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("serve --help lacks %s", want)
		}
	}
}

// A flag wins over its environment variable.
func TestEnvironment(t *testing.T) {
	t.Setenv("MARCADOR_TOP", "0")
	t.Setenv("MARCADOR_DB", filepath.Join(t.TempDir(), "env.db"))
	t.Setenv("MARCADOR_JWT_SECRET", secret)
	if err := run(t.Context(), []string{"serve", "--addr", "127.0.0.1:0"}, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "--top 0") {
		t.Errorf("error = %v, want that of MARCADOR_TOP", err)
	}
	p := start(t, "serve", "--addr", "127.0.0.1:0", "--top", "5")
	p.enrol(1)
	if _, err := os.Stat(os.Getenv("MARCADOR_DB")); err != nil {
		t.Error(err)
	}
}

func TestToken(t *testing.T) {
	verifier, err := auth.NewVerifier(auth.Options{Secret: []byte(secret)})
	if err != nil {
		t.Fatal(err)
	}
	caller, err := verifier.Verify(t.Context(), tokenFor(t, "u1", "xp:write admin", time.Minute))
	if err != nil || caller.UserID != "u1" || caller.Email != "u1@school.mx" || !caller.May("xp:write") || time.Until(caller.Expires) > time.Minute {
		t.Errorf("caller = %+v, %v", caller, err)
	}
	if _, err := verifier.Verify(t.Context(), tokenFor(t, "u1", "", -time.Hour)); !errors.Is(err, auth.ErrInvalidToken) {
		t.Errorf("a token of last hour: %v", err)
	}
}

// A restart keeps every point, and who is told what they already know.
func TestRestart(t *testing.T) {
	db := filepath.Join(t.TempDir(), "m.db")
	admin := tokenFor(t, "svc", "admin", time.Hour)
	p := serveOn(t, "127.0.0.1:0", db)
	p.enrol(20)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			for range 10 {
				if status, b := p.try(admin, http.MethodPost, fmt.Sprintf("/v1/users/u%d/xp", i+1), fmt.Sprintf(`{"xp":%d}`, i+1)); status != 200 {
					t.Errorf("%d %s", status, b)
				}
			}
		})
	}
	wg.Wait()
	var before, after json.RawMessage
	p.call(admin, http.MethodGet, "/v1/leaderboards/global", "", &before)
	p.stop()
	if !strings.Contains(p.log.String(), "msg=stopped") {
		t.Errorf("log = %s", p.log)
	}
	p = serveOn(t, "127.0.0.1:0", db)
	p.call(admin, http.MethodGet, "/v1/leaderboards/global", "", &after)
	if !bytes.Equal(before, after) {
		t.Errorf("after a restart %s, before %s", after, before)
	}
	if !bytes.Contains(after, []byte(`"score":200,`)) {
		t.Errorf("board = %s", after)
	}
}
