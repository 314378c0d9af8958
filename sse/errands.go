package sse

import (
	"maps"
	"slices"
	"time"
)

// errand is something that the goroutine which writes a stream does for others. They are a
// stack; nobody waits for them to be done.
type errand struct {
	do   func()
	next *errand
}

// pen is the way out of a subscriber, as others use it.
type pen interface {
	// poke has the goroutine that writes the stream call attend soon. It does not wait, and
	// may be called by anybody at any time.
	poke()

	// tell writes the batch, and ends the stream if all its topics have ended. For errands.
	tell(batch [][]byte)

	// finish writes the end of the stream. For errands.
	finish(why reason, end []byte)
}

// send has the errand done by the goroutine that writes the stream, after those sent before,
// unless the stream is over by then. It does not wait.
func (s *subscriber) send(do func()) {
	e := &errand{do: do}
	for {
		e.next = s.errands.Load()
		if s.errands.CompareAndSwap(e.next, e) {
			break
		}
	}
	s.out.poke()
}

// attend does the errands, in the order in which they were sent.
func (s *subscriber) attend() {
	var list []func()
	for e := s.errands.Swap(nil); e != nil; e = e.next {
		list = append(list, e.do)
	}
	for _, do := range slices.Backward(list) {
		do()
	}
}

// Renewal is what a fresh token changes of a stream.
type Renewal struct {
	// Until is when the right to read ends with it. A stream does not end sooner by it.
	Until time.Time

	// Forbidden are the names of topics that it may not follow any more, with the words for
	// the client. They end.
	Forbidden map[string]string

	// Rights are given to each topic's Own, by the topic's name. See Own.Renew.
	Rights map[string]any

	// Session, if it is not 0, is the one that the stream belongs to from now on, if it
	// belongs to one. See Stream.Session.
	Session uint64
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
	sub.send(func() { sub.renew(r, lasts) }) // in the order of the expiries above
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

// renew is Renew for the goroutine that writes the stream.
func (s *subscriber) renew(r Renewal, lasts bool) {
	var batch [][]byte
	for _, name := range slices.Sorted(maps.Keys(r.Forbidden)) {
		if s.end(name) {
			batch = s.put(batch, s.format.own(Forbidden(name, r.Forbidden[name]), ""))
		}
	}
	for i := range s.follows {
		f := &s.follows[i]
		if right, ok := r.Rights[f.topic.name]; ok && f.own != nil && f.stage == following {
			f.own.Renew(right, lasts)
		}
	}
	if s.over {
		batch = append(batch, s.ending())
	}
	if len(batch) > 0 {
		s.out.tell(batch)
	}
}

// EndSession ends the user's streams of the session: somebody has signed out.
func (s *Server) EndSession(userID string, session uint64) {
	s.eachOfSession(userID, session, func(sub *subscriber) {
		sub.send(func() { sub.out.finish(signedOut, sub.signedOut()) })
	})
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
