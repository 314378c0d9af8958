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
	data := fmt.Appendf(nil, `{"t":%d,"from":%d,"v":%d}`, i.topic, from.version, i.version)
	return sse.Event{Name: "since", Data: data}
}

// teller is an Own whose notes are numbers. It tells its client of each higher number.
type teller struct {
	topic   int
	told    int64
	current int64 // the number when the stream begins
}

func (*teller) Renew(sse.Right, bool) {}

func (o *teller) Told(dst []byte) []byte { return strconv.AppendInt(dst, o.told, 10) }

func (o *teller) News(notes any, _ bool) sse.Event {
	n, ok := notes.(int64)
	if !ok {
		n = o.current
	}
	if n <= o.told {
		return sse.Event{}
	}
	from := o.told
	o.told = n
	return sse.Event{Name: "own", Data: fmt.Appendf(nil, `{"t":%d,"from":%d,"v":%d}`, o.topic, from, n)}
}

// knowledge has, by topic, the version of the state that a client was sent and the number that it
// was told.
type knowledge struct{ states, own map[int]int64 }

func nothing() knowledge { return knowledge{map[int]int64{}, map[int]int64{}} }

func (k knowledge) clone() knowledge { return knowledge{maps.Clone(k.states), maps.Clone(k.own)} }

// modelClient checks each event against what it knows from the events before. Events without an id
// belong to the next event with one: if the connection breaks in between, they are forgotten.
type modelClient struct {
	topics []int
	conn   *sse.Client
	lastID string
	saved  knowledge // when it saw lastID
	now    knowledge // with the events that came since
}

// take applies a batch of frames. If the connection breaks, only some of the frames arrive.
func (c *modelClient) take(t *rapid.T, batch [][]byte, breaks bool) {
	if breaks && len(batch) > 0 {
		batch = batch[:rapid.IntRange(0, len(batch)-1).Draw(t, "frames that arrive")]
	}
	for _, e := range parse(t, bytes.Join(batch, nil)) {
		c.apply(t, e)
		if e.id != "" {
			c.lastID, c.saved = e.id+"."+e.tag, c.now.clone()
		}
	}
}

func (c *modelClient) apply(t *rapid.T, e event) {
	var topic int
	var from, to int64
	var err error
	switch e.name {
	case "news":
		_, err = fmt.Sscanf(e.data, `{"t":%d,"v":%d}`, &topic, &to)
		from = c.now.states[topic] // a whole state may follow any
	case "since", "own":
		_, err = fmt.Sscanf(e.data, `{"t":%d,"from":%d,"v":%d}`, &topic, &from, &to)
	default:
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	known := c.now.states
	if e.name == "own" {
		known = c.now.own
	}
	if from != known[topic] || to < known[topic] {
		t.Fatalf("%s %s to a client that knows %d", e.name, e.data, known[topic])
	}
	known[topic] = to
}

// resumeModel is a hub of three topics with clients that come back. It knows which states and
// numbers the clients should get.
type resumeModel struct {
	hub     *sse.Hub
	server  *sse.Server
	topics  []*sse.Topic
	clients []*modelClient

	version int64         // of the last commit
	commits int           // an upper bound of each topic's states
	changed map[int]int64 // by topic: the version of its last change
	newest  map[int]int64 // by topic: the version of its newest state
	number  int64         // the newest notes
}

func newResumeModel() *resumeModel {
	hub := sse.NewHub("e")
	m := &resumeModel{
		hub: hub, server: sse.NewServer(hub, sse.Options{}),
		version: 1, commits: 1,
		changed: map[int]int64{0: 1, 1: 1, 2: 1}, newest: map[int]int64{},
	}
	for range 3 {
		m.topics = append(m.topics, hub.NewTopic("board"))
	}
	return m
}

// state returns the state of a topic as of its last change.
func (m *resumeModel) state(topic int) *sse.State {
	return sse.NewState(m.changed[topic], item{topic, m.changed[topic]})
}

// connect gives the client a new stream that resumes from its last id.
func (m *resumeModel) connect(t *rapid.T, c *modelClient) {
	stream := sse.Stream{ID: "s", Format: sse.Diff, Scope: fmt.Sprint(c.topics)}
	stream.Resume = m.hub.Resume(c.lastID, stream.Scope, len(c.topics))
	stream.Greeting = func(recovered bool) []byte {
		if recovered == (c.lastID == "") && m.commits < 60 { // so few states are all retained
			t.Fatalf("recovered is %v for a client that saw %q", recovered, c.lastID)
		}
		if !recovered {
			c.saved.states = map[int]int64{}
		}
		c.now = c.saved.clone()
		return []byte(`{}`)
	}
	for n, i := range c.topics {
		own := &teller{i, m.number, m.number}
		if told := stream.Resume.Told(n); told == nil {
			c.saved.own[i] = m.number // a stream that does not resume tells nothing older
		} else if own.told, _ = strconv.ParseInt(string(told), 10, 64); own.told != c.saved.own[i] {
			t.Fatalf("by its id %q the client was told %d, not %d", c.lastID, own.told, c.saved.own[i])
		}
		from := m.topics[i].Retain(m.state(i))
		stream.Follows = append(stream.Follows, sse.Follow{Topic: m.topics[i], From: from, Own: own})
		m.newest[i] = max(m.newest[i], m.changed[i])
	}
	var begin [][]byte
	c.conn, begin = sse.Connect(m.server, stream)
	c.take(t, begin, false)
	for _, i := range c.topics {
		if c.now.states[i] != m.newest[i] && c.now.states[i] != m.changed[i] {
			t.Fatalf("a client of %v begins with %v; newest are %v", c.topics, c.now.states, m.newest)
		}
		if c.now.own[i] != m.number {
			t.Fatalf("a client of %v was told %v, not %d", c.topics, c.now.own, m.number)
		}
	}
}

// commit changes some of the topics.
func (m *resumeModel) commit(t *rapid.T) {
	m.version++
	m.commits++
	changes := [][]int{{}, {0}, {1}, {2}, {0, 1}, {0, 1, 2}}
	for _, i := range rapid.SampledFrom(changes).Draw(t, "changes") {
		m.changed[i] = m.version
	}
}

// publish publishes, for each topic, nothing, the state, notes or both.
func (m *resumeModel) publish(t *rapid.T) {
	var news []sse.Publication
	m.number++
	for i, topic := range m.topics {
		p := sse.Publication{Topic: topic, Version: m.changed[i]}
		what := rapid.SampledFrom([]string{"nothing", "state", "notes", "both"}).Draw(t, "what")
		if what == "nothing" {
			continue
		}
		if what != "state" {
			p.Notes = m.number
		}
		if what != "notes" {
			p.State = m.state(i)
			m.newest[i] = m.changed[i]
		}
		news = append(news, p)
	}
	m.hub.Publish(news...)
}

// update sends a client what it lacks. Sometimes the connection breaks, and the client comes back.
func (m *resumeModel) update(t *rapid.T) {
	c := rapid.SampledFrom(m.clients).Draw(t, "client")
	breaks := rapid.IntRange(0, 4).Draw(t, "breaks") == 0
	if c.take(t, c.conn.Update(), breaks); breaks {
		m.connect(t, c)
	}
}

// An id says exactly what the client of several topics knows. It does not matter whether topics are
// published together or apart, under new versions or old ones, what other streams began with, and
// where in a batch the connection breaks.
func TestHub_Resume_model(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newResumeModel()
		for range rapid.IntRange(1, 3).Draw(t, "clients") {
			topics := rapid.SampledFrom([][]int{{0}, {1}, {0, 1}, {0, 1, 2}}).Draw(t, "topics")
			c := &modelClient{topics: topics, saved: nothing()}
			m.clients = append(m.clients, c)
			m.connect(t, c)
		}
		t.Repeat(map[string]func(*rapid.T){
			"commit":  m.commit,
			"publish": m.publish,
			"update":  m.update,
			"reconnect": func(t *rapid.T) {
				m.connect(t, rapid.SampledFrom(m.clients).Draw(t, "client"))
			},
			"another stream begins": func(t *rapid.T) {
				i := rapid.IntRange(0, 2).Draw(t, "topic")
				m.topics[i].Retain(m.state(i))
			},
		})
	})
}
