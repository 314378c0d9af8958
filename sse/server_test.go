package sse_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"marcador/sse"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A stream has the headers that keep proxies from storing or delaying it. It begins with `retry:`.
func TestServer_Serve(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, f *fixture) {
		r := f.read(t)
		r.want(t, `authenticated {"v":1}e-1`, false)
		for name, want := range map[string]string{
			"Content-Type": "text/event-stream", "Cache-Control": "no-store, no-transform",
			"X-Accel-Buffering": "no", "Vary": "Accept-Encoding, Origin",
		} {
			if got := r.header.Get(name); got != want {
				t.Errorf("%s: %s, want %s", name, got, want)
			}
		}
		f.publish(f.topic, 2)
		r.want(t, `authenticated {"v":1}e-1 {"v":2}e-2`, false)
		if !strings.HasPrefix(string(r.got), "retry: ") {
			t.Errorf("the stream begins with %.20q, want a retry", r.got)
		}
	})
}

// A state that is published while a stream begins is not missed.
func TestServer_Serve_publishedWhileConnecting(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, f *fixture) {
		f.publish(f.topic, 5) // after From was retained, before Serve
		f.read(t).want(t, `authenticated {"v":5}e-5`, false)
	})
}

func TestServer_Serve_severalTopics(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, f *fixture) {
		other := f.hub.NewTopic("board")
		f.stream.Follows = append(f.stream.Follows, sse.Follow{Topic: other, From: other.Retain(state(3))})
		r := f.read(t)
		// Only the last event of a batch has the id.
		r.want(t, `authenticated {"v":1} {"v":3}e-3`, false)
		f.publish(other, 4)
		r.want(t, `authenticated {"v":1} {"v":3}e-3 {"v":4}e-4`, false)
		if other.Len() != 1 {
			t.Errorf("Len() = %d, want 1", other.Len())
		}
	})
}

func TestServer_Serve_heartbeat(t *testing.T) {
	inBubble(t, sse.Options{Heartbeat: 10 * time.Second}, func(t *testing.T, f *fixture) {
		r := f.read(t)
		time.Sleep(9 * time.Second)
		f.publish(f.topic, 2) // it ends the silence
		synctest.Wait()
		time.Sleep(9 * time.Second)
		r.want(t, `authenticated {"v":1}e-1 {"v":2}e-2`, false)
		time.Sleep(time.Second)
		r.want(t, `authenticated {"v":1}e-1 {"v":2}e-2 ping`, false)
		time.Sleep(20 * time.Second)
		r.want(t, `authenticated {"v":1}e-1 {"v":2}e-2 ping ping ping`, false)
	})
}

func TestServer_Serve_expires(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, f *fixture) {
		f.stream.Expires = time.Now().Add(5 * time.Second)
		r := f.read(t)
		time.Sleep(5*time.Second - 1)
		r.want(t, `authenticated {"v":1}e-1`, false)
		time.Sleep(time.Nanosecond)
		r.want(t, `authenticated {"v":1}e-1 error`, true)
		if !strings.Contains(string(r.got), `"code":"token_expired"`) {
			t.Errorf("stream = %s", r.got)
		}
	})
}

func TestServer_Serve_head(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, f *fixture) {
		res := f.get(t, http.MethodHead)
		body, err := io.ReadAll(res.Body)
		if err != nil || len(body) > 0 || res.Header.Get("Content-Type") != "text/event-stream" {
			t.Errorf("HEAD = %v, %q, %v", res.Header, body, err)
		}
		if err := res.Body.Close(); err != nil {
			t.Error(err)
		}
	})
}

// When a client goes, its stream ends.
func TestServer_Serve_clientGone(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, f *fixture) {
		res := f.get(t, http.MethodGet)
		if err := res.Body.Close(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := f.topic.Len(); n != 0 {
			t.Errorf("%d subscribers are left", n)
		}
	})
}

func TestTopic_Fanout(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, f *fixture) {
		if f.topic.Fanout() != 0 {
			t.Error("Fanout() is not 0 before the first publication")
		}
		slow := f.get(t, http.MethodGet)
		synctest.Wait()
		f.publish(f.topic, 2)
		time.Sleep(time.Second)
		go func() { _, _ = io.Copy(io.Discard, slow.Body) }() // until the body is closed
		synctest.Wait()
		if got := f.topic.Fanout(); got != 2*time.Second {
			t.Errorf("Fanout() = %v, want twice the second that half of one client took", got)
		}
		if err := slow.Body.Close(); err != nil {
			t.Error(err)
		}
	})
}
