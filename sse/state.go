// Package sse sends the newest states of topics to any number of subscribers as
// Server-Sent Events (https://html.spec.whatwg.org/multipage/server-sent-events.html).
//
// A stream is state, not a log. A subscriber remembers which state of each
// topic it was last sent; when it can write, it is sent the newest. There is no
// queue to grow, nothing to drop and nobody to wait for: who reads slowly skips
// what came between.
package sse

import (
	"bytes"
	"strconv"
)

// State is one state of a topic, encoded when it is made. It never changes, and
// its bytes are shared by everybody who is sent it.
type State struct {
	version int64
	frame   []byte // the whole event, with its id
	id      int    // where the id line begins in frame
}

// NewState returns the state of a topic at version, sent as an event of that
// name with that data. Of two states of a topic the later has the higher
// version. epoch and version make the event's id.
func NewState(epoch string, version int64, event string, data []byte) *State {
	s := &State{version: version}
	s.frame = appendEvent(nil, event, data)
	s.id = len(s.frame) - 1 // the blank line
	s.frame = append(s.frame[:s.id], "id: "...)
	s.frame = append(s.frame, epoch...)
	s.frame = append(s.frame, '-')
	s.frame = strconv.AppendInt(s.frame, version, 10)
	s.frame = append(s.frame, "\n\n"...)
	return s
}

// appendTo appends the event, with its id or without.
func (s *State) appendTo(dst []byte, withID bool) []byte {
	if withID {
		return append(dst, s.frame...)
	}
	return append(append(dst, s.frame[:s.id]...), '\n')
}

// appendEvent appends an event. Line breaks in the data, of any of the three
// kinds that a parser knows, become lines of it.
func appendEvent(dst []byte, event string, data []byte) []byte {
	dst = append(dst, "event: "...)
	dst = append(dst, event...)
	for {
		line, rest, more := data, []byte(nil), false
		if i := bytes.IndexAny(data, "\r\n"); i >= 0 {
			line, rest, more = data[:i], data[i+1:], true
			if data[i] == '\r' && len(rest) > 0 && rest[0] == '\n' {
				rest = rest[1:]
			}
		}
		dst = append(dst, "\ndata: "...)
		dst = append(dst, line...)
		if data = rest; !more {
			return append(dst, "\n\n"...)
		}
	}
}
