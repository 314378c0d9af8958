package sse_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"marcador/sse"
)

// refused asks for a stream that the server refuses, and returns the answer.
func (s *testServer) refused(query string, headers ...string) string {
	s.tb.Helper()
	line, err := s.connect(query, headers...).body.ReadString('\n')
	if err != nil {
		s.tb.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// waitUntil waits until is returns true. The server learns of some things a little later.
func (s *testServer) waitUntil(what string, is func() bool) {
	s.tb.Helper()
	for began := time.Now(); !is(); time.Sleep(time.Millisecond) {
		if time.Since(began) > patient {
			s.tb.Fatalf("waited in vain: %s", what)
		}
	}
}

// replaced reads the event that tells a client that its stream was replaced, and the end of the
// stream. It returns the event's id.
func (c *client) replaced() (id string) {
	c.tb.Helper()
	e := c.read()
	told := e.name == "error" && strings.Contains(e.data, `"code":"replaced"`)
	if !told || strings.Contains(e.data, "board") {
		c.tb.Fatalf("event = %+v, want replaced", e)
	}
	if end := c.read(); end.name != "" {
		c.tb.Fatalf("then came %+v", end)
	}
	return e.id + "." + e.tag
}

// begins reads the events that a stream begins with.
func (c *client) begins() *client {
	c.tb.Helper()
	c.want(hello, `news {"v":1} e-1`)
	return c
}

// Streams without a user take at most half of MaxStreams, and a tenth from one address. So they
// can't keep users out.
func TestServer_anonymousBounds(t *testing.T) {
	onBothTransports(t, sse.Options{MaxStreams: 20}, func(t *testing.T, s *testServer) {
		for i := range 5 {
			from := fmt.Sprintf("from=192.0.2.%d/32", i)
			s.connect(from).begins()
			s.connect(from).begins()
			if got := s.refused(from); got != sse.ErrFullForAddress.Error() && i < 4 {
				t.Errorf("the third of one address: %s", got)
			}
		}
		if got := s.refused("from=198.51.100.1/32"); got != sse.ErrFullForAnonymous.Error() {
			t.Errorf("the eleventh without a user: %s", got)
		}
		for i := range 10 {
			s.connect(fmt.Sprint("user=u", i)).begins()
		}
		if got := s.refused("user=v"); got != sse.ErrFull.Error() {
			t.Errorf("the twenty-first: %s", got)
		}
		got := s.streams.Stats().Refused
		if got["max_streams"] != 1 || got["max_anonymous_streams"] != 2 || got["max_streams_per_address"] != 4 {
			t.Errorf("refused = %v", got)
		}
	})
}

// A stream without a user that ends makes room for another from the same address.
func TestServer_anonymousSlotIsFreed(t *testing.T) {
	onBothTransports(t, sse.Options{MaxStreams: 10}, func(t *testing.T, s *testServer) {
		for range 3 {
			c := s.connect("").begins()
			if got := s.refused(""); got != sse.ErrFullForAddress.Error() {
				t.Errorf("the second: %s", got)
			}
			_ = c.conn.Close()
			s.waitUntil("the slot is freed", func() bool { return s.streams.Streams() == 0 })
		}
	})
}

// One stream too many of a user ends the user's oldest, which is told when to come back.
func TestServer_replaced(t *testing.T) {
	onBothTransports(t, sse.Options{MaxStreamsPerUser: 2}, func(t *testing.T, s *testServer) {
		first, gzip := s.connect("user=u").begins(), s.connect("user=u&gzip").begins()
		other := s.connect("user=v").begins()
		third := s.connect("user=u").begins()
		if id := first.replaced(); id != s.hub.ID(1, 1)+"!replaced" {
			t.Errorf("id = %s", id)
		}
		s.connect("user=u").begins()
		gzip.replaced()
		s.publish(2)
		third.want(`news {"v":2} e-2`)
		other.want(`news {"v":2} e-2`)
		s.waitUntil("two were replaced and three are open", func() bool {
			return s.streams.Stats().Disconnects["replaced"] == 2 && s.streams.Streams() == 3
		})
	})
}

// Somebody who reloads a page again and again gets a stream each time, although the earlier streams
// seem to go on. Behind a proxy they may look like that.
func TestServer_reloadsGetStreams(t *testing.T) {
	onBothTransports(t, sse.Options{MaxStreamsPerUser: 3}, func(t *testing.T, s *testServer) {
		for range 40 {
			s.connect("user=u").begins() // it is not closed
		}
		s.waitUntil("the others have ended", func() bool { return s.streams.Streams() == 3 })
	})
}

// A HEAD request for a stream ends no other stream.
func TestServer_headReplacesNothing(t *testing.T) {
	onBothTransports(t, sse.Options{MaxStreamsPerUser: 1}, func(t *testing.T, s *testServer) {
		c := s.connect("user=u").begins()
		for range 3 {
			res, err := http.Head("http://" + s.addr + "/?user=u")
			if err != nil {
				t.Fatal(err)
			}
			if err := res.Body.Close(); err != nil || res.StatusCode != http.StatusOK {
				t.Errorf("HEAD = %d %v", res.StatusCode, err)
			}
		}
		s.publish(2)
		c.want(`news {"v":2} e-2`)
	})
}

// A user's devices do not replace each other for ever, even if there are more than
// MaxStreamsPerUser. A client that comes back by itself after it was replaced is not refused: it is
// told to wait, and gets the next free slot.
func TestServer_replacedClientWaits(t *testing.T) {
	onBothTransports(t, sse.Options{MaxStreamsPerUser: 2}, func(t *testing.T, s *testServer) {
		first := s.connect("user=u").begins()
		live := []*client{s.connect("user=u").begins(), s.connect("user=u").begins()}
		id := first.replaced()
		for range 5 { // a browser comes back once a minute
			back := s.connect("user=u", "Last-Event-ID: "+id)
			if kind := back.header.Get("Content-Type"); kind != "text/event-stream" {
				t.Fatalf("it is answered with %s", kind)
			}
			id = back.replaced()
		}
		zipped := s.connect("user=u&gzip", "Last-Event-ID: "+id)
		zipped.replaced()
		s.publish(2)
		for _, c := range live {
			c.want(`news {"v":2} e-2`)
		}
		if n := s.streams.Stats().Refused["max_streams_per_user"]; n != 6 {
			t.Errorf("%d had to wait, want 6", n)
		}
		_ = live[0].conn.Close()
		s.waitUntil("one has gone", func() bool { return s.streams.Streams() == 1 })
		s.connect("diff&user=u", "Last-Event-ID: "+id).want(recovered, `since {"from":1,"v":2} e-2`)
	})
}

// A user's stalled stream ends before the oldest, even to make room for a client that waits.
func TestServer_replacesStalledFirst(t *testing.T) {
	opts := sse.Options{MaxStreamsPerUser: 2, WriteTimeout: 10 * time.Second}
	onBothTransports(t, opts, func(t *testing.T, s *testServer) {
		first := s.connect("user=u").begins()
		stalled := s.connect("user=u")
		if err := stalled.conn.SetReadBuffer(4 << 10); err != nil {
			t.Fatal(err)
		}
		big := literal(`"` + strings.Repeat("x", 500_000) + `"`)
		s.hub.Publish(sse.Publication{Topic: s.topic, State: sse.NewState(2, big)})
		if e := first.read(); e.id != "e-2" {
			t.Fatalf("event = %s", e.id)
		}
		s.waitUntil("the server knows that it is stalled", func() bool { return s.streams.Stalled("u") })
		s.connect("user=u", "Last-Event-ID: !replaced").want(hello)
		s.hub.Publish(sse.Publication{Topic: s.topic, State: state(3)})
		first.want(`news {"v":3} e-3`)
	})
}

// A fresh token that allows less ends the forbidden topics at once, and no others.
func TestServer_Renew_endsForbidden(t *testing.T) {
	onBothTransports(t, sse.Options{}, func(t *testing.T, s *testServer) {
		other := s.hub.NewTopic("other")
		next, rights := s.next, make(chan string, 10)
		s.next = func(r *http.Request) sse.Stream {
			stream := next(r)
			stream.Expires = time.Now().Add(time.Hour)
			stream.Follows[0].Own = &own{user: "u", rights: rights}
			stream.Follows = append(stream.Follows, sse.Follow{
				Topic: other, From: other.Retain(state(1)), Own: &own{user: "u", rights: rights},
			})
			return stream
		}
		c := s.connect("user=u")
		c.want(hello, `own {"to":"u","of":null}`, `own {"to":"u","of":null}`)
		c.want(`news {"v":1}`, `news {"v":1} e-1`)
		if names, err := s.streams.Followed("s1", "u"); err != nil || fmt.Sprint(names) != "[board other]" {
			t.Errorf("it follows %v, %v", names, err)
		}
		renew := func(r sse.Renewal) {
			t.Helper()
			if err := s.streams.Renew("s1", "u", r); err != nil {
				t.Fatal(err)
			}
		}
		forbid := func(topics map[string]string) {
			t.Helper()
			renew(sse.Renewal{Until: time.Now().Add(2 * time.Hour), Forbidden: topics})
		}
		both := map[string]sse.Right{"board": right("a"), "other": right("b")}
		for until, lasts := range map[time.Duration]bool{2 * time.Hour: true, time.Minute: false} {
			renew(sse.Renewal{Until: time.Now().Add(until), Rights: both})
			for _, r := range []string{"a", "b"} {
				if got, want := <-rights, fmt.Sprint(r, " ", lasts); got != want {
					t.Errorf("right = %s, want %s", got, want)
				}
			}
		}
		forbid(map[string]string{"board": "no more"})
		c.want("error")
		<-s.left
		s.publish(2)
		s.hub.Publish(sse.Publication{Topic: other, State: state(3)})
		c.want(`news {"v":3} e-3`)
		forbid(map[string]string{"board": "no more", "other": "no more"})
		c.want("error", "")
		s.waitUntil("a stream ended as forbidden", func() bool { return s.ended("forbidden") == 1 })
	})
}

// Tokens that come before a stream has read its inbox are merged into one grant.
func TestServer_Renew_merges(t *testing.T) {
	onBothTransports(t, sse.Options{}, func(t *testing.T, s *testServer) {
		next, rights := s.next, make(chan string) // the stream blocks until each right is read
		s.next = func(r *http.Request) sse.Stream {
			stream := next(r)
			stream.Expires = time.Now().Add(time.Hour)
			stream.Follows[0].Own = &own{user: "u", rights: rights}
			return stream
		}
		c := s.connect("user=u")
		c.want(hello, `own {"to":"u","of":null}`, `news {"v":1} e-1`)
		renew := func(until time.Duration, r right) {
			t.Helper()
			err := s.streams.Renew("s1", "u", sse.Renewal{
				Until: time.Now().Add(until), Rights: map[string]sse.Right{"board": r},
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		renew(2*time.Hour, "c")
		for range 1000 {
			renew(3*time.Hour, "d")
			renew(time.Minute, "b") // a token that ends sooner and allows less
		}
		renew(time.Minute, "a")
		if <-rights != "a true" { // the stream had read some of them before
			if got := <-rights; got != "a true" {
				t.Errorf("right = %s, want a true", got)
			}
		}
		s.publish(2)
		c.want(`news {"v":2} e-2`) // it blocks no longer

		renew(4*time.Hour, "z")
		forbidden := map[string]string{"board": "no more"}
		if err := s.streams.Renew("s1", "u", sse.Renewal{Forbidden: forbidden}); err != nil {
			t.Fatal(err)
		}
		renew(5*time.Hour, "z") // too late: the topic has ended
		select {
		case <-rights: // the right before the end
		case <-s.left:
		}
		c.want("error", "")
	})
}

// EndSession ends the streams of the session, and no others of the user.
func TestServer_EndSession(t *testing.T) {
	onBothTransports(t, sse.Options{}, func(t *testing.T, s *testServer) {
		connect := func(queries ...string) (all []*client) {
			for _, q := range queries {
				all = append(all, s.connect(q).begins())
			}
			return all
		}
		// The last one moves into the session.
		ending := connect("user=u&session=7", "user=u&session=7", "user=u&session=6")
		others := connect("user=u&session=8", "user=u", "user=v&session=7")
		s.streams.MoveSession("u", 6, 7)
		s.streams.EndSession("u", 0)
		s.streams.EndSession("u", 7)
		for _, c := range ending {
			if e := c.read(); e.name != "error" || !strings.Contains(e.data, "token_expired") {
				t.Errorf("event = %+v", e)
			}
			c.want("")
		}
		s.publish(2)
		for _, c := range others {
			c.want(`news {"v":2} e-2`)
		}
		s.waitUntil("three ended", func() bool { return s.ended("signed_out") == 3 })
	})
}
