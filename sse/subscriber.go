package sse

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// subscriber is one client's stream. All but wake belongs to the goroutine of
// the client's request.
type subscriber struct {
	server  *Server
	w       http.ResponseWriter
	rc      *http.ResponseController
	wake    chan struct{} // of capacity 1: a second wake before the first is seen adds nothing
	follows []follow

	heartbeat *time.Timer // fires after a silence
}

// follow is a topic, with the state of it that the client was last sent.
type follow struct {
	topic *Topic
	sent  *State
}

// poke wakes the subscriber. It never waits.
func (s *subscriber) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run writes to the client until the stream is over.
func (s *subscriber) run(ctx context.Context, stream Stream) {
	s.heartbeat = time.NewTimer(s.server.opts.Heartbeat)
	defer s.heartbeat.Stop()
	if s.begin(stream) != nil {
		return
	}
	var expired <-chan time.Time
	if !stream.Expires.IsZero() {
		timer := time.NewTimer(time.Until(stream.Expires))
		defer timer.Stop()
		expired = timer.C
	}
	for {
		var err error
		select {
		case <-s.wake:
			err = s.update()
		case <-s.heartbeat.C:
			err = s.write(ping)
		case <-expired:
			s.end("error", map[string]string{
				"code":    "token_expired",
				"message": "The token has expired; connect again with a fresh one.",
			})
			return
		case <-s.server.draining:
			s.end("goodbye", map[string]string{"reason": "shutdown"})
			return
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

var ping = appendEvent(nil, "ping", []byte("{}"))

// begin sends the greeting and the states to begin with, in one write.
func (s *subscriber) begin(stream Stream) error {
	b := appendEvent(s.retry(), "authenticated", stream.Greeting)
	for i, f := range stream.Follows {
		if f.From != nil {
			b = f.From.appendTo(b, i == len(stream.Follows)-1)
			s.follows[i].sent = f.From
		}
	}
	return s.write(b)
}

// retry is the line that says when to come back.
func (s *subscriber) retry() []byte {
	return fmt.Appendf(nil, "retry: %d\n", s.server.retry().Milliseconds())
}

// update sends the newest state of each topic that the client does not have.
// Only the last of them carries the id, so that an id says what the client has
// when it has seen it.
func (s *subscriber) update() error {
	var news []int
	for i := range s.follows {
		f := &s.follows[i]
		if newest := f.topic.after(f.sent); newest != nil {
			f.sent = newest
			news = append(news, i)
		}
	}
	switch len(news) {
	case 0:
		return nil
	case 1:
		if err := s.write(s.follows[news[0]].sent.frame); err != nil {
			return err
		}
	default:
		var b []byte
		for i, n := range news {
			b = s.follows[n].sent.appendTo(b, i == len(news)-1)
		}
		if err := s.write(b); err != nil {
			return err
		}
	}
	for _, i := range news {
		s.follows[i].topic.wrote(s.follows[i].sent)
	}
	return nil
}

// end sends a last event. The client may be gone: then nobody is told.
func (s *subscriber) end(event string, data any) {
	b, err := json.Marshal(data)
	if err != nil {
		panic(err) // strings always have a JSON form
	}
	_ = s.write(appendEvent(s.retry(), event, b))
}

// write sends b and waits until the kernel has it, at most for the timeout.
// After an error the connection is of no more use.
func (s *subscriber) write(b []byte) error {
	if err := s.rc.SetWriteDeadline(time.Now().Add(s.server.opts.WriteTimeout)); err != nil {
		return fmt.Errorf("set write deadline: %w", err)
	}
	if _, err := s.w.Write(b); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if err := s.rc.Flush(); err != nil {
		return fmt.Errorf("flush: %w", err)
	}
	s.heartbeat.Reset(s.server.opts.Heartbeat)
	return nil
}
