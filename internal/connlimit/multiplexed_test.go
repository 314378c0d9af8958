package connlimit_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"marcador/internal/connlimit"
)

// Past the bound of requests over HTTP/2 each connection has its share: one that begins many is
// refused, with a head alone, and another is not.
func TestLimiter_multiplexed(t *testing.T) {
	g := connlimit.New(connlimit.Options{Most: func() int { return 100 }, Multiplexed: 20})
	handled := 0
	var within func()
	h := g.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if handled++; r.URL.Path == "/stream" {
			connlimit.Keep(r.Context())
		}
		within()
	}))
	connect := func() context.Context {
		conn, other := net.Pipe()
		t.Cleanup(func() { _ = conn.Close(); _ = other.Close() })
		return g.ConnContext(t.Context(), conn)
	}
	ask := func(conn context.Context, path string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(conn, http.MethodGet, path, http.NoBody)
		r.ProtoMajor = 2
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	greedy, modest := connect(), connect()
	var refused *httptest.ResponseRecorder
	within = func() { // each within the one before, so that all are under way
		switch {
		case handled < 25:
			if w := ask(greedy, "/"); w.Code != http.StatusOK {
				refused = w
			}
		case handled == 25:
			t.Error("the bound is not held")
		}
	}
	ask(greedy, "/")
	if handled != 20 || refused == nil || refused.Code != http.StatusServiceUnavailable || refused.Header().Get("Retry-After") == "" || refused.Body.Len() > 0 {
		t.Errorf("%d were handled, then %+v", handled, refused)
	}
	handled = 0
	within = func() {
		switch {
		case handled < 20:
			ask(greedy, "/")
		case handled == 20:
			within = func() {}
			if w := ask(modest, "/"); w.Code != http.StatusOK {
				t.Errorf("another connection = %d", w.Code)
			}
		}
	}
	ask(greedy, "/")
	handled = 0
	within = func() { // streams are bounded elsewhere
		if handled < 40 {
			ask(greedy, "/stream")
		}
	}
	ask(greedy, "/stream")
	if handled != 40 {
		t.Errorf("%d streams were begun, want 40", handled)
	}
}
