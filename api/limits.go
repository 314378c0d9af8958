package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// Limits bound what requests may take. The zero value of a field is its default. Streams have
// limits of their own; see sse.Options.
type Limits struct {
	// Receive is how long the body of a request may take to arrive. Past it the answer is a 408.
	// The default is 8 s.
	Receive time.Duration

	// Answer is how long a request may take from the end of its header to its answer. Past it the
	// answer is a 503. The default is 10 s.
	Answer time.Duration

	// Deliver is how long a client may take to read an answer. Past it the connection is closed.
	// The default is 30 s.
	Deliver time.Duration

	// Bodies is how many bytes the bodies of callers with a scope may use together, with the values
	// that are decoded from them. A request that finds no memory waits, for up to half of Receive;
	// then the answer is a 503. Callers are served in rotation. The bodies of callers without a
	// scope may use a quarter as much. The default is 64 MiB.
	Bodies int64

	// Answers is how many bytes answers may use together, from before they are made until they are
	// read, with what net/http keeps for requests over HTTP/2. Past it the answer that has gone
	// unread for the longest is cut off, of the caller who uses the most. The default is 32 MiB.
	Answers int64

	// WriteRate is how many updates a second one caller may write. Past it the answer is a 429.
	// Each update of a batch counts, and any other write counts as one. The default is 0, which
	// means no limit.
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

// setDeadlines sets the deadlines of a request: for its body to arrive, and for its answer to be
// read. The first one is set even if no handler reads the body, because net/http reads the rest of
// it after the answer.
func (a *api) setDeadlines(w http.ResponseWriter, r *http.Request) {
	rc := http.NewResponseController(w)
	now := time.Now()
	err := rc.SetWriteDeadline(now.Add(a.Limits.Deliver))
	if r.Body != http.NoBody {
		err = errors.Join(err, rc.SetReadDeadline(now.Add(a.Limits.Receive)))
	}
	if err != nil && !errors.Is(err, net.ErrClosed) { // a client that is gone needs no deadline
		a.Log.ErrorContext(r.Context(), "set deadlines", "error", err)
	}
}

// limitRequest bounds how long a request may take, and the memory of its body. It does not bound
// streams.
func (a *api) limitRequest(ctx huma.Context, next func(huma.Context)) {
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
			if r.ProtoMajor == 1 { // otherwise net/http would read the rest of the body before it answers
				w.Header().Set("Connection", "close")
			}
			_ = huma.WriteErr(a.huma, ctx, http.StatusRequestEntityTooLarge, fmt.Sprintf(tooLarge, most)) // huma reports it
			return
		}
		b := a.newBody(w, r.WithContext(limited), ctx.Operation(), may)
		defer b.memory.Release()
		r.Body = b
	}
	next(huma.WithContext(ctx, limited))
}

// tooLarge is the beginning of huma's own message for a body that turns out to be too large.
const tooLarge = "request body is too large limit=%d bytes"
