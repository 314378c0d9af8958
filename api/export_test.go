package api

import (
	"context"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"marcador/internal/membudget"
)

// RateLimit is the limit of --write-rate.
type RateLimit struct{ limit *rateLimit }

// NewRateLimit returns a limit of that many updates a second.
func NewRateLimit(perSecond int) RateLimit { return RateLimit{newRateLimit(perSecond)} }

// Write writes that many updates, or returns how long the caller has to wait before.
func (l RateLimit) Write(caller string, updates int) (wait time.Duration) {
	if wait = l.limit.begin(caller); wait == 0 {
		l.limit.add(caller, updates-1)
	}
	return wait
}

// MaxCallers is how many callers a RateLimit remembers.
const MaxCallers = maxCallers

// WriteAnswer makes and writes an answer of that size as a handler does. A packed one is made as
// JSON and written as MessagePack.
func WriteAnswer(ctx context.Context, memory *membudget.Reservation, w http.ResponseWriter, size int, packed bool) error {
	if packed {
		memory.CountCopies(2)
	}
	req := &request{memory: memory, answer: &answerWriter{ResponseWriter: w, memory: memory, piece: pieceOfConn}}
	made, err := (&api{}).acquire(context.WithValue(ctx, requestKey{}, req), membudget.PageSlot, 0, size)
	if err != nil {
		return err
	}
	made(size)
	_, err = req.answer.Write(make([]byte, size))
	return err
}

// NewWithBudget is New. It also returns the memory budget of the answers.
func NewWithBudget(opts Options) (http.Handler, *membudget.Budget) {
	a := newAPI(opts)
	return http.HandlerFunc(a.serve), a.answers
}

// LearnBody has a bodyChecker learn the schema of a body.
func LearnBody(body *huma.Schema) {
	registry := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	ref := registry.Schema(reflect.TypeFor[limit](), true, "")
	registry.Map()["Limit"].Properties["more"] = body
	content := map[string]*huma.MediaType{jsonType: {Schema: ref}}
	(&bodyChecker{}).learn(&huma.OpenAPI{
		Components: &huma.Components{Schemas: registry},
		Paths:      map[string]*huma.PathItem{"/": {Put: &huma.Operation{RequestBody: &huma.RequestBody{Content: content}}}},
	})
}
