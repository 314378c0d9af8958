package api

import (
	"context"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
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
func NewRoom(most int64) Room { return Room{newRoom(most, 4, 1, newCalm())} }

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
func (r Room) Turns() int { return r.room.turns[present].most }

// Begin waits for a turn and room.
func (h Hold) Begin(ctx context.Context, size int) (made func(size int), err error) {
	return h.hold.begin(ctx, present, 0, size)
}

// BeginPast is Begin for an answer from the database.
func (h Hold) BeginPast(ctx context.Context, size int) (made func(size int), err error) {
	return h.hold.begin(ctx, past, 0, size)
}

// Answers says that a short answer is there to be read.
func (h Hold) Answers() { h.hold.answers() }

// Is says whose the hold is.
func (h Hold) Is(account string) { h.hold.is(account) }

// Read says that so many bytes of the answer were read.
func (h Hold) Read(n int) { h.hold.read(n) }

// Leave gives all back.
func (h Hold) Leave() { h.hold.leave() }

// ErrNoRoom is why an answer is not made.
var ErrNoRoom = errNoRoom

// Answer makes an answer of that size and writes it, as a handler does: as MessagePack, from JSON.
func (h Hold) Answer(ctx context.Context, w http.ResponseWriter, size int, packed bool) error {
	if packed {
		h.hold.copies = 2
	}
	req := &request{hold: h.hold, answer: &answerWriter{ResponseWriter: w, hold: h.hold, piece: pieceOfConn}}
	a := &api{room: h.hold.room}
	made, err := a.begin(context.WithValue(ctx, requestKey{}, req), present, 0, size)
	if err != nil {
		return err
	}
	made(size)
	_, err = req.answer.Write(make([]byte, size))
	return err
}

// NewWithRoom is New with the room that its answers take.
func NewWithRoom(opts Options) (http.Handler, Room) {
	a := newAPI(opts)
	return http.HandlerFunc(a.serve), Room{a.room}
}

// LearnBody has a checker learn the body of an operation.
func LearnBody(body *huma.Schema) {
	registry := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	ref := registry.Schema(reflect.TypeFor[limit](), true, "")
	registry.Map()["Limit"].Properties["more"] = body
	content := map[string]*huma.MediaType{jsonType: {Schema: ref}}
	(&checker{}).learn(&huma.OpenAPI{
		Components: &huma.Components{Schemas: registry},
		Paths:      map[string]*huma.PathItem{"/": {Put: &huma.Operation{RequestBody: &huma.RequestBody{Content: content}}}},
	})
}
