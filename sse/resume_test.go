package sse_test

import (
	"bytes"
	"fmt"
	"maps"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"marcador/sse"
)

// item is the content of one of several topics.
type item struct {
	topic   int
	version int64
}

func (i item) Snapshot() sse.Event {
	return sse.Event{Name: "news", Data: fmt.Appendf(nil, `{"t":%d,"v":%d}`, i.topic, i.version)}
}

func (i item) Since(earlier sse.Content) sse.Event {
	from, _ := earlier.(item)
	return sse.Event{Name: "since", Data: fmt.Appendf(nil, `{"t":%d,"from":%d,"v":%d}`, i.topic, from.version, i.version)}
}

// teller tells its client of every notes that are newer, and when it begins, of what there is.
type teller struct {
	topic       int
	told, clock int64
}

func (*teller) Renew(sse.Right, bool) {}

func (o *teller) Told(dst []byte) []byte { return strconv.AppendInt(dst, o.told, 10) }

func (o *teller) News(notes any, _ bool) sse.Event {
	n, ok := notes.(int64)
	if !ok {
		n = o.clock
	}
	if n <= o.told {
		return sse.Event{}
	}
	from := o.told
	o.told = n
	return sse.Event{Name: "own", Data: fmt.Appendf(nil, `{"t":%d,"from":%d,"v":%d}`, o.topic, from, n)}
}

// holder is a client that holds what it was sent of some topics. What comes without
// an id belongs to the next event with one.
type holder struct {
	topics []int
	conn   *sse.Client
	lastID string
	holds  told // when it saw lastID
	now    told // with what came since on this connection
}

// told is what a client knows, by topic: the version of the state, and own notes.
type told struct{ states, own map[int]int64 }

func (t told) clone() told { return told{maps.Clone(t.states), maps.Clone(t.own)} }

func nothing() told { return told{map[int]int64{}, map[int]int64{}} }

// take applies a batch of frames, or only the first of them, where the connection
// breaks, and returns what the client holds then.
func (h *holder) take(t *rapid.T, batch [][]byte, whole bool) {
	if !whole && len(batch) > 0 {
		batch = batch[:rapid.IntRange(0, len(batch)-1).Draw(t, "frames that arrive")]
	}
	now := h.now
	for _, e := range parse(t, bytes.Join(batch, nil)) {
		var topic int
		var from, to int64
		switch e.name {
		case "news":
			if _, err := fmt.Sscanf(e.data, `{"t":%d,"v":%d}`, &topic, &to); err != nil {
				t.Fatal(err)
			}
		case "since":
			if _, err := fmt.Sscanf(e.data, `{"t":%d,"from":%d,"v":%d}`, &topic, &from, &to); err != nil {
				t.Fatal(err)
			}
			if from != now.states[topic] {
				t.Fatalf("%s to a client that holds %d", e.data, now.states[topic])
			}
		case "own":
			if _, err := fmt.Sscanf(e.data, `{"t":%d,"from":%d,"v":%d}`, &topic, &from, &to); err != nil {
				t.Fatal(err)
			}
			if from != now.own[topic] {
				t.Fatalf("own %s to a client that was told %d", e.data, now.own[topic])
			}
			now.own[topic] = to
		}
		if e.name == "news" || e.name == "since" {
			if to < now.states[topic] {
				t.Fatalf("%s to a client that holds %d", e.data, now.states[topic])
			}
			now.states[topic] = to
		}
		if e.id != "" {
			h.lastID, h.holds = e.id+"."+e.tag, now.clone()
		}
	}
}

// An id says exactly what a client of several topics holds, whatever is published
// together or apart, under a version of its own or an old one, whatever others
// began with, and wherever in a batch the connection breaks.
func TestHub_resume(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hub := sse.NewHub("e")
		server := sse.NewServer(hub, sse.Options{})
		topics := []*sse.Topic{hub.NewTopic("board"), hub.NewTopic("board"), hub.NewTopic("board")}
		version, clock := int64(1), int64(0)       // of the last commit; of notes
		changed := map[int]int64{0: 1, 1: 1, 2: 1} // the version with which a topic changed last
		newest := map[int]int64{}
		states := 1 // of each topic at most
		connect := func(h *holder) {
			stream := sse.Stream{ID: "s", Format: sse.Diff, Scope: fmt.Sprint(h.topics)}
			stream.Resume = hub.Resume(h.lastID, stream.Scope, len(h.topics))
			stream.Greeting = func(recovered bool) []byte {
				if recovered == (h.lastID == "") && states < 60 { // of so many all are kept
					t.Fatalf("recovered is %v of a client that saw %q", recovered, h.lastID)
				}
				if !recovered {
					h.holds.states = map[int]int64{}
				}
				h.now = h.holds.clone()
				return []byte(`{}`)
			}
			for n, i := range h.topics {
				from := topics[i].Retain(sse.NewState(changed[i], item{i, changed[i]}))
				own := &teller{i, clock, clock}
				if told := stream.Resume.Told(n); told != nil {
					if own.told, _ = strconv.ParseInt(string(told), 10, 64); own.told != h.holds.own[i] {
						t.Fatalf("by its id %q the client was told %d, it was %d", h.lastID, own.told, h.holds.own[i])
					}
				} else {
					h.holds.own[i] = clock // as it does not matter to a stream that begins
				}
				stream.Follows = append(stream.Follows, sse.Follow{Topic: topics[i], From: from, Own: own})
				newest[i] = max(newest[i], changed[i])
			}
			var begin [][]byte
			h.conn, begin = sse.Connect(server, stream)
			h.take(t, begin, true)
			for _, i := range h.topics {
				if h.now.states[i] != newest[i] && h.now.states[i] != changed[i] {
					t.Fatalf("a client of %v begins with %v, newest are %v", h.topics, h.now.states, newest)
				}
				if h.now.own[i] != clock {
					t.Fatalf("a client of %v was told %v, the notes are of %d", h.topics, h.now.own, clock)
				}
			}
		}
		var clients []*holder
		for range rapid.IntRange(1, 3).Draw(t, "clients") {
			h := &holder{topics: rapid.SampledFrom([][]int{{0}, {1}, {0, 1}, {0, 1, 2}}).Draw(t, "topics"), holds: nothing()}
			clients = append(clients, h)
			connect(h)
		}
		t.Repeat(map[string]func(*rapid.T){
			"commit": func(t *rapid.T) {
				version++
				states++
				for _, i := range rapid.SampledFrom([][]int{{}, {0}, {1}, {2}, {0, 1}, {0, 1, 2}}).Draw(t, "changes") {
					changed[i] = version
				}
			},
			"publish": func(t *rapid.T) {
				var news []sse.Publication
				clock++
				for i, topic := range topics {
					p := sse.Publication{Topic: topic, Version: changed[i]}
					what := rapid.SampledFrom([]string{"not", "state", "notes", "both"}).Draw(t, "what")
					if what == "not" {
						continue
					}
					if what != "state" {
						p.Notes = clock
					}
					if what != "notes" {
						p.State = sse.NewState(changed[i], item{i, changed[i]})
					}
					if p.State != nil {
						newest[i] = changed[i]
					}
					news = append(news, p)
				}
				hub.Publish(news...)
			},
			"update": func(t *rapid.T) {
				h := rapid.SampledFrom(clients).Draw(t, "client")
				if rapid.IntRange(0, 4).Draw(t, "breaks") > 0 {
					h.take(t, h.conn.Update(), true)
					return
				}
				h.take(t, h.conn.Update(), false)
				connect(h)
			},
			"reconnect": func(t *rapid.T) { connect(rapid.SampledFrom(clients).Draw(t, "client")) },
			"begin": func(t *rapid.T) { // somebody else does
				i := rapid.IntRange(0, 2).Draw(t, "topic")
				topics[i].Retain(sse.NewState(changed[i], item{i, changed[i]}))
			},
		})
	})
}
