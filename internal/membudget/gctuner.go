package membudget

import (
	"runtime"
	"runtime/debug"
	"sync"
	"time"
)

// busyPercent is the GC percentage while much memory is in use: there may be half as much garbage
// as memory in use. Go's default allows as much again.
const busyPercent = 50

// quietAfter is how long little memory has to be in use before the GC percentage is restored.
const quietAfter = 10 * time.Second

// GCTuner collects garbage sooner while much memory is in use, and returns memory to the system
// afterwards: an idle process does not collect garbage, so its memory would stay large for minutes.
// It changes the GC percentage of the whole process, so there is one for all budgets. It is safe
// for concurrent use.
type GCTuner struct {
	mu        sync.Mutex
	disturbed time.Time   // guarded by mu: when Disturb was last called
	timer     *time.Timer // guarded by mu; nil while memory use is low
	percent   int         // guarded by mu: the GC percentage to restore, while there is a timer
}

// NewGCTuner returns a tuner that has changed nothing yet.
func NewGCTuner() *GCTuner { return &GCTuner{} }

// Disturb says that much memory is in use now.
func (t *GCTuner) Disturb() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.disturbed = time.Now()
	if t.timer != nil {
		return
	}
	t.timer = time.AfterFunc(quietAfter, t.restore)
	if t.percent = debug.SetGCPercent(busyPercent); 0 <= t.percent && t.percent < busyPercent {
		debug.SetGCPercent(t.percent) // GOGC asks for an even lower percentage
	}
}

// restore is called by the timer. It waits on if Disturb was called meanwhile.
func (t *GCTuner) restore() {
	t.mu.Lock()
	if left := quietAfter - time.Since(t.disturbed); left > 0 {
		t.timer.Reset(left)
		t.mu.Unlock()
		return
	}
	t.timer = nil
	debug.SetGCPercent(t.percent)
	t.mu.Unlock()
	runtime.GC() // sync.Pools are empty after two collections; FreeOSMemory runs the second
	debug.FreeOSMemory()
}
