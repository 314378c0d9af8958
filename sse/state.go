package sse

import (
	"sync"
	"sync/atomic"
)

// Content is what a state shows. It never changes. Several goroutines may call its methods at
// once. The events that they return are cached and shared, so nobody may change them.
type Content interface {
	// Snapshot returns an event that shows the whole content.
	Snapshot() Event

	// Since returns an event that leads from an earlier content of the same topic to this one.
	Since(earlier Content) Event
}

// State is a topic's content at a version. A later state of a topic has a higher version.
type State struct {
	version int64
	content Content

	published bool // guarded by the hub's mu; false if streams have only begun with it

	frames atomic.Pointer[frames]
}

// frames caches a state's encoded events. Each is made when a client first needs it. Their number
// is bounded by that of the retained states, times the formats, times two for id or no id.
type frames struct {
	mu   sync.Mutex
	made map[frameKey]frame // guarded by mu
}

type frameKey struct {
	from   int64 // the version that a difference leads from, or noVersion
	format Format
	withID bool
}

// noVersion is the version of a client that holds no state.
const noVersion = -1

// NewState returns a state that no topic knows yet. See Topic.Retain and Hub.Publish.
func NewState(version int64, content Content) *State {
	s := &State{version: version, content: content}
	s.forget()
	return s
}

// Content returns what the state shows.
func (s *State) Content() Content { return s.content }

// forget drops the cached frames. A client that needs one afterwards has it made again.
func (s *State) forget() { s.frames.Store(&frames{made: map[frameKey]frame{}}) }

// frame returns the bytes that take a client to s. With Diff, they lead from the state of the
// version from, if t still retains that state. Otherwise they show all of s. With withID, the event
// is left open, since each client's own id follows.
func (s *State) frame(t *Topic, from int64, f Format, withID bool) frame {
	if f&Diff == 0 {
		from = noVersion
	}
	made := s.frames.Load()
	key := frameKey{from, f, withID}
	made.mu.Lock()
	cached, ok := made.made[key]
	made.mu.Unlock()
	if ok {
		return cached
	}
	var base *State
	if from != noVersion {
		base = t.find(from) // it takes the hub's mu, so made.mu must be free
	}
	made.mu.Lock()
	defer made.mu.Unlock()
	if cached, ok := made.made[key]; ok {
		return cached // another goroutine was quicker
	}
	var event Event
	if base != nil {
		event = s.content.Since(base.content)
	} else {
		event = s.content.Snapshot()
	}
	text := f.text(event, "")
	if withID {
		text = text[:len(text)-1] // without the empty line that ends the event
	}
	made.made[key] = f.pack(text, "", true)
	return made.made[key]
}
