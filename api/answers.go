package api

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"time"

	"marcador/internal/connlimit"
	"marcador/internal/forwarded"
)

const (
	// large is from how many bytes on a write of an answer counts. Less than that the kernel takes
	// at once; over HTTP/2 it counts with the request.
	large = 16 << 10

	// multiplexed is what a request over HTTP/2 takes beside its head and its answer: net/http
	// keeps a goroutine, a buffer and its own state of the stream, and the client can have it keep
	// them, since it says when it takes even the shortest answer.
	multiplexed = 16 << 10

	// pieceOfStream and pieceOfConn are how much of an answer is written at a time, so that it is
	// seen who reads. Each HTTP/2 connection keeps a buffer of the largest that it was given.
	pieceOfStream = 16 << 10
	pieceOfConn   = 64 << 10
)

// enter returns the hold of a request in the room for answers. It is the caller's address's until
// it is known who calls. cancel ends what the request waits for.
func (a *api) enter(w http.ResponseWriter, r *http.Request, cancel func()) *hold {
	rc, ctx := http.NewResponseController(w), r.Context()
	size := 0
	if r.ProtoMajor > 1 {
		size = multiplexed
		for name, values := range r.Header {
			for _, v := range values {
				size += len(name) + len(v)
			}
		}
	}
	cut := func() {
		_ = rc.SetWriteDeadline(time.Unix(1, 0)) // as it could be set before
		cancel()
	}
	return a.room.enter("/"+forwarded.Client(a.Proxies.Of(r).Addr).String(), size, cut, func() { connlimit.Cut(ctx) })
}

// begin waits for a turn to make an answer of up to so many bytes, of what takes so many. Of what
// is read from the database for long fewer are made at once than it has readers: others' pages wait
// for neither. See hold.begin.
func (a *api) begin(ctx context.Context, kind, of, size int) (made func(size int), err error) {
	req := requestOf(ctx)
	counted, err := req.hold.begin(ctx, kind, of, size)
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	return func(size int) {
		counted(size)
		req.answer.known = size
	}, nil
}

// answerWriter is a ResponseWriter whose large writes count. It belongs to one goroutine.
type answerWriter struct {
	http.ResponseWriter

	hold  *hold
	piece int
	known int  // bytes of the answer that the hold has
	wrote bool // something of the body
}

// Unwrap is for http.ResponseController.
func (w *answerWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Write implements io.Writer.
func (w *answerWriter) Write(p []byte) (n int, err error) {
	if len(p) > 0 {
		w.begins()
	}
	if len(p) < large {
		return w.ResponseWriter.Write(p) //nolint:wrapcheck // it is that writer's
	}
	if more := len(p) - w.known; more > 0 {
		w.hold.grow(more)
		w.known = len(p)
	}
	return w.pieces(p)
}

// begins says that some of the body is there.
func (w *answerWriter) begins() {
	if !w.wrote {
		w.wrote = true
		w.hold.answers()
	}
}

// ReadFrom implements io.ReaderFrom, for http.ServeContent: files are written from where they
// are, without a buffer for each client that does not read.
func (w *answerWriter) ReadFrom(src io.Reader) (int64, error) {
	if part, ok := src.(*io.LimitedReader); ok {
		if whole, ok := part.R.(*bytes.Reader); ok && int64(whole.Len()) <= part.N {
			w.begins()
			return whole.WriteTo(pieces{w}) //nolint:wrapcheck // it is the other writer's
		}
	}
	return io.Copy(struct{ io.Writer }{w}, src) //nolint:wrapcheck // it is the other writer's
}

// pieces is an answerWriter of bytes that are there anyway, and do not count.
type pieces struct{ *answerWriter }

// Write implements io.Writer.
func (p pieces) Write(b []byte) (int, error) { return p.pieces(b) }

func (w *answerWriter) pieces(p []byte) (n int, err error) {
	for len(p) > 0 {
		part := p[:min(len(p), w.piece)]
		k, err := w.ResponseWriter.Write(part)
		n += k
		if err != nil {
			return n, err //nolint:wrapcheck // it is that writer's
		}
		w.hold.read(k)
		p = p[len(part):]
	}
	return n, nil
}

// finish writes what is left of an answer over HTTP/2 while it still counts: net/http would after
// the handler, and wait for the client there.
func (w *answerWriter) finish(r *http.Request) {
	if r.ProtoMajor > 1 && w.wrote {
		_ = http.NewResponseController(w.ResponseWriter).Flush() // the client may be gone
	}
}
