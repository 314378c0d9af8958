package main

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

// site is somebody's web site. The service is on another origin, which allows it.
type site struct {
	*httptest.Server
	mux     *http.ServeMux // for its pages
	service *program
	front   string       // the service's address, for the site's readers
	streams atomic.Int32 // open now
	asked   atomic.Int32 // streams asked for so far
	down    atomic.Bool  // the service is away, for the site's readers
	cut     func()       // ends what they have open
}

// openSite starts a site, and a service with these flags.
func openSite(tb testing.TB, flags ...string) *site {
	tb.Helper()
	s := &site{mux: http.NewServeMux()}
	s.Server = httptest.NewServer(s.mux)
	s.service = serveOn(tb, "127.0.0.1:0", filepath.Join(tb.TempDir(), "m.db"), append(flags, "--cors-origins", s.URL)...)
	to, err := url.Parse(s.service.url)
	if err != nil {
		tb.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(to) },
		FlushInterval: -1,
		ErrorHandler:  func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/events" && r.Method == http.MethodGet {
			s.asked.Add(1)
			s.streams.Add(1)
			defer s.streams.Add(-1)
		}
		if s.down.Load() {
			h := w.Header()
			h.Set("Access-Control-Allow-Origin", s.URL)
			h.Set("Access-Control-Expose-Headers", "Retry-After")
			h.Set("Retry-After", "0")
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	s.front, s.cut = front.URL, front.CloseClientConnections
	tb.Cleanup(func() {
		for _, server := range []*httptest.Server{front, s.Server} {
			server.CloseClientConnections()
			server.Close()
		}
	})
	return s
}

// untilStreams waits until so many streams are open.
func untilStreams(tb testing.TB, streams *atomic.Int32, want int32) {
	tb.Helper()
	for late := time.Now().Add(patient); streams.Load() != want; time.Sleep(time.Millisecond) {
		if time.Now().After(late) {
			tb.Fatalf("%d streams are open, want %d", streams.Load(), want)
		}
	}
}
