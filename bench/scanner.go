package main

import (
	"bytes"
	"strconv"
)

// kind is what an event is about.
type kind uint8

const (
	otherEvent    kind = iota
	greetingEvent      // `authenticated`
	boardEvent         // a state of the board or a difference to it; a whole frame, where it is compressed
	goodbyeEvent
	errorEvent
)

// event is what a scanner tells of an event.
type event struct {
	kind    kind
	version int64 // of its id, 0 where it has none or is compressed
	retry   int64 // in milliseconds, 0 where it has none
}

// scanner finds the events in an HTTP/1.1 response that comes in pieces, cut
// anywhere. It does not look at their data and does not inflate: of a gzip stream
// it knows where frames end, by the mark of a sync flush that is the end of a chunk,
// if there are chunks. The zero value expects the first byte of the head.
type scanner struct {
	status  int  // of the response, 0 until it is known
	open    bool // the head is over
	ended   bool // the last chunk has come, or what is no chunk
	chunked bool
	gzip    bool

	left   int // bytes until the end of the chunk
	size   int // of the next chunk, as far as it is read
	digits int // of its size

	line  []byte // the beginning of a line that has not ended, at most maxLine
	event event  // as far as its lines have come
	lines int    // of that event
	tail  []byte // the last bytes of a gzip stream, fewer than the mark has
}

// maxLine is as much of a line as tells what it says.
const maxLine = 128

// flushed ends each frame of a gzip stream that is flushed.
var flushed = []byte{0x00, 0x00, 0xff, 0xff}

// next takes from b until an event ends. It returns what is left of b, and false
// where b held no end of an event. b may be used again afterwards.
func (s *scanner) next(b []byte) (event, []byte, bool) {
	for len(b) > 0 && !s.ended {
		if !s.open {
			b = s.head(b)
			continue
		}
		part := b
		if s.chunked {
			if s.left == 0 {
				b = s.chunk(b)
				continue
			}
			part = b[:min(len(b), s.left)]
		}
		n, done := s.plain(part)
		s.left -= n
		b = b[n:]
		if done && s.gzip && s.left > 0 { // the client's own id follows, in the same chunk
			done = false
		}
		if done {
			e := s.event
			s.event, s.lines = event{}, 0
			return e, b, true
		}
	}
	return event{}, nil, false
}

// head takes one line of the head, or the part of it that is there.
func (s *scanner) head(b []byte) []byte {
	line, n, whole := s.cut(b)
	if !whole {
		return b[n:]
	}
	line = bytes.TrimSuffix(line, []byte("\r"))
	name, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimSpace(value)
	switch {
	case len(line) == 0:
		s.open = true
	case s.status == 0:
		if fields := bytes.Fields(line); len(fields) > 1 {
			s.status, _ = strconv.Atoi(string(fields[1])) // 0 is no status that is waited for
		}
	case bytes.EqualFold(name, []byte("Transfer-Encoding")):
		s.chunked = bytes.EqualFold(value, []byte("chunked"))
	case bytes.EqualFold(name, []byte("Content-Encoding")):
		s.gzip = bytes.EqualFold(value, []byte("gzip"))
	}
	return b[n:]
}

// chunk takes from what stands between the data of two chunks. A chunk of 256 MB
// or more is none: the response ends there.
func (s *scanner) chunk(b []byte) []byte {
	for i, c := range b {
		switch {
		case s.digits > 7:
			s.ended = true
			return nil
		case c >= '0' && c <= '9':
			s.size, s.digits = s.size<<4|int(c-'0'), s.digits+1
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			s.size, s.digits = s.size<<4|int(c|0x20-'a'+10), s.digits+1
		case c == '\n' && s.digits > 0:
			s.left, s.ended = s.size, s.size == 0
			s.size, s.digits = 0, 0
			return b[i+1:]
		}
	}
	return nil
}

// plain takes from the body until an event ends, and returns how much it took.
func (s *scanner) plain(b []byte) (int, bool) {
	if s.gzip {
		return s.frame(b)
	}
	taken := 0
	for taken < len(b) {
		line, n, whole := s.cut(b[taken:])
		taken += n
		if !whole {
			break
		}
		if len(line) == 0 {
			if s.lines > 0 {
				return taken, true
			}
			continue
		}
		s.lines++
		s.field(line)
	}
	return taken, false
}

func (s *scanner) field(line []byte) {
	name, value, _ := bytes.Cut(line, []byte(": "))
	switch string(name) {
	case "event":
		switch string(value) {
		case "authenticated":
			s.event.kind = greetingEvent
		case "leaderboard:updated", "position_change":
			s.event.kind = boardEvent
		case "goodbye":
			s.event.kind = goodbyeEvent
		case "error":
			s.event.kind = errorEvent
		}
	case "id":
		if _, version, ok := bytes.Cut(value, []byte("-")); ok {
			version, _, _ = bytes.Cut(version, []byte("."))                // what the client was told follows
			s.event.version, _ = strconv.ParseInt(string(version), 10, 64) // 0 is none
		}
	case "retry":
		s.event.retry, _ = strconv.ParseInt(string(value), 10, 64) // 0 is none
	}
}

// frame takes until a mark has been seen.
func (s *scanner) frame(b []byte) (int, bool) {
	before := len(s.tail)
	s.tail = append(s.tail, b[:min(len(b), len(flushed)-1)]...)
	end := -1
	if i := bytes.Index(s.tail, flushed); i >= 0 {
		end = i + len(flushed) - before
	} else if i := bytes.Index(b, flushed); i >= 0 {
		end = i + len(flushed)
	}
	if end >= 0 {
		s.tail = s.tail[:0]
		s.event.kind = boardEvent
		return end, true
	}
	if len(b) >= len(flushed)-1 {
		s.tail = append(s.tail[:0], b[len(b)-len(flushed)+1:]...)
	} else if n := len(s.tail) - len(flushed) + 1; n > 0 {
		s.tail = append(s.tail[:0], s.tail[n:]...)
	}
	return len(b), false
}

// cut returns the line that b begins with or goes on with, without its end, how
// much of b it takes, and whether it has ended. Of a long one it returns the
// beginning.
func (s *scanner) cut(b []byte) ([]byte, int, bool) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		if room := maxLine - len(s.line); room > 0 {
			s.line = append(s.line, b[:min(len(b), room)]...)
		}
		return nil, len(b), false
	}
	if len(s.line) == 0 {
		return b[:min(i, maxLine)], i + 1, true
	}
	line := s.line
	if room := maxLine - len(line); room > 0 {
		line = append(line, b[:min(i, room)]...)
	}
	s.line = line[:0]
	return line, i + 1, true
}
