package sse_test

import (
	"context"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"marcador/sse"
)

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

func (p *pipes) Close() error { p.once.Do(func() { close(p.done) }); return nil }

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
		f := &fixture{
			hub: hub, streams: sse.NewServer(hub, opts), topic: hub.NewTopic("board"),
			pipes: newPipes(),
		}
		var begun, left atomic.Int64
		f.stream = streamOf(sse.Follow{
			Topic: f.topic, From: f.topic.Retain(state(1)), Leave: func() { left.Add(1) },
		})
		f.client = &http.Client{
			Transport: &http.Transport{DialContext: f.pipes.dial, DisableCompression: true},
		}
		handler := func(w http.ResponseWriter, r *http.Request) {
			begun.Add(1)
			if err := f.streams.Serve(w, r, f.stream); err != nil {
				http.Error(w, err.Error(), http.StatusServiceUnavailable)
			}
		}
		server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(handler)}
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
