package api

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"marcador/internal/membudget"
)

// memberBody bounds the body of an operation that needs no scope, in bytes. The longest token that
// is accepted, of 8 KiB, fits into it.
const memberBody = 12 << 10

// The memory that a body costs, in bytes. Each byte of it is copied while a buffer grows, and again
// into the decoded value. Each value becomes a field, an element of a list or an entry of a map;
// there is one behind each comma and each opening bracket.
const (
	costOfByte  = 3
	costOfValue = 64
)

// body is the body of a request. Memory for its bytes is reserved before it is read, and memory for
// its values while it is read. The reservation lasts until the request is answered, since the
// values do.
type body struct {
	io.ReadCloser

	w      http.ResponseWriter
	ctx    context.Context
	http1  bool
	memory *membudget.Reservation
	isCut  *atomic.Bool
	most   int64         // bytes that it may have
	wait   time.Duration // how long it may wait for memory

	begun   bool
	read    int64 // bytes
	ofValue int   // what one value costs
	values  int   // that were read
}

func (a *api) newBody(w http.ResponseWriter, r *http.Request, op *huma.Operation, may access) *body {
	b := &body{
		ReadCloser: r.Body, w: w, ctx: r.Context(), http1: r.ProtoMajor == 1, isCut: &atomic.Bool{},
		most: r.ContentLength, wait: a.Limits.Receive / 2, ofValue: costOfValue,
	}
	if b.most < 0 {
		b.most = op.MaxBodyBytes
	}
	budget := a.bodies
	if may.scope == "" { // the only values that are decoded from such a body are texts
		budget, b.ofValue = a.memberBodies, 0
	}
	rc := http.NewResponseController(w)
	b.memory = budget.Reserve(requestOf(r.Context()).memory.Account(), 0, func() {
		b.isCut.Store(true)
		_ = rc.SetReadDeadline(time.Unix(1, 0)) // setDeadlines could set it, so this can't fail
	}, func() {})
	return b
}

// Read implements io.Reader. Errors other than io.EOF are of type *problem.
func (b *body) Read(p []byte) (int, error) {
	if !b.begun {
		b.begun = true
		if !b.acquire() {
			return 0, b.busy()
		}
	}
	n, err := b.ReadCloser.Read(p)
	b.read += int64(n)
	b.memory.Progress(n * costOfByte)
	more := 0
	for _, c := range p[:n] { // a body with more than maxValues is refused
		if (c == ',' || c == '{' || c == '[') && b.values < maxValues {
			b.values++
			more += b.ofValue
		}
	}
	if more > 0 && !b.memory.Grow(more) || b.isCut.Load() {
		return n, b.busy()
	}
	timeout, is := errors.AsType[net.Error](err)
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, io.EOF):
		b.memory.Settle(b.read*costOfByte + int64(b.values*b.ofValue))
		// From now on only net/http reads, to notice when the client leaves. That needs no
		// deadline. setDeadlines could set it, so this can't fail.
		_ = http.NewResponseController(b.w).SetReadDeadline(time.Time{})
		return n, io.EOF
	case is && timeout.Timeout():
		return n, problemOf(http.StatusRequestTimeout, "request_timeout", "the body did not arrive in time; send it at once")
	}
	return n, problemOf(http.StatusBadRequest, "body_broken", "the body is incomplete; send all of it")
}

// acquire waits for memory for the bytes of the body. It reports whether there was any in time.
func (b *body) acquire() bool {
	ctx, cancel := context.WithTimeout(b.ctx, b.wait)
	defer cancel()
	cost := int(b.most * costOfByte)
	made, err := b.memory.Acquire(ctx, membudget.NoSlot, cost, 0)
	if err == nil {
		made(cost) // the body is "unread" until all of it has arrived
	}
	return err == nil
}

// busy returns the problem that there is no memory for the body.
func (b *body) busy() error {
	b.w.Header().Set("Retry-After", "1")
	if b.http1 { // otherwise net/http would read the rest of the body before it answers
		b.w.Header().Set("Connection", "close")
	}
	return problemOf(http.StatusServiceUnavailable, "busy", "more is being sent than the service can take at once; try again")
}

// Close does nothing. net/http closes the body after the answer.
func (b *body) Close() error { return nil }
