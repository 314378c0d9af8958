// Package connlimit bounds the open connections of an http.Server. When there are too many, it
// closes the one that has gone without progress for the longest.
//
// So a client that opens connections without end shuts out nobody else: a client that sends its
// request at once is served long before its connection is the oldest. A new connection is never
// refused.
//
// A connection is in one of these stages. How long it has been there, times the weight of the
// stage, decides which connection is closed.
//
//	                weight
//	waiting         4       for a handshake, for the header of a request, or for the next request
//	receiving       4       the body of a request
//	answering       1       a request that has arrived, until its answer is read
//	exempt          never   a stream, or another request that lasts: see Exempt
//
// HTTP/2 has several requests on one connection. The connection is then in the highest stage that
// one of its requests is in.
//
//	limiter := connlimit.New(connlimit.Options{MaxOpen: func() int { return 10_000 }})
//	server := http.Server{
//		Handler:     limiter.Handler(mux),
//		ConnContext: limiter.ConnContext,
//		ConnState:   limiter.ConnState,
//	}
package connlimit

import (
	"container/list"
	"context"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"marcador/internal/forwarded"
)

// Options says how a Limiter works.
type Options struct {
	// MaxOpen is called for each new connection. It returns how many may be open, apart from exempt
	// ones. Less than 2 counts as 2. It must be set.
	MaxOpen func() int

	// PerClient is how many connections of one client's address may be open without a single
	// request. Past it the oldest of them is closed. Of an IPv6 address only the first half counts,
	// because a client has all addresses with that half. A proxy is one client. The default is
	// 2,048.
	PerClient int

	// HTTP2Requests is about how many requests over HTTP/2 may be under way at once, apart from
	// exempt ones. One client can begin thousands of them on a few connections. Past it each
	// connection with such requests has an equal share, and a request beyond the share gets a 503
	// before any work is done for it. The default is 1,024.
	HTTP2Requests int
}

// minShare is how many HTTP/2 requests each connection may have under way in any case.
const minShare = 8

// stage is what a connection is used for. The package comment describes the stages.
type stage int

const (
	waiting stage = iota
	receiving
	answering
	exempt
	stages
)

// weights are how much time in a stage counts against a connection. An answer depends on the
// server as well, so it counts less.
var weights = [exempt]float64{waiting: 4, receiving: 4, answering: 1}

// Limiter bounds the connections of one http.Server. The server must use its ConnContext, ConnState
// and Handler. A connection costs about 400 bytes, a request half a microsecond. It is safe for
// concurrent use.
type Limiter struct {
	opts Options
	now  func() time.Duration // a clock that never goes back

	mu sync.Mutex // guards everything below

	// MaxOpen bounds the connections, apart from exempt ones, whose requests are bounded elsewhere.
	conns map[net.Conn]*conn

	orders [exempt]list.List // the connections in each stage, the longest there first
	open   int               // how many connections are in orders
	closed [exempt]uint64    // how many were closed, by stage

	// The connections of each client that had no request yet, oldest first. No list is empty.
	unused map[netip.Prefix]*list.List

	http2      int // requests over HTTP/2 that are not exempt
	http2Conns int // connections that have such a request
}

// conn is an open connection. Its fields are guarded by the limiter's mu.
type conn struct {
	net.Conn

	client    netip.Prefix
	unused    *list.Element // in the client's list; nil after the first request
	stage     stage
	since     time.Duration // when it came to the stage
	elem      *list.Element // in the order of the stage; nil if exempt
	requests  [stages]int   // under way, by stage
	http2     int           // those of requests that are over HTTP/2 and not exempt
	forgotten bool
}

// request is a request that a handler works on. Its fields are guarded by the limiter's mu.
type request struct {
	limiter *Limiter
	conn    *conn
	stage   stage
	http2   bool // whether it counts in Limiter.http2
}

// New returns a limiter without connections.
func New(opts Options) *Limiter {
	if opts.PerClient == 0 {
		opts.PerClient = 2048
	}
	if opts.HTTP2Requests == 0 {
		opts.HTTP2Requests = 1024
	}
	began := time.Now()
	return &Limiter{
		opts: opts, now: func() time.Duration { return time.Since(began) },
		conns: map[net.Conn]*conn{}, unused: map[netip.Prefix]*list.List{},
	}
}

type (
	connKey    struct{}
	requestKey struct{}
)

// ConnContext is for http.Server.ConnContext. It may close other connections.
func (l *Limiter) ConnContext(ctx context.Context, nc net.Conn) context.Context {
	c := &conn{Conn: nc, client: clientOf(nc.RemoteAddr())}
	maxOpen := max(l.opts.MaxOpen(), 2)
	l.mu.Lock()
	var evicted []*conn
	l.conns[nc] = c
	l.reorder(c)
	unused := l.unused[c.client]
	if unused == nil {
		unused = list.New()
		l.unused[c.client] = unused
	}
	c.unused = unused.PushBack(c)
	if unused.Len() > l.opts.PerClient {
		evicted = append(evicted, l.evict(connOf(unused.Front())))
	}
	for l.open > maxOpen {
		evicted = append(evicted, l.evict(l.leastUseful(c)))
	}
	l.mu.Unlock()
	for _, c := range evicted {
		c.close()
	}
	return context.WithValue(ctx, connKey{}, c)
}

// ConnState is for http.Server.ConnState.
func (l *Limiter) ConnState(nc net.Conn, state http.ConnState) {
	if state != http.StateClosed && state != http.StateHijacked {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.conns[nc]; c != nil {
		l.forget(c)
	}
}

// Handler returns a handler that tells the limiter about requests and passes them to next.
func (l *Limiter) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, ok := r.Context().Value(connKey{}).(*conn)
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		req := &request{limiter: l, conn: c, stage: answering}
		if r.Body != http.NoBody {
			req.stage = receiving
		}
		if !l.begin(req, r.ProtoMajor > 1) {
			refuse(w)
			return
		}
		defer l.end(req)
		r = r.WithContext(context.WithValue(r.Context(), requestKey{}, req))
		if req.stage == receiving {
			r.Body = &body{r.Body, req}
		}
		next.ServeHTTP(w, r)
	})
}

// Exempt says that the request may last, so that the limiter does not close its connection before
// it has been handled. It does nothing if the server has no limiter.
func Exempt(ctx context.Context) {
	if req, ok := ctx.Value(requestKey{}).(*request); ok {
		req.limiter.move(req, exempt)
	}
}

// Cut closes the connection of the request. It does nothing if the server has no limiter.
func Cut(ctx context.Context) {
	req, ok := ctx.Value(requestKey{}).(*request)
	if !ok {
		return
	}
	l := req.limiter
	l.mu.Lock()
	forgotten := req.conn.forgotten
	if !forgotten {
		l.evict(req.conn)
	}
	l.mu.Unlock()
	if !forgotten {
		req.conn.close()
	}
}

// Closed returns how many connections the limiter has closed, by the stage that they were in.
func (l *Limiter) Closed() (whileWaiting, whileReceiving, whileAnswering uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed[waiting], l.closed[receiving], l.closed[answering]
}

// refuse answers without a body: a header can be sent even if the client reads nothing.
func refuse(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "1")
	w.WriteHeader(http.StatusServiceUnavailable)
}

// clientOf returns the part of an address that is one client's.
func clientOf(addr net.Addr) netip.Prefix {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}
	}
	return forwarded.Client(tcp.AddrPort().Addr())
}
