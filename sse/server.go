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

// ErrNoStream says that there is no such stream, or that it is another user's.
var ErrNoStream = errors.New("sse: no such stream")

// Options configures a Server. A field's zero value stands for its default.
type Options struct {
	// Heartbeat is the longest silence on a stream; a ping ends it. Default 15 s.
	Heartbeat time.Duration

	// WriteTimeout is how long a client may take to accept one write. Default 5 s.
	WriteTimeout time.Duration

	// MaxStreams bounds the open streams; past it Serve returns ErrFull. Streams without a user may
	// take half of them, and streams without a user from one address a tenth. Default 50,000.
	MaxStreams int

	// MaxStreamsPerUser bounds the open streams of one user. One stream more ends the oldest, which
	// is told `replaced`. If a client has stopped reading, its stream ends rather than the oldest.
	// Default 8.
	MaxStreamsPerUser int

	// Standard turns the raw transport off: net/http writes all streams.
	Standard bool
}

// Server writes streams of a hub's topics. Safe for concurrent use.
//
// The package documentation says when a stream uses the raw transport and when the standard one.
type Server struct {
	hub    *Hub
	opts   Options
	began  time.Time // zero on the server's clock
	counts counts

	mu        sync.Mutex
	byID      map[string]*subscriber    // guarded by mu: by Stream.ID
	streams   int                       // guarded by mu
	users     map[string]*streamsOf     // guarded by mu: by user; none is empty
	anonymous int                       // guarded by mu: streams without a user
	addresses map[netip.Prefix]*address // guarded by mu: of streams without a user; none is empty
	shards    *shards                   // guarded by mu: made with the first raw stream

	draining chan struct{} // closed by Drain
	empty    chan struct{} // closed when the server drains and no stream is left

	toDrain int          // the streams when Drain began; set before draining is closed
	retries atomic.Int64 // how many of them were told when to come back
}

// NewServer returns a server without streams. Call Drain before you drop it.
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
		byID:      map[string]*subscriber{},
		users:     map[string]*streamsOf{},
		addresses: map[netip.Prefix]*address{},
		draining:  make(chan struct{}), empty: make(chan struct{}),
	}
}

// Stream is what a client asked for.
type Stream struct {
	// ID is the stream's name, unique in the server.
	ID string

	// UserID is the user that the stream belongs to, or empty for an anonymous client.
	UserID string

	// Address is the block of addresses that counts as one anonymous client, for instance a /64 of
	// IPv6.
	Address netip.Prefix

	// Session is the session that the stream belongs to and ends with, or 0 for none. See
	// EndSession.
	Session uint64

	// Waits says that the client comes back by itself after a newer stream has replaced its own.
	// Such a stream ends no other stream, unless that one's client has stopped reading. See
	// CutReplaced.
	Waits bool

	// Greeting returns the data of the first event, `authenticated`. recovered says whether the
	// stream goes on from the states that Resume names.
	Greeting func(recovered bool) []byte

	// Follows are the topics.
	Follows []Follow

	// Forbidden are names of topics that the client asked for and may not follow, each with a
	// message for the client. The client is told about them first.
	Forbidden map[string]string

	// Format is how the client takes events.
	Format Format

	// Scope names the user and the topics in their order. Streams of the same scope must agree in
	// these, because an event id of one stream is valid for the other.
	Scope string

	// Resume is the last event id that the client saw, as Hub.Resume has read it.
	Resume Resume

	// Expires is when the right to read ends; zero for never. The stream then ends with the event
	// `error` and the code token_expired.
	Expires time.Time
}

// Follow is a topic in a stream.
type Follow struct {
	Topic *Topic

	// From is the state that the client begins with unless it resumes: a state that Retain has
	// returned. The topic's newest state takes precedence if it is newer. Nil for the newest one.
	From *State

	// Own makes the events that this client alone gets; nil for none. It is asked once with nil
	// notes when the stream begins, for the events to begin with.
	Own Own

	// Leave is called once, when the follow is over or if the stream could not begin. It may be
	// nil.
	Leave func()
}

// Serve answers the request with a stream. It returns nil when the stream has ended, whatever the
// reason. It returns ErrDraining, ErrFull, ErrFullForAnonymous or ErrFullForAddress if the stream
// may not begin; then it has written nothing. If the user has no free slot and the stream has to
// wait for one, Serve answers as Replaced does.
//
// With the raw transport Serve panics with http.ErrAbortHandler instead of returning; see Start.
func (s *Server) Serve(w http.ResponseWriter, r *http.Request, stream Stream) error {
	run, err := s.Start(w, r, stream)
	if err == nil {
		run()
	}
	return err
}

// Start is Serve in two steps. If it returns no error, the caller must call run, which goes on
// until the stream has ended. A caller can thus return from deep calls first: the stack beneath run
// stays in memory for hours, and may be most of the memory of an idle stream.
//
// With the raw transport Start does not return. It panics with http.ErrAbortHandler, as handlers
// may. Then net/http drops the connection and its buffers, while the server keeps a second
// descriptor of the socket. Hijacking would leave the old buffers and a new one to the garbage
// collector: 12 of the 16 KB that it costs to begin a stream.
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

// Replaced answers the request with a stream that ends at once. The client is told again that its
// stream was replaced, and when to come back. A refusal would end a browser's EventSource for good.
func (s *Server) Replaced(w http.ResponseWriter, r *http.Request, stream Stream) {
	setHead(w.Header(), stream.Format)
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return
	}
	sub := &subscriber{server: s, format: stream.Format}
	body := sub.format.pack(sub.replacedText(stream.Resume.id), gzipHeader, false)
	_, _ = w.Write(sub.lastFrame(body)) // the client may have gone
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

// abandon releases the follows of a stream that does not begin.
func abandon(stream Stream) {
	for _, f := range stream.Follows {
		if f.Leave != nil {
			f.Leave()
		}
	}
}

// connKey is the key of a request's connection in its context.
type connKey struct{}

// ConnContext is for http.Server.ConnContext. Without it the server knows no connection that it
// could take over, and all streams use the standard transport.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// Streams returns the number of open streams.
func (s *Server) Streams() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.streams
}

// Drain lets no stream begin and ends all streams with the event `goodbye`, which spreads their
// clients' return. It returns nil when all have ended. If ctx is done first, it returns an error.
// By then it has cut off the raw streams. The standard ones end when the http.Server is closed.
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

// now returns the time on the server's clock.
func (s *Server) now() time.Duration { return time.Since(s.began) }

// at returns t on the server's clock, in nanoseconds; 0 stands for never.
func (s *Server) at(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return max(int64(t.Sub(s.began)), 1)
}

// comeBack is the least delay after which a client should come back.
const comeBack = time.Second

// spread returns the length of the time over which that many clients should come back. It lets in
// at most a thousand of them a second.
func spread(streams int) time.Duration {
	return 2*time.Second + time.Duration(streams)*time.Millisecond
}

// retry returns the delay after which a client should come back if its stream breaks. The delays
// are random, so that clients that were cut off together do not come back together.
func (s *Server) retry() time.Duration {
	return comeBack + rand.N(spread(s.Streams())) //nolint:gosec // it protects nothing
}

// retryDraining returns the delay after which a client that is told goodbye should come back. Each
// client gets a slot of its own, because random delays alone would leave gaps and crowds.
func (s *Server) retryDraining() time.Duration {
	step := spread(s.toDrain) / time.Duration(max(s.toDrain, 1))
	slot := (s.retries.Add(1) - 1) % int64(max(s.toDrain, 1))
	return comeBack + time.Duration(slot)*step + rand.N(step) //nolint:gosec // it protects nothing
}
