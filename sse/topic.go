package sse

import (
	"slices"
	"sync"
	"time"
)

// maxRetained bounds the states that a topic keeps to lead clients on from: this many
// that were published and as many that were only begun with. Past it the oldest
// goes, and a client that holds it is sent a whole state.
const maxRetained = 64

// Hub is the topics that a stream may follow together. Safe for concurrent use.
type Hub struct {
	epoch string
	key   [32]byte // of the checksums in ids

	mu sync.RWMutex
}

// NewHub returns a hub without topics. epoch names the origin of versions in
// event ids: letters and digits, and the same as long as versions go on
// counting.
func NewHub(epoch string) *Hub { return &Hub{epoch: epoch, key: newKey()} }

// Topic is something that has a state, and those who are told of it. Safe for
// concurrent use.
type Topic struct {
	hub  *Hub
	name string

	retained  []*State              // guarded by hub.mu: by version; at most twice maxRetained
	shown     view                  // guarded by hub.mu
	listeners map[listener]struct{} // guarded by hub.mu

	fanout fanout
}

// view is what followers of a topic are told, as of one moment.
type view struct {
	newest       *State    // the last one published, nil before the first
	states       int64     // how many were published
	notes        any       // see Publication
	notesVersion int64     // the version of notes
	since        time.Time // see Publication
	publication  int64     // how often something was published
	memo         *memo     // what newest's frames were last asked for, where many ask; or nil
}

// memo spares those who ask for the same frame one after the other the search.
type memo [formats][2]struct {
	from  int64
	frame frame
}

// frame is newest.frame.
func (v *view) frame(t *Topic, from int64, f Format, id bool) frame {
	if v.memo == nil {
		return v.newest.frame(t, from, f, id)
	}
	m := &v.memo[f][0]
	if id {
		m = &v.memo[f][1]
	}
	if m.frame.chunk == nil || m.from != from {
		m.from, m.frame = from, v.newest.frame(t, from, f, id)
	}
	return m.frame
}

// listener is told that a topic has news. It is called with the hub's mu held
// and must not wait.
type listener interface{ wake(t *Topic) }

// NewTopic returns a topic without a state or subscribers. Several topics may have the
// same name: a right to read covers all of them. See Forbidden.
func (h *Hub) NewTopic(name string) *Topic {
	return &Topic{hub: h, name: name, listeners: map[listener]struct{}{}}
}

// Publication is news of a topic.
type Publication struct {
	Topic *Topic

	// State is the newest state; nil, and for everybody what it was, where there
	// is news for single followers alone.
	State *State

	// Notes are what each follower's Own is asked with for what it alone is told, and
	// Version is the one that they are of. Nil notes are none.
	Notes   any
	Version int64

	// Since is when the oldest of what they tell happened.
	Since time.Time
}

// Publish makes the states the newest ones of their topics, all at one moment,
// and wakes who follows. It waits for none of them. No version may be lower than
// one that was published before of the same topic. O(shards, and streams through net/http).
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

// Keep returns s, or the state that the topic knows by the same version, and has
// the topic remember it: a stream may begin with it.
func (t *Topic) Retain(s *State) *State {
	t.hub.mu.Lock()
	defer t.hub.mu.Unlock()
	s = t.retain(s)
	t.trim()
	return s
}

// keep is called with hub.mu held.
func (t *Topic) retain(s *State) *State {
	i, found := t.search(s.version)
	if found {
		return t.retained[i]
	}
	t.retained = slices.Insert(t.retained, i, s)
	return s
}

// trim drops the oldest states past the bounds. It is called with hub.mu held.
func (t *Topic) trim() {
	published := 0
	for _, s := range t.retained {
		if s.published {
			published++
		}
	}
	surplus := [2]int{len(t.retained) - published - maxRetained, published - maxRetained}
	if surplus[0] <= 0 && surplus[1] <= 0 {
		return
	}
	t.retained = slices.DeleteFunc(t.retained, func(s *State) bool {
		left := &surplus[min(s.turn, 1)]
		*left--
		return *left >= 0
	})
}

// search returns where the version's state is in kept, or would be. It is called
// with hub.mu held.
func (t *Topic) search(version int64) (i int, found bool) {
	return slices.BinarySearchFunc(t.retained, version, func(s *State, v int64) int {
		return int(min(max(s.version-v, -1), 1))
	})
}

// find returns the state with that version if it is kept, else nil.
func (t *Topic) find(version int64) *State {
	t.hub.mu.RLock()
	defer t.hub.mu.RUnlock()
	if i, found := t.search(version); found {
		return t.retained[i]
	}
	return nil
}

// now returns what is shown of the topics at one moment.
func (h *Hub) now(topics []*Topic) []view {
	h.mu.RLock()
	defer h.mu.RUnlock()
	views := make([]view, len(topics))
	for i, t := range topics {
		views[i] = t.shown
	}
	return views
}

// listen has l woken by the topic's news.
func (t *Topic) listen(l listener) {
	t.hub.mu.Lock()
	defer t.hub.mu.Unlock()
	t.listeners[l] = struct{}{}
}

func (t *Topic) unlisten(l listener) {
	t.hub.mu.Lock()
	defer t.hub.mu.Unlock()
	delete(t.listeners, l)
}

// Fanout is how long it lately took to write news to all subscribers: twice
// the time to half of them, since the slowest may take as long as they like.
func (t *Topic) Fanout() time.Duration {
	t.fanout.mu.Lock()
	defer t.fanout.mu.Unlock()
	return t.fanout.took
}
