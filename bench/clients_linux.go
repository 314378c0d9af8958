package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// client is one connection. Its loop's goroutine owns it once it is registered.
type client struct {
	fd    int
	n     int // its number in the group
	group *group
	loop  *loop

	state  clientState
	scan   scanner
	events int64 // on the board, since the group was settled
	bytes  int64 // received
}

type clientState uint8

const (
	connecting clientState = iota
	asked
	ready
	closed
)

// group is clients that do the same.
type group struct {
	pool    *pool
	server  unix.SockaddrInet4
	request func(n int) []byte // what client n sends, whole

	// source is the third byte of the addresses that the clients come from: 127.0.source.1
	// and further, so that groups can be told apart and ports suffice.
	source byte

	receiveBuffer int  // SO_RCVBUF, 0 for what the system gives
	deaf          bool // reads nothing; is told only when the other side hangs up
	counted       bool // events are known by their count, not by their versions
	greeted       bool // a client is ready with its first event, not with the response's head

	// Each is called on the client's loop, and may be nil. at is in nanoseconds since 1970.
	onReady func(c *client)
	onEvent func(c *client, e event, at int64)
	onGone  func(c *client, at int64) // the other side hung up

	mu      sync.Mutex
	clients []*client // guarded by mu; without those that were closed again
	failed  error     // guarded by mu: the first failure to open

	room    chan struct{} // holds one for each that is being opened
	samples []samples     // one of each loop
	events  int64         // published since the group was settled; of who publishes
	tally   tally
}

// sample is an event that a client received.
type sample struct {
	key int64 // its version, or how many the client had received with it
	at  int64 // nanoseconds since 1970
}

// samples belong to one loop.
type samples struct {
	list []sample
	_    [40]byte // the loops' are on cache lines of their own
}

// tally counts events and says when a number is reached.
type tally struct {
	n, goal atomic.Int64
	reached chan struct{} // of capacity 1
}

func (t *tally) add() {
	if t.n.Add(1) == t.goal.Load() {
		select {
		case t.reached <- struct{}{}:
		default:
		}
	}
}

// wait returns when n more have been counted than start, or after d.
func (t *tally) wait(ctx context.Context, start, n int64, d time.Duration) error {
	select {
	case <-t.reached: // of an earlier goal
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
	for range cap(g.room) { // all have left the room
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

// dial begins a client that has room.
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

// redial is dial for clients that come and go: they are not kept in the group.
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

// settle forgets what was received, so that the next event is each client's first.
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

// publish publishes an event under the key that the group's samples will have.
func (g *group) publish(ctx context.Context, srv server) (publication, error) {
	p, err := srv.publish(ctx)
	g.events++
	if p.key = p.version; g.counted {
		p.key = g.events
	}
	return p, err
}

// received returns what has been received since the group was settled, and how
// many bytes that were.
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

// heard is what a loop does with an event.
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

// becomes notes the first time that a client is ready.
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
