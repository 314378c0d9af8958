package connlimit_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"marcador/internal/connlimit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patient = 20 * time.Second

// site is a server with a limiter, on a real listener.
type site struct {
	testing.TB

	limiter *connlimit.Limiter
	addr    string
	client  *tls.Config   // trusts the server's certificate
	finish  chan struct{} // is closed to have the handlers of /slow, /stream and /stored finish
	began   chan string   // gets the path of each request
}

func newSite(tb testing.TB, opts connlimit.Options, secured bool) *site {
	tb.Helper()
	s := &site{TB: tb, limiter: connlimit.New(opts), finish: make(chan struct{}), began: make(chan string, 10_000)}
	server := httptest.NewUnstartedServer(s.limiter.Handler(http.HandlerFunc(s.serve)))
	server.Config.ConnContext = s.limiter.ConnContext
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Config.ConnState = s.limiter.ConnState
	if secured {
		server.EnableHTTP2 = true
		server.StartTLS()
		s.client = server.Client().Transport.(*http.Transport).TLSClientConfig //nolint:errcheck // it is one
	} else {
		server.Start()
	}
	s.addr = server.Listener.Addr().String()
	tb.Cleanup(func() {
		select {
		case <-s.finish:
		default:
			close(s.finish)
		}
		server.CloseClientConnections()
		server.Close()
	})
	return s
}

// serve handles a request. It reports on began once the limiter knows everything that the client
// has done.
func (s *site) serve(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/stream":
		connlimit.Exempt(r.Context())
		fallthrough
	case "/slow":
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		s.began <- r.URL.Path
		<-s.finish
		_, _ = io.WriteString(w, "late")
	case "/stored":
		const sent = 5
		_, err := io.CopyN(io.Discard, r.Body, sent)
		if r.ContentLength == sent {
			_, err = io.Copy(io.Discard, r.Body) // to its end
		}
		s.began <- r.URL.Path
		if err == nil {
			_, err = io.Copy(io.Discard, r.Body)
		}
		if err != nil {
			return
		}
		<-s.finish
	default:
		s.began <- r.URL.Path
	}
	_, _ = io.WriteString(w, "done")
}

// dial connects, from one of this machine's addresses, and sends the text.
func (s *site) dial(from, text string) net.Conn {
	s.Helper()
	dialer := net.Dialer{Timeout: patient, LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	conn, err := dialer.Dial("tcp", s.addr)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patient)); err != nil {
		s.Fatal(err)
	}
	if _, err := io.WriteString(conn, text); err != nil {
		s.Log(err) // the limiter has closed it already
	}
	return conn
}

// wantDone fails the test unless the request is answered.
func (s *site) wantDone(conn net.Conn) {
	s.Helper()
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		s.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil || !strings.Contains("done late latedone", string(body)) {
		s.Errorf("%q, %v", body, err)
	}
}

// wantClosed fails the test unless the connection is closed.
func (s *site) wantClosed(conn net.Conn) {
	s.Helper()
	if n, err := io.Copy(io.Discard, conn); isTimeout(err) {
		s.Errorf("a connection is not closed after %d bytes: %v", n, err)
	}
}

func isTimeout(err error) bool {
	timeout, ok := err.(net.Error) //nolint:errorlint // as net returns it
	return ok && timeout.Timeout()
}

const ask = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

// A client that opens many connections, and sends nothing or half a request on them, does not keep
// a later one from being served.
func TestLimiter_silentConnectionsShutOutNobody(t *testing.T) {
	for name, text := range map[string]string{
		"silent":    "",
		"half head": "GET / HTTP/1.1\r\nHost: x\r\nX-",
		"half body": "POST /stored HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345",
		"idle":      "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"unread":    "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, connlimit.Options{MaxOpen: func() int { return 20 }}, false)
			for range 4 {
				for range 30 {
					s.dial("127.0.0.1", text)
				}
				s.wantDone(s.dial("127.0.0.1", ask))
			}
			a, b, c := s.limiter.Closed()
			if n := a + b + c; n < 84 || n > 124 {
				t.Errorf("%d connections were closed, want 104 or so", n)
			}
		})
	}
}

// Connections without progress are closed first: a body that does not arrive, a silent connection,
// then an answer that takes long. Streams are never closed.
func TestLimiter_closesByStageAndTime(t *testing.T) {
	var most, now atomic.Int64
	most.Store(100)
	s := newSite(t, connlimit.Options{MaxOpen: func() int { return int(most.Load()) }}, false)
	s.limiter.SetNow(func() time.Duration { return time.Duration(now.Load()) * time.Second })
	began := func(path string) {
		t.Helper()
		if got := <-s.began; got != path {
			t.Fatalf("request of %s, want %s", got, path)
		}
		now.Add(1)
	}
	stream := s.dial("127.0.0.1", "GET /stream HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	began("/stream")
	slow := s.dial("127.0.0.1", "GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	began("/slow")
	whole := s.dial("127.0.0.1", "POST /stored HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\n\r\n12345")
	began("/stored")
	half := s.dial("127.0.0.1", "POST /stored HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345")
	began("/stored")
	silent := s.dial("127.0.0.1", "")
	want := func(waiting, receiving, answering uint64) {
		t.Helper()
		if a, b, c := s.limiter.Closed(); a != waiting || b != receiving || c != answering {
			t.Errorf("closed %d waiting, %d receiving, %d answering, want %d %d %d", a, b, c, waiting, receiving, answering)
		}
	}
	next := func(n int) { // another request comes while n connections may be open
		t.Helper()
		most.Store(int64(n))
		s.wantDone(s.dial("127.0.0.1", ask))
		began("/")
		for s.limiter.Open() > n-1 { // until its connection is closed
			time.Sleep(time.Millisecond) // a goroutine of net/http notices that
		}
	}
	next(5)
	want(0, 0, 0)
	now.Add(10)
	next(4)
	s.wantClosed(half)
	want(0, 1, 0)
	next(3)
	s.wantClosed(silent)
	want(1, 1, 0)
	next(2)
	s.wantClosed(slow)
	want(1, 1, 1)
	close(s.finish)
	s.wantDone(whole)
	s.wantDone(stream)
}

// One address may have only so many connections without a request. Other clients do not notice.
func TestLimiter_boundsUnusedConnectionsOfAClient(t *testing.T) {
	s := newSite(t, connlimit.Options{MaxOpen: func() int { return 1000 }, PerClient: 5}, false)
	patient := s.dial("127.0.0.2", "")
	first := s.dial("127.0.0.1", "GET / HTTP/1.1\r\nHost: x\r\n\r\n") // afterwards it is idle
	if got := <-s.began; got != "/" {
		t.Fatal(got)
	}
	var rude []net.Conn
	for range 50 {
		rude = append(rude, s.dial("127.0.0.1", ""))
	}
	for _, conn := range rude[:45] {
		s.wantClosed(conn)
	}
	for _, conn := range append(rude[45:], patient) {
		if _, err := io.WriteString(conn, ask); err != nil {
			t.Error(err)
		}
		s.wantDone(conn)
	}
	if _, err := io.WriteString(first, ask); err != nil {
		t.Error(err)
	}
	s.wantDone(first)
	if a, b, c := s.limiter.Closed(); a != 45 || b+c != 0 {
		t.Errorf("%d, %d and %d were closed", a, b, c)
	}
}

// A connection over HTTP/2 stays open as long as one of its requests is exempt.
func TestLimiter_http2ConnectionWithAStreamStaysOpen(t *testing.T) {
	var most atomic.Int64
	most.Store(100)
	s := newSite(t, connlimit.Options{MaxOpen: func() int { return int(most.Load()) }}, true)
	client := func() *http.Client {
		transport := &http.Transport{TLSClientConfig: s.client.Clone(), ForceAttemptHTTP2: true}
		t.Cleanup(transport.CloseIdleConnections)
		return &http.Client{Transport: transport, Timeout: patient}
	}
	get := func(c *http.Client, path string) *http.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodGet, "https://"+s.addr+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if res.ProtoMajor != 2 {
			t.Fatalf("HTTP/%d", res.ProtoMajor)
		}
		return res
	}
	done := func(res *http.Response) {
		t.Helper()
		if b, err := io.ReadAll(res.Body); err != nil || len(b) == 0 {
			t.Errorf("%q, %v", b, err)
		}
		_ = res.Body.Close()
	}
	follower, other := client(), client()
	stream := get(follower, "/stream")
	done(get(follower, "/")) // this request ends, the stream does not
	done(get(other, "/"))
	for range 50 {
		s.dial("127.0.0.1", "")
	}
	most.Store(2)
	done(get(client(), "/"))
	if a, b, c := s.limiter.Closed(); a != 50 || b+c != 0 {
		t.Errorf("%d, %d and %d were closed, want the silent ones and one that was idle", a, b, c)
	}
	close(s.finish)
	done(stream)
}

// The limiter remembers nothing about connections that are closed.
func TestLimiter_forgetsClosedConnections(t *testing.T) {
	s := newSite(t, connlimit.Options{MaxOpen: func() int { return 30 }, PerClient: 25}, false)
	for i := range 200 {
		conn := s.dial("127.0.0.1", map[bool]string{true: ask, false: ""}[i%2 == 0])
		if i%2 == 0 {
			s.wantDone(conn)
		}
		_ = conn.Close()
	}
	for deadline := time.Now().Add(patient); ; {
		left := s.limiter.Len()
		if left == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the limiter still remembers %d", left)
		}
		time.Sleep(time.Millisecond) // until net/http has closed the connections
	}
}

func BenchmarkLimiter(b *testing.B) {
	l := connlimit.New(connlimit.Options{MaxOpen: func() int { return 100 }})
	h := l.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	client, server := net.Pipe()
	defer client.Close()
	ctx := l.ConnContext(b.Context(), server)
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
	for b.Loop() {
		h.ServeHTTP(nil, r)
	}
}
