package connlimit

import "time"

// SetNow gives the limiter another clock.
func (l *Limiter) SetNow(now func() time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now = now
}

// Len returns the size of everything in which the limiter remembers connections.
func (l *Limiter) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.conns) + l.open + len(l.unused)
	for s := range l.orders {
		n += l.orders[s].Len()
	}
	return n
}

// Open returns how many connections are open and not exempt.
func (l *Limiter) Open() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open
}
