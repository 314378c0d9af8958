package site

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"

	"marcador/test/testkit"
)

// Site is somebody's web site. The service is on another origin, which allows it.
type Site struct {
	*httptest.Server

	Mux     *http.ServeMux // for its pages
	Service *testkit.Program
	Front   string      // the service's address for the site's readers
	Streams Streams     // of the site's readers
	Away    atomic.Bool // the service answers the site's readers with 503
	Cut     func()      // resets the connections of the site's readers to the service
}

// Open starts a site, and a service with these flags.
func Open(tb testing.TB, flags ...string) *Site {
	tb.Helper()
	s := &Site{Mux: http.NewServeMux()}
	s.Server = httptest.NewServer(s.Mux)
	s.Service = testkit.Serve(tb, append(flags, "--cors-origins", s.URL)...)
	to, err := url.Parse(s.Service.URL)
	if err != nil {
		tb.Fatal(err)
	}
	onward := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(to) },
		FlushInterval: -1,
		ErrorHandler:  func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer s.Streams.count(r)()
		if s.Away.Load() {
			h := w.Header()
			h.Set("Access-Control-Allow-Origin", s.URL)
			h.Set("Access-Control-Expose-Headers", "Retry-After")
			h.Set("Retry-After", "0")
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		onward.ServeHTTP(w, r)
	}))
	s.Front, s.Cut = front.URL, front.CloseClientConnections
	tb.Cleanup(func() {
		for _, server := range []*httptest.Server{front, s.Server} {
			server.CloseClientConnections()
			server.Close()
		}
	})
	return s
}

// Serve adds a page or a script to the site.
func (s *Site) Serve(path, contentType, content string) {
	s.Mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType+"; charset=utf-8")
		fmt.Fprint(w, content)
	})
}

// OpenElement opens a site whose page has one script of the service and one tag with these
// attributes, under the strictest policy. Its text below the tag has the id "after".
func OpenElement(tb testing.TB, attributes string, flags ...string) *Site {
	tb.Helper()
	s := Open(tb, flags...)
	s.Mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src https: data:; connect-src "+s.Front+"; script-src "+s.Front+
			"; require-trusted-types-for 'script'; trusted-types 'none'")
		fmt.Fprintf(w, `<!doctype html><html lang="es"><head><title>Escuela</title><meta name="viewport" content="width=device-width">
<link rel="stylesheet" href="/site.css"><script type="module" src="%s/marcador/element.js"></script></head>
<body><main><h1>Escuela</h1><marcador-board %s></marcador-board><p id="after">Abajo</p></main></body></html>`, s.Front, attributes)
	})
	s.Serve("/site.css", "text/css", `:root { color-scheme: light dark }
.own-look { --marcador-accent: rgb(1, 2, 3); --marcador-row: 40px } .own-look::part(points) { color: rgb(4, 5, 6) }`)
	return s
}
