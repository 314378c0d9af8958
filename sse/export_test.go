package sse

import "slices"

// Frame is the state as it is written to a client that holds from, -1 for nothing.
func Frame(t *Topic, s *State, from int64, f Format) []byte {
	return s.frame(t, from, f, false).plain()
}

// FrameWithID is Frame with the id.
func FrameWithID(t *Topic, s *State, from int64, f Format, id string) []byte {
	text := append(make([]byte, sizeRoom), "id: "+id+"\n\n"...)
	return append(slices.Clone(s.frame(t, from, f, true).plain()), f.pack(text, "", false).plain()...)
}

// ID is the id that says of a client of one topic, in a stream without a scope, that it was
// sent the state sent last, under that version.
func (h *Hub) ID(version, sent int64) string {
	s := subscriber{server: &Server{hub: h}, scope: h.scope(""), lastID: version, follows: []follow{{sent: sent}}}
	return s.id()
}

// SentVersion is the version of the state that a client of one topic holds, if that is known.
func SentVersion(r Resume) (sent int64, known bool) {
	if len(r.parts) != 1 {
		return 0, false
	}
	return r.parts[0].sent, true
}

// Len is the number of subscribers.
func (t *Topic) Len() int {
	t.fanout.mu.Lock()
	defer t.fanout.mu.Unlock()
	return t.fanout.subscribers
}

// Client is a subscriber whose goroutine is the test's.
type Client struct{ standard }

// Connect begins the stream and returns what it is sent.
func Connect(s *Server, stream Stream) (*Client, [][]byte) {
	c := &Client{}
	c.transport = &c.standard
	begin := c.open(s, stream)
	c.views = make([]view, len(c.follows))
	for i := range c.follows {
		c.follows[i].view = &c.views[i]
	}
	return c, begin
}

// Update returns what the client is sent when it can take something.
func (c *Client) Update() [][]byte {
	c.refresh()
	return c.news(nil, &scratch{})
}

// Encode is an event as it is written to a client.
func Encode(f Format, e Event, id string) []byte { return f.frame(e, id).plain() }

// Stalled is how many streams of the user are known not to be read.
func (s *Server) Stalled(userID string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mostStalled(s.users[userID]) != nil {
		n++
	}
	return n
}
