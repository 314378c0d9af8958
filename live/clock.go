package live

import (
	"log/slog"
	"sync"
	"time"
)

const (
	// leap is by how much a clock has to jump to be spoken of. Clocks that are kept right
	// are moved by less, and slowly.
	leap = time.Minute

	// doubt is how far time may have passed at once for old periods still to be removed:
	// by a clock that is years ahead all of them are old.
	doubt = 30 * 24 * time.Hour

	// reminder is how often it is said that the ledger lies ahead of the clock.
	reminder = time.Hour
)

// clock is the machine's clock, watched. Safe for concurrent use.
type clock struct {
	read    func() time.Time
	elapsed func() time.Duration // since some moment, however the clock is set; nil where that is not known
	log     *slog.Logger

	mu       sync.Mutex
	last     time.Time     // guarded by mu: what the clock said when it was last read
	since    time.Duration // guarded by mu: what elapsed said then
	doubtful bool          // guarded by mu: see doubt
	reminded time.Duration // guarded by mu: what elapsed said when ahead last spoke; 0 for never
}

// newClock returns a clock that is read now.
func newClock(opts *Options) *clock {
	c := &clock{read: opts.Now, elapsed: opts.Elapsed, log: opts.Log}
	c.last = c.read().Round(0)
	if c.elapsed != nil {
		c.since = c.elapsed()
	}
	return c
}

// begin compares the clock with when the last change was made.
func (c *clock) begin(last time.Time) {
	now := c.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.elapsed != nil && now.Sub(last) > doubt {
		c.doubtful = true
		c.log.Warn("nothing was written for long, or the clock is ahead: closed periods that are too old to be kept are left until the next start",
			"clock", now.UTC(), "last_change", last.UTC())
	}
}

// Now is the time by the clock. It says where the clock has jumped since it was last read.
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
	case jump > leap:
		c.doubtful = c.doubtful || jump > doubt
		c.log.Warn("the clock has jumped ahead, or the machine slept: what is written now is dated by it, and periods that end by it are closed;"+
			" if it is wrong, stop the service, set the clock, and run marcador redate", "by", jump.Round(time.Second), "from", from.UTC(), "to", wall.UTC())
	case jump < -leap:
		c.log.Warn("the clock has gone back: what is written keeps the time of the last change until the clock is past that", "by", -jump.Round(time.Second), "from", from.UTC(), "to", wall.UTC())
	}
	return now
}

// ahead says once an hour that the last change lies ahead of the clock, if it does.
func (c *clock) ahead(last time.Time) {
	now := c.Now()
	if c.elapsed == nil || last.Sub(now) <= leap {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reminded != 0 && c.since-c.reminded < reminder {
		return
	}
	c.reminded = max(c.since, 1)
	c.log.Error("the last change lies ahead of the clock: all that is written gets its time, and no period ends before it;"+
		" if the clock is right, stop the service, and run marcador redate", "last_change", last.UTC(), "clock", now.UTC())
}

// mayPrune reports whether what is old by the clock is old for certain.
func (c *clock) mayPrune() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.doubtful
}
