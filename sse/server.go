package sse

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// ErrDraining is returned by Serve, before it has written anything, when the
// server is shutting down.
var ErrDraining = errors.New("sse: shutting down")

// Options says how a Server works. The zero value of a field is its default.
type Options struct {
	// Heartbeat is the longest silence on a stream. Default 15 s.
	Heartbeat time.Duration

	// WriteTimeout is how long one write to a client may take. Default 5 s.
	WriteTimeout time.Duration
}

// Server writes streams. Safe for concurrent use.
type Server struct {
	opts Options

	mu       sync.Mutex
	streams  int           // guarded by mu
	draining chan struct{} // closed by Drain
	empty    chan struct{} // closed when it drains and no stream is left
}

// NewServer returns a server without streams.
func NewServer(opts Options) *Server {
	if opts.Heartbeat == 0 {
		opts.Heartbeat = 15 * time.Second
	}
	if opts.WriteTimeout == 0 {
		opts.WriteTimeout = 5 * time.Second
	}
	return &Server{opts: opts, draining: make(chan struct{}), empty: make(chan struct{})}
}

// Stream is what a client asked for.
type Stream struct {
	// Greeting is the data of the first event, `authenticated`.
	Greeting []byte

	// Follows are the topics, each with the state to begin with.
	Follows []Follow

	// Expires is when the right to read ends, if ever: the stream ends then with
	// an `error` event of the code token_expired.
	Expires time.Time
}

// Follow is a topic with the state that a stream of it begins with, or nil. Leave,
// where it is not nil, is called once, when the stream is over or could not begin.
type Follow struct {
	Topic *Topic
	From  *State
	Leave func()
}

// Serve answers the request with a stream and returns when it has ended: the
// client has gone or takes too long, its right has expired, or the server
// drains. Those are not errors; ErrDraining is, where nothing was written.
func (s *Server) Serve(w http.ResponseWriter, r *http.Request, stream Stream) error {
	for _, f := range stream.Follows {
		if f.Leave != nil {
			defer f.Leave()
		}
	}
	if !s.enter() {
		return ErrDraining
	}
	defer s.leave()

	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store, no-transform")
	h.Set("X-Accel-Buffering", "no")
	h.Set("Vary", "Accept-Encoding, Origin")
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	sub := &subscriber{
		server: s,
		w:      w,
		rc:     http.NewResponseController(w),
		wake:   make(chan struct{}, 1),
	}
	for _, f := range stream.Follows {
		sub.follows = append(sub.follows, follow{topic: f.Topic})
		f.Topic.add(sub)
		defer f.Topic.remove(sub)
	}
	sub.poke() // for what was published while nobody had told it yet
	sub.run(r.Context(), stream)
	return nil
}

// Streams is the number of streams that are open.
func (s *Server) Streams() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.streams
}

// Drain ends all streams with a `goodbye` that spreads their return, lets none
// begin, and returns when they are over or ctx is done.
func (s *Server) Drain(ctx context.Context) error {
	s.mu.Lock()
	if !s.isDraining() {
		close(s.draining)
		if s.streams == 0 {
			close(s.empty)
		}
	}
	s.mu.Unlock()
	select {
	case <-s.empty:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("drain streams, %d left: %w", s.Streams(), ctx.Err())
	}
}

// Draining reports whether Drain was called.
func (s *Server) Draining() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.isDraining()
}

func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isDraining() {
		return false
	}
	s.streams++
	return true
}

func (s *Server) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.streams--; s.streams == 0 && s.isDraining() {
		close(s.empty)
	}
}

func (s *Server) isDraining() bool {
	select {
	case <-s.draining:
		return true
	default:
		return false
	}
}

// retry returns when a client should come back, spread so that all who are cut
// at once don't return at once: within 2 s, and 1 s more for every 1,000.
func (s *Server) retry() time.Duration {
	spread := 2*time.Second + time.Duration(s.Streams())*time.Millisecond
	return time.Second + rand.N(spread) //nolint:gosec // it spreads; it guards nothing
}
