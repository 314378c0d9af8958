package proxy

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

	"marcador/test/testkit"
)

// Unreliable stands in front of a program. It can refuse requests to the API or let them wait,
// cut streams off, and write into streams what no server would.
type Unreliable struct {
	URL string

	Refusing       atomic.Bool  // requests to the API get a 502
	HidingProfiles atomic.Bool  // requests for a user get a 502
	Holding        atomic.Bool  // requests to the API wait for as long as their client does
	Streams        atomic.Int32 // streams that were asked for so far

	mu   sync.Mutex
	open map[*forged]struct{} // guarded by mu
}

// forged is a stream that a test can write into.
type forged struct {
	io.Reader

	owner *Unreliable
	pipe  *io.PipeWriter
	from  io.ReadCloser
	done  chan struct{} // closed when nothing more is copied
}

// Close implements io.Closer. It waits for the goroutine that copies.
func (f *forged) Close() error {
	f.owner.mu.Lock()
	delete(f.owner.open, f)
	f.owner.mu.Unlock()
	err := f.from.Close()
	_ = f.pipe.CloseWithError(io.EOF) // nobody reads any more
	<-f.done
	return err
}

// NewUnreliable puts such a proxy in front of a program.
func NewUnreliable(tb testing.TB, p *testkit.Program) *Unreliable {
	tb.Helper()
	to, err := url.Parse(p.URL)
	if err != nil {
		tb.Fatal(err)
	}
	u := &Unreliable{open: make(map[*forged]struct{})}
	transport := &http.Transport{DisableCompression: true}
	onward := &httputil.ReverseProxy{
		Transport:     transport,
		FlushInterval: -1,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host
			if r.In.URL.Path == "/v1/events" {
				r.Out.Header.Del("Accept-Encoding") // forged bytes are plain
			}
		},
		ModifyResponse: u.forge,
		ErrorLog:       stdlog.New(io.Discard, "", 0), // streams are cut on purpose
		ErrorHandler:   unreachable,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !u.disturbs(w, r) {
			onward.ServeHTTP(w, r)
		}
	}))
	tb.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		transport.CloseIdleConnections()
	})
	u.URL = server.URL
	return u
}

// disturbs refuses a request or lets it wait, and reports whether it did.
func (u *Unreliable) disturbs(w http.ResponseWriter, r *http.Request) bool {
	if !strings.HasPrefix(r.URL.Path, "/v1/") {
		return false
	}
	if r.URL.Path == "/v1/events" {
		u.Streams.Add(1)
	}
	switch {
	case u.Holding.Load():
		<-r.Context().Done()
	case u.Refusing.Load() || u.HidingProfiles.Load() && strings.HasPrefix(r.URL.Path, "/v1/users/"):
		w.WriteHeader(http.StatusBadGateway)
	default:
		return false
	}
	return true
}

// forge lets a test write into a stream.
func (u *Unreliable) forge(r *http.Response) error {
	if r.Request.URL.Path != "/v1/events" || r.StatusCode != http.StatusOK {
		return nil
	}
	reader, writer := io.Pipe()
	f := &forged{Reader: reader, owner: u, pipe: writer, from: r.Body, done: make(chan struct{})}
	go func() {
		defer close(f.done)
		_, err := io.Copy(writer, f.from)
		_ = writer.CloseWithError(err) // the reader is told why
	}()
	r.Body = f
	u.mu.Lock()
	u.open[f] = struct{}{}
	u.mu.Unlock()
	return nil
}

// WriteIntoStreams writes into all streams, and waits for one if there is none.
func (u *Unreliable) WriteIntoStreams(tb testing.TB, text string) {
	tb.Helper()
	for late := time.Now().Add(testkit.Patience); ; time.Sleep(time.Millisecond) {
		u.mu.Lock()
		n := len(u.open)
		for f := range u.open {
			if _, err := io.WriteString(f.pipe, text); err != nil {
				tb.Errorf("write into a stream: %v", err)
			}
		}
		u.mu.Unlock()
		if n > 0 {
			return
		}
		if time.Now().After(late) {
			tb.Fatal("there is no stream to write into")
		}
	}
}

// Cut cuts all streams off, as a network that fails does.
func (u *Unreliable) Cut() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for f := range u.open {
		_ = f.pipe.CloseWithError(io.ErrUnexpectedEOF)
	}
}

// CutAndAwait cuts all streams off, and waits until somebody asks for one again.
func (u *Unreliable) CutAndAwait(tb testing.TB) {
	tb.Helper()
	asked := u.Streams.Load()
	u.Cut()
	for late := time.Now().Add(testkit.Patience); u.Streams.Load() == asked; time.Sleep(time.Millisecond) {
		if time.Now().After(late) {
			tb.Fatal("nobody asks for a stream again")
		}
	}
}
