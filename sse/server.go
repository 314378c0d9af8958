package sse

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// ErrNoStream is returned if there is no such stream, or it is another user's.
var ErrNoStream = errors.New("sse: no such stream")

// Options says how a Server works. The zero value of a field is its default.
type Options struct {
	// Heartbeat is the longest silence on a stream. Default 15 s.
	Heartbeat time.Duration

	// WriteTimeout is how long one write to a client may take. Default 5 s.
	WriteTimeout time.Duration

	// MaxStreams is how many there may be at once; past it Serve returns ErrFull. Streams
	// without a user may take half of them, and a tenth from one address. Default 50,000.
	MaxStreams int

	// MaxStreamsPerUser is how many of them may be one user's. The user's next stream ends
	// the oldest, which is told `replaced`; one that is not read goes before. Default 8.
	MaxStreamsPerUser int

	// Standard has all streams written through net/http, also those that could be
	// written to their sockets.
	Standard bool
}

// Server writes streams of a hub's topics. Safe for concurrent use.
//
// A stream over HTTP/1 and a bare TCP connection is taken over from net/http where
// the system has epoll and ConnContext is set: one of a few goroutines then writes to its socket, and
// nothing is left of it but a descriptor and less than a kilobyte. All others are
// written by their requests' goroutines.
type Server struct {
	hub    *Hub
	opts   Options
	began  time.Time
	counts counts

	mu      sync.Mutex
	byID    map[string]*subscriber // guarded by mu
	streams int                    // guarded by mu
	users   map[string]*streamsOf  // guarded by mu: by user; none is empty
	shards  *shards                // guarded by mu: made with the first raw stream

	anonymous int                       // guarded by mu: streams without a user
	addresses map[netip.Prefix]*address // guarded by mu: where these come from; none is empty

	draining chan struct{} // closed by Drain
	empty    chan struct{} // closed when it drains and no stream is left

	toDrain int          // streams when Drain began; set before draining is closed
	retries atomic.Int64 // of them, how many have been told when to come back
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
		byID: map[string]*subscriber{}, users: map[string]*streamsOf{}, addresses: map[netip.Prefix]*address{},
		draining: make(chan struct{}), empty: make(chan struct{}),
	}
}

// Stream is what a client asked for.
type Stream struct {
	// ID names the stream among all others.
	ID string

	// UserID is whose it is, empty for an anonymous client's.
	UserID string

	// Address is where an anonymous client calls from: the part that is one client's.
	Address netip.Prefix

	// Session names the session that the stream began with and ends with, 0 for none. See
	// EndSession.
	Session uint64

	// Waits says that the stream comes back by itself after another took its place. Then
	// it takes no place of a stream that is read. See CutReplaced.
	Waits bool

	// Greeting returns the data of the first event, `authenticated`. recovered says
	// whether the stream goes on from the state that Resume names.
	Greeting func(recovered bool) []byte

	// Follows are the topics.
	Follows []Follow

	// Forbidden are the names of topics that were asked for and may not be followed, with
	// the words for the client. It is told of them first.
	Forbidden map[string]string

	// Format is how the client takes events.
	Format Format

	// Scope names who follows what. Of streams of the same scope the topics, and their order,
	// are the same, and so is the user.
	Scope string

	// Resume is what the last event id said which the client saw. See Hub.Resume.
	Resume Resume

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
// Those are not errors; the errors above are. A stream that has to wait is answered as
// Replaced does. See Start.
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
	addr, err := s.enter(stream)
	if errors.Is(err, ErrReplaced) {
		abandon(stream)
		return func() { s.Replaced(w, r, stream) }, nil
	}
	if err != nil {
		abandon(stream)
		return nil, err
	}
	setHead(w.Header(), stream.Format)
	if r.Method == http.MethodHead {
		w.WriteHeader(http.StatusOK)
		abandon(stream)
		s.exit(nil, addr)
		return func() {}, nil
	}
	if !s.opts.Standard {
		s.serveRaw(w, r, stream, addr)
	}
	s.counts.streams[transportStandard].Add(1)
	run = s.serveStandard(w, r, stream, addr)
	return run, nil
}

// Replaced answers the request with a stream that ends at once: it is told `replaced`, as it
// was before, and when to come back. A refusal would end a browser's EventSource for good.
func (s *Server) Replaced(w http.ResponseWriter, r *http.Request, stream Stream) {
	setHead(w.Header(), stream.Format)
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return
	}
	sub := &subscriber{server: s, format: stream.Format}
	_, _ = w.Write(sub.lastFrame(sub.format.pack(sub.replacedText(stream.Resume.id), gzipHeader, false))) // the client may have gone
}

func setHead(h http.Header, format Format) {
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store, no-transform")
	h.Set("X-Accel-Buffering", "no")
	h.Set("Vary", "Accept-Encoding, Origin")
	if format&Gzip != 0 {
		h.Set("Content-Encoding", "gzip")
	}
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

// Streams is the number of streams that are open.
func (s *Server) Streams() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.streams
}

// Drain ends all streams with a `goodbye` that spreads their return, lets none
// begin, and returns when they are over or ctx is done. Then it has cut off those
// that it writes itself; those that net/http writes end when that is closed.
func (s *Server) Drain(ctx context.Context) error {
	s.mu.Lock()
	if !s.isDraining() {
		s.toDrain = s.streams
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
	step := spread(s.toDrain) / time.Duration(max(s.toDrain, 1))
	slot := (s.retries.Add(1) - 1) % int64(max(s.toDrain, 1))
	return comeBack + time.Duration(slot)*step + rand.N(step) //nolint:gosec // as above
}
