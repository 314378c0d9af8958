package sse

import "slices"

// Frame returns the bytes that take a client from the version from, or -1 for none, to s.
func Frame(t *Topic, s *State, from int64, f Format) []byte {
	return s.frame(t, from, f, false).plain()
}

// FrameWithID is Frame with an id.
func FrameWithID(t *Topic, s *State, from int64, f Format, id string) []byte {
	text := append(make([]byte, sizeRoom), "id: "+id+"\n\n"...)
	open := slices.Clone(s.frame(t, from, f, true).plain())
	return append(open, f.pack(text, "", false).plain()...)
}

// ID returns the id, with that version, of a client of one topic in a stream without a scope. The
// client was last sent the state of the version sent.
func (h *Hub) ID(version, sent int64) string {
	s := subscriber{
		server: &Server{hub: h}, scope: h.scope(""), lastID: version, follows: []follow{{sent: sent}},
	}
	return s.id()
}

// SentVersion returns the version of the state that a client of one topic holds, if it is known.
func SentVersion(r Resume) (sent int64, known bool) {
	if len(r.parts) != 1 {
		return 0, false
	}
	return r.parts[0].sent, true
}

// Len returns the number of the topic's followers.
func (t *Topic) Len() int {
	t.fanout.mu.Lock()
	defer t.fanout.mu.Unlock()
	return t.fanout.followers
}

// Client is a subscriber that the test's goroutine drives.
type Client struct{ standard }

// Connect begins the stream and returns the batch that it begins with.
func Connect(s *Server, stream Stream) (*Client, [][]byte) {
	c := &Client{}
	c.transport = &c.standard
	begin := c.open(s, stream)
	c.editions = make([]edition, len(c.follows))
	for i := range c.follows {
		c.follows[i].edition = &c.editions[i]
	}
	return c, begin
}

// Update returns the batch that the client is sent next.
func (c *Client) Update() [][]byte {
	c.refresh()
	return c.news(nil, &scratch{})
}

// Encode returns the event as it is written to clients.
func Encode(f Format, e Event, id string) []byte { return f.frame(e, id).plain() }

// Stalled reports whether a client of the user has stalled.
func (s *Server) Stalled(userID string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mostStalled(s.users[userID]) != nil
}
