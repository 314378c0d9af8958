package api

import (
	"context"
	"time"
)

// Pace is that of callers who write.
type Pace struct{ pace *pace }

// NewPace returns one of so many updates a second.
func NewPace(perSecond int) Pace { return Pace{newPace(perSecond)} }

// Write writes so many updates, unless the caller has to wait before.
func (p Pace) Write(caller string, updates int) (wait time.Duration) {
	if wait = p.pace.begin(caller); wait == 0 {
		p.pace.also(caller, updates-1)
	}
	return wait
}

// MaxPaces is how many callers it knows.
const MaxPaces = maxPaces

// Turns are those of pages that are made.
type Turns struct{ turns turns }

// NewTurns returns turns that nobody has.
func NewTurns() Turns { return Turns{newTurns()} }

// Take waits for one.
func (t Turns) Take(ctx context.Context) (giveBack func(), err error) { return t.turns.take(ctx) }
