package sse

import (
	"errors"
	"net/netip"
	"strings"
	"time"
)

// The reasons for which Serve does not begin a stream. It has then written nothing.
var (
	ErrDraining         = errors.New("sse: shutting down")
	ErrFull             = errors.New("sse: too many streams")
	ErrFullForAnonymous = errors.New("sse: too many streams without a user")
	ErrFullForAddress   = errors.New("sse: too many streams without a user from one address")
)

// ErrReplaced is returned by Check if the user has no free slot and the stream has to wait for one.
// Answer the request with Server.Replaced.
var ErrReplaced = errors.New("sse: newer streams of the user take all slots")

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

// MaxStreams divided by these is how many streams may be without a user: from all addresses
// together, and from one address.
const (
	anonymousPart = 2
	addressPart   = 10
)

// comeBackReplaced is the delay after which a client that was replaced should come back.
const comeBackReplaced = time.Minute

// stallAfter is how long a write has to wait for its client until the client counts as stalled.
// The user's next stream then replaces a stalled one rather than the oldest.
const stallAfter = time.Second

// MaxStreamsPerUser plus leavingSlack bounds a user's replaced streams that have not ended yet.
const leavingSlack = 32

// replacedSuffix ends the id of the event that tells a client that its stream was replaced. A
// client that comes back by itself sends that id. So the server learns from the id what happened,
// and need not remember it. A client that somebody has just opened sends no id.
const replacedSuffix = "!replaced"

// CutReplaced returns an event id without the suffix of a replaced stream, and whether it had the
// suffix.
func CutReplaced(id string) (rest string, replaced bool) {
	return strings.CutSuffix(id, replacedSuffix)
}

// streamsOf are the streams of one user. Guarded by the server's mu.
//
//	register ──▶ open: in the list ──exit──▶ gone
//	                 │ replaced by a newer stream
//	                 ▼
//	             leaving: told `replaced` ──exit──▶ gone
//
// A stream may take some time to end after it was replaced. So the leaving streams have a bound of
// their own. While it is met, new streams of the user are told `replaced` at once.
type streamsOf struct {
	oldest, newest *subscriber
	open           int // in the list
	leaving        int
}

// address counts the open streams without a user from one address. Guarded by the server's mu.
type address struct {
	prefix netip.Prefix
	open   int
}

// Check returns the error with which Serve would refuse the stream now, or nil. It lets a caller
// refuse a request before it does work for it, and counts the refusal in Stats. Check reads only
// UserID, Address and Waits.
func (s *Server) Check(stream Stream) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refusal(stream)
}

// refusal returns why the stream may not begin, or nil, and counts it. The caller holds mu.
func (s *Server) refusal(stream Stream) error {
	err := s.whyRefused(stream)
	for i, r := range refusals {
		if err == r.err { //nolint:errorlint // whyRefused wraps nothing
			s.counts.refused[i].Add(1)
		}
	}
	return err
}

// whyRefused is refusal without the count. The caller holds mu.
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
		addr := s.addresses[stream.Address]
		if addr != nil && addr.open >= max(most/addressPart, 1) {
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

// enter counts the stream, or returns why it may not begin. For a stream without a user it also
// returns the address, which must be given to exit.
func (s *Server) enter(stream Stream) (*address, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refusal(stream); err != nil {
		return nil, err
	}
	s.streams++
	if stream.UserID != "" {
		return nil, nil //nolint:nilnil // a user's stream has no address, and nothing is wrong
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

// register makes the stream known by its id and by its user. If the user then has one stream too
// many, one of them ends.
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
	case stream.Waits: // since enter, another stream has taken the slot
		victim = sub
	default:
		victim = of.oldest
	}
	s.replace(of, victim)
}

// mostStalled returns the user's stream whose client has been stalled for the longest time, or nil
// if none is. The caller holds mu.
func (s *Server) mostStalled(of *streamsOf) (found *subscriber) {
	first := int64(s.now() - stallAfter)
	for sub := of.oldest; sub != nil; sub = sub.newer {
		if since := sub.stalled.Load(); since != 0 && since <= first {
			found, first = sub, since-1
		}
	}
	return found
}

// replace ends the stream to make room for another. The caller holds mu.
func (s *Server) replace(of *streamsOf, sub *subscriber) {
	of.remove(sub)
	of.leaving++
	sub.replaced = true
	sub.ask(toFinish(replaced))
}

// exit undoes enter and register. sub is nil if the stream was not registered.
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

// exitUser is exit for the user's streams. The caller holds mu.
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

// push adds the stream to the list, as the newest.
func (of *streamsOf) push(sub *subscriber) {
	of.open++
	sub.older = of.newest
	if of.newest = sub; sub.older == nil {
		of.oldest = sub
	} else {
		sub.older.newer = sub
	}
}

// remove takes the stream out of the list.
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
