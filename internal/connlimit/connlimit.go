// Package connlimit keeps a server's connections for those who use them: where more are
// open than there is room for, those that are of the least use are closed.
package connlimit

import (
	"container/list"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"marcador/internal/forwarded"
)

// Options says how a Limiter works.
type Options struct {
	// Most is asked, with each new connection, how many may be open beside those
	// that are kept: at least 2.
	Most func() int

	// PerClient is how many connections of one client's address may be open on which
	// no request was begun yet; past it the oldest of them is closed. Of an IPv6
	// address the first half counts, since a client has all of the other. Proxies
	// are clients. Default 2,048.
	PerClient int

	// Multiplexed is about how many requests over HTTP/2 may be under way at once, but for those that
	// are kept: a client can begin thousands on a few connections. Past it each connection has an
	// equal share of them, and what comes on one that has its share gets a 503 before any work is
	// done for it. Default 1,024.
	Multiplexed int
}

// leastShare is how many requests each connection may have under way in any case.
const leastShare = 8

// stage is what a connection is used for.
type stage int

const (
	waiting   stage = iota // for a handshake, the head of a request, or the next request
	receiving              // the body of a request
	answering              // a request that is there, or whose answer is not read yet
	kept                   // what goes on for long; never closed
	stages
)

// weights are how much a time in a stage counts against a connection. Answers are
// the server's to hurry.
var weights = [kept]float64{waiting: 4, receiving: 4, answering: 1}

// Limiter is told of connections and requests by an http.Server whose ConnContext,
// ConnState and Handler it has. Where one connection too many is open, the one is
// closed that has got no further for the longest, by weight. So whoever opens
// connections without number shuts out nobody else: who asks for something at once
// is served before it is their turn. Safe for concurrent use. A connection costs some
// 400 bytes, a request half a microsecond.
type Limiter struct {
	opts Options
	now  func() time.Duration // on a clock of its own

	mu     sync.Mutex
	conns  map[net.Conn]*conn          // guarded by mu; bounded by Most and those that are kept
	orders [kept]list.List             // guarded by mu: of each stage but the last, who is in it, longest first
	open   int                         // guarded by mu: how many are in orders
	fresh  map[netip.Prefix]*list.List // guarded by mu: those without a request, oldest first; none is empty
	closed [kept]uint64                // guarded by mu

	multiplexed int // guarded by mu: requests over HTTP/2 that are not kept
	sharing     int // guarded by mu: connections that have one
}

// conn is an open connection. Its fields are guarded by the guard's mu.
type conn struct {
	net.Conn

	client   netip.Prefix
	fresh    *list.Element // in the client's list; nil once there was a request
	stage    stage
	since    time.Duration // when it came to the stage
	place    *list.Element // in the stage's order; nil where that has none
	requests [stages]int   // under way, by stage: HTTP/2 has several at once
	gone     bool

	multiplexed int // of the requests, those over HTTP/2 that are not kept
}

// request is one that a handler has. Its stage is guarded by the guard's mu.
type request struct {
	guard *Limiter
	conn  *conn
	stage stage

	multiplexed bool // it counts as that
}

// New returns a guard of no connections. Most must be set.
func New(opts Options) *Limiter {
	if opts.PerClient == 0 {
		opts.PerClient = 2048
	}
	if opts.Multiplexed == 0 {
		opts.Multiplexed = 1024
	}
	began := time.Now()
	return &Limiter{opts: opts, now: func() time.Duration { return time.Since(began) }, conns: map[net.Conn]*conn{}, fresh: map[netip.Prefix]*list.List{}}
}

type (
	connKey    struct{}
	requestKey struct{}
)

// ConnContext is for http.Server.ConnContext. It may close other connections.
func (g *Limiter) ConnContext(ctx context.Context, nc net.Conn) context.Context {
	c := &conn{Conn: nc, client: clientOf(nc.RemoteAddr())}
	most := max(g.opts.Most(), 2)
	g.mu.Lock()
	var over []*conn
	g.conns[nc] = c
	g.place(c)
	of := g.fresh[c.client]
	if of == nil {
		of = list.New()
		g.fresh[c.client] = of
	}
	c.fresh = of.PushBack(c)
	if of.Len() > g.opts.PerClient {
		over = append(over, g.giveUp(connOf(of.Front())))
	}
	for g.open > most {
		over = append(over, g.giveUp(g.leastUseful(c)))
	}
	g.mu.Unlock()
	for _, c := range over {
		c.cut()
	}
	return context.WithValue(ctx, connKey{}, c)
}

// ConnState is for http.Server.ConnState.
func (g *Limiter) ConnState(nc net.Conn, state http.ConnState) {
	if state != http.StateClosed && state != http.StateHijacked {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if c := g.conns[nc]; c != nil {
		g.forget(c)
	}
}

// Handler tells the guard of the requests that next is given.
func (g *Limiter) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, ok := r.Context().Value(connKey{}).(*conn)
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		req := &request{guard: g, conn: c, stage: answering}
		if r.Body != http.NoBody {
			req.stage = receiving
		}
		if !g.begin(req, r.ProtoMajor > 1) {
			refuse(w)
			return
		}
		defer g.end(req)
		r = r.WithContext(context.WithValue(r.Context(), requestKey{}, req))
		if req.stage == receiving {
			r.Body = &body{r.Body, req}
		}
		next.ServeHTTP(w, r)
	})
}

// Keep has the connection of the request stay open, as far as the guard goes, until
// that has been handled. Without a guard it does nothing.
func Keep(ctx context.Context) {
	if req, ok := ctx.Value(requestKey{}).(*request); ok {
		req.guard.move(req, kept)
	}
}

// Cut closes the connection of the request. Without a guard it does nothing.
func Cut(ctx context.Context) {
	req, ok := ctx.Value(requestKey{}).(*request)
	if !ok {
		return
	}
	g := req.guard
	g.mu.Lock()
	gone := req.conn.gone
	if !gone {
		g.giveUp(req.conn)
	}
	g.mu.Unlock()
	if !gone {
		req.conn.cut()
	}
}

// Closed is how many connections were closed while they waited for a request,
// while a body came, and while an answer was made or read.
func (g *Limiter) Closed() (whileWaiting, whileReceiving, whileAnswering uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed[waiting], g.closed[receiving], g.closed[answering]
}

// refuse answers with a head alone, which can be sent whether or not the client takes anything.
func refuse(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "1")
	w.WriteHeader(http.StatusServiceUnavailable)
}

// begin reports whether the request may go on.
func (g *Limiter) begin(r *request, multiplexed bool) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.settle(r.conn)
	if multiplexed {
		if most := g.opts.Multiplexed; g.multiplexed >= most && r.conn.multiplexed >= max(most/max(g.sharing, 1), leastShare) {
			return false
		}
		g.count(r, true)
	}
	r.conn.requests[r.stage]++
	g.place(r.conn)
	return true
}

// count counts the request as one over HTTP/2, or does not any more. It is called with mu held.
func (g *Limiter) count(r *request, on bool) {
	if r.multiplexed == on {
		return
	}
	r.multiplexed = on
	by := -1
	if on {
		by = 1
	}
	had := r.conn.multiplexed > 0
	g.multiplexed += by
	r.conn.multiplexed += by
	if has := r.conn.multiplexed > 0; has != had {
		g.sharing += by
	}
}

func (g *Limiter) move(r *request, to stage) {
	g.mu.Lock()
	defer g.mu.Unlock()
	r.conn.requests[r.stage]--
	r.stage = to
	r.conn.requests[to]++
	if to == kept {
		g.count(r, false)
	}
	g.place(r.conn)
}

// received is that the body of the request is there.
func (g *Limiter) received(r *request) {
	g.mu.Lock()
	keeps := r.stage == kept
	g.mu.Unlock()
	if !keeps {
		g.move(r, answering)
	}
}

func (g *Limiter) end(r *request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	r.conn.requests[r.stage]--
	g.count(r, false)
	g.place(r.conn)
}

// settle takes the connection out of those on which no request was begun. It is
// called with mu held.
func (g *Limiter) settle(c *conn) {
	if c.fresh == nil {
		return
	}
	of := g.fresh[c.client]
	of.Remove(c.fresh)
	c.fresh = nil
	if of.Len() == 0 {
		delete(g.fresh, c.client)
	}
}

// place puts the connection where its requests belong: into the highest stage that
// one of them is in. It is called with mu held.
func (g *Limiter) place(c *conn) {
	to := kept
	for to > waiting && c.requests[to] == 0 {
		to--
	}
	if c.gone || to == c.stage && c.place != nil {
		return
	}
	g.displace(c)
	c.stage, c.since = to, g.now()
	if to < kept {
		c.place = g.orders[to].PushBack(c)
		g.open++
	}
}

// displace takes the connection out of its stage's order. It is called with mu held.
func (g *Limiter) displace(c *conn) {
	if c.place != nil {
		g.orders[c.stage].Remove(c.place)
		c.place = nil
		g.open--
	}
}

// leastUseful is the connection to close next, but not that one. It is called with
// mu held, and there is another.
func (g *Limiter) leastUseful(but *conn) (found *conn) {
	now, most := g.now(), -1.0
	for s := range g.orders {
		e := g.orders[s].Front()
		if e != nil && e.Value == any(but) {
			e = e.Next()
		}
		if e == nil {
			continue
		}
		c := connOf(e)
		if weight := float64(now-c.since) * weights[s]; weight > most {
			found, most = c, weight
		}
	}
	return found
}

func connOf(e *list.Element) *conn {
	c, _ := e.Value.(*conn) // lists have no others
	return c
}

// giveUp counts and forgets the connection, which is then to be cut. It is called
// with mu held.
func (g *Limiter) giveUp(c *conn) *conn {
	g.closed[c.stage]++
	g.forget(c)
	return c
}

// forget is called with mu held.
func (g *Limiter) forget(c *conn) {
	g.settle(c)
	g.displace(c)
	c.gone = true
	delete(g.conns, c.Conn)
}

// cut closes the connection, without the farewell of TLS, for which it would wait.
// The server's own goroutine then finds it closed. What is still on its way to a
// client arrives only where all of it was written.
func (c *conn) cut() {
	inner := c.Conn
	if secured, ok := inner.(*tls.Conn); ok {
		inner = secured.NetConn()
	}
	if tcp, ok := inner.(*net.TCPConn); ok && c.stage != waiting {
		_ = tcp.SetLinger(0) // else it is closed a little later
	}
	_ = inner.Close() // it is of no use any more
}

// clientOf is the part of an address that is one client's.
func clientOf(addr net.Addr) netip.Prefix {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}
	}
	return forwarded.Client(tcp.AddrPort().Addr())
}
