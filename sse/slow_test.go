package sse_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"marcador/sse"
)

// Clients that never read hold up no other client, and are cut off after the timeout.
func TestServer_Serve_stalledClient(t *testing.T) {
	const timeout = 5 * time.Second
	inBubble(t, sse.Options{WriteTimeout: timeout}, func(t *testing.T, f *fixture) {
		var stalled []*http.Response
		for range 20 {
			stalled = append(stalled, f.get(t, http.MethodGet)) // it reads the head and no more
		}
		var good []*reader
		for range 10 {
			good = append(good, f.read(t))
		}
		began := time.Now()
		want := `authenticated {"v":1}e-1`
		for v := int64(2); v < 20; v++ {
			f.publish(f.topic, v)
			want += fmt.Sprintf(` {"v":%d}e-%d`, v, v)
			for _, r := range good {
				r.want(t, want, false)
			}
		}
		if waited := time.Since(began); waited != 0 {
			t.Errorf("the others waited %v", waited)
		}
		if f.streams.Streams() != 30 {
			t.Errorf("%d streams, want 30", f.streams.Streams())
		}
		time.Sleep(timeout)
		synctest.Wait()
		if f.streams.Streams() != 10 {
			t.Errorf("%d streams after the timeout, want 10", f.streams.Streams())
		}
		for _, res := range stalled {
			_ = res.Body.Close() // the server has closed it
		}
	})
}

// Clients that never read hold up no other client, and are cut off.
func TestServer_stalledClientsAreCutOff(t *testing.T) {
	const timeout = 300 * time.Millisecond
	onBothTransports(t, sse.Options{WriteTimeout: timeout}, func(t *testing.T, s *testServer) {
		big := literal(`"` + strings.Repeat("x", 100_000) + `"`)
		for range 20 {
			if err := s.connect("").conn.SetReadBuffer(4 << 10); err != nil {
				t.Fatal(err)
			}
		}
		good := s.connect("")
		good.want(hello, `news {"v":1} e-1`)
		version := int64(1)
		for s.streams.Streams() > 1 {
			version++
			s.hub.Publish(sse.Publication{Topic: s.topic, State: sse.NewState(version, big)})
			if e := good.read(); e.id != fmt.Sprintf("e-%d", version) {
				t.Fatalf("event %s, want that of version %d", e.id, version)
			}
		}
		if got := s.streams.Stats().Disconnects["too_slow"]; got != 20 {
			t.Errorf("%d were too slow, want 20", got)
		}
	})
}

// A client that reads slowly skips states.
func TestServer_Serve_slowClient(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, f *fixture) {
		res := f.get(t, http.MethodGet)
		for v := int64(2); v <= 100; v++ {
			f.publish(f.topic, v)
			synctest.Wait()
		}
		buf := make([]byte, 1<<16)
		var got []byte
		for !strings.Contains(string(got), "e-100.") {
			n, err := res.Body.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, buf[:n]...)
		}
		if n := len(parse(t, got)); n > 4 {
			t.Errorf("a slow client got %d events", n)
		}
		if err := res.Body.Close(); err != nil {
			t.Error(err)
		}
	})
}

// A client that reads slowly skips states. Each difference that it gets starts from the state that
// it was sent last, and in the end it gets the newest state.
func TestServer_slowClientSkipsStates(t *testing.T) {
	onBothTransports(t, sse.Options{}, func(t *testing.T, s *testServer) {
		c := s.connect("diff")
		c.want(hello, `news {"v":1} e-1`)
		version, last := int64(1), int64(1)
		for s.streams.Stats().Skipped == 0 { // until the socket takes no more
			version++
			s.hub.Publish(sse.Publication{Topic: s.topic, State: sse.NewState(version, heavy(version))})
			if version%8 == 0 {
				time.Sleep(time.Millisecond) // give the goroutines that write some time
			}
			if version > 100_000 {
				t.Fatal("the client never got slow")
			}
			if s.streams.Stats().Deliveries+200 < uint64(version) {
				e := c.read() // a state counts as skipped when a later one is written
				last = checkHeavy(t, e, last)
			}
		}
		for last < version {
			last = checkHeavy(t, c.read(), last)
		}
		s.publish(version + 1)
		c.want(fmt.Sprintf(`since {"from":%d,"v":%d} e-%d`, version, version+1, version+1))
	})
}

// heavy is content with a difference of 20 KB.
type heavy int64

func (h heavy) Snapshot() sse.Event { return content(h).Snapshot() }

func (h heavy) Since(earlier sse.Content) sse.Event {
	from := int64(0)
	switch e := earlier.(type) {
	case heavy:
		from = int64(e)
	case content:
		from = int64(e)
	}
	filler := strings.Repeat("x", 20_000)
	data := fmt.Appendf(nil, `{"from":%d,"v":%d,"x":"%s"}`, from, h, filler)
	return sse.Event{Name: "since", Data: data}
}

// checkHeavy checks that e leads on from the state that the client was sent last. It returns the
// version that e leads to.
func checkHeavy(t *testing.T, e event, last int64) int64 {
	t.Helper()
	var from, to int64
	if e.name == "news" { // the state before was dropped
		if _, err := fmt.Sscanf(e.data, `{"v":%d}`, &to); err != nil {
			t.Fatalf("%v: %.80s", err, e.data)
		}
	} else if _, err := fmt.Sscanf(e.data, `{"from":%d,"v":%d,`, &from, &to); err != nil || from != last {
		t.Fatalf("event %.80s to a client that was sent %d (%v)", e.data, last, err)
	}
	if e.id != fmt.Sprintf("e-%d", to) || to <= last {
		t.Fatalf("id %s of version %d after %d", e.id, to, last)
	}
	return to
}
