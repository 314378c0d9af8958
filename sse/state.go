// Package sse sends the newest states of topics to any number of subscribers as
// Server-Sent Events (https://html.spec.whatwg.org/multipage/server-sent-events.html).
//
// A stream is state, not a log. A subscriber remembers which state of each
// topic it was last sent; when it can write, it is sent the newest, or what
// leads from the one to the other. There is no queue to grow, nothing to drop
// and nobody to wait for: who reads slowly skips what came between.
package sse

import (
	"sync"
	"sync/atomic"
)

// Content is what a state shows. It never changes, and its methods may be called
// by several goroutines at once. What they return is kept and shared.
type Content interface {
	// Snapshot returns the event that shows all of it.
	Snapshot() Event

	// Since returns the event that leads to it from an earlier content of the
	// same topic.
	Since(earlier Content) Event
}

// State is a topic's content at a version. Of two states of a topic the later
// one has the higher version.
type State struct {
	version int64
	content Content

	published bool // guarded by the hub's mu: by Publish; else a stream only began with it

	frames atomic.Pointer[frames]
}

// frames are a state's events as they are written, each made when it is first
// needed. There are as many as there are states that are kept and formats.
type frames struct {
	mu   sync.Mutex
	made map[frameKey]frame // guarded by mu
}

type frameKey struct {
	from   int64 // the version that a difference leads from, or noVersion
	format Format
	id     bool // the event is to be given an id
}

// noVersion is that of a client that holds nothing.
const noVersion = -1

// NewState returns a state. It is nobody's business yet: see Topic.Retain and
// Hub.Publish.
func NewState(version int64, content Content) *State {
	s := &State{version: version, content: content}
	s.forget()
	return s
}

// Content is what the state shows.
func (s *State) Content() Content { return s.content }

// forget drops the frames; who asks for one after all has it made again.
func (s *State) forget() { s.frames.Store(&frames{made: map[frameKey]frame{}}) }

// frame returns what takes a client to s: from the state of its topic
// that it holds, as far as that is kept, where it takes differences, else
// whatever it holds. With id, the event has no end yet: each client's own id follows.
func (s *State) frame(t *Topic, from int64, f Format, id bool) frame {
	if f&Diff == 0 {
		from = noVersion
	}
	made := s.frames.Load()
	key := frameKey{from, f, id}
	made.mu.Lock()
	known, ok := made.made[key]
	made.mu.Unlock()
	if ok {
		return known
	}
	var base *State
	if from != noVersion {
		base = t.find(from) // not with made.mu held
	}
	made.mu.Lock()
	defer made.mu.Unlock()
	if known, ok := made.made[key]; ok {
		return known // another was quicker
	}
	var event Event
	if base != nil {
		event = s.content.Since(base.content)
	} else {
		event = s.content.Snapshot()
	}
	text := f.text(event, "")
	if id {
		text = text[:len(text)-1] // the empty line that ends it
	}
	made.made[key] = f.pack(text, "", true)
	return made.made[key]
}
