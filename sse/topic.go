package sse

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxKept bounds the states that a topic keeps to lead clients on from: this many
// that were published and as many that were only begun with. Past it the oldest
// goes, and a client that holds it is sent a whole state.
const maxKept = 64

// Hub is the topics that a stream may follow together. Safe for concurrent use.
type Hub struct {
	epoch string
	base  int64 // versions up to it may have been shown otherwise, by an earlier process

	mu     sync.RWMutex
	moment int64 // guarded by mu: how often something was published
}

// NewHub returns a hub without topics. epoch names the origin of versions in
// event ids: letters and digits, and the same as long as versions go on
// counting. Ids of versions up to base are not continued from: they may be from
// before, when the same version may have been shown otherwise.
func NewHub(epoch string, base int64) *Hub { return &Hub{epoch: epoch, base: base} }

// ID is the event id that names the version.
func (h *Hub) ID(version int64) string { return h.epoch + "-" + strconv.FormatInt(version, 10) }

// Version returns the version that an event id of this hub names.
func (h *Hub) Version(id string) (version int64, ok bool) {
	_, number, _ := strings.Cut(id, "-")
	version, err := strconv.ParseInt(number, 10, 64)
	if err != nil || version < 0 || h.ID(version) != id {
		return 0, false
	}
	return version, true
}

// Topic is something that has a state, and those who are told of it. Safe for
// concurrent use.
type Topic struct {
	hub  *Hub
	name string

	kept      []*State              // guarded by hub.mu: by version; at most twice maxKept
	dropped   int64                 // guarded by hub.mu: the highest version of a state dropped that was not published
	noted     []note                // guarded by hub.mu: the last maxKept notes that came without a state, newer than any
	shown     view                  // guarded by hub.mu
	listeners map[listener]struct{} // guarded by hub.mu

	fanout fanout
}

// note is of notes without a state.
type note struct {
	version int64
	moment  int64 // the hub's
}

// view is what followers of a topic are told, as of one moment.
type view struct {
	newest *State    // the last one published, nil before the first
	states int64     // how many were published
	notes  any       // see Publication
	noted  int64     // the version of notes
	since  time.Time // see Publication
	turn   int64     // how often something was published
	memo   *memo     // what newest's frames were last asked for, where many ask; or nil
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
	h.moment++
	for _, p := range news {
		t := p.Topic
		t.shown.turn++
		t.shown.notes, t.shown.noted, t.shown.since = p.Notes, p.Version, p.Since
		// Where the newest state has the version, who is given it as an id holds that state.
		if p.Notes != nil && p.State == nil && (t.shown.newest == nil || p.Version > t.shown.newest.version) {
			t.noted = append(t.noted, note{p.Version, h.moment})
			t.noted = t.noted[max(0, len(t.noted)-maxKept):]
		}
		if p.State != nil {
			if t.shown.newest != nil {
				t.shown.newest.forget()
			}
			s := t.keep(p.State)
			if s.turn == 0 {
				t.shown.states++
				s.turn, s.published = t.shown.states, h.moment
			}
			t.shown.newest = s
			t.trim()
		}
		t.fanout.begin(t.shown.turn)
		for l := range t.listeners {
			l.wake(t)
		}
	}
}

// Keep returns s, or the state that the topic knows by the same version, and has
// the topic remember it: a stream may begin with it.
func (t *Topic) Keep(s *State) *State {
	t.hub.mu.Lock()
	defer t.hub.mu.Unlock()
	s = t.keep(s)
	t.trim()
	return s
}

// keep is called with hub.mu held.
func (t *Topic) keep(s *State) *State {
	i, found := t.search(s.version)
	if found {
		return t.kept[i]
	}
	s.since = t.hub.moment
	t.kept = slices.Insert(t.kept, i, s)
	return s
}

// trim drops the oldest states past the bounds. It is called with hub.mu held.
func (t *Topic) trim() {
	published := 0
	for _, s := range t.kept {
		if s.turn > 0 {
			published++
		}
	}
	surplus := [2]int{len(t.kept) - published - maxKept, published - maxKept}
	if surplus[0] <= 0 && surplus[1] <= 0 {
		return
	}
	t.kept = slices.DeleteFunc(t.kept, func(s *State) bool {
		left := &surplus[min(s.turn, 1)]
		*left--
		if *left >= 0 && s.turn == 0 {
			t.dropped = max(t.dropped, s.version)
		}
		return *left >= 0
	})
}

// search returns where the version's state is in kept, or would be. It is called
// with hub.mu held.
func (t *Topic) search(version int64) (i int, found bool) {
	return slices.BinarySearchFunc(t.kept, version, func(s *State, v int64) int {
		return int(min(max(s.version-v, -1), 1))
	})
}

// find returns the state with that version if it is kept, else nil.
func (t *Topic) find(version int64) *State {
	t.hub.mu.RLock()
	defer t.hub.mu.RUnlock()
	if i, found := t.search(version); found {
		return t.kept[i]
	}
	return nil
}

// held returns the versions of the topics' states that a client holds who follows
// them all and was sent the id of that version last, or false where that is not
// known for certain.
//
// A batch of events carries the highest version in it as its id, where that is higher
// than the client's last. Versions of different topics are not published in their order.
// But whoever has the id was given it at a moment when some topic had that version, and
// was told of all that was published until then. So a client holds of each topic the last
// state up to the id's version, if that was published before the id can have been given.
// Of a client of one topic, a state of just that version is the one.
//
// An id is of the topics with which it was given: a client that follows others, or fewer,
// must not show it.
func (h *Hub) held(topics []*Topic, version int64) (versions []int64, ok bool) {
	if version <= h.base {
		return nil, false
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	first := int64(math.MaxInt64) // the first moment at which the id can have been given
	for _, t := range topics {
		first = min(first, t.named(version))
	}
	if first == math.MaxInt64 {
		return nil, false
	}
	for _, t := range topics {
		i, found := t.search(version)
		if !found {
			i--
		}
		if i < 0 {
			return nil, false
		}
		s := t.kept[i]
		if found && t.hasNoted(version) { // some began with it, others hold the one before
			return nil, false
		}
		if alone := len(topics) == 1 && found; !alone && !s.certain(first, t.dropped) {
			return nil, false
		}
		versions = append(versions, s.version)
	}
	return versions, true
}

// named returns the first moment at which a client can have been given the version as
// an id because of the topic; math.MaxInt64 for never. It is called with hub.mu held.
func (t *Topic) named(version int64) int64 {
	first := int64(math.MaxInt64)
	if i, found := t.search(version); found {
		first = t.kept[i].since
	}
	for _, n := range t.noted {
		if n.version == version {
			first = min(first, n.moment)
		}
	}
	return first
}

func (t *Topic) hasNoted(version int64) bool {
	return slices.ContainsFunc(t.noted, func(n note) bool { return n.version == version })
}

// certain reports whether all hold s who have been told of all that was published up to
// a moment, and of nothing newer of its topic than s. dropped is the latest of the states
// that are not kept any more, of those that were not published.
func (s *State) certain(moment, dropped int64) bool {
	return s.turn > 0 && s.published <= moment && s.version >= dropped
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

func (t *Topic) leave(l listener) {
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
