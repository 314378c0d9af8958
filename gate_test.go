package main

import (
	"io"
	stdlog "log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// gate stands in front of a program: what the page asks of the API can be refused
// or kept waiting there, and its streams can be cut, or say what no server would.
type gate struct {
	url string

	refusing atomic.Bool  // requests to the API get a 502
	faceless atomic.Bool  // requests for a profile get a 502
	holding  atomic.Bool  // requests to the API wait for as long as the client does
	streamed atomic.Int32 // requests for a stream

	mu      sync.Mutex
	streams map[*forged]struct{} // guarded by mu
}

// forged is a stream into which a test may write, too.
type forged struct {
	io.Reader
	owner *gate
	pipe  *io.PipeWriter
	from  io.ReadCloser
	done  chan struct{} // closed when nothing is copied any more
}

// Close implements io.Closer. It waits for the goroutine that copies.
func (f *forged) Close() error {
	f.owner.mu.Lock()
	delete(f.owner.streams, f)
	f.owner.mu.Unlock()
	err := f.from.Close()
	_ = f.pipe.CloseWithError(io.EOF) // what is written meanwhile goes nowhere
	<-f.done
	return err
}

// before puts a gate in front of a program.
func before(tb testing.TB, p *program) *gate {
	tb.Helper()
	to, err := url.Parse(p.url)
	if err != nil {
		tb.Fatal(err)
	}
	g := &gate{streams: make(map[*forged]struct{})}
	transport := &http.Transport{DisableCompression: true}
	proxy := &httputil.ReverseProxy{
		Transport:     transport,
		FlushInterval: -1,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host
			if r.In.URL.Path == "/v1/events" {
				r.Out.Header.Del("Accept-Encoding") // what is forged is plain
			}
		},
		ModifyResponse: g.forge,
		ErrorLog:       stdlog.New(io.Discard, "", 0), // streams are cut on purpose
		ErrorHandler:   func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v1/") {
			if r.URL.Path == "/v1/events" {
				g.streamed.Add(1)
			}
			if g.holding.Load() {
				<-r.Context().Done()
				return
			}
			if g.refusing.Load() || g.faceless.Load() && strings.HasPrefix(r.URL.Path, "/v1/users/") {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
		}
		proxy.ServeHTTP(w, r)
	}))
	tb.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		transport.CloseIdleConnections()
	})
	g.url = server.URL
	return g
}

// forge lets a test write into a stream.
func (g *gate) forge(r *http.Response) error {
	if r.Request.URL.Path != "/v1/events" || r.StatusCode != http.StatusOK {
		return nil
	}
	reader, writer := io.Pipe()
	f := &forged{Reader: reader, owner: g, pipe: writer, from: r.Body, done: make(chan struct{})}
	go func() {
		defer close(f.done)
		_, err := io.Copy(writer, f.from)
		_ = writer.CloseWithError(err) // the reader is told why
	}()
	r.Body = f
	g.mu.Lock()
	g.streams[f] = struct{}{}
	g.mu.Unlock()
	return nil
}

// say writes into all streams.
func (g *gate) say(tb testing.TB, text string) {
	tb.Helper()
	for late := time.Now().Add(patient); ; time.Sleep(time.Millisecond) {
		g.mu.Lock()
		n := len(g.streams)
		for f := range g.streams {
			if _, err := io.WriteString(f.pipe, text); err != nil {
				tb.Errorf("write into a stream: %v", err)
			}
		}
		g.mu.Unlock()
		if n > 0 {
			return
		}
		if time.Now().After(late) {
			tb.Fatal("there is no stream to write into")
		}
	}
}

// cut ends all streams, as a network that goes away does.
func (g *gate) cut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for f := range g.streams {
		_ = f.pipe.CloseWithError(io.ErrUnexpectedEOF)
	}
}

// cutAndAwait ends all streams, and waits until somebody asks for one again.
func (g *gate) cutAndAwait(tb testing.TB) {
	tb.Helper()
	asked := g.streamed.Load()
	g.cut()
	for late := time.Now().Add(patient); g.streamed.Load() == asked; time.Sleep(time.Millisecond) {
		if time.Now().After(late) {
			tb.Fatal("nobody asks for a stream again")
		}
	}
}
