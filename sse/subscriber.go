package sse

import (
	"cmp"
	"maps"
	"slices"
	"sync/atomic"
	"time"
)

// Own is what one follower of a topic is told beside its states. It is used by
// one goroutine at a time.
type Own interface {
	// News returns the event that brings the follower up to the notes, which are
	// those of the newest publication, or one without a name where there is nothing
	// to tell. It is asked with nil notes when the stream begins. with says that the
	// follower is sent a state of the topic along with it.
	News(notes any, with bool) Event

	// Told appends what the follower has been told, so that after a reconnection what it
	// missed since can be told: 255 bytes at most. They are the same as long as that is.
	// See Resume.Told.
	Told(dst []byte) []byte

	// Renew says what right the follower has to the topic from now on: what
	// Renewal.Rights has of it. Unless it lasts as long as the rights before, those must
	// not become more by it.
	Renew(right Right, lasts bool)
}

// subscriber is one client's stream, as far as it does not matter how it is
// written. It belongs to the goroutine that writes, but for what is said to be others'.
type subscriber struct {
	server    *Server
	streamID  string // its id
	user      string // empty for an anonymous one
	format    Format
	chunked   bool     // the body is sent in chunks that are made here
	sum       checksum // of all it was sent, with Gzip
	follows   []follow
	one       [1]follow    // of most streams the follows
	lastID    int64        // the version that the last id names, noVersion for none
	scope     scopeKey     // of its ids
	over      bool         // it has been told that each of its topics has ended
	hasEnding bool         // some of the follows are to be given back; see shed
	expires   atomic.Int64 // on the server's clock; 0 for never; set by others

	transport transport
	inbox     atomic.Pointer[inbox] // set by others
	stalled   atomic.Int64          // read by others: since when a write waits for the client, on the server's clock; 0 for none

	address      *address    // nil but for an anonymous one
	older, newer *subscriber // guarded by server.mu: the user's
	session      uint64      // guarded by server.mu; 0 for none
	replaced     bool        // guarded by server.mu
}

// follow is a topic as one client knows it.
type follow struct {
	topic       *Topic
	view        *view // what there is to know: the subscriber's, or shared by a shard's
	own         Own   // or nil
	leave       func()
	sent        int64 // the version that the client holds, or noVersion
	states      int64 // view.states when the client was last sent one
	publication int64 // view.publication when the client was last told
	index       int32 // in a shard's list of the topic's followers
	stage       stage
}

// stage is how far a follow is from its end. The rest of the stream may go on without it.
type stage uint8

const (
	following stage = iota
	ending          // the client has been told; the follow is still counted
	ended           // nothing of it is left
)

// ownEvent is what a client alone is told of a topic.
type ownEvent struct {
	Event

	of *follow
}

// news appends to batch, frame by frame, what the client lacks of what its views
// show. What only this client is told comes first, or last where it is newer than
// the states, which are in the order of their versions. The last event carries the
// id, which says all that the client was told. It is in the room until that is used again.
func (s *subscriber) news(batch [][]byte, r *scratch) [][]byte {
	var few [4]*follow // most streams follow fewer
	states := few[:0]
	var own []ownEvent
	for i := range s.follows {
		f := &s.follows[i]
		if f.stage != following || f.publication == f.view.publication {
			continue
		}
		f.publication = f.view.publication
		newest := f.view.newest
		due := newest != nil && newest.version > f.sent
		if due {
			states = append(states, f)
		}
		if f.own != nil && f.view.notes != nil {
			e := f.own.News(f.view.notes, due)
			if e.ends {
				batch = s.put(batch, s.format.own(e, ""))
				s.endFollows(f.topic.name)
			} else if e.Name != "" {
				own = append(own, ownEvent{e, f})
			}
		}
	}
	if s.hasEnding {
		states = slices.DeleteFunc(states, func(f *follow) bool { return f.stage != following })
		own = slices.DeleteFunc(own, func(e ownEvent) bool { return e.of.stage != following })
	}
	var ownVersion int64 // the version up to which own tells
	for _, e := range own {
		ownVersion = max(ownVersion, e.of.view.notesVersion)
	}
	if len(states) > 1 {
		slices.SortFunc(states, func(a, b *follow) int {
			return cmp.Compare(a.view.newest.version, b.view.newest.version)
		})
	}
	// What is newer goes last, with the id.
	ownLast := len(own) > 0 && (len(states) == 0 || ownVersion > states[len(states)-1].view.newest.version)
	if !ownLast {
		batch = s.appendOwn(batch, own, "")
	}
	for i, f := range states {
		id := !ownLast && i == len(states)-1
		frame := f.view.frame(f.topic, f.sent, s.format, id)
		if s.recordSent(f); id {
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

// end notes that the client is told of the end of all topics of that name, and reports
// whether it follows any.
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

// shed gives back the follows that have ended. detach is called with each of them before.
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

// giveBack ends the follow, which may have ended before.
func (f *follow) release() {
	if f.stage == ended {
		return
	}
	f.stage, f.own, f.view = ended, nil, nil
	f.topic.fanout.count(-1)
	if f.leave != nil {
		f.leave()
	}
}

// tell notes that the client is sent the newest state.
func (s *subscriber) recordSent(f *follow) {
	if skipped := f.view.states - f.states - 1; skipped > 0 {
		s.server.counts.skipped.Add(skipped)
	}
	f.sent, f.states = f.view.newest.version, f.view.states
	s.lastID = max(s.lastID, f.sent)
}

// open makes s the subscriber of the stream, and returns what that begins with: the
// greeting, and what the client lacks of the states to begin with.
func (s *subscriber) open(server *Server, stream Stream) (begin [][]byte) {
	s.server, s.streamID, s.user, s.format, s.lastID = server, stream.ID, stream.UserID, stream.Format, noVersion
	s.scope = server.hub.scope(stream.Scope)
	s.expires.Store(server.at(stream.Expires))
	if s.follows = s.one[:]; len(stream.Follows) != 1 {
		s.follows = make([]follow, len(stream.Follows))
	}
	topics := make([]*Topic, len(stream.Follows))
	for i, f := range stream.Follows {
		s.follows[i] = follow{topic: f.Topic, own: f.Own, leave: f.Leave, sent: noVersion}
		topics[i] = f.Topic
		f.Topic.fanout.count(1)
	}
	server.register(s, stream)
	recovered := false
	resumes := stream.Resume.Version() != noVersion
	if versions, known := stream.Resume.sentVersions(topics); known {
		recovered, s.lastID = true, stream.Resume.version
		for i, version := range versions {
			s.follows[i].sent = version
		}
	}
	begin = s.put(begin, s.format.greeting(server.retry(), stream.Greeting(recovered)))
	for _, name := range slices.Sorted(maps.Keys(stream.Forbidden)) {
		begin = s.put(begin, s.format.own(Forbidden(name, stream.Forbidden[name]), ""))
	}
	views := server.hub.now(topics)
	for i, from := range stream.Follows {
		f, v := &s.follows[i], &views[i]
		f.view, f.states = v, v.states
		if from.From != nil && (v.newest == nil || v.newest.version < from.From.version) {
			v.newest = from.From
		}
		f.publication = -1 // it is told, also where nothing was published yet
		if f.own != nil {
			if e := f.own.News(nil, true); e.Name != "" {
				begin = s.put(begin, s.format.own(e, ""))
			}
		}
	}
	said := len(begin)
	begin = s.news(begin, &scratch{})
	s.releaseEnded(func(*follow) {}) // nobody knows of it yet
	if resumes {
		result := resultSnapshot
		if recovered && len(begin) > said {
			result = resultDifference
		} else if recovered {
			result = resultCurrent
		}
		server.counts.recoveries[result].Add(1)
	}
	return begin
}

// close gives back what the stream holds. Who wrote it calls this when it is over.
func (s *subscriber) close() {
	for i := range s.follows {
		s.follows[i].release()
	}
	s.server.exit(s, s.address)
}

// expired reports whether the right to read has ended by now, on the server's
// clock, or else when it does at the soonest.
func (s *subscriber) expired(now time.Duration) (left time.Duration, is bool) {
	at := time.Duration(s.expires.Load())
	return at - now, at != 0 && at <= now
}

// goodbye is the end of a stream that ends because the server does.
func (s *subscriber) goodbye() []byte {
	retry := s.server.retryDraining()
	return s.lastFrame(s.format.lastEvent(retry, "goodbye", struct {
		Reason     string `json:"reason"`
		RetryAfter int64  `json:"retryAfter"` // an EventSource can't see `retry:`
	}{"shutdown", retry.Milliseconds()}))
}

// tokenExpired is the end of a stream whose right has ended.
func (s *subscriber) tokenExpired() []byte {
	return s.lastFrame(s.format.lastEvent(s.server.retry(), "error", map[string]string{
		"code":    "token_expired",
		"message": "The token has expired; connect again with a fresh one.",
	}))
}

// signedOut is the end of a stream whose session has ended. To the client it is as if the
// token had expired: a page that may be read without one is read on.
func (s *subscriber) signedOut() []byte {
	return s.lastFrame(s.format.lastEvent(s.server.retry(), "error", map[string]string{
		"code":    "token_expired",
		"message": "The session has ended; sign in to connect again.",
	}))
}

// replacedEnd is the end of a stream whose place a newer one of the user has.
func (s *subscriber) replacedEnd() []byte {
	return s.lastFrame(s.format.pack(s.replacedText(s.id()), "", false))
}

// replacedText returns the event with the client's last id, "" for none.
func (s *subscriber) replacedText(id string) []byte {
	id += replacedSuffix
	return s.format.textAfterRetry(comeBackReplaced, Event{Name: "error", Data: marshal(map[string]string{
		"code":    "replaced",
		"message": "A newer stream of the same user took this one's place; come back in a minute.",
	})}, id)
}

// last returns the last event of the stream, and its end.
func (s *subscriber) lastFrame(f frame) []byte {
	return append(slices.Clone(s.wire(f)), s.trailer()...)
}
