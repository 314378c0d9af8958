package api_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"marcador/api"
	"marcador/auth"
	"marcador/internal/schematest"
	"marcador/live"
	"marcador/sse"
	"marcador/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fixture is the API on a real database and a real listener.
type fixture struct {
	t        testing.TB
	url      string
	verifier *auth.Verifier
	live     *live.Service
	streams  *sse.Server
	admin    string // a token with the scope admin
	db       string // path of the database
	handler  http.Handler
	closed   atomic.Int64 // number of connections that were closed
}

func newFixture(tb testing.TB, change func(*api.Options)) *fixture {
	tb.Helper()
	log := slog.New(slog.DiscardHandler)
	f := &fixture{t: tb, db: filepath.Join(tb.TempDir(), "m.db")}
	service, err := live.Open(tb.Context(), f.db, live.Options{Schema: schematest.Text(tb), Throttle: -1, Log: log})
	if err != nil {
		tb.Fatal(err)
	}
	verifier, err := auth.NewVerifier(auth.Options{Secret: []byte("0123456789abcdef0123456789abcdef")})
	if err != nil {
		tb.Fatal(err)
	}
	opts := api.Options{Live: service, Streams: sse.NewServer(service.Hub(), sse.Options{}), Verifier: verifier, Log: log, Version: "test"}
	if change != nil {
		change(&opts)
	}
	f.handler = api.New(opts)
	server := httptest.NewUnstartedServer(f.handler)
	if err := server.Listener.Close(); err != nil {
		tb.Fatal(err)
	}
	if server.Listener, err = sse.Listen(tb.Context(), "tcp", "127.0.0.1:0"); err != nil {
		tb.Fatal(err)
	}
	server.Config.ConnContext = sse.ConnContext
	server.Config.MaxHeaderBytes = 32 << 10
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateClosed {
			f.closed.Add(1)
		}
	}
	server.Start()
	tb.Cleanup(func() {
		if err := opts.Streams.Drain(context.Background()); err != nil {
			tb.Error(err)
		}
		server.CloseClientConnections()
		server.Close()
		if err := service.Close(); err != nil {
			tb.Error(err)
		}
	})
	f.url, f.verifier, f.live, f.streams = server.URL, verifier, service, opts.Streams
	f.admin = f.token("svc", "admin")
	return f
}

func (f *fixture) token(sub, scope string) string {
	f.t.Helper()
	token, err := f.verifier.Sign(auth.Caller{UserID: sub, Email: sub + "@school.mx", Scopes: strings.Fields(scope)}, time.Hour)
	if err != nil {
		f.t.Fatal(err)
	}
	return token
}

// answer is the answer to a request.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// do sends a request with a token, unless it is empty, and headers in pairs.
func (f *fixture) do(token, method, path, body string, headers ...string) answer {
	f.t.Helper()
	req, err := http.NewRequestWithContext(f.t.Context(), method, f.url+path, strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(headers); i += 2 {
		if slices.Index(headers, headers[i]) == i {
			req.Header.Del(headers[i])
		}
		req.Header.Add(headers[i], headers[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		f.t.Fatal(err)
	}
	b, err := io.ReadAll(res.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		f.t.Error(err)
	}
	return answer{res.StatusCode, res.Header, b}
}

// must is do, as an admin, for a request that must succeed. It decodes the answer into v, unless
// that is nil.
func (f *fixture) must(v any, method, path, body string, headers ...string) {
	f.t.Helper()
	a := f.do(f.admin, method, path, body, headers...)
	if a.status >= 300 {
		f.t.Fatalf("%s %s = %d %s", method, path, a.status, a.body)
	}
	if v != nil {
		if err := json.Unmarshal(a.body, v); err != nil {
			f.t.Fatalf("%s %s: %v: %s", method, path, err, a.body)
		}
	}
}

// wantProblem fails the test unless the answer is a problem with that status and code. If a field
// is given, the problem must be about it, and name it in its detail.
func (a answer) wantProblem(tb testing.TB, status int, code, field string) {
	tb.Helper()
	var p struct {
		Type, Title, Detail, Code string
		Status                    int
		Errors                    []struct{ Field, Message string }
	}
	if err := json.Unmarshal(a.body, &p); err != nil {
		tb.Fatalf("%d %q: %v", a.status, a.body, err)
	}
	if a.status != status || p.Status != status || p.Code != code || p.Title != http.StatusText(status) {
		tb.Errorf("answer = %d %s, want %d with code %s", a.status, a.body, status, code)
	}
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		tb.Errorf("content type = %s", got)
	}
	if field != "" && (len(p.Errors) == 0 || p.Errors[0].Field != field || !strings.Contains(p.Detail, field)) {
		tb.Errorf("answer = %s, want one about %s", a.body, field)
	}
	for _, secret := range []string{"SQL", "sqlite", "goroutine", ".go:", "Go struct", "float64"} {
		if bytes.Contains(a.body, []byte(secret)) {
			tb.Errorf("the answer shows internals: %s", a.body)
		}
	}
}

// put creates users, each named after its id.
func (f *fixture) put(ids ...string) {
	f.t.Helper()
	for _, id := range ids {
		f.must(nil, http.MethodPut, "/v1/users/"+id, `{"username":"name of `+id+`"}`)
	}
}

// school makes users members of a school.
func (f *fixture) school(id string, members ...string) {
	f.t.Helper()
	for _, m := range members {
		f.must(nil, http.MethodPut, "/v1/users/"+m, fmt.Sprintf(`{"username":"name of %s","groups":{"school":[%q]}}`, m, id))
	}
}

// crowd creates a thousand users, whose page is most of a megabyte long.
func (f *fixture) crowd() {
	f.t.Helper()
	var people []store.Profile
	for i := range 1000 {
		people = append(people, store.Profile{ID: fmt.Sprint("u", i), Username: strings.Repeat("ñ", 90), Avatar: "https://x/" + strings.Repeat("a", 700)})
	}
	if _, err := f.live.PutProfiles(f.t.Context(), people); err != nil {
		f.t.Fatal(err)
	}
}

// execute changes the database as another program would do it.
func (f *fixture) execute(query string) {
	f.t.Helper()
	db, err := sql.Open("sqlite", "file:"+f.db+"?_pragma=busy_timeout(5000)")
	if err == nil {
		_, err = db.ExecContext(f.t.Context(), query)
		err = errors.Join(err, db.Close())
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

// state returns everything that can be seen of the database.
func (f *fixture) state() string {
	f.t.Helper()
	var all []byte
	for _, path := range []string{"/v1/leaderboards/global?limit=1000", "/v1/users/u1", "/v1/users/u1/history", "/v1/badges"} {
		var raw json.RawMessage
		f.must(&raw, http.MethodGet, path, "")
		all = append(all, raw...)
	}
	return string(all)
}

// patient is how long a test waits for something that comes at once or never.
const patient = 20 * time.Second

// dial opens a connection whose deadline is patient from now.
func (f *fixture) dial() net.Conn {
	f.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(f.url, "http://"))
	if err != nil {
		f.t.Fatal(err)
	}
	if err := conn.SetDeadline(time.Now().Add(patient)); err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// untilClosed waits until that many connections have been closed.
func (f *fixture) untilClosed(n int64) {
	f.t.Helper()
	for deadline := time.Now().Add(patient); f.closed.Load() < n; {
		if time.Now().After(deadline) {
			f.t.Fatalf("%d connections are closed, want %d", f.closed.Load(), n)
		}
		time.Sleep(time.Millisecond) // until net/http has closed a real connection
	}
}
