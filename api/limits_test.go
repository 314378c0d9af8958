package api_test

import (
	"bufio"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite" // a second program at the database

	"marcador/api"
	"marcador/live"
)

// patient is how long a test waits for what comes at once, or never.
const patient = 20 * time.Second

// dial opens a connection that is given up when the test's patience is at its end.
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

// half sends a part of a request, and returns what is answered before the
// connection is closed. It fails the test where that does not happen.
func (f *fixture) half(part string) answer {
	f.t.Helper()
	conn := f.dial()
	if _, err := io.WriteString(conn, part); err != nil {
		f.t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	a := answer{res.StatusCode, res.Header, body}
	if rest, err := io.ReadAll(r); err != nil || len(rest) > 0 {
		f.t.Errorf("after %d %s the connection is not closed: %q, %v", a.status, a.body, rest, err)
	}
	return a
}

// Whose body does not come is told so and let go, whoever they are and whether
// anybody wants the body.
func TestLimits_slowBody(t *testing.T) {
	f := newFixture(t, func(o *api.Options) { o.Limits.Receive = 200 * time.Millisecond })
	f.put("u1")
	head := func(method, path, token string) string {
		return fmt.Sprintf("%s %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n", method, path, token)
	}
	const length, chunked = "Content-Length: 100\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n"
	xp := head(http.MethodPost, "/v1/users/u1/xp", f.admin)
	f.half(xp+length+`{"xp":1`).wantProblem(t, 408, "request_timeout", "")
	f.half(xp+chunked+"7\r\n{\"xp\":1").wantProblem(t, 408, "request_timeout", "")
	f.half(xp+length).wantProblem(t, 408, "request_timeout", "")
	f.half(xp+chunked+"x\r\n").wantProblem(t, 400, "body_broken", "")
	f.half(head(http.MethodPost, "/v1/users/u1/xp", f.token("u1", ""))+length).wantProblem(t, 403, "insufficient_scope", "")
	f.half(head(http.MethodPost, "/v1/users/u1/xp", "forged")+length).wantProblem(t, 401, "token_invalid", "")
	f.half(head(http.MethodPost, "/nothing", "") + length)
	f.half(head(http.MethodPost, "/v1/nothing", "")+length).wantProblem(t, 404, "not_found", "")
	for _, path := range []string{"/", "/docs", "/healthz", "/v1/leaderboards/global", "/openapi.json"} {
		if a := f.half(head(http.MethodGet, path, f.admin) + length); a.status != 200 {
			t.Errorf("GET %s with half a body = %d %s", path, a.status, a.body)
		}
	}

	// Over HTTP/2 that is the stream's matter, and the connection's others go on.
	var two http.Protocols
	two.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: &two}
	defer transport.CloseIdleConnections()
	slow, send := io.Pipe()
	defer send.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.url+"/v1/users/u1/xp", slow)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+f.admin)
	go func() { _, _ = io.WriteString(send, `{"xp":1`) }() // until the test closes it
	res, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(res.Body)
	_ = res.Body.Close()
	answer{res.StatusCode, res.Header, body}.wantProblem(t, 408, "request_timeout", "")
	if f.closed.Load() != 13 {
		t.Errorf("%d connections are closed, want those of HTTP/1", f.closed.Load())
	}
	var u struct{ XP int64 }
	if f.must(&u, http.MethodGet, "/v1/users/u1", ""); u.XP != 0 {
		t.Errorf("half a request gave %d points", u.XP)
	}
}

// A stream is no answer that has to be read, and outlives the bounds of those, with
// or without a body.
func TestLimits_stream(t *testing.T) {
	f := newFixture(t, func(o *api.Options) {
		o.Limits = api.Limits{Receive: time.Second, Answer: time.Second, Deliver: time.Second}
	})
	if _, err := f.live.PutProfiles(t.Context(), []live.Profile{{ID: "u1", Username: "x"}}); err != nil {
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
		// All the deadlines are over when another request's is.
		late := f.dial()
		if _, err := io.WriteString(late, "POST /v1/nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(late); err != nil {
			t.Fatal(err)
		}
		if _, err := f.live.AddPoints(t.Context(), []live.Write{{Updates: []live.Update{{UserID: "u1", XP: 1}}}}); err != nil {
			t.Fatal(err)
		}
		until("event: leaderboard:updated")
	}
}

// crowd enrols a thousand people who make a page of most of a megabyte.
func (f *fixture) crowd() {
	f.t.Helper()
	var people []live.Profile
	for i := range 1000 {
		people = append(people, live.Profile{ID: fmt.Sprint("u", i), Username: strings.Repeat("ñ", 90), Avatar: "https://x/" + strings.Repeat("a", 700)})
	}
	if _, err := f.live.PutProfiles(f.t.Context(), people); err != nil {
		f.t.Fatal(err)
	}
}

// askAndIgnore asks for that page and does not read it.
func (f *fixture) askAndIgnore() {
	f.t.Helper()
	conn := f.dial()
	if tcp, ok := conn.(*net.TCPConn); !ok || tcp.SetReadBuffer(4096) != nil {
		f.t.Fatal("can't be made to take little")
	}
	if _, err := io.WriteString(conn, "GET /v1/leaderboards/global?limit=1000 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+f.admin+"\r\n\r\n"); err != nil {
		f.t.Fatal(err)
	}
}

// Who does not read the answer is let go.
func TestLimits_slowReader(t *testing.T) {
	f := newFixture(t, func(o *api.Options) { o.Limits.Deliver = time.Second })
	f.crowd()
	before := f.closed.Load()
	f.askAndIgnore()
	for deadline := time.Now().Add(patient); f.closed.Load() == before; {
		if time.Now().After(deadline) {
			t.Fatal("who does not read a page of a megabyte keeps the connection")
		}
		time.Sleep(time.Millisecond) // a real connection that is cut off
	}
	if a := f.do(f.admin, http.MethodGet, "/v1/leaderboards/global?limit=1000", ""); a.status != 200 || len(a.body) < 800<<10 {
		t.Errorf("who reads gets %d, %d bytes", a.status, len(a.body))
	}
}

// Answers that are not read hold only so much together; whoever reads is served
// meanwhile, over HTTP/2 too.
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
	for range 6 { // on one connection, whose window holds half a megabyte or so
		res, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		streams = append(streams, res.Body)
	}
	for range 8 {
		f.askAndIgnore()
		if a := f.do(f.admin, http.MethodGet, "/v1/leaderboards/global?limit=1000", ""); a.status != 200 || len(a.body) < 800<<10 {
			t.Fatalf("who reads gets %d, %d bytes", a.status, len(a.body))
		}
	}
	for deadline := time.Now().Add(patient); f.closed.Load() < 5; {
		if time.Now().After(deadline) {
			t.Fatalf("8 pages of most of a megabyte are held where 3 MB may be; %d are not", f.closed.Load())
		}
		time.Sleep(time.Millisecond) // a real connection that is cut off
	}
	whole := 0
	for _, body := range streams {
		if n, err := io.Copy(io.Discard, body); err == nil && n > 800<<10 {
			whole++
		}
		_ = body.Close()
	}
	if whole > 3 {
		t.Errorf("%d streams were held", whole)
	}
}

// Answers that may be large are not made, and nothing is changed, where there is no room for them.
func TestLimits_noRoom(t *testing.T) {
	f := newFixture(t, nil)
	f.put("u1")
	handler, room := api.NewWithRoom(api.Options{
		Live: f.live, Streams: f.streams, Verifier: f.verifier, Log: slog.New(slog.DiscardHandler), Public: true,
		Limits: api.Limits{Answers: 1 << 20, Answer: 100 * time.Millisecond},
	})
	stuck := room.Enter("a", 0, func() {}, func() {}) // is cut off and does not leave
	defer stuck.Leave()
	made, err := stuck.Begin(t.Context(), 1<<20)
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
		t.Error("a profile was written, and its answer refused")
	}
}

// What can't be done in time is answered with a 503, whatever it waits for.
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
				t.Parallel() // each waits in vain
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

// Bodies are held up to a bound, of all requests together; what is over it is
// refused, and is room again when the others are done.
func TestLimits_bodies(t *testing.T) {
	f := newFixture(t, func(o *api.Options) { o.Limits.Bodies = 500 << 10 }) // a body takes three times its length, and more for its values
	f.put("u1")
	batch := func(n int) string {
		return `{"updates":[` + strings.TrimSuffix(strings.Repeat(`{"userId":"u1","xp":1,"reason":"`+strings.Repeat("x", 400)+`"},`, n), ",") + `]}`
	}
	large, small := batch(150), batch(40)
	if len(large) < 60<<10 || len(small) > 30<<10 {
		t.Fatal(len(large), len(small))
	}
	// Three have sent all but a byte: there is room for one of them.
	type outcome struct {
		conn   net.Conn
		status int
	}
	outcomes := make(chan outcome, 3)
	waiting := map[net.Conn]bool{}
	var reading sync.WaitGroup
	for range 3 {
		conn := f.dial()
		waiting[conn] = true
		if _, err := fmt.Fprintf(conn, "POST /v1/xp HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s", f.admin, len(large), large[:len(large)-1]); err != nil {
			t.Fatal(err)
		}
		reading.Go(func() {
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Error(err)
				outcomes <- outcome{conn, 0}
				return
			}
			body, err := io.ReadAll(res.Body)
			if err != nil {
				t.Error(err)
			}
			if res.StatusCode != http.StatusOK {
				answer{res.StatusCode, res.Header, body}.wantProblem(t, 503, "busy", "")
			}
			if got := res.Header.Get("Retry-After"); res.StatusCode == http.StatusServiceUnavailable && got != "1" {
				t.Errorf("Retry-After = %q", got)
			}
			outcomes <- outcome{conn, res.StatusCode}
		})
	}
	for range 2 {
		o := <-outcomes
		if o.status != 503 {
			t.Errorf("one of the first two = %d", o.status)
		}
		delete(waiting, o.conn)
	}
	if a := f.do(f.admin, http.MethodPost, "/v1/xp", small); a.status != 200 {
		t.Errorf("what there is room for = %d %s", a.status, a.body)
	}
	if a := f.do(f.token("u1", ""), http.MethodPost, "/v1/xp", large); a.status != 403 {
		t.Errorf("who may not write takes room: %d %s", a.status, a.body)
	}
	for conn := range waiting {
		if _, err := io.WriteString(conn, large[len(large)-1:]); err != nil {
			t.Error(err)
		}
	}
	<-outcomes
	reading.Wait()
	for range 5 {
		if a := f.do(f.admin, http.MethodPost, "/v1/xp", large); a.status != 200 {
			t.Fatalf("afterwards %d %s", a.status, a.body)
		}
	}
}

// Batches for which there is no room at once wait for it: none is refused.
func TestLimits_bodiesWait(t *testing.T) {
	f := newFixture(t, func(o *api.Options) { o.Limits.Bodies = 500 << 10 })
	f.put("u1")
	batch := `{"updates":` + repeated(`{"userId":"u1","xp":1,"reason":"`+strings.Repeat("x", 400)+`"}`, 150) + `}`
	var sending sync.WaitGroup
	for range 20 {
		sending.Go(func() {
			if a := f.do(f.admin, http.MethodPost, "/v1/xp", batch); a.status != http.StatusOK {
				t.Errorf("a batch = %d %s", a.status, a.body)
			}
		})
	}
	sending.Wait()
}

// Bodies that a member leaves half sent keep no other member from a fresh token.
func TestLimits_bodiesOfAMember(t *testing.T) {
	f := newFixture(t, func(o *api.Options) { o.Limits.Bodies = 1600 << 10 })
	const size = 10 << 10
	for range 40 { // each takes 30 KB of 400
		head := "POST /v1/events/x/token HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + f.token("u1", "")
		if _, err := fmt.Fprintf(f.dial(), "%s\r\nContent-Length: %d\r\n\r\n%s", head, size, strings.Repeat(" ", size-1)); err != nil {
			t.Fatal(err)
		}
	}
	for range 5 {
		f.do(f.token("u2", ""), http.MethodPost, "/v1/events/x/token", `{"token":"`+f.token("u2", "")+`"}`).wantProblem(t, 404, "unknown_stream", "socketId")
	}
}

// A body that says it is too large is refused before it comes.
func TestLimits_declared(t *testing.T) {
	f := newFixture(t, func(*api.Options) {})
	conn := f.dial()
	if _, err := io.WriteString(conn, "POST /v1/xp HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer "+f.admin+"\r\nContent-Length: 99999999999\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(conn) // it is closed
	if err != nil || !strings.Contains(string(b), "413") || !strings.Contains(string(b), `"code":"body_too_large"`) {
		t.Errorf("answer = %s (%v)", b, err)
	}
}
