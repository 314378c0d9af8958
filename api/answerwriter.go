package api

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"time"

	"marcador/internal/connlimit"
	"marcador/internal/forwarded"
	"marcador/internal/membudget"
)

const (
	// large is the size in bytes from which a write counts as memory. The kernel takes a smaller
	// one at once. Over HTTP/2, perRequest covers it.
	large = 16 << 10

	// perRequest is what a request over HTTP/2 uses beside its header and its answer. For each
	// stream net/http keeps a goroutine, a buffer and its own state, and the client decides how
	// long: even the shortest answer has to wait until the client takes it.
	perRequest = 16 << 10

	// pieceOfStream and pieceOfConn are how much of an answer is written at a time, over HTTP/2 and
	// over HTTP/1. Each piece that was written shows that the client still reads. An HTTP/2
	// connection keeps a buffer as large as the largest piece that it was given.
	pieceOfStream = 16 << 10
	pieceOfConn   = 64 << 10
)

// reserve returns the memory reservation of a request. It counts towards the client's address until
// authorize knows the caller. cancel ends what the request waits for.
func (a *api) reserve(w http.ResponseWriter, r *http.Request, cancel func()) *membudget.Reservation {
	rc, ctx := http.NewResponseController(w), r.Context()
	size := 0
	if r.ProtoMajor > 1 {
		size = perRequest
		for name, values := range r.Header {
			for _, v := range values {
				size += len(name) + len(v)
			}
		}
	}
	cut := func() {
		_ = rc.SetWriteDeadline(time.Unix(1, 0)) // setDeadlines could set it, so this can't fail
		cancel()
	}
	account := "/" + forwarded.Client(a.Proxies.Of(r).Addr).String()
	return a.answers.Reserve(account, size, cut, func() { connlimit.Cut(ctx) })
}

// acquire waits for a slot, and for memory to make an answer of up to size bytes from up to data
// bytes. There are fewer slots for long reads of the database than it has readers, so other
// requests always find a free reader. See membudget.Reservation.Acquire.
func (a *api) acquire(ctx context.Context, kind membudget.Kind, data, size int) (made func(size int), err error) {
	req := requestOf(ctx)
	counted, err := req.memory.Acquire(ctx, kind, data, size)
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	return func(size int) {
		counted(size)
		req.answer.reserved = size
	}, nil
}

// answerWriter is a ResponseWriter whose large writes count as memory. One goroutine may use it.
type answerWriter struct {
	http.ResponseWriter

	memory   *membudget.Reservation
	piece    int  // bytes that are written at a time
	reserved int  // bytes of the answer that the reservation covers
	wrote    bool // whether some of the body was written
}

// Unwrap is for http.ResponseController.
func (w *answerWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Write implements io.Writer.
func (w *answerWriter) Write(p []byte) (n int, err error) {
	if len(p) > 0 {
		w.begin()
	}
	if len(p) < large {
		return w.ResponseWriter.Write(p) //nolint:wrapcheck // it is that writer's
	}
	if more := len(p) - w.reserved; more > 0 {
		w.memory.Grow(more)
		w.reserved = len(p)
	}
	return w.writePieces(p)
}

// begin is called before any of the body is written.
func (w *answerWriter) begin() {
	if !w.wrote {
		w.wrote = true
		w.memory.Answering()
	}
}

// ReadFrom implements io.ReaderFrom, for http.ServeContent. Embedded files are written from where
// they are in memory, without a buffer for each client that does not read.
func (w *answerWriter) ReadFrom(src io.Reader) (int64, error) {
	if part, ok := src.(*io.LimitedReader); ok {
		if whole, ok := part.R.(*bytes.Reader); ok && int64(whole.Len()) <= part.N {
			w.begin()
			return whole.WriteTo(sharedBytes{w}) //nolint:wrapcheck // it is the other writer's
		}
	}
	return io.Copy(struct{ io.Writer }{w}, src) //nolint:wrapcheck // it is the other writer's
}

// sharedBytes is an answerWriter for bytes that are in memory anyway, and so do not count.
type sharedBytes struct{ *answerWriter }

// Write implements io.Writer.
func (w sharedBytes) Write(p []byte) (int, error) { return w.writePieces(p) }

func (w *answerWriter) writePieces(p []byte) (n int, err error) {
	for len(p) > 0 {
		part := p[:min(len(p), w.piece)]
		k, err := w.ResponseWriter.Write(part)
		n += k
		if err != nil {
			return n, err //nolint:wrapcheck // it is that writer's
		}
		w.memory.Progress(k)
		p = p[len(part):]
	}
	return n, nil
}

// finish writes the rest of an answer over HTTP/2 while it still counts as memory. Otherwise
// net/http would write it after the handler, and would wait for the client there.
func (w *answerWriter) finish(r *http.Request) {
	if r.ProtoMajor > 1 && w.wrote {
		_ = http.NewResponseController(w.ResponseWriter).Flush() // the client may be gone
	}
}
