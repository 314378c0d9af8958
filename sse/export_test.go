package sse

// Frame is the state as it is written to a client that holds from, -1 for nothing.
func Frame(t *Topic, s *State, from int64, f Format) []byte { return s.frame(t, from, f, true) }

// Len is the number of subscribers.
func (t *Topic) Len() int {
	t.fanout.mu.Lock()
	defer t.fanout.mu.Unlock()
	return t.fanout.subscribers
}
