package api_test

import (
	"bufio"
	"database/sql"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // a second program at the database

	"marcador/api"
	"marcador/internal/membudget"
	"marcador/store"
)

// The limits of requests do not end a stream, whether or not its request has a body.
func TestLimits_stream(t *testing.T) {
	f := newFixture(t, func(o *api.Options) {
		o.Limits = api.Limits{Receive: time.Second, Answer: time.Second, Deliver: time.Second}
	})
	if _, err := f.live.PutProfiles(t.Context(), []store.Profile{{ID: "u1", Username: "x"}}); err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{"\r\n", "Content-Length: 100\r\n\r\nhalf"} {
		conn := f.dial()
		if _, err := io.WriteString(conn, "GET /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+f.admin+"\r\n"+body); err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReader(conn)
		until := func(want string) {
			t.Helper()
			for {
				line, err := r.ReadString('\n')
				if err != nil {
					t.Fatalf("waiting for %s: %v", want, err)
				}
				if strings.Contains(line, want) {
					return
				}
			}
		}
		until("event: leaderboard:updated")
		// Once the deadlines of a later request are over, so are those of the stream's request.
		late := f.dial()
		if _, err := io.WriteString(late, "POST /v1/nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(late); err != nil {
			t.Fatal(err)
		}
		if _, err := f.live.AddPoints(t.Context(), []store.Write{{Updates: []store.Update{{UserID: "u1", XP: 1}}}}); err != nil {
			t.Fatal(err)
		}
		until("event: leaderboard:updated")
	}
}

// askAndIgnore asks for the page of a crowd and does not read it.
func (f *fixture) askAndIgnore() {
	f.t.Helper()
	conn := f.dial()
	if tcp, ok := conn.(*net.TCPConn); !ok || tcp.SetReadBuffer(4096) != nil {
		f.t.Fatal("can't set a small buffer")
	}
	if _, err := io.WriteString(conn, "GET /v1/leaderboards/global?limit=1000 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+f.admin+"\r\n\r\n"); err != nil {
		f.t.Fatal(err)
	}
}

// A client that does not read its answer is disconnected.
func TestLimits_slowReader(t *testing.T) {
	f := newFixture(t, func(o *api.Options) { o.Limits.Deliver = time.Second })
	f.crowd()
	before := f.closed.Load()
	f.askAndIgnore()
	f.untilClosed(before + 1)
	if a := f.do(f.admin, http.MethodGet, "/v1/leaderboards/global?limit=1000", ""); a.status != 200 || len(a.body) < 800<<10 {
		t.Errorf("a client that reads gets %d, %d bytes", a.status, len(a.body))
	}
}

// Answers that nobody reads use memory up to a bound. Clients that read are served meanwhile, also
// over HTTP/2.
func TestLimits_unread(t *testing.T) {
	f := newFixture(t, func(o *api.Options) { o.Limits.Answers = 3 << 20 })
	f.crowd()
	var two http.Protocols
	two.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: &two, HTTP2: &http.HTTP2Config{MaxReceiveBufferPerStream: 64 << 10}}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.url+"/v1/leaderboards/global?limit=1000", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+f.admin)
	var streams []io.ReadCloser
	for range 6 { // on one connection, whose window has about half a megabyte
		res, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		streams = append(streams, res.Body)
	}
	for range 8 {
		f.askAndIgnore()
		if a := f.do(f.admin, http.MethodGet, "/v1/leaderboards/global?limit=1000", ""); a.status != 200 || len(a.body) < 800<<10 {
			t.Fatalf("a client that reads gets %d, %d bytes", a.status, len(a.body))
		}
	}
	f.untilClosed(5) // of 8 pages of most of a megabyte, 3 fit into 3 MB
	whole := 0
	for _, body := range streams {
		if n, err := io.Copy(io.Discard, body); err == nil && n > 800<<10 {
			whole++
		}
		_ = body.Close()
	}
	if whole > 3 {
		t.Errorf("%d answers over HTTP/2 were not cut off", whole)
	}
}

// A large answer is not made if there is no memory for it, and a write that would have it changes
// nothing.
func TestLimits_noMemory(t *testing.T) {
	f := newFixture(t, nil)
	f.put("u1")
	handler, budget := api.NewWithBudget(api.Options{
		Live: f.live, Streams: f.streams, Verifier: f.verifier, Log: slog.New(slog.DiscardHandler), Public: true,
		Limits: api.Limits{Answers: 1 << 20, Answer: 100 * time.Millisecond},
	})
	stuck := budget.Reserve("a", 0, func() {}, func() {}) // does not release when it is cut off
	defer stuck.Release()
	made, err := stuck.Acquire(t.Context(), membudget.PageSlot, 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	made(1 << 20)
	for _, c := range [][3]string{
		{http.MethodGet, "/v1/leaderboards/global", ""},
		{http.MethodGet, "/v1/leaderboards/global/archive", ""},
		{http.MethodGet, "/v1/leaderboards/global/archive?start=2026-11-16", ""},
		{http.MethodGet, "/v1/leaderboards/global/trend", ""},
		{http.MethodGet, "/v1/users/u1/history", ""},
		{http.MethodPost, "/v1/users", `{"users":[{"id":"u2","username":"x"}]}`},
	} {
		r := httptest.NewRequestWithContext(t.Context(), c[0], c[1], strings.NewReader(c[2]))
		r.Header.Set("Authorization", "Bearer "+f.admin)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		answer{w.Code, w.Header(), w.Body.Bytes()}.wantProblem(t, 503, "busy", "")
	}
	if f.live.Has("u2") {
		t.Error("a profile was written although its answer was refused")
	}
}

// A request that takes too long gets a 503, whatever it waits for.
func TestLimits_answer(t *testing.T) {
	f := newFixture(t, func(o *api.Options) { o.Limits.Answer = 2 * time.Second })
	f.put("u1")
	other, err := sql.Open("sqlite", f.db)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	conn, err := other.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(t.Context(), `BEGIN IMMEDIATE`); err != nil {
		t.Fatal(err)
	}
	blocked := [][3]string{
		{http.MethodPost, "/v1/users/u1/xp", `{"xp":1}`},
		{http.MethodPost, "/v1/xp", `{"updates":[{"userId":"u1","xp":1}]}`},
		{http.MethodPut, "/v1/users/u2", `{"username":"x"}`},
		{http.MethodPost, "/v1/users", `{"users":[{"id":"u2","username":"x"}]}`},
		{http.MethodDelete, "/v1/users/u1", ""},
		{http.MethodPut, "/v1/users/u1/friends/u2", ""},
		{http.MethodPut, "/v1/badges", `{"badges":[{"minXp":0,"name":"x"}]}`},
		{http.MethodPut, "/v1/leaderboards/global/limit", `{"top":10}`},
	}
	t.Run("writes", func(t *testing.T) {
		for _, c := range blocked {
			t.Run(c[0]+" "+c[1], func(t *testing.T) {
				t.Parallel() // each waits until its time is over
				one := &fixture{t: t, url: f.url}
				a := one.do(f.admin, c[0], c[1], c[2])
				a.wantProblem(t, 503, "timeout", "")
				if a.header.Get("Retry-After") == "" {
					t.Error("no Retry-After")
				}
			})
		}
	})
	if a := f.do(f.admin, http.MethodGet, "/v1/leaderboards/global", ""); a.status != 200 {
		t.Errorf("a page while nothing can be written = %d %s", a.status, a.body)
	}
	if _, err := conn.ExecContext(t.Context(), `ROLLBACK`); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
}
