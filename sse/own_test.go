package sse_test

import (
	"fmt"
	"net/http"
	"testing"

	"marcador/sse"
)

// The events of Own come before the states and carry no id. A client gets none if there is nothing
// to tell it.
func TestServer_ownEventsComeFirst(t *testing.T) {
	onBothTransports(t, sse.Options{}, func(_ *testing.T, s *testServer) {
		other := s.next
		s.next = func(r *http.Request) sse.Stream {
			stream := other(r)
			stream.Follows[0].Own = &own{user: stream.UserID}
			return stream
		}
		c := s.connect("user=u")
		c.want(hello, `own {"to":"u","of":null}`, `news {"v":1} e-1`)
		s.tell(2, map[string]int{"u": 7, "v": 8})
		c.want(`own {"to":"u","of":7}`, `news {"v":2} e-2`)
		s.tell(3, map[string]int{"v": 8})
		c.want(`news {"v":3} e-3`)
		// A publication for single followers alone: its event carries the id.
		s.hub.Publish(sse.Publication{Topic: s.topic, Notes: map[string]int{"u": 9}, Version: 4})
		c.want(`own {"to":"u","of":9} e-4`)
		s.publish(5)
		c.want(`news {"v":5} e-5`)
		// The client with the id of version 4 holds the state of version 3.
		back := s.connect("diff&user=u", "Last-Event-ID: "+s.hub.ID(4, 3))
		back.want(recovered, `own {"to":"u","of":null}`, `since {"from":3,"v":5} e-5`)
	})
}

// A client that may not read on is told so, gets no more states, and its stream ends. That also
// holds if the news came while the stream began.
func TestServer_forbiddenStreamEnds(t *testing.T) {
	onBothTransports(t, sse.Options{}, func(t *testing.T, s *testServer) {
		other := s.next
		s.next = func(r *http.Request) sse.Stream {
			stream := other(r)
			stream.Follows[0].Own = &own{user: stream.UserID}
			if r.URL.Query().Has("late") {
				s.tell(3, map[string]int{"u": -1})
			}
			return stream
		}
		ended := func(c *client) {
			t.Helper()
			c.want("error")
			if e := c.read(); e.name != "" {
				t.Errorf("then came %+v", e)
			}
			<-s.left
		}
		c, gzip, v := s.connect("user=u"), s.connect("user=u&gzip"), s.connect("user=v")
		for _, one := range []*client{c, gzip} {
			one.want(hello, `own {"to":"u","of":null}`, `news {"v":1} e-1`)
		}
		v.want(hello, `own {"to":"v","of":null}`, `news {"v":1} e-1`)
		s.tell(2, map[string]int{"u": -1})
		v.want(`news {"v":2} e-2`)
		ended(c)
		ended(gzip)
		late := s.connect("user=u&late")
		late.want(hello, `own {"to":"u","of":null}`)
		ended(late)
		v.want(`news {"v":3} e-3`)
		s.waitUntil("three streams ended as forbidden", func() bool { return s.ended("forbidden") == 3 })
	})
}

// All topics of a forbidden name end, and no others. The stream goes on with its other topics, and
// ends with the last of them.
func TestServer_forbiddenTopicsEndAlone(t *testing.T) {
	onBothTransports(t, sse.Options{}, func(t *testing.T, s *testServer) {
		weekly, other := s.hub.NewTopic("board"), s.hub.NewTopic("other")
		next := s.next
		s.next = func(r *http.Request) sse.Stream {
			stream := next(r)
			stream.Follows[0].Own = &own{user: stream.UserID}
			for _, topic := range []*sse.Topic{weekly, other} {
				stream.Follows = append(stream.Follows, sse.Follow{
					Topic: topic, From: topic.Retain(state(1)), Own: &own{user: stream.UserID},
					Leave: func() { s.left <- struct{}{} },
				})
			}
			return stream
		}
		begin := []string{
			hello, `own {"to":"u","of":null}`, `own {"to":"u","of":null}`, `own {"to":"u","of":null}`,
			`news {"v":1}`, `news {"v":1}`, `news {"v":1} e-1`,
		}
		c, gzip := s.connect("user=u"), s.connect("user=u&gzip")
		c.want(begin...)
		gzip.want(begin...)
		news := func(topic *sse.Topic, version int64) sse.Publication {
			return sse.Publication{Topic: topic, State: state(version)}
		}
		forbid := func(topic *sse.Topic, version int64) sse.Publication {
			p := news(topic, version)
			p.Notes, p.Version = map[string]int{"u": -1}, version
			return p
		}
		s.hub.Publish(forbid(s.topic, 2), news(weekly, 2), news(other, 2))
		for _, one := range []*client{c, gzip} {
			e := one.read()
			want := `{"board":"board","code":"forbidden","message":"no more"}`
			if e.name != "error" || e.data != want {
				t.Fatalf("event = %+v, want error %s", e, want)
			}
			one.want(`news {"v":2} e-2`)
			<-s.left
			<-s.left
		}
		s.publish(3)
		s.hub.Publish(news(weekly, 3), news(other, 3))
		c.want(`news {"v":3} e-3`)
		gzip.want(`news {"v":3} e-3`)
		s.hub.Publish(forbid(other, 4))
		for _, one := range []*client{c, gzip} {
			one.want("error")
			if e := one.read(); e.name != "" {
				t.Errorf("then came %+v", e)
			}
			<-s.left
		}
		s.waitUntil("two streams ended as forbidden", func() bool { return s.ended("forbidden") == 2 })
	})
}

// own is an Own for one user. The notes are a map from users to numbers, and own tells the user's.
type own struct {
	user   string
	rights chan string // gets each right that Renew is called with
}

// right is a letter. It allows less than a later letter of the alphabet.
type right string

// And implements sse.Right.
func (r right) And(other sse.Right) sse.Right {
	return min(r, other.(right)) //nolint:errcheck // there are no other rights
}

// Told implements sse.Own.
func (o *own) Told(dst []byte) []byte { return dst }

// Renew implements sse.Own.
func (o *own) Renew(right sse.Right, lasts bool) { o.rights <- fmt.Sprint(right, " ", lasts) }

// News forbids the topic to a user whose number is -1.
func (o *own) News(notes any, _ bool) sse.Event {
	if ranks, _ := notes.(map[string]int); ranks[o.user] == -1 {
		return sse.Forbidden("board", "no more")
	}
	if notes == nil {
		return sse.Event{Name: "own", Data: fmt.Appendf(nil, `{"to":%q,"of":null}`, o.user)}
	}
	ranks, _ := notes.(map[string]int)
	if n, ok := ranks[o.user]; ok {
		return sse.Event{Name: "own", Data: fmt.Appendf(nil, `{"to":%q,"of":%d}`, o.user, n)}
	}
	return sse.Event{}
}
