package sse

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"time"

	"marcador/msgpack"
)

// Event is a named event. Its data is a JSON text.
type Event struct {
	Name string
	Data []byte

	ends bool // the topics of its follower's name end with it
}

// Forbidden returns the event `error` of the code forbidden, about the topics of that name.
// A stream whose Own returns it is sent nothing more of them. It goes on with its other
// topics, and ends where there are none.
func Forbidden(name, message string) Event {
	return Event{"error", marshal(map[string]string{
		"code": "forbidden", "message": message, "board": name,
	}), true}
}

func marshal(data any) []byte {
	b, err := json.Marshal(data)
	if err != nil {
		panic(err) // strings always have a JSON form
	}
	return b
}

// Format is how a client takes its events: any of the flags below.
type Format uint8

// The flags of a Format.
const (
	Diff    Format = 1 << iota // differences between states, where it can be; else whole states
	MsgPack                    // data as base64 (RFC 4648, section 4) of MessagePack; else as JSON
	Gzip                       // the stream is one gzip file (RFC 1952) that does not end

	formats = 1 << iota // how many there are
)

// encode appends the event as it is written to a client. An empty id is none.
func (f Format) encode(dst []byte, e Event, id string) []byte {
	data := e.Data
	if f&MsgPack != 0 {
		packed, err := msgpack.FromJSON(nil, data)
		if err != nil {
			panic("sse: data that is not JSON: " + err.Error())
		}
		data = base64.StdEncoding.AppendEncode(nil, packed)
	}
	if f&Gzip != 0 {
		return appendDeflated(dst, appendEvent(make([]byte, 0, len(data)+128), e.Name, data, id))
	}
	return appendEvent(dst, e.Name, data, id)
}

// encodeOwn returns an event that goes to one client alone. It is not compressed: a
// few dozen bytes are not worth that for each.
func (f Format) encodeOwn(e Event, id string) []byte {
	plain := (f &^ Gzip).encode(nil, e, id)
	if f&Gzip == 0 {
		return plain
	}
	return appendStored(make([]byte, 0, len(plain)+16), plain)
}

// appendEvent appends an event. Line breaks in the data, of any of the three
// kinds that a parser knows, become lines of it.
func appendEvent(dst []byte, name string, data []byte, id string) []byte {
	dst = append(dst, "event: "...)
	dst = append(dst, name...)
	for more := true; more; {
		line, rest := data, []byte(nil)
		i := bytes.IndexAny(data, "\r\n")
		if more = i >= 0; more {
			line, rest = data[:i], data[i+1:]
			if data[i] == '\r' && len(rest) > 0 && rest[0] == '\n' {
				rest = rest[1:]
			}
		}
		dst = append(dst, "\ndata: "...)
		dst = append(dst, line...)
		data = rest
	}
	if id != "" {
		dst = append(dst, "\nid: "...)
		dst = append(dst, id...)
	}
	return append(dst, "\n\n"...)
}

// greeting returns what a stream begins with: when to come back should it break,
// and the first event.
func (f Format) greeting(retry time.Duration, data []byte) []byte {
	return append(f.prefix(), f.encodeAfterRetry(retry, Event{Name: "authenticated", Data: data})...)
}

// ping returns the event that only says that the stream is alive.
func (f Format) ping() []byte { return pings[f] }

// pings are made once for each format.
var pings = func() (all [formats][]byte) {
	for f := range Format(formats) {
		all[f] = f.encode(nil, Event{Name: "ping", Data: []byte("{}")}, "")
	}
	return all
}()

// last returns what a stream ends with.
func (f Format) last(retry time.Duration, name string, data any) []byte {
	return f.encodeAfterRetry(retry, Event{Name: name, Data: marshal(data)})
}

// encodeAfterRetry returns the event after a line that says when to come back.
func (f Format) encodeAfterRetry(retry time.Duration, e Event) []byte {
	line := append(strconv.AppendInt([]byte("retry: "), retry.Milliseconds(), 10), '\n')
	if f&Gzip == 0 {
		return f.encode(line, e, "")
	}
	return appendStored(nil, (f&^Gzip).encode(line, e, ""))
}
