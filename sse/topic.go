package sse

import (
	"slices"
	"sync"
	"time"
)

// maxRetained bounds the states that a topic retains, so that it can lead clients on from them:
// this many that were published, and as many that streams only began with. Past the bound the
// oldest goes. A client that holds a dropped state is sent a whole one.
const maxRetained = 64

// Hub is a set of topics that a stream may follow together. Safe for concurrent use.
type Hub struct {
	epoch string
	key   [32]byte // of the checksums in ids

	mu sync.RWMutex
}

// NewHub returns a hub without topics. epoch consists of letters and digits. It is part of every
// event id and names the counter of the versions: it must change when versions begin anew.
func NewHub(epoch string) *Hub { return &Hub{epoch: epoch, key: newKey()} }

// Topic is something that has a state and followers. Safe for concurrent use.
type Topic struct {
	hub  *Hub
	name string

	retained  []*State              // guarded by hub.mu: by version; at most twice maxRetained
	shown     edition               // guarded by hub.mu
	listeners map[listener]struct{} // guarded by hub.mu

	fanout fanout
}

// edition is what a topic has for its followers at one moment: its newest state and notes.
type edition struct {
	publication  int64     // the number of the newest publication, from 1; 0 before the first
	newest       *State    // the newest published state, or nil
	states       int64     // how many states were published
	notes        any       // see Publication
	notesVersion int64     // see Publication.Version
	since        time.Time // see Publication
	memo         *memo     // of newest's frames; nil if there is none
}

// memo caches the last frame for each format, with and without an id. Most followers of a topic
// need the same frame as the follower before them, and find it here without a lock.
type memo [formats][2]struct {
	from  int64
	frame frame
}

// frame returns newest.frame.
func (v *edition) frame(t *Topic, from int64, f Format, withID bool) frame {
	if v.memo == nil {
		return v.newest.frame(t, from, f, withID)
	}
	m := &v.memo[f][0]
	if withID {
		m = &v.memo[f][1]
	}
	if m.frame.chunk == nil || m.from != from {
		m.from, m.frame = from, v.newest.frame(t, from, f, withID)
	}
	return m.frame
}

// listener learns that a topic has news. wake is called with the hub's mu held and must not wait
// for anything.
type listener interface{ wake(t *Topic) }

// NewTopic returns a topic without states and followers. Several topics may share a name. A right
// to read is a right to all topics of a name; see Forbidden.
func (h *Hub) NewTopic(name string) *Topic {
	return &Topic{hub: h, name: name, listeners: map[listener]struct{}{}}
}

// Publication is news of a topic.
type Publication struct {
	Topic *Topic

	// State becomes the newest state of the topic. If it is nil, the publication is for single
	// followers alone, and the newest state stays.
	State *State

	// Notes are handed to each follower's Own, which makes the events for its client. Nil means no
	// notes.
	Notes any

	// Version is the version that the notes describe.
	Version int64

	// Since is when the oldest change in this publication happened. Stats.Freshness counts from it.
	Since time.Time
}

// Publish makes the states the newest of their topics, all at one moment, and wakes the followers.
// It waits for none of them. A state's version must not be lower than the version of its topic's
// newest state. If the topic retains a state of the same version, that state becomes the newest.
// Each publication costs O(shards + followers of the standard transport).
func (h *Hub) Publish(news ...Publication) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range news {
		t := p.Topic
		t.shown.publication++
		t.shown.notes, t.shown.notesVersion, t.shown.since = p.Notes, p.Version, p.Since
		if p.State != nil {
			if t.shown.newest != nil {
				t.shown.newest.forget()
			}
			s := t.retain(p.State)
			if !s.published {
				t.shown.states++
				s.published = true
			}
			t.shown.newest = s
			t.trim()
		}
		t.fanout.begin(t.shown.publication)
		for l := range t.listeners {
			l.wake(t)
		}
	}
}

// Retain makes the topic remember s, so that a stream may begin with it, and returns s. If the
// topic has a state of the same version already, it drops s and returns that state.
func (t *Topic) Retain(s *State) *State {
	t.hub.mu.Lock()
	defer t.hub.mu.Unlock()
	s = t.retain(s)
	t.trim()
	return s
}

// retain is Retain without a bound. The caller holds hub.mu.
func (t *Topic) retain(s *State) *State {
	i, found := t.search(s.version)
	if found {
		return t.retained[i]
	}
	t.retained = slices.Insert(t.retained, i, s)
	return s
}

// trim drops the oldest states past the bounds. The caller holds hub.mu.
func (t *Topic) trim() {
	published := 0
	for _, s := range t.retained {
		if s.published {
			published++
		}
	}
	drop := published - maxRetained                        // how many published states to drop
	dropBegun := len(t.retained) - published - maxRetained // how many others
	if drop <= 0 && dropBegun <= 0 {
		return
	}
	t.retained = slices.DeleteFunc(t.retained, func(s *State) bool {
		left := &dropBegun
		if s.published {
			left = &drop
		}
		*left--
		return *left >= 0
	})
}

// search returns the index of the version's state among the retained ones, or the index at which it
// would be inserted. The caller holds hub.mu.
func (t *Topic) search(version int64) (i int, found bool) {
	return slices.BinarySearchFunc(t.retained, version, func(s *State, v int64) int {
		return int(min(max(s.version-v, -1), 1))
	})
}

// find returns the retained state with that version, or nil.
func (t *Topic) find(version int64) *State {
	t.hub.mu.RLock()
	defer t.hub.mu.RUnlock()
	if i, found := t.search(version); found {
		return t.retained[i]
	}
	return nil
}

// now returns the editions of the topics at one moment.
func (h *Hub) now(topics []*Topic) []edition {
	h.mu.RLock()
	defer h.mu.RUnlock()
	editions := make([]edition, len(topics))
	for i, t := range topics {
		editions[i] = t.shown
	}
	return editions
}

// listen has the topic wake l from now on.
func (t *Topic) listen(l listener) {
	t.hub.mu.Lock()
	defer t.hub.mu.Unlock()
	t.listeners[l] = struct{}{}
}

// unlisten ends listen.
func (t *Topic) unlisten(l listener) {
	t.hub.mu.Lock()
	defer t.hub.mu.Unlock()
	delete(t.listeners, l)
}

// Fanout returns how long it lately took to write the topic's news to all followers: twice the time
// that half of them took. The other half may include clients that read as slowly as they like.
func (t *Topic) Fanout() time.Duration {
	t.fanout.mu.Lock()
	defer t.fanout.mu.Unlock()
	return t.fanout.took
}
