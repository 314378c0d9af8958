package live

import (
	"log/slog"
	"sync"
	"time"
)

const (
	// minJump is the smallest jump of the clock that is logged. Programs that adjust a clock move
	// it by less than this, and slowly.
	minJump = time.Minute

	// maxTrustedJump is the largest jump after which old periods are still pruned. By a clock
	// that is years ahead, all closed periods are old.
	maxTrustedJump = 30 * 24 * time.Hour

	// remindEvery is the time between two log entries that the ledger is ahead of the clock.
	remindEvery = time.Hour
)

// clock reads the machine's clock, and logs when it jumps. Safe for concurrent use.
type clock struct {
	read    func() time.Time
	elapsed func() time.Duration // see Options.Elapsed; if it is nil, jumps are not detected
	log     *slog.Logger

	mu       sync.Mutex
	last     time.Time     // guarded by mu: what the clock said when it was last read
	since    time.Duration // guarded by mu: what elapsed said at that time
	doubtful bool          // guarded by mu: there was a jump ahead by more than maxTrustedJump
	reminded time.Duration // guarded by mu: what elapsed said at the last reminder; 0 for none yet
}

// newClock returns a clock, and reads it for the first time.
func newClock(opts *Options) *clock {
	c := &clock{read: opts.Now, elapsed: opts.Elapsed, log: opts.Log}
	c.last = c.read().Round(0)
	if c.elapsed != nil {
		c.since = c.elapsed()
	}
	return c
}

// begin compares the clock with the time of the last change in the database.
func (c *clock) begin(last time.Time) {
	now := c.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.elapsed != nil && now.Sub(last) > maxTrustedJump {
		c.doubtful = true
		c.log.Warn("either nothing was written for a long time, or the clock is ahead;"+
			" until the next start, no closed period is removed, however old it is",
			"clock", now.UTC(), "last_change", last.UTC())
	}
}

// Now returns the clock's time. If the clock has jumped since it was last read, Now logs that.
func (c *clock) Now() time.Time {
	now := c.read()
	if c.elapsed == nil {
		return now
	}
	elapsed := c.elapsed()
	c.mu.Lock()
	defer c.mu.Unlock()
	wall := now.Round(0) // without the monotonic reading
	jump := wall.Sub(c.last) - (elapsed - c.since)
	from := c.last
	c.last, c.since = wall, elapsed
	switch {
	case jump > minJump:
		c.doubtful = c.doubtful || jump > maxTrustedJump
		c.log.Warn("the clock has jumped ahead, or the machine slept; new changes get the new time,"+
			" and periods that are over by it are closed; if the clock is wrong, stop the service,"+
			" set the clock, and run marcador redate",
			"by", jump.Round(time.Second), "from", from.UTC(), "to", wall.UTC())
	case jump < -minJump:
		c.log.Warn("the clock has gone back; new changes get the time of the last change until the clock has passed it",
			"by", -jump.Round(time.Second), "from", from.UTC(), "to", wall.UTC())
	}
	return now
}

// ahead logs, at most once in remindEvery, that the last change is later than the clock, if it is.
func (c *clock) ahead(last time.Time) {
	now := c.Now()
	if c.elapsed == nil || last.Sub(now) <= minJump {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reminded != 0 && c.since-c.reminded < remindEvery {
		return
	}
	c.reminded = max(c.since, 1)
	c.log.Error("the last change lies ahead of the clock; until the clock has passed it, new changes get its time,"+
		" and no period ends; if the clock is right, stop the service, and run marcador redate",
		"last_change", last.UTC(), "clock", now.UTC())
}

// mayPrune reports whether the clock can be trusted to say that a period is old.
func (c *clock) mayPrune() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.doubtful
}
