package api

import (
	"runtime"
	"runtime/debug"
	"sync"
	"time"
)

// tight is the GC percentage while much is held: garbage may be half of what is in use. By default
// it may be as much again.
const tight = 50

// calm collects garbage sooner during a storm, and gives memory back to the system once the storm
// is over: garbage is not collected while nothing is asked for, and would stay for minutes. Safe
// for concurrent use.
type calm struct {
	after time.Duration

	mu      sync.Mutex
	last    time.Time   // guarded by mu: when it was disturbed
	timer   *time.Timer // guarded by mu; nil for none
	percent int         // guarded by mu: the GC percentage to go back to, while there is a timer
}

func newCalm() *calm { return &calm{after: 10 * time.Second} }

// disturb says that much is held now.
func (c *calm) disturb() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = time.Now()
	if c.timer == nil { // the storm begins
		c.timer = time.AfterFunc(c.after, c.look)
		if c.percent = debug.SetGCPercent(tight); 0 <= c.percent && c.percent < tight {
			debug.SetGCPercent(c.percent) // whoever started the process wants it tighter
		}
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
	debug.SetGCPercent(c.percent)
	c.mu.Unlock()
	runtime.GC() // pools let go of what they have in two collections
	debug.FreeOSMemory()
}
