package sse

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// standard writes one stream through net/http, in the goroutine of the request. It serves TLS,
// HTTP/2 and systems without epoll.
type standard struct {
	subscriber

	editions []edition // of the follows, in their order
	w        http.ResponseWriter
	rc       *http.ResponseController
	woken    chan struct{} // capacity 1: one signal stands for all that came before it is read
	batch    [][]byte      // empty; its memory is used again

	heartbeat *time.Timer // fires after a silence
	failed    error       // why the stream ends, if the inbox has ended it
}

// serveStandard begins the stream. run writes it until it is over.
func (s *Server) serveStandard(
	w http.ResponseWriter, r *http.Request, stream Stream, addr *address,
) (run func()) {
	st := &standard{w: w, rc: http.NewResponseController(w), woken: make(chan struct{}, 1)}
	st.transport, st.address = st, addr
	if r.ProtoMajor == 1 && r.Body != http.NoBody {
		// net/http would wait for the request's body before it sends the head, and at the end.
		_ = st.rc.EnableFullDuplex()
		_ = st.rc.SetReadDeadline(s.began)
	}
	w.WriteHeader(http.StatusOK)
	begin := st.open(s, stream)
	st.editions = make([]edition, len(st.follows))
	for i := range st.follows {
		if f := &st.follows[i]; f.stage == following {
			f.edition = &st.editions[i]
			f.topic.listen(st)
		}
	}
	st.wake(nil) // something may have been published before listen
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

// maxWrite is how much is written at a time, in bytes. An HTTP/2 connection's buffer grows to the
// largest write and never shrinks.
const maxWrite = 4 << 10

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
		_ = s.write(end) // if the client has gone, nobody needs to be told
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
	clear(begin) // the stream may last for hours, and does not need it again
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
				_ = s.write(s.tokenExpired()) // if the client has gone, nobody needs to be told
				return tokenExpired
			}
			timer := time.NewTimer(left)
			defer timer.Stop() // these stay few, because a token lasts minutes
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

// detach has the topic no longer wake the stream.
func (s *standard) detach(f *follow) { f.topic.unlisten(s) }

// update reads the inbox and sends what the client lacks.
func (s *standard) update() error {
	if s.readInbox(); s.failed != nil {
		return s.failed
	}
	s.refresh()
	before := make([]int64, len(s.follows))
	for i := range s.follows {
		before[i] = s.follows[i].publication
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
		if f := &s.follows[i]; f.stage == following && f.publication != before[i] {
			f.topic.fanout.wrote(f.publication, 1)
			if f.edition.since.After(since) {
				since = f.edition.since
			}
		}
	}
	if len(s.batch) > 0 && !since.IsZero() {
		s.server.counts.delivered(1, time.Since(since))
	}
	return nil
}

// refresh updates the editions, all at one moment.
func (s *standard) refresh() {
	hub := s.server.hub
	hub.mu.RLock()
	defer hub.mu.RUnlock()
	for i := range s.follows {
		if f := &s.follows[i]; f.stage == following {
			s.editions[i] = f.topic.shown
		}
	}
}

// write sends the frames and waits until the kernel has taken them, for at most WriteTimeout. After
// an error the connection can't be used any more.
func (s *standard) write(frames ...[]byte) (err error) {
	s.stalled.Store(int64(s.server.now()))
	defer s.stalled.Store(0)
	deadline := time.Now().Add(s.server.opts.WriteTimeout)
	if err := s.rc.SetWriteDeadline(deadline); err != nil {
		return fmt.Errorf("set write deadline: %w", err)
	}
	defer func() {
		if err != nil && !time.Now().Before(deadline) {
			err = errors.Join(errTooSlow, err) // over HTTP/2 the error does not name the deadline
		}
	}()
	for _, b := range frames {
		for piece := range slices.Chunk(b, maxWrite) {
			if _, err := s.w.Write(piece); err != nil {
				return fmt.Errorf("write: %w", err)
			}
		}
		s.server.counts.bytes.Add(int64(len(b)))
	}
	if err := s.rc.Flush(); err != nil {
		return fmt.Errorf("flush: %w", err)
	}
	// Over HTTP/2 a deadline ends the stream when it passes, even if nothing is being written.
	if err := s.rc.SetWriteDeadline(time.Time{}); err != nil {
		return fmt.Errorf("clear write deadline: %w", err)
	}
	s.heartbeat.Reset(s.server.opts.Heartbeat)
	return nil
}

// errTooSlow is joined to the error of a write that took longer than WriteTimeout.
var errTooSlow = errors.New("sse: too slow")

// endError ends a stream whose client was told why.
type endError reason

// Error implements error.
func (e endError) Error() string { return "sse: " + reasonNames[e] }

// reasonOf returns the reason for which err ends a stream.
func reasonOf(err error) reason {
	if end, ok := errors.AsType[endError](err); ok {
		return reason(end)
	}
	if errors.Is(err, errTooSlow) {
		return tooSlow
	}
	return clientGone
}
