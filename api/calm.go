package api

import (
	"runtime"
	"runtime/debug"
	"sync"
	"time"
)

// calm gives memory back to the system once a storm is over: garbage is not collected while
// nothing is asked for, and would stay for minutes. Safe for concurrent use.
type calm struct {
	after time.Duration

	mu    sync.Mutex
	last  time.Time   // guarded by mu: when it was disturbed
	timer *time.Timer // guarded by mu; nil for none
}

func newCalm() *calm { return &calm{after: 10 * time.Second} }

// disturb says that much is held now.
func (c *calm) disturb() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = time.Now()
	if c.timer == nil {
		c.timer = time.AfterFunc(c.after, c.look)
	}
}

func (c *calm) look() {
	c.mu.Lock()
	if left := c.after - time.Since(c.last); left > 0 {
		c.timer.Reset(left)
		c.mu.Unlock()
		return
	}
	c.timer = nil
	c.mu.Unlock()
	runtime.GC() // pools let go of what they have in two collections
	debug.FreeOSMemory()
}
