package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// Limits bound what requests may take. The zero value of a field is its default.
// Streams have bounds of their own.
type Limits struct {
	// Receive is how long the body of a request may take to come; past it the
	// answer is a 408. Default 8 s.
	Receive time.Duration

	// Answer is how long a request may take to be answered, from when its head is
	// there; past it the answer is a 503. Default 10 s.
	Answer time.Duration

	// Deliver is how long an answer may take to be read; past it the connection is
	// closed. Default 30 s.
	Deliver time.Duration

	// Bodies is how many bytes the bodies of all who may write may take at once, with what is made
	// of them. Past it requests wait for half of Receive, callers in turn; then the answer is a 503.
	// Those of all others may take a quarter of it. Default 64 MiB.
	Bodies int64

	// Answers is how many bytes answers may take at once, from before they are made until they are
	// read, with what requests over HTTP/2 take beside; past it those are cut off that were not
	// read for the longest, of the caller who holds the most. Default 32 MiB.
	Answers int64

	// WriteRate is how many updates a second one caller may write; past it the
	// answer is a 429. A batch counts as what is in it, any other write as one.
	// Default 0, no limit.
	WriteRate int
}

func (l Limits) withDefaults() Limits {
	if l.Receive == 0 {
		l.Receive = 8 * time.Second
	}
	if l.Answer == 0 {
		l.Answer = 10 * time.Second
	}
	if l.Deliver == 0 {
		l.Deliver = 30 * time.Second
	}
	if l.Bodies == 0 {
		l.Bodies = 64 << 20
	}
	if l.Answers == 0 {
		l.Answers = 32 << 20
	}
	return l
}

// setDeadlines sets those of a request: for its body to come, whether anybody
// reads it or not, since net/http would wait for the rest of it after the answer;
// and for the answer to be read.
func (a *api) setDeadlines(w http.ResponseWriter, r *http.Request) {
	rc := http.NewResponseController(w)
	now := time.Now()
	err := rc.SetWriteDeadline(now.Add(a.Limits.Deliver))
	if r.Body != http.NoBody {
		err = errors.Join(err, rc.SetReadDeadline(now.Add(a.Limits.Receive)))
	}
	if err != nil && !errors.Is(err, net.ErrClosed) { // who has gone needs none
		a.Log.ErrorContext(r.Context(), "set deadlines", "error", err)
	}
}

// hurry bounds what a request may take that is not a stream: how long, and how much
// of its body is held beside those of others.
func (a *api) hurry(ctx huma.Context, next func(huma.Context)) {
	may, _ := ctx.Operation().Metadata[accessKey].(access)
	if may.stream {
		next(ctx)
		return
	}
	limited, cancel := context.WithTimeout(ctx.Context(), a.Limits.Answer)
	defer cancel()
	r, w := humago.Unwrap(ctx)
	if r.Body != http.NoBody {
		if coding := r.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
			p := problemOf(http.StatusUnsupportedMediaType, "unsupported_media_type", "send the body as it is, without Content-Encoding")
			_ = huma.WriteErr(a.huma, ctx, p.Status, p.Detail, p) // huma reports it
			return
		}
		if most := ctx.Operation().MaxBodyBytes; most > 0 && r.ContentLength > most {
			if r.ProtoMajor == 1 {
				w.Header().Set("Connection", "close") // else the answer would wait for the rest
			}
			_ = huma.WriteErr(a.huma, ctx, http.StatusRequestEntityTooLarge, fmt.Sprintf(tooLarge, most)) // huma reports it
			return
		}
		b := a.newBody(w, r.WithContext(limited), ctx.Operation(), may)
		defer b.hold.leave()
		r.Body = b
	}
	next(huma.WithContext(ctx, limited))
}

// tooLarge begins as huma's own message for a body that turns out to be too large.
const tooLarge = "request body is too large limit=%d bytes"

// memberBody bounds, in bytes, the body of what anybody with a token may ask for. The longest token
// that is taken, of 8 KiB, fits into it.
const memberBody = 12 << 10

// What a body takes of memory. A byte of it is copied while a buffer grows, and once more into
// what is made of it. A value, of which there is one behind each comma and bracket, becomes a field, an
// element of a list or an entry of a map.
const (
	costOfByte  = 3
	costOfValue = 64
)

// body is the body of one request. What it costs is reserved before it is read, and counts as held
// until the request is answered, since its values are.
type body struct {
	io.ReadCloser

	w     http.ResponseWriter
	ctx   context.Context
	one   bool // over HTTP/1
	hold  *hold
	isCut *atomic.Bool
	most  int64         // bytes that it may have
	wait  time.Duration // how long it may wait for room

	begun   bool
	read    int64
	ofValue int // what one costs
	values  int
}

func (a *api) newBody(w http.ResponseWriter, r *http.Request, op *huma.Operation, may access) *body {
	b := &body{
		ReadCloser: r.Body, w: w, ctx: r.Context(), one: r.ProtoMajor == 1, isCut: &atomic.Bool{},
		most: r.ContentLength, wait: a.Limits.Receive / 2, ofValue: costOfValue,
	}
	if b.most < 0 {
		b.most = op.MaxBodyBytes
	}
	of := a.bodies
	if may.scope == "" { // nothing is made of a value that is no text
		of, b.ofValue = a.memberBodies, 0
	}
	rc := http.NewResponseController(w)
	b.hold = of.enter(requestOf(r.Context()).hold.name, 0, func() {
		b.isCut.Store(true)
		_ = rc.SetReadDeadline(time.Unix(1, 0)) // as it could be set before
	}, func() {})
	return b
}

// Read returns a *problem where the body can't be read to its end.
func (b *body) Read(p []byte) (int, error) {
	if !b.begun {
		b.begun = true
		if !b.begin() {
			return 0, b.busy()
		}
	}
	n, err := b.ReadCloser.Read(p)
	b.read += int64(n)
	b.hold.read(n * costOfByte)
	more := 0
	for _, c := range p[:n] {
		if (c == ',' || c == '{' || c == '[') && b.values < maxValues { // past it none is made
			b.values++
			more += b.ofValue
		}
	}
	if more > 0 && !b.hold.grow(more) || b.isCut.Load() {
		return n, b.busy()
	}
	timeout, is := errors.AsType[net.Error](err)
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, io.EOF):
		b.hold.keep(b.read*costOfByte + int64(b.values*b.ofValue))
		// It is here: what still reads is net/http, to see whether the client goes.
		_ = http.NewResponseController(b.w).SetReadDeadline(time.Time{}) // as it could be set
		return n, io.EOF
	case is && timeout.Timeout():
		return n, problemOf(http.StatusRequestTimeout, "request_timeout", "the body did not come in time; send it at once")
	}
	return n, problemOf(http.StatusBadRequest, "body_broken", "the body does not end as it should; send all of it")
}

// begin waits until there is room for the body, or for so long as it may.
func (b *body) begin() bool {
	ctx, cancel := context.WithTimeout(b.ctx, b.wait)
	defer cancel()
	cost := int(b.most * costOfByte)
	arrives, err := b.hold.begin(ctx, unturned, cost, 0)
	if err == nil {
		arrives(cost)
	}
	return err == nil
}

func (b *body) busy() error {
	b.w.Header().Set("Retry-After", "1")
	if b.one {
		b.w.Header().Set("Connection", "close") // else the answer would wait for the rest
	}
	return problemOf(http.StatusServiceUnavailable, "busy", "more is being sent than the service can take at once; try again")
}

// Close does nothing: net/http closes the body, for which it waits for the rest.
func (b *body) Close() error { return nil }
