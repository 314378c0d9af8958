package main

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
	"time"
)

// site is somebody's web site, through which its readers reach the service.
type site struct {
	*httptest.Server
	mux     *http.ServeMux // for its pages
	streams atomic.Int32   // open now
	asked   atomic.Int32   // streams asked for so far
	down    atomic.Bool    // the service is away, for all the site's readers know
}

func openSite(tb testing.TB, service string) *site {
	tb.Helper()
	s := &site{mux: http.NewServeMux()}
	to, err := url.Parse(service)
	if err != nil {
		tb.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(to) },
		FlushInterval: -1,
		ErrorHandler:  func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	s.mux.HandleFunc("/v1/", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/events" {
			s.asked.Add(1)
			s.streams.Add(1)
			defer s.streams.Add(-1)
		}
		if s.down.Load() {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		proxy.ServeHTTP(w, r)
	})
	s.Server = httptest.NewServer(s.mux)
	tb.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

// untilStreams waits until so many streams are open.
func (s *site) untilStreams(tb testing.TB, want int32) {
	tb.Helper()
	for late := time.Now().Add(patient); s.streams.Load() != want; time.Sleep(time.Millisecond) {
		if time.Now().After(late) {
			tb.Fatalf("%d streams are open, want %d", s.streams.Load(), want)
		}
	}
}
