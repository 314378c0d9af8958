package api_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"marcador/api"
)

// The body of an operation that needs no scope must be short, even if the caller has a scope.
func TestLimits_memberBody(t *testing.T) {
	f := newFixture(t, nil)
	f.put("u1")
	member := f.token("u1", "")
	for name, body := range map[string]string{
		"objects": `{"zz":` + repeated(`{"a":1}`, 4000) + `}`,
		"token":   `{"token":"` + strings.Repeat("x", 12<<10) + `"}`,
	} {
		a := f.do(member, http.MethodPost, "/v1/events/ABC/token", body)
		a.wantProblem(t, 413, "body_too_large", "")
		if !strings.Contains(string(a.body), "12288") {
			t.Errorf("%s: %s does not say how long a body may be", name, a.body)
		}
	}
	f.do(member, http.MethodPost, "/v1/events/ABC/token", `{"zz":1}`).wantProblem(t, 422, "invalid_input", "zz")
}

// half sends a part of a request. It returns the answer, and fails the test unless the connection
// is closed after it.
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

// A client whose body does not arrive gets an answer and is disconnected, whether or not it may
// write and whether or not a handler reads the body.
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
	f.untilClosed(13)
	var u struct{ XP int64 }
	if f.must(&u, http.MethodGet, "/v1/users/u1", ""); u.XP != 0 {
		t.Errorf("half a request gave %d points", u.XP)
	}
}

// Over HTTP/2 only the request is refused, and the connection stays open.
func TestLimits_slowBodyOverHTTP2(t *testing.T) {
	f := newFixture(t, func(o *api.Options) { o.Limits.Receive = 200 * time.Millisecond })
	f.put("u1")
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
	go func() { _, _ = io.WriteString(send, `{"xp":1`) }() // ends when the test closes the pipe
	res, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(res.Body)
	_ = res.Body.Close()
	answer{res.StatusCode, res.Header, body}.wantProblem(t, 408, "request_timeout", "")
	if f.closed.Load() != 0 {
		t.Errorf("%d connections are closed", f.closed.Load())
	}
	var u struct{ XP int64 }
	if f.must(&u, http.MethodGet, "/v1/users/u1", ""); u.XP != 0 {
		t.Errorf("half a request gave %d points", u.XP)
	}
}

// longBatch returns a batch of n updates, each of about 440 bytes.
func longBatch(n int) string {
	return `{"updates":` + repeated(`{"userId":"u1","xp":1,"reason":"`+strings.Repeat("x", 400)+`"}`, n) + `}`
}

// stalled is a request that lacks the last byte of its body.
type stalled struct {
	conn   net.Conn
	last   string
	answer chan answer // gets the answer
}

// stall sends all but the last byte of a batch.
func (f *fixture) stall(body string) *stalled {
	f.t.Helper()
	s := &stalled{conn: f.dial(), last: body[len(body)-1:], answer: make(chan answer, 1)}
	if _, err := fmt.Fprintf(s.conn, "POST /v1/xp HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s", f.admin, len(body), body[:len(body)-1]); err != nil {
		f.t.Fatal(err)
	}
	go func() {
		res, err := http.ReadResponse(bufio.NewReader(s.conn), nil)
		if err != nil {
			f.t.Error(err)
			s.answer <- answer{}
			return
		}
		text, err := io.ReadAll(res.Body)
		if err != nil {
			f.t.Error(err)
		}
		s.answer <- answer{res.StatusCode, res.Header, text}
	}()
	return s
}

// finish sends the last byte.
func (s *stalled) finish(tb testing.TB) {
	tb.Helper()
	if _, err := io.WriteString(s.conn, s.last); err != nil {
		tb.Error(err)
	}
}

// The bodies of all requests together use memory up to a bound. A body that finds no memory is
// refused, and the memory is free again once the others have been answered.
func TestLimits_bodies(t *testing.T) {
	// A body takes three times its length, and more for its values.
	f := newFixture(t, func(o *api.Options) { o.Limits.Bodies = 500 << 10 })
	f.put("u1")
	large, small := longBatch(150), longBatch(40)
	if len(large) < 60<<10 || len(small) > 30<<10 {
		t.Fatal(len(large), len(small))
	}
	// Three requests have sent all but a byte: there is memory for one of them.
	a, b, c := f.stall(large), f.stall(large), f.stall(large)
	waiting := map[*stalled]bool{a: true, b: true, c: true}
	for range 2 {
		var refused *stalled
		var got answer
		select {
		case got = <-a.answer:
			refused = a
		case got = <-b.answer:
			refused = b
		case got = <-c.answer:
			refused = c
		}
		got.wantProblem(t, 503, "busy", "")
		if after := got.header.Get("Retry-After"); after != "1" {
			t.Errorf("Retry-After = %q", after)
		}
		delete(waiting, refused)
	}
	if a := f.do(f.admin, http.MethodPost, "/v1/xp", small); a.status != 200 {
		t.Errorf("a body that there is memory for = %d %s", a.status, a.body)
	}
	if a := f.do(f.token("u1", ""), http.MethodPost, "/v1/xp", large); a.status != 403 {
		t.Errorf("the body of a caller who may not write takes memory: %d %s", a.status, a.body)
	}
	for last := range waiting {
		last.finish(t)
		<-last.answer
	}
	for range 5 {
		if a := f.do(f.admin, http.MethodPost, "/v1/xp", large); a.status != 200 {
			t.Fatalf("afterwards %d %s", a.status, a.body)
		}
	}
}

// Batches that find no memory at once wait for it, and none is refused. There is memory for one at
// a time, and all of them together may take long on a busy machine.
func TestLimits_bodiesWait(t *testing.T) {
	f := newFixture(t, func(o *api.Options) {
		o.Limits = api.Limits{Bodies: 500 << 10, Receive: 2 * time.Minute, Answer: time.Minute, Deliver: 2 * time.Minute}
	})
	f.put("u1")
	batch := longBatch(150)
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

// A member who leaves many bodies half sent does not keep another member from sending one.
func TestLimits_bodiesOfAMember(t *testing.T) {
	f := newFixture(t, func(o *api.Options) { o.Limits.Bodies = 1600 << 10 })
	const size = 10 << 10
	for range 40 { // each takes 30 KB of 400 KB
		head := "POST /v1/events/x/token HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + f.token("u1", "")
		if _, err := fmt.Fprintf(f.dial(), "%s\r\nContent-Length: %d\r\n\r\n%s", head, size, strings.Repeat(" ", size-1)); err != nil {
			t.Fatal(err)
		}
	}
	for range 5 {
		f.do(f.token("u2", ""), http.MethodPost, "/v1/events/x/token", `{"token":"`+f.token("u2", "")+`"}`).wantProblem(t, 404, "unknown_stream", "socketId")
	}
}

// A body whose declared length is too large is refused before it arrives.
func TestLimits_declared(t *testing.T) {
	f := newFixture(t, func(*api.Options) {})
	conn := f.dial()
	if _, err := io.WriteString(conn, "POST /v1/xp HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer "+f.admin+"\r\nContent-Length: 99999999999\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(conn) // until the service closes it
	if err != nil || !strings.Contains(string(b), "413") || !strings.Contains(string(b), `"code":"body_too_large"`) {
		t.Errorf("answer = %s (%v)", b, err)
	}
}
