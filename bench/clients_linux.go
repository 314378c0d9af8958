package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// client is one connection. Once it is registered, only its loop's goroutine uses it.
//
//	connecting ─▶ asked ─▶ ready ─▶ closed
//	     the request is sent │
//	               the head of the response is read; in a greeted group, the first event
type client struct {
	fd    int
	n     int // the client's number in the group
	group *group
	loop  *loop

	state  clientState
	scan   scanner
	events int64 // board events since the group was settled
	bytes  int64 // received since the group was settled
}

type clientState uint8

const (
	connecting clientState = iota
	asked
	ready
	closed
)

// group has clients that do the same.
type group struct {
	pool    *pool
	server  unix.SockaddrInet4
	request func(n int) []byte // returns the request of client n

	// source is the third byte of the clients' addresses, 127.0.source.x. It tells groups apart,
	// and several addresses have enough ports.
	source byte

	receiveBuffer int  // SO_RCVBUF; 0 is the default of the system
	deaf          bool // the clients read nothing and only notice the end of a connection
	counted       bool // events are identified by their count, not by their version
	greeted       bool // a client is ready after its first event, not after the head

	// These are called on the client's loop, and may be nil. at is in nanoseconds since 1970.
	onReady func(c *client)
	onEvent func(c *client, e event, at int64)
	onGone  func(c *client, at int64) // the server closed the connection

	mu      sync.Mutex
	clients []*client // guarded by mu; lacks the clients of redial
	failed  error     // guarded by mu: the first failure to open

	room    chan struct{} // has an element for each client that is being opened
	samples []samples     // one for each loop
	events  int64         // published since the group was settled; used by the publishing goroutine
	tally   tally
}

// sample is an event that a client received.
type sample struct {
	key int64 // the event's version, or its count if the group is counted
	at  int64 // nanoseconds since 1970
}

// samples are the events that the clients of one loop received.
type samples struct {
	list []sample
	_    [40]byte // keeps samples of different loops on different cache lines
}

// tally counts events and reports when a goal is reached.
type tally struct {
	n, goal atomic.Int64
	reached chan struct{} // has capacity 1
}

func (t *tally) add() {
	if t.n.Add(1) == t.goal.Load() {
		select {
		case t.reached <- struct{}{}:
		default:
		}
	}
}

// wait returns when the count has reached start + n, or after d.
func (t *tally) wait(ctx context.Context, start, n int64, d time.Duration) error {
	select {
	case <-t.reached: // left from an earlier goal
	default:
	}
	t.goal.Store(start + n)
	if t.n.Load() >= start+n {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-t.reached:
		return nil
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// newGroup returns a group without clients.
func (p *pool) newGroup(server unix.SockaddrInet4, request func(n int) []byte) *group {
	return &group{
		pool: p, server: server, request: request, source: 0,
		room:    make(chan struct{}, 256),
		samples: make([]samples, len(p.loops)),
		tally:   tally{reached: make(chan struct{}, 1)},
	}
}

// open opens clients and returns when all of them are ready.
func (g *group) open(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeoutCause(ctx, time.Minute, fmt.Errorf("%d clients were not ready within a minute", n))
	defer cancel()
	first := g.len()
	for i := range n {
		select {
		case g.room <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if err := g.dial(first + i); err != nil {
			return err
		}
	}
	for range cap(g.room) { // wait until no client is being opened
		select {
		case g.room <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	for range cap(g.room) {
		<-g.room
	}
	return g.failure()
}

// dial opens a client, for which the caller has put an element into room.
func (g *group) dial(n int) error {
	if err := g.failure(); err != nil {
		return err
	}
	fd, err := connect(g.server, g.source, n, g.receiveBuffer)
	if err != nil {
		return err
	}
	c := &client{fd: fd, n: n, group: g, loop: g.pool.loops[n%len(g.pool.loops)]}
	g.mu.Lock()
	g.clients = append(g.clients, c)
	g.mu.Unlock()
	return c.loop.register(c)
}

// redial opens a client that will be closed soon. The group does not list it.
func (g *group) redial(n int) error {
	fd, err := connect(g.server, g.source, n, g.receiveBuffer)
	if err != nil {
		return err
	}
	return g.pool.loops[n%len(g.pool.loops)].register(&client{fd: fd, n: n, group: g, loop: g.pool.loops[n%len(g.pool.loops)]})
}

func (g *group) len() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.clients)
}

func (g *group) fail(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.failed == nil {
		g.failed = err
	}
}

func (g *group) failure() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.failed
}

// settle discards everything that was received, so that the next event is each client's first.
func (g *group) settle() {
	for i, l := range g.pool.loops {
		l.do(func() {
			g.samples[i].list = g.samples[i].list[:0]
			g.mu.Lock()
			defer g.mu.Unlock()
			for _, c := range g.clients {
				if c.loop == l {
					c.events, c.bytes = 0, 0
				}
			}
		})
	}
	g.tally.n.Store(0)
	g.events = 0
}

// publish publishes an event, and returns the key that the event has in the group's samples.
func (g *group) publish(ctx context.Context, srv server) (publication, error) {
	p, err := srv.publish(ctx)
	g.events++
	if p.key = p.version; g.counted {
		p.key = g.events
	}
	return p, err
}

// received returns the events and the number of bytes that were received since the group was
// settled.
func (g *group) received() (list []sample, bytes int64) {
	for i, l := range g.pool.loops {
		l.do(func() {
			list = append(list, g.samples[i].list...)
			g.mu.Lock()
			defer g.mu.Unlock()
			for _, c := range g.clients {
				if c.loop == l {
					bytes += c.bytes
				}
			}
		})
	}
	return list, bytes
}

// heard handles an event of the client.
func (c *client) heard(e event, at int64) {
	g := c.group
	if g.greeted {
		if c.becomes(ready); c.state == closed {
			return
		}
	}
	if e.kind == boardEvent {
		c.events++
		key := e.version
		if g.counted {
			key = c.events
		}
		s := &g.samples[c.loop.n]
		s.list = append(s.list, sample{key, at})
		g.tally.add()
	}
	if g.onEvent != nil {
		g.onEvent(c, e, at)
	}
}

// becomes moves the client to a later state. A client that is ready leaves room for another one.
func (c *client) becomes(state clientState) {
	if c.state >= state {
		return
	}
	c.state = state
	if state == ready {
		if c.group.onReady != nil {
			c.group.onReady(c)
			return
		}
		<-c.group.room
	}
}
