package sse

import (
	"slices"
	"time"
)

// errands are what others want of a stream, for the goroutine that writes it to do: to take
// in fresh rights, and then to end. However many tokens come while the client does not read,
// all of them are one grant for each topic, and after an end nothing more counts. They never
// change: see subscriber.send.
type inbox struct {
	grants []grant // of the follows, in their order; nil for none
	ends   bool
	why    reason // it ends
}

// grant is what fresh tokens say of one topic.
type grant struct {
	right     Right // nil for the one that it had
	lasts     bool  // see Own.Renew
	forbidden bool
	words     string // for the client, if it is forbidden
}

// pen is the way out of a subscriber, as others use it.
type transport interface {
	// poke has the goroutine that writes the stream call attend soon. It does not wait, and
	// may be called by anybody at any time.
	poke()

	// sendBatch writes the batch, and ends the stream if all its topics have ended. For errands.
	sendBatch(batch [][]byte)

	// finish writes the end of the stream. For errands.
	finish(why reason, end []byte)
}

// send adds to the errands of the goroutine that writes the stream, unless the stream is over
// by then or about to end. add is called with a copy, maybe again. It does not wait.
func (s *subscriber) ask(add func(*inbox)) {
	for {
		var next inbox
		before := s.inbox.Load()
		if before != nil {
			if next = *before; next.ends {
				return
			}
		}
		add(&next)
		if !s.inbox.CompareAndSwap(before, &next) {
			continue
		}
		if before == nil { // else it has been poked, and has not come to them yet
			s.transport.poke()
		}
		return
	}
}

// attend does the errands.
func (s *subscriber) readInbox() {
	e := s.inbox.Swap(nil)
	if e == nil {
		return
	}
	if e.grants != nil {
		s.applyGrants(e.grants)
	}
	if !e.ends {
		return
	}
	end := s.signedOut
	if e.why == replaced {
		end = s.replacedEnd
	}
	s.transport.finish(e.why, end())
}

// finishes returns what has a stream end, for send.
func toFinish(why reason) func(*inbox) { return func(e *inbox) { e.ends, e.why = true, why } }

// Renewal is what a fresh token changes of a stream.
type Renewal struct {
	// Until is when the right to read ends with it. A stream does not end sooner by it.
	Until time.Time

	// Forbidden are the names of topics that it may not follow any more, with the words for
	// the client. They end.
	Forbidden map[string]string

	// Rights are given to each topic's Own, by the topic's name. See Own.Renew.
	Rights map[string]Right

	// Session, if it is not 0, is the one that the stream belongs to from now on, if it
	// belongs to one. See Stream.Session.
	Session uint64
}

// Right is what a token allows of a topic. It never changes.
type Right interface {
	// And returns what both rights allow.
	And(Right) Right
}

// Renew applies a fresh token to the user's stream of that id. It returns ErrNoStream if
// there is none, or if the stream is another user's.
func (s *Server) Renew(id, userID string, r Renewal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	sub, ok := s.byID[id]
	if !ok || sub.user != userID {
		return ErrNoStream
	}
	at, now := s.at(r.Until), sub.expires.Load()
	lasts := at == 0 || now != 0 && at >= now
	if lasts {
		sub.expires.Store(at)
	}
	if r.Session != 0 && sub.session != 0 {
		sub.session = r.Session
	}
	// Still with mu held: in the order of the expiries above.
	sub.ask(func(e *inbox) { e.grants = sub.withGrants(e.grants, r, lasts) })
	return nil
}

// Followed returns the names of the topics with which the user's stream of that id began, or
// ErrNoStream as Renew does.
func (s *Server) Followed(id, userID string) (names []string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sub, ok := s.byID[id]
	if !ok || sub.user != userID {
		return nil, ErrNoStream
	}
	for i := range sub.follows { // which topics these are does not change
		names = append(names, sub.follows[i].topic.name)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// granted returns the grants with those of one more token: as if each had been taken in
// before the next came. Anybody may call it.
func (s *subscriber) withGrants(before []grant, r Renewal, lasts bool) []grant {
	grants := make([]grant, len(s.follows))
	copy(grants, before)
	for i := range s.follows {
		g, name := &grants[i], s.follows[i].topic.name // which topics these are does not change
		if words, is := r.Forbidden[name]; is && !g.forbidden {
			g.forbidden, g.words = true, words
		}
		right, ok := r.Rights[name]
		switch {
		case !ok:
		case lasts || g.right == nil:
			g.right, g.lasts = right, lasts
		default:
			g.right = g.right.And(right)
		}
	}
	return grants
}

// renew is Renew for the goroutine that writes the stream.
func (s *subscriber) applyGrants(grants []grant) {
	var batch [][]byte
	for i, g := range grants {
		if name := s.follows[i].topic.name; g.forbidden && s.endFollows(name) {
			batch = s.put(batch, s.format.own(Forbidden(name, g.words), ""))
		}
	}
	for i, g := range grants {
		if f := &s.follows[i]; g.right != nil && f.own != nil && f.stage == following {
			f.own.Renew(g.right, g.lasts)
		}
	}
	if len(batch) == 0 {
		return
	}
	if s.over {
		batch = append(batch, s.trailer())
	}
	s.transport.sendBatch(batch)
}

// EndSession ends the user's streams of the session: somebody has signed out.
func (s *Server) EndSession(userID string, session uint64) {
	s.eachOfSession(userID, session, func(sub *subscriber) { sub.ask(toFinish(signedOut)) })
}

// MoveSession has the user's streams of one session belong to another one, which goes on
// with the first.
func (s *Server) MoveSession(userID string, from, to uint64) {
	s.eachOfSession(userID, from, func(sub *subscriber) { sub.session = to })
}

func (s *Server) eachOfSession(userID string, session uint64, do func(*subscriber)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := s.users[userID]
	if of == nil || session == 0 {
		return
	}
	for sub := of.oldest; sub != nil; sub = sub.newer {
		if sub.session == session {
			do(sub)
		}
	}
}
