package sse

// Frame is the state as it is written.
func Frame(s *State) []byte { return s.frame }

// Len is the number of subscribers.
func (t *Topic) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.subscribers)
}
