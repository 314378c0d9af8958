package connlimit_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"marcador/internal/connlimit"
)

// nested is a limiter of 20 requests over HTTP/2. Its handler calls within, which can make further
// requests: so all of them are under way at once.
type nested struct {
	t       *testing.T
	limiter *connlimit.Limiter
	handler http.Handler
	handled int
	within  func()
}

func newNested(t *testing.T) *nested {
	t.Helper()
	n := &nested{t: t, within: func() {}}
	n.limiter = connlimit.New(connlimit.Options{MaxOpen: func() int { return 100 }, HTTP2Requests: 20})
	n.handler = n.limiter.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if n.handled++; r.URL.Path == "/stream" {
			connlimit.Exempt(r.Context())
		}
		n.within()
	}))
	return n
}

func (n *nested) connect() context.Context {
	n.t.Helper()
	conn, other := net.Pipe()
	n.t.Cleanup(func() { _ = conn.Close(); _ = other.Close() })
	return n.limiter.ConnContext(n.t.Context(), conn)
}

func (n *nested) ask(conn context.Context, path string) *httptest.ResponseRecorder {
	n.t.Helper()
	r := httptest.NewRequestWithContext(conn, http.MethodGet, path, http.NoBody)
	r.ProtoMajor = 2
	w := httptest.NewRecorder()
	n.handler.ServeHTTP(w, r)
	return w
}

// Past the bound a connection that has its share gets a 503 without a body.
func TestLimiter_http2RefusesBeyondTheShare(t *testing.T) {
	n := newNested(t)
	greedy := n.connect()
	n.connect()
	var refused *httptest.ResponseRecorder
	n.within = func() {
		switch {
		case n.handled < 25:
			if w := n.ask(greedy, "/"); w.Code != http.StatusOK {
				refused = w
			}
		case n.handled == 25:
			t.Error("the bound does not hold")
		}
	}
	n.ask(greedy, "/")
	if n.handled != 20 || refused == nil {
		t.Fatalf("%d requests were handled, want 20 and a refusal", n.handled)
	}
	if refused.Code != http.StatusServiceUnavailable || refused.Header().Get("Retry-After") == "" || refused.Body.Len() > 0 {
		t.Errorf("the refusal is %+v", refused)
	}
}

// Past the bound a connection that has less than its share is served.
func TestLimiter_http2ServesAnotherConnection(t *testing.T) {
	n := newNested(t)
	greedy, modest := n.connect(), n.connect()
	answered := false
	n.within = func() {
		switch {
		case n.handled < 20:
			n.ask(greedy, "/")
		case n.handled == 20:
			n.within = func() {}
			answered = true
			if w := n.ask(modest, "/"); w.Code != http.StatusOK {
				t.Errorf("another connection = %d", w.Code)
			}
		}
	}
	n.ask(greedy, "/")
	if !answered {
		t.Errorf("only %d requests were handled", n.handled)
	}
}

// Exempt requests do not count: the streams have a bound of their own elsewhere.
func TestLimiter_http2DoesNotCountStreams(t *testing.T) {
	n := newNested(t)
	conn := n.connect()
	n.within = func() {
		if n.handled < 40 {
			n.ask(conn, "/stream")
		}
	}
	n.ask(conn, "/stream")
	if n.handled != 40 {
		t.Errorf("%d streams began, want 40", n.handled)
	}
}
