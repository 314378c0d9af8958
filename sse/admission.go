package sse

import (
	"errors"
	"net/netip"
	"strings"
	"time"
)

// Why Serve does not begin a stream. It has written nothing then.
var (
	ErrDraining         = errors.New("sse: shutting down")
	ErrFull             = errors.New("sse: too many streams")
	ErrFullForAnonymous = errors.New("sse: too many streams without a user")
	ErrFullForAddress   = errors.New("sse: too many streams without a user from one address")
)

// ErrReplaced is returned by Check if the stream has to wait for a place among those of
// its user: see Server.Replaced.
var ErrReplaced = errors.New("sse: the user's newer streams have all places")

// refusals are the errors above with their names in Stats.
var refusals = [...]struct {
	err  error
	name string
}{
	{ErrDraining, "shutting_down"},
	{ErrFull, "max_streams"},
	{ErrFullForAnonymous, "max_anonymous_streams"},
	{ErrFullForAddress, "max_streams_per_address"},
	{ErrReplaced, "max_streams_per_user"},
}

// The parts of all streams that may be without a user, of all addresses and of one.
const (
	anonymousPart = 2
	addressPart   = 10
)

// comeBackReplaced is when a client should come back whose place a newer stream took.
const comeBackReplaced = time.Minute

// stall is how long a write has to take until its stream counts as dead where a newer
// stream of the user needs the place.
const stallAfter = time.Second

// slack is how many of a user's streams, beside the bound, may be about to end.
const leavingSlack = 32

// replacedSuffix ends the id of the event that tells a stream that it was replaced. Clients
// that come back by themselves send the id, so they are known and need no memory here. A
// client that somebody has just opened sends none.
const replacedSuffix = "!replaced"

// CutReplaced returns an event id without the mark of a replaced stream, and whether it had
// the mark.
func CutReplaced(id string) (rest string, replaced bool) {
	return strings.CutSuffix(id, replacedSuffix)
}

// streamsOf are the streams of one user. Guarded by the server's mu.
//
//	register ──▶ in the list ──exit──▶ gone
//	                 │ a newer stream needs the place
//	                 ▼
//	             leaving: told `replaced`, counted apart ──exit──▶ gone
//
// A stream that is told so may take some time to end, so the leaving ones have a
// bound as well. A client past it is told `replaced` at once.
type streamsOf struct {
	oldest, newest *subscriber
	open           int // in the list
	leaving        int
}

// address is where streams without a user come from. Guarded by the server's mu.
type address struct {
	prefix netip.Prefix
	open   int
}

// Check returns the error that the stream would be refused with now, if any: before work
// is done for it. Of the stream only UserID, Address and Waits are looked at.
func (s *Server) Check(stream Stream) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refusal(stream)
}

// refusal says why there is no room for a stream, if there is none, and counts it.
// It is called with mu held.
func (s *Server) refusal(stream Stream) error {
	err := s.whyRefused(stream)
	for i, r := range refusals {
		if err == r.err { //nolint:errorlint // it is one of them
			s.counts.refused[i].Add(1)
		}
	}
	return err
}

// whyRefused is called with mu held.
func (s *Server) whyRefused(stream Stream) error {
	most := s.opts.MaxStreams
	switch {
	case s.isDraining():
		return ErrDraining
	case s.streams >= most:
		return ErrFull
	case stream.UserID == "" && s.anonymous >= max(most/anonymousPart, 1):
		return ErrFullForAnonymous
	case stream.UserID == "":
		if addr := s.addresses[stream.Address]; addr != nil && addr.open >= max(most/addressPart, 1) {
			return ErrFullForAddress
		}
		return nil
	}
	of := s.users[stream.UserID]
	switch {
	case of == nil || of.open < s.opts.MaxStreamsPerUser:
		return nil
	case of.leaving >= s.opts.MaxStreamsPerUser+leavingSlack:
		return ErrReplaced
	case stream.Waits && s.mostStalled(of) == nil:
		return ErrReplaced
	}
	return nil
}

// enter takes a place among all streams, or says why there is none. Of a stream without a
// user it returns the address, which exit is to be given.
func (s *Server) enter(stream Stream) (*address, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refusal(stream); err != nil {
		return nil, err
	}
	s.streams++
	if stream.UserID != "" {
		return nil, nil //nolint:nilnil // it has none, and nothing is wrong
	}
	s.anonymous++
	addr := s.addresses[stream.Address]
	if addr == nil {
		addr = &address{prefix: stream.Address}
		s.addresses[stream.Address] = addr
	}
	addr.open++
	return addr, nil
}

// register has the stream be found by its id, and by its user, whose oldest stream ends if
// there is one too many.
func (s *Server) register(sub *subscriber, stream Stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byID[sub.streamID] = sub
	sub.session = stream.Session
	if sub.user == "" {
		return
	}
	of := s.users[sub.user]
	if of == nil {
		of = &streamsOf{}
		s.users[sub.user] = of
	}
	of.push(sub)
	if of.open <= s.opts.MaxStreamsPerUser {
		return
	}
	victim := s.mostStalled(of)
	switch {
	case victim != nil:
	case stream.Waits: // another was quicker since enter
		victim = sub
	default:
		victim = of.oldest
	}
	s.replace(of, victim)
}

// mostStalled returns the stream of the user that has not been read for longest, or nil if
// all are read, as far as is known. It is called with mu held.
func (s *Server) mostStalled(of *streamsOf) (found *subscriber) {
	first := int64(s.now() - stallAfter)
	for sub := of.oldest; sub != nil; sub = sub.newer {
		if since := sub.stalled.Load(); since != 0 && since <= first {
			found, first = sub, since-1
		}
	}
	return found
}

// replace has the stream end to make room. It is called with mu held.
func (s *Server) replace(of *streamsOf, sub *subscriber) {
	of.remove(sub)
	of.leaving++
	sub.replaced = true
	sub.ask(toFinish(replaced))
}

// exit gives back what enter took. sub is nil for a stream that was not registered.
func (s *Server) exit(sub *subscriber, addr *address) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sub != nil {
		delete(s.byID, sub.streamID)
		s.exitUser(sub)
	}
	if addr != nil {
		s.anonymous--
		if addr.open--; addr.open == 0 {
			delete(s.addresses, addr.prefix)
		}
	}
	if s.streams--; s.streams == 0 && s.isDraining() {
		close(s.empty)
	}
}

// exitUser is called with mu held.
func (s *Server) exitUser(sub *subscriber) {
	of := s.users[sub.user]
	switch {
	case of == nil:
		return
	case sub.replaced:
		of.leaving--
	default:
		of.remove(sub)
	}
	if of.open+of.leaving == 0 {
		delete(s.users, sub.user)
	}
}

// push makes the stream the newest.
func (of *streamsOf) push(sub *subscriber) {
	of.open++
	sub.older = of.newest
	if of.newest = sub; sub.older == nil {
		of.oldest = sub
	} else {
		sub.older.newer = sub
	}
}

// remove takes the stream out of the list, in which it is.
func (of *streamsOf) remove(sub *subscriber) {
	of.open--
	if sub.older == nil {
		of.oldest = sub.newer
	} else {
		sub.older.newer = sub.newer
	}
	if sub.newer == nil {
		of.newest = sub.older
	} else {
		sub.newer.older = sub.older
	}
	sub.older, sub.newer = nil, nil
}
