package sse

import (
	"sync"
	"time"
)

// Topic is something that has a state, and those who are told of it. The zero
// value is a topic without a state or subscribers. Safe for concurrent use.
type Topic struct {
	mu          sync.Mutex
	newest      *State                   // guarded by mu
	subscribers map[*subscriber]struct{} // guarded by mu
	fanout      fanout                   // guarded by mu
}

// fanout is how far the newest state has come.
type fanout struct {
	began time.Time
	half  int           // subscribers still to be sent it until half of them have it
	took  time.Duration // how long the last one that got there took, for all
}

// Publish makes s the newest state and wakes all subscribers. It waits for none
// of them. O(subscribers).
func (t *Topic) Publish(s *State) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.newest = s
	t.fanout.began = time.Now()
	t.fanout.half = (len(t.subscribers) + 1) / 2
	for sub := range t.subscribers {
		sub.poke()
	}
}

// Fanout is how long it lately took to write a state to all subscribers: twice
// the time to half of them, since the slowest may take as long as they like.
func (t *Topic) Fanout() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.fanout.took
}

func (t *Topic) add(s *subscriber) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.subscribers == nil {
		t.subscribers = make(map[*subscriber]struct{})
	}
	t.subscribers[s] = struct{}{}
}

func (t *Topic) remove(s *subscriber) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.subscribers, s)
}

// after returns the newest state if it is later than s.
func (t *Topic) after(s *State) *State {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.newest == nil || s != nil && t.newest.version <= s.version {
		return nil
	}
	return t.newest
}

// wrote counts a subscriber that has been written s.
func (t *Topic) wrote(s *State) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s != t.newest || t.fanout.half == 0 {
		return
	}
	if t.fanout.half--; t.fanout.half == 0 {
		t.fanout.took = 2 * time.Since(t.fanout.began)
	}
}
