package sse

import (
	"cmp"
	"maps"
	"slices"
	"sync/atomic"
	"time"
)

// Own makes the events that one follower of a topic gets beside its states. Only one goroutine at a
// time uses it.
type Own interface {
	// News returns the event that brings the follower up to the notes of the newest publication. An
	// event without a name means that there is nothing to tell. When the stream begins, notes are
	// nil. with says that the follower is also sent a state of the topic.
	News(notes any, with bool) Event

	// Told appends what the follower has been told, at most 255 bytes. The bytes become part of the
	// event id, and Resume.Told returns them after a reconnection, so that the next Own can tell
	// what the client missed. They must be the same as long as nothing new was told.
	Told(dst []byte) []byte

	// Renew sets the follower's right to the topic, taken from Renewal.Rights. If lasts is false,
	// the new right ends sooner than the present one, and may only narrow it.
	Renew(right Right, lasts bool)
}

// subscriber is one client's stream, as far as it is the same on both transports. It belongs to the
// goroutine that writes the stream, except where a field says otherwise.
type subscriber struct {
	server   *Server
	streamID string
	user     string // empty for an anonymous client
	format   Format
	chunked  bool     // this package makes the body's chunks
	sum      checksum // of all that was sent, with Gzip
	follows  []follow
	one      [1]follow // the memory of follows, if there is only one
	lastID   int64     // the version that the last id names, or noVersion
	scope    scopeKey  // of its ids

	over      bool // the client was told of the end of all its topics
	hasEnding bool // a follow is in the stage ending

	expires   atomic.Int64 // on the server's clock; 0 for never; set by any goroutine
	transport transport
	inbox     atomic.Pointer[inbox] // set by any goroutine
	stalled   atomic.Int64          // since when a write waits, on the server's clock; 0 if none

	address      *address    // nil unless the client is anonymous
	older, newer *subscriber // guarded by server.mu: in the list of the user's streams
	session      uint64      // guarded by server.mu; 0 for none
	replaced     bool        // guarded by server.mu
}

// follow is a topic as one client knows it.
type follow struct {
	topic       *Topic
	edition     *edition // the newest edition: the subscriber's own, or shared by its shard
	own         Own      // or nil
	leave       func()
	sent        int64 // the version of the state that the client holds, or noVersion
	states      int64 // edition.states when the client was last sent a state
	publication int64 // the last publication that was considered for the client; -1 before any
	index       int32 // in the shard's list of the topic's followers
	stage       stage
}

// stage is how far a follow is from its end. The stream goes on as long as one of its follows does.
//
//	following ──the client is told of the end──▶ ending ──releaseEnded──▶ ended
//	    └────────────────────the stream is over──────────────────────────▶ ended
type stage uint8

const (
	following stage = iota
	ending          // the topic still counts and wakes the follower
	ended           // nothing of it is left
)

// ownEvent is an event of a follow's Own.
type ownEvent struct {
	Event

	of *follow
}

// news appends to batch the frames that bring the client up to date with its editions. States come
// in the order of their versions. The events of the follows' Own come before them, or after them
// if they describe a newer version. The last event carries the id, which says all that the client
// was told. The last frame may lie in the scratch.
func (s *subscriber) news(batch [][]byte, r *scratch) [][]byte {
	var few [4]*follow // most streams follow fewer topics, so there is nothing to allocate
	batch, states, own := s.lacking(batch, few[:0])
	if len(states) > 1 {
		slices.SortFunc(states, func(a, b *follow) int {
			return cmp.Compare(a.edition.newest.version, b.edition.newest.version)
		})
	}
	var ownVersion int64 // the newest version that own describes
	for _, e := range own {
		ownVersion = max(ownVersion, e.of.edition.notesVersion)
	}
	ownLast := len(own) > 0 &&
		(len(states) == 0 || ownVersion > states[len(states)-1].edition.newest.version)
	if !ownLast {
		batch = s.appendOwn(batch, own, "")
	}
	for i, f := range states {
		withID := !ownLast && i == len(states)-1
		frame := f.edition.frame(f.topic, f.sent, s.format, withID)
		if s.recordSent(f); withID {
			batch = s.putWithID(batch, frame, r)
		} else {
			batch = s.put(batch, frame)
		}
	}
	if ownLast {
		s.lastID = max(s.lastID, ownVersion)
		batch = s.appendOwn(batch, own, s.id())
	}
	if s.over {
		batch = append(batch, s.trailer())
	}
	return batch
}

// lacking brings the follows up to their newest publications. It appends to states the follows
// whose client lacks the newest state, and returns in own the events for this client alone. If a
// follow ends, it is in neither, and its last event is appended to batch.
func (s *subscriber) lacking(batch [][]byte, states []*follow) ([][]byte, []*follow, []ownEvent) {
	var own []ownEvent
	for i := range s.follows {
		f := &s.follows[i]
		if f.stage != following || f.publication == f.edition.publication {
			continue
		}
		f.publication = f.edition.publication
		newest := f.edition.newest
		lacks := newest != nil && newest.version > f.sent
		if lacks {
			states = append(states, f)
		}
		if f.own == nil || f.edition.notes == nil {
			continue
		}
		e := f.own.News(f.edition.notes, lacks)
		if e.endsTopic {
			batch = s.put(batch, s.format.own(e, ""))
			s.endFollows(f.topic.name)
		} else if e.Name != "" {
			own = append(own, ownEvent{e, f})
		}
	}
	if s.hasEnding {
		states = slices.DeleteFunc(states, func(f *follow) bool { return f.stage != following })
		own = slices.DeleteFunc(own, func(e ownEvent) bool { return e.of.stage != following })
	}
	return batch, states, own
}

// appendOwn appends the events, the last of them with the id.
func (s *subscriber) appendOwn(batch [][]byte, own []ownEvent, id string) [][]byte {
	for i, e := range own {
		if i < len(own)-1 {
			batch = s.put(batch, s.format.own(e.Event, ""))
		} else {
			batch = s.put(batch, s.format.own(e.Event, id))
		}
	}
	return batch
}

// recordSent records that the client is sent the newest state.
func (s *subscriber) recordSent(f *follow) {
	if skipped := f.edition.states - f.states - 1; skipped > 0 {
		s.server.counts.skipped.Add(skipped)
	}
	f.sent, f.states = f.edition.newest.version, f.edition.states
	s.lastID = max(s.lastID, f.sent)
}

// endFollows records that the client is told of the end of all topics of that name. It reports
// whether the client follows any.
func (s *subscriber) endFollows(name string) (any bool) {
	s.over = true
	for i := range s.follows {
		f := &s.follows[i]
		if f.stage == following && f.topic.name == name {
			f.stage, s.hasEnding, any = ending, true, true
		}
		s.over = s.over && f.stage != following
	}
	return any
}

// releaseEnded releases the follows in the stage ending. Before, it calls detach with each of them.
func (s *subscriber) releaseEnded(detach func(*follow)) {
	if !s.hasEnding {
		return
	}
	s.hasEnding = false
	for i := range s.follows {
		if f := &s.follows[i]; f.stage == ending {
			detach(f)
			f.release()
		}
	}
}

// release ends the follow, unless it has ended before.
func (f *follow) release() {
	if f.stage == ended {
		return
	}
	f.stage, f.own, f.edition = ended, nil, nil
	f.topic.fanout.count(-1)
	if f.leave != nil {
		f.leave()
	}
}

// open makes s the subscriber of the stream. It returns the batch that the stream begins with: the
// greeting, the forbidden topics, the first event of each Own, and the states that the client
// lacks.
func (s *subscriber) open(server *Server, stream Stream) (begin [][]byte) {
	s.server, s.streamID, s.user = server, stream.ID, stream.UserID
	s.format, s.lastID = stream.Format, noVersion
	s.scope = server.hub.scope(stream.Scope)
	s.expires.Store(server.at(stream.Expires))
	topics := s.follow(stream.Follows)
	server.register(s, stream)
	recovered := s.resume(stream.Resume, topics)
	begin = s.put(begin, s.format.greeting(server.retry(), stream.Greeting(recovered)))
	for _, name := range slices.Sorted(maps.Keys(stream.Forbidden)) {
		begin = s.put(begin, s.format.own(Forbidden(name, stream.Forbidden[name]), ""))
	}
	begin = s.lookFirst(begin, stream.Follows, server.hub.now(topics))
	introduction := len(begin)
	begin = s.news(begin, &scratch{})
	s.releaseEnded(func(*follow) {}) // no topic wakes the stream yet
	if stream.Resume.Version() != noVersion {
		result := resultSnapshot
		if recovered && len(begin) > introduction {
			result = resultDifference
		} else if recovered {
			result = resultCurrent
		}
		server.counts.recoveries[result].Add(1)
	}
	return begin
}

// follow makes the follows, and counts the stream among the followers of their topics.
func (s *subscriber) follow(follows []Follow) (topics []*Topic) {
	if s.follows = s.one[:]; len(follows) != 1 {
		s.follows = make([]follow, len(follows))
	}
	topics = make([]*Topic, len(follows))
	for i, f := range follows {
		s.follows[i] = follow{
			topic: f.Topic, own: f.Own, leave: f.Leave, sent: noVersion,
			publication: -1, // lower than 0, so From is sent even if nothing was published
		}
		topics[i] = f.Topic
		f.Topic.fanout.count(1)
	}
	return topics
}

// resume sets the states that the client holds, if all of them are known.
func (s *subscriber) resume(from Resume, topics []*Topic) (recovered bool) {
	versions, known := from.sentVersions(topics)
	if !known {
		return false
	}
	s.lastID = from.version
	for i, version := range versions {
		s.follows[i].sent = version
	}
	return true
}

// lookFirst gives the follows their first editions, and appends the first event of each Own.
func (s *subscriber) lookFirst(begin [][]byte, follows []Follow, editions []edition) [][]byte {
	for i, from := range follows {
		f, v := &s.follows[i], &editions[i]
		f.edition, f.states = v, v.states
		if from.From != nil && (v.newest == nil || v.newest.version < from.From.version) {
			v.newest = from.From
		}
		if f.own == nil {
			continue
		}
		if e := f.own.News(nil, true); e.Name != "" {
			begin = s.put(begin, s.format.own(e, ""))
		}
	}
	return begin
}

// close ends the follows and frees the slot of the stream. The transport calls it last.
func (s *subscriber) close() {
	for i := range s.follows {
		s.follows[i].release()
	}
	s.server.exit(s, s.address)
}

// expired reports whether the right to read has ended at the time now, and how much time it has
// left.
func (s *subscriber) expired(now time.Duration) (left time.Duration, is bool) {
	at := time.Duration(s.expires.Load())
	return at - now, at != 0 && at <= now
}

// goodbye returns the end of a stream whose server shuts down.
func (s *subscriber) goodbye() []byte {
	retry := s.server.retryDraining()
	return s.lastFrame(s.format.lastEvent(retry, "goodbye", struct {
		Reason     string `json:"reason"`
		RetryAfter int64  `json:"retryAfter"` // `retry:` again, which an EventSource hides
	}{"shutdown", retry.Milliseconds()}))
}

// tokenExpired returns the end of a stream whose right to read has ended.
func (s *subscriber) tokenExpired() []byte {
	return s.lastFrame(s.format.lastEvent(s.server.retry(), "error", map[string]string{
		"code":    "token_expired",
		"message": "The token has expired; connect again with a fresh one.",
	}))
}

// signedOut returns the end of a stream whose session has ended. It has the code of an expired
// token, so a page that may be read without a token goes on reading.
func (s *subscriber) signedOut() []byte {
	return s.lastFrame(s.format.lastEvent(s.server.retry(), "error", map[string]string{
		"code":    "token_expired",
		"message": "The session has ended; sign in to connect again.",
	}))
}

// replacedEnd returns the end of a stream that a newer one of the user replaces.
func (s *subscriber) replacedEnd() []byte {
	return s.lastFrame(s.format.pack(s.replacedText(s.id()), "", false))
}

// replacedText returns the event `error` with the code replaced. id is the client's last id, or "".
func (s *subscriber) replacedText(id string) []byte {
	id += replacedSuffix
	e := Event{Name: "error", Data: marshal(map[string]string{
		"code":    "replaced",
		"message": "A newer stream of the same user replaced this one; come back in a minute.",
	})}
	return s.format.textAfterRetry(comeBackReplaced, e, id)
}

// lastFrame returns the frame of the last event with the end of the stream behind it.
func (s *subscriber) lastFrame(f frame) []byte {
	return append(slices.Clone(s.wire(f)), s.trailer()...)
}
