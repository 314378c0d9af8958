package sse

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// standard writes one subscriber's stream through net/http: for TLS, HTTP/2 and
// systems without epoll. The request's goroutine writes.
type standard struct {
	subscriber

	views []view // of the follows, in their order
	w     http.ResponseWriter
	rc    *http.ResponseController
	woken chan struct{} // of capacity 1: a second wake before the first is seen adds nothing
	batch [][]byte      // kept for its room

	heartbeat *time.Timer // fires after a silence
	failed    error       // an errand has ended the stream
}

// serveStandard begins the stream and returns what writes it until it is over.
func (s *Server) serveStandard(w http.ResponseWriter, r *http.Request, stream Stream, addr *address) (run func()) {
	st := &standard{w: w, rc: http.NewResponseController(w), woken: make(chan struct{}, 1)}
	st.transport, st.address = st, addr
	if r.ProtoMajor == 1 && r.Body != http.NoBody {
		// net/http would wait for the body, before the head is sent and at the end.
		_ = st.rc.EnableFullDuplex()
		_ = st.rc.SetReadDeadline(s.began)
	}
	w.WriteHeader(http.StatusOK)
	begin := st.open(s, stream)
	st.views = make([]view, len(st.follows))
	for i := range st.follows {
		if f := &st.follows[i]; f.stage == following {
			f.view = &st.views[i]
			f.topic.listen(st)
		}
	}
	st.wake(nil) // for what was published while nobody had told it yet
	ctx := r.Context()
	return func() {
		why := st.run(ctx, begin)
		for i := range st.follows {
			st.detach(&st.follows[i])
		}
		s.counts.streams[transportStandard].Add(-1)
		s.counts.disconnects[why].Add(1)
		st.close()
	}
}

// piece is how much is written at a time, in bytes. Each HTTP/2 connection keeps a
// buffer of the largest piece that it was ever given.
const piece = 4 << 10

// wake implements listener.
func (s *standard) wake(*Topic) {
	select {
	case s.woken <- struct{}{}:
	default:
	}
}

// poke implements transport.
func (s *standard) poke() { s.wake(nil) }

// sendBatch implements transport.
func (s *standard) sendBatch(batch [][]byte) {
	s.releaseEnded(s.detach)
	if s.failed == nil {
		s.failed = s.write(batch...)
	}
	if s.failed == nil && s.over {
		s.failed = endError(forbidden)
	}
}

// finish implements transport.
func (s *standard) finish(why reason, end []byte) {
	if s.failed == nil {
		_ = s.write(end) // the client may be gone: then nobody is told
		s.failed = endError(why)
	}
}

// run writes until the stream is over.
func (s *standard) run(ctx context.Context, begin [][]byte) reason {
	s.heartbeat = time.NewTimer(s.server.opts.Heartbeat)
	defer s.heartbeat.Stop()
	if err := s.write(begin...); err != nil {
		return reasonOf(err)
	}
	if s.over {
		return forbidden
	}
	clear(begin) // for hours it is not needed any more
	var expiry <-chan time.Time
	if at := time.Duration(s.expires.Load()); at != 0 {
		timer := time.NewTimer(at - s.server.now())
		defer timer.Stop()
		expiry = timer.C
	}
	for {
		var err error
		select {
		case <-s.woken:
			err = s.update()
		case <-s.heartbeat.C:
			err = s.write(s.wire(s.format.ping()))
		case <-expiry:
			left, is := s.expired(s.server.now())
			if is {
				_ = s.write(s.tokenExpired()) // the client may be gone: then nobody is told
				return tokenExpired
			}
			timer := time.NewTimer(left)
			defer timer.Stop() // a token lasts minutes: these are few
			expiry = timer.C
		case <-s.server.draining:
			_ = s.write(s.goodbye())
			return shutdown
		case <-ctx.Done():
			return clientGone
		}
		if err != nil {
			return reasonOf(err)
		}
	}
}

// detach has the topic wake the stream no more.
func (s *standard) detach(f *follow) { f.topic.unlisten(s) }

// update sends what the client lacks of what there is now.
func (s *standard) update() error {
	if s.readInbox(); s.failed != nil {
		return s.failed
	}
	s.refresh()
	behind := make([]int64, len(s.follows))
	for i := range s.follows {
		behind[i] = s.follows[i].publication
	}
	s.batch = s.news(s.batch[:0], &scratch{})
	defer clear(s.batch)
	s.releaseEnded(s.detach)
	if len(s.batch) > 0 {
		if err := s.write(s.batch...); err != nil {
			return err
		}
	}
	if s.over {
		return endError(forbidden)
	}
	var since time.Time
	for i := range s.follows {
		if f := &s.follows[i]; f.stage == following && f.publication != behind[i] {
			f.topic.fanout.wrote(f.publication, 1)
			if f.view.since.After(since) {
				since = f.view.since
			}
		}
	}
	if len(s.batch) > 0 && !since.IsZero() {
		s.server.counts.delivered(1, time.Since(since))
	}
	return nil
}

// refresh brings the views up to now, all to one moment.
func (s *standard) refresh() {
	hub := s.server.hub
	hub.mu.RLock()
	defer hub.mu.RUnlock()
	for i := range s.follows {
		if f := &s.follows[i]; f.stage == following {
			s.views[i] = f.topic.shown
		}
	}
}

// write sends the frames and waits until the kernel has them, at most for the
// timeout. After an error the connection is of no more use.
func (s *standard) write(frames ...[]byte) (err error) {
	s.stalled.Store(int64(s.server.now()))
	defer s.stalled.Store(0)
	deadline := time.Now().Add(s.server.opts.WriteTimeout)
	if err := s.rc.SetWriteDeadline(deadline); err != nil {
		return fmt.Errorf("set write deadline: %w", err)
	}
	defer func() {
		if err != nil && !time.Now().Before(deadline) {
			err = errors.Join(errTooSlow, err) // over HTTP/2 it does not say so itself
		}
	}()
	for _, b := range frames {
		for piece := range slices.Chunk(b, piece) {
			if _, err := s.w.Write(piece); err != nil {
				return fmt.Errorf("write: %w", err)
			}
		}
		s.server.counts.bytes.Add(int64(len(b)))
	}
	if err := s.rc.Flush(); err != nil {
		return fmt.Errorf("flush: %w", err)
	}
	// Over HTTP/2 a deadline that passes ends the stream, written to or not.
	if err := s.rc.SetWriteDeadline(time.Time{}); err != nil {
		return fmt.Errorf("clear write deadline: %w", err)
	}
	s.heartbeat.Reset(s.server.opts.Heartbeat)
	return nil
}

// errTooSlow is joined to the error of a write that took too long.
var errTooSlow = errors.New("sse: too slow")

// endError ends a stream that was told so.
type endError reason

// Error implements error.
func (e endError) Error() string { return "sse: " + reasonNames[e] }

// reasonOf says why a stream ends that the error ends.
func reasonOf(err error) reason {
	if end, ok := errors.AsType[endError](err); ok {
		return reason(end)
	}
	if errors.Is(err, errTooSlow) {
		return tooSlow
	}
	return clientGone
}
