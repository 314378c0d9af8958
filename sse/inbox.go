package sse

import (
	"slices"
	"time"
)

// inbox holds the requests of other goroutines that a stream's writer has not carried out yet: to
// apply fresh rights, and then to end. Its size is bounded: however many tokens come while the
// client does not read, they are merged into one grant for each topic. Nothing is added after an
// end. An inbox never changes; see subscriber.ask.
type inbox struct {
	grants []grant // by follow; nil for none
	ends   bool
	why    reason // of the end
}

// grant is what fresh tokens say about one topic.
type grant struct {
	right     Right // nil if the right stays as it is
	lasts     bool  // see Own.Renew
	forbidden bool
	message   string // for the client, if the topic is forbidden
}

// transport is the part of raw and standard that the inbox uses.
type transport interface {
	// poke has the goroutine that writes the stream call readInbox soon. It does not wait. Any
	// goroutine may call it at any time.
	poke()

	// sendBatch writes the batch, and ends the stream if all its topics have ended. Only readInbox
	// calls it.
	sendBatch(batch [][]byte)

	// finish writes the end of the stream. Only readInbox calls it.
	finish(why reason, end []byte)
}

// ask adds to the stream's inbox, unless the stream is about to end. add is called with a copy of
// the inbox, and again if another goroutine was quicker. ask does not wait.
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
		if before == nil { // otherwise the writer was poked before and has not read the inbox yet
			s.transport.poke()
		}
		return
	}
}

// readInbox empties the inbox and carries out its requests.
func (s *subscriber) readInbox() {
	in := s.inbox.Swap(nil)
	if in == nil {
		return
	}
	if in.grants != nil {
		s.applyGrants(in.grants)
	}
	if !in.ends {
		return
	}
	end := s.signedOut
	if in.why == replaced {
		end = s.replacedEnd
	}
	s.transport.finish(in.why, end())
}

// toFinish returns an argument of ask that ends a stream.
func toFinish(why reason) func(*inbox) { return func(in *inbox) { in.ends, in.why = true, why } }

// Renewal is what a fresh token changes of a stream.
type Renewal struct {
	// Until is when the right to read ends; zero for never. It can only prolong a stream.
	Until time.Time

	// Forbidden are names of topics that the user may not follow any more, each with a message for
	// the client. The stream's follows of these topics end.
	Forbidden map[string]string

	// Rights are handed to the Own of each topic with that name. See Own.Renew.
	Rights map[string]Right

	// Session is the session that the stream belongs to from now on. It has no effect if it is 0 or
	// if the stream belongs to no session. See Stream.Session.
	Session uint64
}

// Right is what a token allows of a topic. It never changes.
type Right interface {
	// And returns the right that allows only what both rights allow.
	And(Right) Right
}

// Renew applies a fresh token to the stream of that id. It returns ErrNoStream if there is none, or
// if it is another user's. It does not wait for the stream.
func (s *Server) Renew(id, userID string, r Renewal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	sub, ok := s.byID[id]
	if !ok || sub.user != userID {
		return ErrNoStream
	}
	until, now := s.at(r.Until), sub.expires.Load()
	lasts := until == 0 || now != 0 && until >= now
	if lasts {
		sub.expires.Store(until)
	}
	if r.Session != 0 && sub.session != 0 {
		sub.session = r.Session
	}
	// mu is still held, so the grants come in the order of the expiries.
	sub.ask(func(in *inbox) { in.grants = sub.withGrants(in.grants, r, lasts) })
	return nil
}

// Followed returns the names of the topics with which the stream of that id began, sorted. It
// returns ErrNoStream if there is none, or if it is another user's.
func (s *Server) Followed(id, userID string) (names []string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sub, ok := s.byID[id]
	if !ok || sub.user != userID {
		return nil, ErrNoStream
	}
	for i := range sub.follows { // a follow's topic never changes
		names = append(names, sub.follows[i].topic.name)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// withGrants returns the grants after one more token. Applying the result is like applying each
// token when it came. Any goroutine may call it.
func (s *subscriber) withGrants(before []grant, r Renewal, lasts bool) []grant {
	grants := make([]grant, len(s.follows))
	copy(grants, before)
	for i := range s.follows {
		g, name := &grants[i], s.follows[i].topic.name // a follow's topic never changes
		if message, is := r.Forbidden[name]; is && !g.forbidden {
			g.forbidden, g.message = true, message
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

// applyGrants ends the follows that are forbidden and gives the others their rights.
func (s *subscriber) applyGrants(grants []grant) {
	var batch [][]byte
	for i, g := range grants {
		if name := s.follows[i].topic.name; g.forbidden && s.endFollows(name) {
			batch = s.put(batch, s.format.own(Forbidden(name, g.message), ""))
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

// EndSession ends the user's streams that belong to the session, because somebody has signed out.
// It does not wait for them. O(streams of the user).
func (s *Server) EndSession(userID string, session uint64) {
	s.eachOfSession(userID, session, func(sub *subscriber) { sub.ask(toFinish(signedOut)) })
}

// MoveSession makes the user's streams of one session belong to another, which continues the first.
// O(streams of the user).
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
