package api_test

import (
	"bytes"
	"context"
	"net/http"
	"testing"
)

// A service that shuts down is alive, but not ready.
func TestHealth(t *testing.T) {
	f := newFixture(t, nil)
	for _, path := range []string{"/healthz", "/readyz"} {
		if a := f.do("", http.MethodGet, path, ""); a.status != 200 || string(bytes.TrimSpace(a.body)) != `{"status":"ok"}` {
			t.Errorf("%s = %d %s", path, a.status, a.body)
		}
	}
	if err := f.streams.Drain(context.Background()); err != nil {
		t.Fatal(err)
	}
	a := f.do("", http.MethodGet, "/readyz", "")
	a.wantProblem(t, 503, "shutting_down", "")
	if a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	f.do(f.admin, http.MethodGet, "/v1/events", "").wantProblem(t, 503, "shutting_down", "")
	if a := f.do("", http.MethodGet, "/healthz", ""); a.status != 200 {
		t.Errorf("/healthz = %d while draining", a.status)
	}
	closed := newFixture(t, nil)
	if err := closed.live.Close(); err != nil {
		t.Fatal(err)
	}
	closed.do("", http.MethodGet, "/readyz", "").wantProblem(t, 503, "shutting_down", "")
}
