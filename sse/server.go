package sse

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Why Serve does not begin a stream. It has written nothing then.
var (
	ErrDraining    = errors.New("sse: shutting down")
	ErrFull        = errors.New("sse: too many streams")
	ErrFullForUser = errors.New("sse: too many streams of one user")
)

// refusalNames name the errors above in Stats.
var refusalNames = [...]string{"shutting_down", "max_streams", "max_streams_per_user"}

// ErrNoStream is returned by Extend where there is no such stream, or it is
// another user's.
var ErrNoStream = errors.New("sse: no such stream")

// Options says how a Server works. The zero value of a field is its default.
type Options struct {
	// Heartbeat is the longest silence on a stream. Default 15 s.
	Heartbeat time.Duration

	// WriteTimeout is how long one write to a client may take. Default 5 s.
	WriteTimeout time.Duration

	// MaxStreams is how many there may be at once; past it Serve returns ErrFull.
	// Default 50,000.
	MaxStreams int

	// MaxStreamsPerUser is how many of them may be one user's; past it Serve
	// returns ErrFullForUser. Anonymous streams count as nobody's. Default 8.
	MaxStreamsPerUser int

	// Standard has all streams written through net/http, also those that could be
	// written to their sockets.
	Standard bool
}

// Server writes streams of a hub's topics. Safe for concurrent use.
//
// A stream over HTTP/1 and a bare TCP connection is taken over from net/http where
// the system has epoll and ConnContext is set: one of a few goroutines then writes to its socket, and
// nothing is left of it but a descriptor and some 700 bytes. All others are
// written by their requests' goroutines.
type Server struct {
	hub    *Hub
	opts   Options
	began  time.Time
	counts counts

	mu       sync.Mutex
	byID     map[string]*subscriber // guarded by mu
	streams  int                    // guarded by mu
	ofUser   map[string]int         // guarded by mu: their streams; none has an entry of 0
	shards   *shards                // guarded by mu: made with the first raw stream
	draining chan struct{}          // closed by Drain
	empty    chan struct{}          // closed when it drains and no stream is left

	leaving int          // streams when Drain began; set before draining is closed
	left    atomic.Int64 // of them, how many have been told when to come back
}

// NewServer returns a server without streams. Before it is let go it must be
// drained.
func NewServer(hub *Hub, opts Options) *Server {
	if opts.Heartbeat == 0 {
		opts.Heartbeat = 15 * time.Second
	}
	if opts.WriteTimeout == 0 {
		opts.WriteTimeout = 5 * time.Second
	}
	if opts.MaxStreams == 0 {
		opts.MaxStreams = 50_000
	}
	if opts.MaxStreamsPerUser == 0 {
		opts.MaxStreamsPerUser = 8
	}
	return &Server{
		hub: hub, opts: opts, began: time.Now(),
		byID: map[string]*subscriber{}, ofUser: map[string]int{},
		draining: make(chan struct{}), empty: make(chan struct{}),
	}
}

// Stream is what a client asked for.
type Stream struct {
	// ID names the stream among all others.
	ID string

	// UserID is whose it is, empty for an anonymous client's.
	UserID string

	// Greeting returns the data of the first event, `authenticated`. recovered says
	// whether the stream goes on from the state that Resume names.
	Greeting func(recovered bool) []byte

	// Follows are the topics.
	Follows []Follow

	// Format is how the client takes events.
	Format Format

	// Resume is the version that the last event id named which the client saw, or
	// -1 for none.
	Resume int64

	// Expires is when the right to read ends, if ever: the stream ends then with
	// an `error` event of the code token_expired.
	Expires time.Time
}

// Follow is a topic in a stream.
type Follow struct {
	Topic *Topic

	// From is what the client begins with, unless it resumes: a state that was
	// given to Keep, or nil.
	From *State

	// Own is asked what only this client is told, or nil. It is asked once with nil
	// notes when the stream begins, for what is to be told then.
	Own Own

	// Leave, where it is not nil, is called once, when the stream is over or could
	// not begin.
	Leave func()
}

// Serve answers the request with a stream and returns when that has ended: the
// client has gone or takes too long, its right has expired, or the server drains.
// Those are not errors; ErrDraining, ErrFull and ErrFullForUser are. See Start.
func (s *Server) Serve(w http.ResponseWriter, r *http.Request, stream Stream) error {
	run, err := s.Start(w, r, stream)
	if err == nil {
		run()
	}
	return err
}

// Start is Serve in two steps: run, which is to be called in any case, goes on
// until the stream has ended. What is on the stack below it stays there for hours,
// and may be most of what an idle stream takes.
//
// When it has taken the connection over Start does not return but panics with
// http.ErrAbortHandler, as handlers may: then net/http lets go of the connection,
// of which there is another descriptor now, and of its buffers. Hijacking would
// leave those, and a new one, to the garbage collector: 12 of the 16 KB that a
// stream's beginning costs.
func (s *Server) Start(w http.ResponseWriter, r *http.Request, stream Stream) (run func(), err error) {
	if err := s.enter(stream.UserID); err != nil {
		abandon(stream)
		return nil, err
	}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store, no-transform")
	h.Set("X-Accel-Buffering", "no")
	h.Set("Vary", "Accept-Encoding, Origin")
	if stream.Format&Gzip != 0 {
		h.Set("Content-Encoding", "gzip")
	}
	if r.Method == http.MethodHead {
		w.WriteHeader(http.StatusOK)
		abandon(stream)
		s.exit(nil, stream.UserID)
		return func() {}, nil
	}
	if !s.opts.Standard {
		s.serveRaw(w, r, stream)
	}
	s.counts.streams[transportStandard].Add(1)
	run = s.serveStandard(w, r, stream)
	return run, nil
}

func abandon(stream Stream) {
	for _, f := range stream.Follows {
		if f.Leave != nil {
			f.Leave()
		}
	}
}

// connKey is the key of a request's connection in its context.
type connKey struct{}

// ConnContext is for http.Server.ConnContext: with it Serve knows the connections
// that it may take over.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// Check returns the error that a stream of the user's would be refused with now,
// if any: before work is done for it.
func (s *Server) Check(userID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refusal(userID)
}

// Streams is the number of streams that are open.
func (s *Server) Streams() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.streams
}

// Extend lets the user's stream of that id go on until then, if that is later
// than it would end anyway. It returns ErrNoStream where there is none, also for
// one of another user.
func (s *Server) Extend(id, userID string, until time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	sub, ok := s.byID[id]
	if !ok || sub.user != userID {
		return ErrNoStream
	}
	at := s.at(until)
	if now := sub.expires.Load(); now != 0 && (at == 0 || at > now) {
		sub.expires.Store(at)
	}
	return nil
}

// Drain ends all streams with a `goodbye` that spreads their return, lets none
// begin, and returns when they are over or ctx is done. Then it has cut off those
// that it writes itself; those that net/http writes end when that is closed.
func (s *Server) Drain(ctx context.Context) error {
	s.mu.Lock()
	if !s.isDraining() {
		s.leaving = s.streams
		close(s.draining)
		if s.streams == 0 {
			close(s.empty)
		}
	}
	shards := s.shards
	s.mu.Unlock()
	if shards != nil {
		shards.drain()
	}
	var err error
	select {
	case <-s.empty:
	case <-ctx.Done():
		err = fmt.Errorf("drain streams, %d left: %w", s.Streams(), ctx.Err())
	}
	if shards != nil {
		shards.stop()
	}
	return err
}

// Draining reports whether Drain was called.
func (s *Server) Draining() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.isDraining()
}

func (s *Server) isDraining() bool {
	select {
	case <-s.draining:
		return true
	default:
		return false
	}
}

// enter makes room for a stream, or says why there is none.
func (s *Server) enter(userID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refusal(userID); err != nil {
		return err
	}
	s.streams++
	if userID != "" {
		s.ofUser[userID]++
	}
	return nil
}

// refusal says why there is no room for a stream, if there is none, and counts it.
// It is called with mu held.
func (s *Server) refusal(userID string) error {
	switch {
	case s.isDraining():
		s.counts.refused[0].Add(1)
		return ErrDraining
	case s.streams >= s.opts.MaxStreams:
		s.counts.refused[1].Add(1)
		return ErrFull
	case userID != "" && s.ofUser[userID] >= s.opts.MaxStreamsPerUser:
		s.counts.refused[2].Add(1)
		return ErrFullForUser
	}
	return nil
}

// register has the stream be found by its id.
func (s *Server) register(sub *subscriber) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byID[sub.id] = sub
}

// exit gives back what enter took. sub is nil for one that was not registered.
func (s *Server) exit(sub *subscriber, userID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sub != nil {
		delete(s.byID, sub.id)
	}
	if s.ofUser[userID]--; s.ofUser[userID] <= 0 {
		delete(s.ofUser, userID)
	}
	if s.streams--; s.streams == 0 && s.isDraining() {
		close(s.empty)
	}
}

// now is the time on the server's clock.
func (s *Server) now() time.Duration { return time.Since(s.began) }

// at is a time on the server's clock, in nanoseconds; 0 for never.
func (s *Server) at(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return max(int64(t.Sub(s.began)), 1)
}

// Clients come back within comeBack and the spread, which makes a thousand of
// them a second.
const comeBack = time.Second

func spread(streams int) time.Duration {
	return 2*time.Second + time.Duration(streams)*time.Millisecond
}

// retry returns when a client should come back whose stream breaks, spread so that
// all who are cut at once don't return at once.
func (s *Server) retry() time.Duration {
	return comeBack + rand.N(spread(s.Streams())) //nolint:gosec // it spreads; it guards nothing
}

// retryDraining returns when a client should come back that is told goodbye. Each
// gets a time of its own, so that they return evenly and not only by chance.
func (s *Server) retryDraining() time.Duration {
	step := spread(s.leaving) / time.Duration(max(s.leaving, 1))
	turn := (s.left.Add(1) - 1) % int64(max(s.leaving, 1))
	return comeBack + time.Duration(turn)*step + rand.N(step) //nolint:gosec // as above
}
