package main

import (
	"bytes"
	"strconv"
)

// kind is a kind of event.
type kind uint8

const (
	otherEvent    kind = iota
	greetingEvent      // `authenticated`
	boardEvent         // a state or a difference; in a gzip stream any frame
	goodbyeEvent
	errorEvent
)

// event is what a scanner finds out about an event.
type event struct {
	kind    kind
	version int64 // from the id; 0 without an id, and in a gzip stream
	retry   int64 // in milliseconds, or 0
}

// scanner finds the events in an HTTP/1.1 response that arrives in pieces, which may end anywhere.
// The zero value expects the first byte of the head.
//
// To be fast, the scanner does not look at data and does not decompress. In a gzip stream it only
// finds the ends of frames: each ends with the bytes of a sync flush, at the end of a chunk if
// there are chunks.
type scanner struct {
	status  int  // status of the response; 0 until it is known
	open    bool // the head has ended
	ended   bool // the last chunk has arrived, or something that is not a chunk
	chunked bool
	gzip    bool

	left   int // bytes until the end of the chunk
	size   int // size of the next chunk, as far as it was read
	digits int // digits of that size so far

	line  []byte // the beginning of a line that has not ended, at most maxLine bytes
	event event  // the event so far
	lines int    // lines of the event so far
	tail  []byte // the last bytes of a gzip stream, fewer than a sync flush has
}

// maxLine is how many bytes of a line the scanner looks at.
const maxLine = 128

// flushed are the bytes of a sync flush, which end each frame of a gzip stream.
var flushed = []byte{0x00, 0x00, 0xff, 0xff}

// next reads b up to the end of an event, and returns the event and the rest of b. It returns false
// if no event ends in b. The scanner does not retain b.
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
		if done && s.gzip && s.left > 0 { // the client's own id follows in the same chunk
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

// head reads a line of the head, or as much of the line as has arrived.
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
			s.status, _ = strconv.Atoi(string(fields[1])) // nobody expects status 0
		}
	case bytes.EqualFold(name, []byte("Transfer-Encoding")):
		s.chunked = bytes.EqualFold(value, []byte("chunked"))
	case bytes.EqualFold(name, []byte("Content-Encoding")):
		s.gzip = bytes.EqualFold(value, []byte("gzip"))
	}
	return b[n:]
}

// chunk reads the bytes between the data of two chunks. It takes a chunk of 256 MB or more for the
// end of the response.
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

// plain reads the body up to the end of an event. It returns how many bytes it read, and whether an
// event ended.
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
			version, _, _ = bytes.Cut(version, []byte("."))                // a tag follows
			s.event.version, _ = strconv.ParseInt(string(version), 10, 64) // 0 if it is no number
		}
	case "retry":
		s.event.retry, _ = strconv.ParseInt(string(value), 10, 64) // 0 if it is no number
	}
}

// frame reads a gzip stream up to the end of a sync flush.
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

// cut returns the line at the beginning of b, which may have begun earlier, without its line end.
// It also returns how many bytes of b it read, and whether the line has ended. It returns only the
// beginning of a long line.
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
