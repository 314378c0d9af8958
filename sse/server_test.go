package sse_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"marcador/sse"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pipes is a listener whose connections are pipes without a buffer. So the server notices at once
// that a client does not read, and time can be virtual.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	p.conns <- server
	return client, nil
}

// fixture is a server of one topic, in a bubble of virtual time.
type fixture struct {
	hub     *sse.Hub
	streams *sse.Server
	topic   *sse.Topic
	stream  sse.Stream
	pipes   *pipes
	client  *http.Client
}

// inBubble runs test with a fixture in virtual time, and then checks that no stream is left.
func inBubble(t *testing.T, opts sse.Options, test func(t *testing.T, f *fixture)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		hub := sse.NewHub("e")
		f := &fixture{hub: hub, streams: sse.NewServer(hub, opts), topic: hub.NewTopic("board"), pipes: newPipes()}
		var begun, left atomic.Int64
		f.stream = streamOf(sse.Follow{Topic: f.topic, From: f.topic.Retain(state(1)), Leave: func() { left.Add(1) }})
		f.client = &http.Client{Transport: &http.Transport{DialContext: f.pipes.dial, DisableCompression: true}}
		server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			begun.Add(1)
			if err := f.streams.Serve(w, r, f.stream); err != nil {
				http.Error(w, err.Error(), http.StatusServiceUnavailable)
			}
		})}
		go func() { _ = server.Serve(f.pipes) }() // it returns ErrServerClosed, after Close below
		test(t, f)
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		f.client.CloseIdleConnections()
		synctest.Wait()
		if n := f.streams.Streams(); n != 0 {
			t.Errorf("%d streams are left", n)
		}
		if n := f.topic.Len(); n != 0 {
			t.Errorf("%d subscribers are left", n)
		}
		if begun.Load() != left.Load() {
			t.Errorf("Leave was called for %d of %d streams", left.Load(), begun.Load())
		}
	})
}

func (f *fixture) publish(t *sse.Topic, version int64) {
	f.hub.Publish(sse.Publication{Topic: t, State: state(version), Since: time.Now()})
}

// reader reads a stream in a goroutine of its own.
type reader struct {
	mu     sync.Mutex
	got    []byte        // guarded by mu
	at     time.Duration // guarded by mu: when the last byte came, after the beginning
	ended  bool          // guarded by mu
	header http.Header
}

func (f *fixture) get(t *testing.T, method string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://pipe/", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := f.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func (f *fixture) read(t *testing.T) *reader {
	t.Helper()
	res := f.get(t, http.MethodGet)
	r := &reader{header: res.Header}
	began := time.Now()
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := res.Body.Read(buf)
			r.mu.Lock()
			if n > 0 {
				r.at = time.Since(began)
			}
			r.got = append(r.got, buf[:n]...)
			r.ended = err != nil
			r.mu.Unlock()
			if err != nil {
				_ = res.Body.Close() // the body has ended
				return
			}
		}
	}()
	synctest.Wait()
	return r
}

// events returns the events that have come, and whether the stream has ended.
func (r *reader) events(t *testing.T) (list string, ended bool) {
	t.Helper()
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	var names []string
	for _, e := range parse(t, r.got) {
		name := e.name
		if e.name == "news" {
			name = e.data + e.id
		}
		names = append(names, name)
	}
	return strings.Join(names, " "), r.ended
}

func (r *reader) want(t *testing.T, events string, ended bool) {
	t.Helper()
	if got, e := r.events(t); got != events || e != ended {
		t.Errorf("events = %s, ended %v; want %s, %v", got, e, events, ended)
	}
}

func TestServer_Serve(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, f *fixture) {
		r := f.read(t)
		r.want(t, `authenticated {"v":1}e-1`, false)
		for name, want := range map[string]string{
			"Content-Type": "text/event-stream", "Cache-Control": "no-store, no-transform",
			"X-Accel-Buffering": "no", "Vary": "Accept-Encoding, Origin",
		} {
			if got := r.header.Get(name); got != want {
				t.Errorf("%s: %s, want %s", name, got, want)
			}
		}
		f.publish(f.topic, 2)
		r.want(t, `authenticated {"v":1}e-1 {"v":2}e-2`, false)
		if !strings.HasPrefix(string(r.got), "retry: ") {
			t.Errorf("the stream begins with %.20q, want a retry", r.got)
		}
	})
}

func TestServer_Serve_publishedWhileConnecting(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, f *fixture) {
		f.publish(f.topic, 5) // after From was retained, before Serve
		f.read(t).want(t, `authenticated {"v":5}e-5`, false)
	})
}

func TestServer_Serve_severalTopics(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, f *fixture) {
		other := f.hub.NewTopic("board")
		f.stream.Follows = append(f.stream.Follows, sse.Follow{Topic: other, From: other.Retain(state(3))})
		r := f.read(t)
		// Only the last event of a batch has the id.
		r.want(t, `authenticated {"v":1} {"v":3}e-3`, false)
		f.publish(other, 4)
		r.want(t, `authenticated {"v":1} {"v":3}e-3 {"v":4}e-4`, false)
		if other.Len() != 1 {
			t.Errorf("Len() = %d, want 1", other.Len())
		}
	})
}

func TestServer_Serve_heartbeat(t *testing.T) {
	inBubble(t, sse.Options{Heartbeat: 10 * time.Second}, func(t *testing.T, f *fixture) {
		r := f.read(t)
		time.Sleep(9 * time.Second)
		f.publish(f.topic, 2) // it ends the silence
		synctest.Wait()
		time.Sleep(9 * time.Second)
		r.want(t, `authenticated {"v":1}e-1 {"v":2}e-2`, false)
		time.Sleep(time.Second)
		r.want(t, `authenticated {"v":1}e-1 {"v":2}e-2 ping`, false)
		time.Sleep(20 * time.Second)
		r.want(t, `authenticated {"v":1}e-1 {"v":2}e-2 ping ping ping`, false)
	})
}

func TestServer_Serve_expires(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, f *fixture) {
		f.stream.Expires = time.Now().Add(5 * time.Second)
		r := f.read(t)
		time.Sleep(5*time.Second - 1)
		r.want(t, `authenticated {"v":1}e-1`, false)
		time.Sleep(time.Nanosecond)
		r.want(t, `authenticated {"v":1}e-1 error`, true)
		if !strings.Contains(string(r.got), `"code":"token_expired"`) {
			t.Errorf("stream = %s", r.got)
		}
	})
}

func TestServer_Serve_head(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, f *fixture) {
		res := f.get(t, http.MethodHead)
		body, err := io.ReadAll(res.Body)
		if err != nil || len(body) > 0 || res.Header.Get("Content-Type") != "text/event-stream" {
			t.Errorf("HEAD = %v, %q, %v", res.Header, body, err)
		}
		if err := res.Body.Close(); err != nil {
			t.Error(err)
		}
	})
}

// Clients that never read hold up no other client, and are cut off after the timeout.
func TestServer_Serve_stalledClient(t *testing.T) {
	const timeout = 5 * time.Second
	inBubble(t, sse.Options{WriteTimeout: timeout}, func(t *testing.T, f *fixture) {
		var stalled []*http.Response
		for range 20 {
			stalled = append(stalled, f.get(t, http.MethodGet)) // it reads the head and no more
		}
		var good []*reader
		for range 10 {
			good = append(good, f.read(t))
		}
		began := time.Now()
		want := `authenticated {"v":1}e-1`
		for v := int64(2); v < 20; v++ {
			f.publish(f.topic, v)
			want += fmt.Sprintf(` {"v":%d}e-%d`, v, v)
			for _, r := range good {
				r.want(t, want, false)
			}
		}
		if waited := time.Since(began); waited != 0 {
			t.Errorf("the others waited %v", waited)
		}
		if f.streams.Streams() != 30 {
			t.Errorf("%d streams, want 30", f.streams.Streams())
		}
		time.Sleep(timeout)
		synctest.Wait()
		if f.streams.Streams() != 10 {
			t.Errorf("%d streams after the timeout, want 10", f.streams.Streams())
		}
		for _, res := range stalled {
			_ = res.Body.Close() // the server has closed it
		}
	})
}

// A client that reads slowly skips states.
func TestServer_Serve_slowClient(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, f *fixture) {
		res := f.get(t, http.MethodGet)
		for v := int64(2); v <= 100; v++ {
			f.publish(f.topic, v)
			synctest.Wait()
		}
		buf := make([]byte, 1<<16)
		var got []byte
		for !strings.Contains(string(got), "e-100.") {
			n, err := res.Body.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, buf[:n]...)
		}
		if n := len(parse(t, got)); n > 4 {
			t.Errorf("a slow client got %d events", n)
		}
		if err := res.Body.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestServer_Serve_clientGone(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, f *fixture) {
		res := f.get(t, http.MethodGet)
		if err := res.Body.Close(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := f.topic.Len(); n != 0 {
			t.Errorf("%d subscribers are left", n)
		}
	})
}

func TestServer_Drain(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, f *fixture) {
		readers := []*reader{f.read(t), f.read(t), f.read(t)}
		stalled := f.get(t, http.MethodGet)
		synctest.Wait()
		began := time.Now()
		if err := f.streams.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(began); waited > 5*time.Second {
			t.Errorf("it waited %v for a client that does not read", waited)
		}
		retries := map[string]bool{}
		for _, r := range readers {
			r.want(t, `authenticated {"v":1}e-1 goodbye`, true)
			_, after, _ := strings.Cut(string(r.got), "\n\nretry: ")
			retry, _, _ := strings.Cut(after, "\n")
			retries[retry] = true
		}
		if len(retries) < 2 {
			t.Errorf("all are told to come back after %v", retries)
		}
		if res := f.get(t, http.MethodGet); res.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("status %d while draining", res.StatusCode)
		} else if err := res.Body.Close(); err != nil {
			t.Error(err)
		}
		_ = stalled.Body.Close() // the server has closed it
	})
}

func TestServer_Drain_impatient(t *testing.T) {
	inBubble(t, sse.Options{WriteTimeout: time.Minute}, func(t *testing.T, f *fixture) {
		stalled := f.get(t, http.MethodGet)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := f.streams.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Drain() = %v, want DeadlineExceeded", err)
		}
		if err := stalled.Body.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestTopic_Fanout(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, f *fixture) {
		if f.topic.Fanout() != 0 {
			t.Error("Fanout() is not 0 before the first publication")
		}
		slow := f.get(t, http.MethodGet)
		synctest.Wait()
		f.publish(f.topic, 2)
		time.Sleep(time.Second)
		go func() { _, _ = io.Copy(io.Discard, slow.Body) }() // until the body is closed
		synctest.Wait()
		if got := f.topic.Fanout(); got != 2*time.Second {
			t.Errorf("Fanout() = %v, want twice the second that half of one client took", got)
		}
		if err := slow.Body.Close(); err != nil {
			t.Error(err)
		}
	})
}
