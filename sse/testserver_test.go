package sse_test

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"marcador/sse"
)

// patient bounds a wait that ends much sooner unless something is broken.
const patient = 20 * time.Second

// testServer serves streams of one topic on a real socket.
type testServer struct {
	tb      testing.TB
	hub     *sse.Hub
	topic   *sse.Topic
	streams *sse.Server
	addr    string
	raw     bool
	left    chan struct{} // gets a value for each stream that ends

	mu   sync.Mutex
	next func(r *http.Request) sse.Stream // guarded by mu: makes the next client's stream
}

// onBothTransports runs a test once with each transport.
func onBothTransports(t *testing.T, opts sse.Options, test func(t *testing.T, s *testServer)) {
	t.Helper()
	for _, standard := range []bool{false, true} {
		name := "raw"
		if standard {
			name = "standard"
		}
		t.Run(name, func(t *testing.T) {
			opts.Standard = standard
			s := newTestServer(t, opts)
			if s.raw = !standard; s.raw && s.streams.Stats().Streams["raw"] != 0 {
				t.Fatal("there are streams before the first")
			}
			test(t, s)
		})
	}
}

// newTestServer starts a server. When the test ends, it drains the server and checks that nothing
// is left.
func newTestServer(tb testing.TB, opts sse.Options) *testServer {
	tb.Helper()
	before := goleak.IgnoreCurrent()
	tb.Cleanup(func() { goleak.VerifyNone(tb, before) })
	hub := sse.NewHub("e")
	s := &testServer{
		tb: tb, hub: hub, topic: hub.NewTopic("board"), streams: sse.NewServer(hub, opts),
		left: make(chan struct{}, 1000),
	}
	s.topic.Retain(state(1))
	var streams atomic.Int64
	s.next = func(r *http.Request) sse.Stream {
		stream := s.streamFor(r)
		stream.ID = fmt.Sprintf("s%d", streams.Add(1))
		return stream
	}
	listener, err := sse.Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s.addr = listener.Addr().String()
	server := &http.Server{
		ReadHeaderTimeout: time.Minute, ConnContext: sse.ConnContext, Handler: http.HandlerFunc(s.serve),
	}
	served := make(chan struct{})
	go func() { // Serve returns ErrServerClosed, after Close below
		defer close(served)
		_ = server.Serve(listener)
	}()
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patient)
		defer cancel()
		if err := s.streams.Drain(ctx); err != nil {
			tb.Error(err)
		}
		if err := server.Close(); err != nil {
			tb.Error(err)
		}
		<-served
		s.checkEmpty()
	})
	return s
}

func (s *testServer) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	stream := s.next(r)
	s.mu.Unlock()
	if err := s.streams.Serve(w, r, stream); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	}
}

// streamFor returns the stream that the request's query describes.
func (s *testServer) streamFor(r *http.Request) sse.Stream {
	stream := streamOf(sse.Follow{
		Topic: s.topic, From: s.topic.Retain(state(1)),
		Leave: func() { s.left <- struct{}{} },
	})
	q := r.URL.Query()
	stream.UserID = q.Get("user")
	flags := map[string]sse.Format{"diff": sse.Diff, "gzip": sse.Gzip, "msgpack": sse.MsgPack}
	for name, flag := range flags {
		if q.Has(name) {
			stream.Format |= flag
		}
	}
	stream.Address = netip.MustParsePrefix(cmp.Or(q.Get("from"), "192.0.2.1/32"))
	stream.Session, _ = strconv.ParseUint(q.Get("session"), 10, 64) // 0 if there is none
	var id string
	id, stream.Waits = sse.CutReplaced(r.Header.Get("Last-Event-ID"))
	stream.Resume = s.hub.Resume(id, "", 1)
	return stream
}

// checkEmpty checks that the server has no streams and the topic no followers.
func (s *testServer) checkEmpty() {
	if n := s.topic.Len(); n != 0 {
		s.tb.Errorf("%d followers are left", n)
	}
	for transport, n := range s.streams.Stats().Streams {
		if n != 0 {
			s.tb.Errorf("%d %s streams are left", n, transport)
		}
	}
}

// saw returns the request header of a client that saw the version last.
func (s *testServer) saw(version int64) string { return "Last-Event-ID: " + s.hub.ID(version, version) }

func (s *testServer) publish(versions ...int64) {
	for _, v := range versions {
		s.hub.Publish(sse.Publication{Topic: s.topic, State: state(v), Since: time.Now()})
	}
}

// tell publishes the state of a version with notes for some users. A user with the note -1 is
// forbidden to read on; see own.
func (s *testServer) tell(version int64, notes map[string]int) {
	s.hub.Publish(sse.Publication{
		Topic: s.topic, State: state(version), Notes: notes, Version: version,
	})
}

// ended returns how many streams have ended for that reason.
func (s *testServer) ended(reason string) uint64 { return s.streams.Stats().Disconnects[reason] }

// client is a connection with a stream.
type client struct {
	tb     testing.TB
	conn   *net.TCPConn
	header http.Header
	coding []string // of Transfer-Encoding
	closes bool     // the head says that the connection ends with the stream
	body   *bufio.Reader
}

// connect asks for a stream and reads the head of the response.
func (s *testServer) connect(query string, headers ...string) *client {
	s.tb.Helper()
	to, err := net.ResolveTCPAddr("tcp", s.addr)
	if err != nil {
		s.tb.Fatal(err)
	}
	conn, err := net.DialTCP("tcp", nil, to)
	if err != nil {
		s.tb.Fatal(err)
	}
	s.tb.Cleanup(func() { _ = conn.Close() }) // the test may have closed it
	if err := conn.SetDeadline(time.Now().Add(patient)); err != nil {
		s.tb.Fatal(err)
	}
	request := "GET /?" + query + " HTTP/1.1\r\nHost: x\r\n"
	for _, h := range headers {
		request += h + "\r\n"
	}
	if _, err := io.WriteString(conn, request+"\r\n"); err != nil {
		s.tb.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		s.tb.Fatal(err)
	}
	c := &client{
		tb: s.tb, conn: conn, header: res.Header, coding: res.TransferEncoding, closes: res.Close,
		body: bufio.NewReader(res.Body),
	}
	if res.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(res.Body)
		if err != nil {
			s.tb.Fatal(err)
		}
		c.body = bufio.NewReader(unzipped)
	}
	return c
}

// read returns the next event, or an event without a name if the stream has ended.
func (c *client) read() event {
	c.tb.Helper()
	var block []byte
	for {
		line, err := c.body.ReadBytes('\n')
		if err != nil {
			if errors.Is(err, context.DeadlineExceeded) {
				c.tb.Fatalf("nothing came after %q", block)
			}
			return event{}
		}
		if block = append(block, line...); len(line) == 1 {
			events := parse(c.tb, block)
			if len(events) != 1 {
				c.tb.Fatalf("%q is %d events", block, len(events))
			}
			return events[0]
		}
	}
}

// want reads events and compares their names, data and ids.
func (c *client) want(events ...string) {
	c.tb.Helper()
	for _, want := range events {
		e := c.read()
		got := strings.TrimSpace(e.name + " " + e.data + " " + e.id)
		if e.name == "goodbye" || e.name == "error" || e.name == "ping" {
			got = e.name
		}
		if got != want {
			c.tb.Fatalf("event = %q, want %q", got, want)
		}
	}
}
