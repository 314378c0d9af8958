package connlimit

import (
	"container/list"
	"crypto/tls"
	"io"
	"net"
)

// begin counts a request. It reports whether the request may go on.
func (l *Limiter) begin(r *request, http2 bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.use(r.conn)
	if http2 {
		share := max(l.opts.HTTP2Requests/max(l.http2Conns, 1), minShare)
		if l.http2 >= l.opts.HTTP2Requests && r.conn.http2 >= share {
			return false
		}
		l.countHTTP2(r, true)
	}
	r.conn.requests[r.stage]++
	l.reorder(r.conn)
	return true
}

// move moves a request to another stage.
func (l *Limiter) move(r *request, to stage) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.conn.requests[r.stage]--
	r.stage = to
	r.conn.requests[to]++
	if to == exempt {
		l.countHTTP2(r, false)
	}
	l.reorder(r.conn)
}

// received is called when the whole body of the request has arrived.
func (l *Limiter) received(r *request) {
	l.mu.Lock()
	isExempt := r.stage == exempt
	l.mu.Unlock()
	if !isExempt {
		l.move(r, answering)
	}
}

// end is called when the request has been handled.
func (l *Limiter) end(r *request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.conn.requests[r.stage]--
	l.countHTTP2(r, false)
	l.reorder(r.conn)
}

// The methods of Limiter below are called with mu held.

// countHTTP2 counts the request as one over HTTP/2, or no longer does.
func (l *Limiter) countHTTP2(r *request, on bool) {
	if r.http2 == on {
		return
	}
	r.http2 = on
	by := -1
	if on {
		by = 1
	}
	had := r.conn.http2 > 0
	l.http2 += by
	r.conn.http2 += by
	if has := r.conn.http2 > 0; has != had {
		l.http2Conns += by
	}
}

// use removes the connection from those that had no request yet.
func (l *Limiter) use(c *conn) {
	if c.unused == nil {
		return
	}
	unused := l.unused[c.client]
	unused.Remove(c.unused)
	c.unused = nil
	if unused.Len() == 0 {
		delete(l.unused, c.client)
	}
}

// reorder moves the connection to the highest stage that one of its requests is in.
func (l *Limiter) reorder(c *conn) {
	to := exempt
	for to > waiting && c.requests[to] == 0 {
		to--
	}
	if c.forgotten || to == c.stage && c.elem != nil {
		return
	}
	l.removeFromOrder(c)
	c.stage, c.since = to, l.now()
	if to < exempt {
		c.elem = l.orders[to].PushBack(c)
		l.open++
	}
}

func (l *Limiter) removeFromOrder(c *conn) {
	if c.elem != nil {
		l.orders[c.stage].Remove(c.elem)
		c.elem = nil
		l.open--
	}
}

// leastUseful returns the connection to close next, other than but. There must be one.
func (l *Limiter) leastUseful(but *conn) (found *conn) {
	now, heaviest := l.now(), -1.0
	for s := range l.orders {
		e := l.orders[s].Front()
		if e != nil && e.Value == any(but) {
			e = e.Next()
		}
		if e == nil {
			continue
		}
		c := connOf(e)
		if weight := float64(now-c.since) * weights[s]; weight > heaviest {
			found, heaviest = c, weight
		}
	}
	return found
}

func connOf(e *list.Element) *conn {
	c, _ := e.Value.(*conn) // the lists hold nothing else
	return c
}

// evict counts and forgets the connection. The caller closes it once mu is unlocked.
func (l *Limiter) evict(c *conn) *conn {
	l.closed[c.stage]++
	l.forget(c)
	return c
}

func (l *Limiter) forget(c *conn) {
	l.use(c)
	l.removeFromOrder(c)
	c.forgotten = true
	delete(l.conns, c.Conn)
}

// close closes the connection without TLS's closing message, which would have to wait for the
// client. The goroutine of the server then notices that it is closed. What is still on its way to
// the client only arrives if all of it was written.
func (c *conn) close() {
	inner := c.Conn
	if secured, ok := inner.(*tls.Conn); ok {
		inner = secured.NetConn()
	}
	if tcp, ok := inner.(*net.TCPConn); ok && c.stage != waiting {
		_ = tcp.SetLinger(0) // if that fails, the kernel goes on sending for a while
	}
	_ = inner.Close() // nobody uses it any more
}

// body notices when the whole body of a request has arrived.
type body struct {
	io.ReadCloser

	req *request // nil once the body has arrived
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF && b.req != nil {
		b.req.limiter.received(b.req)
		b.req = nil
	}
	return n, err
}
