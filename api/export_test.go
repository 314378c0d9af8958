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

// Room is the memory that answers take together.
type Room struct{ room *room }

// NewRoom returns an empty one of so many bytes.
func NewRoom(most int64) Room { return Room{newRoom(most, 4, newCalm())} }

// Hold is what a request holds in a Room.
type Hold struct{ hold *hold }

// Enter returns the hold of a request of that size.
func (r Room) Enter(account string, size int, cut, kill func()) Hold {
	return Hold{r.room.enter(account, size, cut, kill)}
}

// Held is how many bytes are, and of how many accounts.
func (r Room) Held() (bytes int64, accounts int) {
	r.room.mu.Lock()
	defer r.room.mu.Unlock()
	return r.room.held, len(r.room.accounts)
}

// Turns is how many answers may be made at once.
func (r Room) Turns() int { return r.room.turns }

// Begin waits for a turn and room.
func (h Hold) Begin(ctx context.Context, size int) (made func(size int), err error) {
	return h.hold.begin(ctx, size)
}

// Is says whose the hold is.
func (h Hold) Is(account string) { h.hold.is(account) }

// Read says that some of the answer was read.
func (h Hold) Read() { h.hold.read() }

// Leave gives all back.
func (h Hold) Leave() { h.hold.leave() }

// ErrNoRoom is why an answer is not made.
var ErrNoRoom = errNoRoom
