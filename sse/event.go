package sse

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"time"

	"marcador/internal/msgpack"
)

// Event is a named event. Its data is a JSON text.
type Event struct {
	Name string
	Data []byte

	endsTopic bool // the follow that gets it ends, with all others whose topics have its name
}

// Forbidden returns the event `error` with the code forbidden: the client may not follow topics of
// that name. If Own.News returns it, the stream sends nothing more about these topics. The stream
// goes on with its other topics, and ends if there are none.
func Forbidden(name, message string) Event {
	return Event{"error", marshal(map[string]string{
		"code": "forbidden", "message": message, "board": name,
	}), true}
}

func marshal(data any) []byte {
	b, err := json.Marshal(data)
	if err != nil {
		panic(err) // strings and numbers always have a JSON form
	}
	return b
}

// Format is how a client takes its events: any combination of the flags below.
type Format uint8

// The flags of a Format.
const (
	Diff    Format = 1 << iota // differences between states where possible; else whole states
	MsgPack                    // data as base64 (RFC 4648, section 4) of MessagePack; else JSON
	Gzip                       // the stream is one gzip file (RFC 1952)

	formats = 1 << iota // the number of formats
)

// frame returns the event as all clients of the format get it.
func (f Format) frame(e Event, id string) frame { return f.pack(f.text(e, id), "", true) }

// own returns the event for one client alone. It is not compressed: a few dozen bytes are not worth
// that work for every client.
func (f Format) own(e Event, id string) frame { return f.pack(f.text(e, id), "", false) }

// greeting returns the first event of a stream. It also tells the client when to come back if the
// stream breaks.
func (f Format) greeting(retry time.Duration, data []byte) frame {
	text := f.textAfterRetry(retry, Event{Name: "authenticated", Data: data}, "")
	return f.pack(text, gzipHeader, false)
}

// lastEvent returns an event that a stream ends with.
func (f Format) lastEvent(retry time.Duration, name string, data any) frame {
	return f.pack(f.textAfterRetry(retry, Event{Name: name, Data: marshal(data)}, ""), "", false)
}

// ping returns the event that says only that the stream is alive.
func (f Format) ping() frame { return pings[f] }

// pings are made once for each format.
var pings = func() (all [formats]frame) {
	for f := range Format(formats) {
		all[f] = f.frame(Event{Name: "ping", Data: []byte("{}")}, "")
	}
	return all
}()

// text returns the event in plain text, behind sizeRoom unused bytes.
func (f Format) text(e Event, id string) []byte {
	return f.appendEvent(make([]byte, sizeRoom, sizeRoom+len(e.Data)+len(e.Data)/1000+128), e, id)
}

// textAfterRetry is text with a `retry:` line before the event.
func (f Format) textAfterRetry(retry time.Duration, e Event, id string) []byte {
	b := append(make([]byte, sizeRoom, sizeRoom+len(e.Data)+128), "retry: "...)
	return f.appendEvent(append(strconv.AppendInt(b, retry.Milliseconds(), 10), '\n'), e, id)
}

// appendEvent appends the event in plain text. It panics if a MsgPack event's data is not JSON.
func (f Format) appendEvent(dst []byte, e Event, id string) []byte {
	if f&MsgPack == 0 {
		return appendEvent(dst, e.Name, e.Data, cutJSON, id)
	}
	packed, err := msgpack.FromJSON(nil, e.Data)
	if err != nil {
		panic("sse: an event's data is not JSON: " + err.Error())
	}
	return appendEvent(dst, e.Name, base64.StdEncoding.AppendEncode(nil, packed), cutBase64, id)
}

// appendEvent appends an event. Parsers know three kinds of line breaks; at each of them the data
// continues in a `data:` line of its own. cut returns how much of the remaining data fits into a
// line.
func appendEvent(dst []byte, name string, data []byte, cut func([]byte) int, id string) []byte {
	dst = append(append(dst, "event: "...), name...)
	for more := true; more; {
		line, rest := data, []byte(nil)
		i := bytes.IndexAny(data, "\r\n")
		if more = i >= 0; more {
			line, rest = data[:i], data[i+1:]
			if data[i] == '\r' && len(rest) > 0 && rest[0] == '\n' {
				rest = rest[1:]
			}
		}
		for n := cut(line); n < len(line); n = cut(line) {
			dst = append(append(dst, dataField...), line[:n]...)
			line = line[n:]
		}
		dst = append(append(dst, dataField...), line...)
		data = rest
	}
	if id != "" {
		dst = append(append(dst, "\nid: "...), id...)
	}
	return append(dst, "\n\n"...)
}
