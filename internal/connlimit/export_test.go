package connlimit

import "time"

// SetNow gives the guard another clock.
func (g *Limiter) SetNow(now func() time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.now = now
}

// Len is how many connections are known, in all that knows them.
func (g *Limiter) Len() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := len(g.conns) + g.open + len(g.fresh)
	for s := range g.orders {
		n += g.orders[s].Len()
	}
	return n
}

// Open is how many connections may be closed.
func (g *Limiter) Open() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.open
}
