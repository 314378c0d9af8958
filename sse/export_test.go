package sse

// Frame is the state as it is written.
func Frame(s *State) []byte { return s.frame }
