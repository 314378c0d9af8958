package sse_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"marcador/sse"
)

const (
	hello     = `authenticated {"success":true,"recovered":false}`
	recovered = `authenticated {"success":true,"recovered":true}`
)

func TestServer_formatsOnBothTransports(t *testing.T) {
	onBothTransports(t, sse.Options{}, func(t *testing.T, s *testServer) {
		for name, format := range map[string]string{
			"plain": "", "gzip": "gzip", "difference": "diff", "all": "diff&gzip&user=u",
		} {
			c := s.connect(format)
			kind, buffering := c.header.Get("Content-Type"), c.header.Get("X-Accel-Buffering")
			if kind != "text/event-stream" || buffering != "no" || c.header.Get("Date") == "" {
				t.Errorf("%s: header = %v", name, c.header)
			}
			zipped := c.header.Get("Content-Encoding") == "gzip"
			if want := strings.Contains(format, "gzip"); zipped != want {
				t.Errorf("%s: Content-Encoding gzip %v", name, zipped)
			}
			c.want(hello)
			e := c.read()
			if e.name != "news" {
				t.Errorf("%s: %+v", name, e)
			}
			_ = c.conn.Close()
			<-s.left
		}
		transport := "standard"
		if s.raw {
			transport = "raw"
		}
		c := s.connect("diff")
		c.want(hello, `news {"v":1} e-1`)
		if got := s.streams.Stats().Streams[transport]; got != 1 {
			t.Errorf("%d streams are %s", got, transport)
		}
		for v := int64(2); v < 50; v++ {
			s.publish(v)
			c.want(fmt.Sprintf(`since {"from":%d,"v":%d} e-%d`, v-1, v, v))
		}
	})
}

func TestServer_msgPack(t *testing.T) {
	onBothTransports(t, sse.Options{}, func(_ *testing.T, s *testServer) {
		c := s.connect("msgpack&gzip")
		c.want("authenticated gqdzdWNjZXNzw6lyZWNvdmVyZWTC", "news gaF2AQ== e-1")
		s.publish(2)
		c.want("news gaF2Ag== e-2")
	})
}

func TestServer_resumes(t *testing.T) {
	onBothTransports(t, sse.Options{}, func(t *testing.T, s *testServer) {
		s.publish(2, 3, 4)
		c := s.connect("diff", s.saw(2))
		c.want(recovered, `since {"from":2,"v":4} e-4`)
		s.publish(5)
		c.want(`since {"from":4,"v":5} e-5`)
		_ = c.conn.Close()
		<-s.left
		c = s.connect("diff", s.saw(5)) // the client lacks nothing
		c.want(recovered)
		s.publish(6)
		c.want(`since {"from":5,"v":6} e-6`)
		s.connect("", s.saw(4)).want(recovered, `news {"v":6} e-6`)
		for _, id := range []string{
			"e-7", "x-4", "e-04", "nonsense", "e-99999999999999999999", "e--1", "e-4",
			s.hub.ID(5, 4)[:len("e-5")+9], sse.NewHub("e").ID(4, 4),
		} {
			s.connect("diff", "Last-Event-ID: "+id).want(hello, `news {"v":6} e-6`)
		}
		for v := int64(7); v < 100; v++ {
			s.publish(v)
		}
		s.connect("diff", s.saw(6)).want(hello, `news {"v":99} e-99`) // state 6 was dropped
		s.connect("diff", s.saw(98)).want(recovered, `since {"from":98,"v":99} e-99`)
		got := s.streams.Stats().Recoveries
		if got["difference"] != 3 || got["current"] != 1 || got["snapshot"] != 5 {
			t.Errorf("recoveries = %v", got)
		}
	})
}

func TestServer_heartbeatOnBothTransports(t *testing.T) {
	onBothTransports(t, sse.Options{Heartbeat: 50 * time.Millisecond}, func(t *testing.T, s *testServer) {
		c := s.connect("")
		began := time.Now()
		c.want(hello, `news {"v":1} e-1`, "ping", "ping", "ping")
		if took := time.Since(began); took < 140*time.Millisecond {
			t.Errorf("three pings within %v", took)
		}
		s.publish(2)
		c.want(`news {"v":2} e-2`, "ping")
	})
}

func TestServer_expiresOnBothTransports(t *testing.T) {
	onBothTransports(t, sse.Options{}, func(t *testing.T, s *testServer) {
		other := s.next
		until := time.Now().Add(1500 * time.Millisecond)
		s.next = func(r *http.Request) sse.Stream {
			stream := other(r)
			stream.Expires = until
			return stream
		}
		one, two := s.connect("user=u"), s.connect("user=v")
		later := sse.Renewal{Until: until.Add(500 * time.Millisecond)}
		if err := s.streams.Renew("s2", "v", later); err != nil {
			t.Fatal(err)
		}
		// A token that ends sooner does not make the stream end sooner.
		if err := s.streams.Renew("s2", "v", sse.Renewal{Until: until.Add(-time.Hour)}); err != nil {
			t.Fatal(err)
		}
		for _, c := range [][2]string{{"s1", "v"}, {"s3", "u"}, {"", ""}} {
			if err := s.streams.Renew(c[0], c[1], sse.Renewal{Until: until}); !errors.Is(err, sse.ErrNoStream) {
				t.Errorf("Renew(%q, %q) = %v", c[0], c[1], err)
			}
		}
		one.want(hello, `news {"v":1} e-1`, "error", "")
		if now := time.Now(); now.Before(until) {
			t.Errorf("it ended %v too early", until.Sub(now))
		}
		two.want(hello, `news {"v":1} e-1`, "error", "")
		if now := time.Now(); now.Before(until.Add(500 * time.Millisecond)) {
			t.Error("a fresh token did not help")
		}
		if got := s.streams.Stats().Disconnects["token_expired"]; got != 2 {
			t.Errorf("%d have expired", got)
		}
	})
}

// While states are published as fast as possible, many clients of all formats get every state or a
// later one. Each state counts as delivered or as skipped.
func TestServer_manyClients(t *testing.T) {
	onBothTransports(t, sse.Options{}, func(t *testing.T, s *testServer) {
		const clients, events = 100, 50
		var wg sync.WaitGroup
		for i := range clients {
			c := s.connect([]string{"", "diff", "gzip", "diff&gzip"}[i%4])
			c.want(hello, `news {"v":1} e-1`)
			wg.Go(func() {
				last := int64(1)
				for last < 1+events {
					e := c.read()
					var v int64
					if _, err := fmt.Sscanf(e.id, "e-%d", &v); err != nil || v <= last {
						t.Errorf("id %q after %d", e.id, last)
						return
					}
					if e.name == "since" && !strings.HasPrefix(e.data, fmt.Sprintf(`{"from":%d,`, last)) {
						t.Errorf("%s to a client that was sent %d", e.data, last)
						return
					}
					last = v
				}
			})
		}
		for v := range int64(events) {
			s.publish(v + 2)
		}
		wg.Wait()
		stats := s.streams.Stats()
		for began := time.Now(); stats.Deliveries+stats.Skipped < clients*events; stats = s.streams.Stats() {
			if time.Since(began) > patient { // a delivery is counted a moment after it arrives
				t.Fatalf("%d deliveries and %d skipped, of %d", stats.Deliveries, stats.Skipped, clients*events)
			}
		}
		var observed uint64
		for _, n := range stats.Freshness.Counts {
			observed += n
		}
		if observed != stats.Deliveries || stats.Freshness.Sum <= 0 || stats.Bytes == 0 {
			t.Errorf("freshness of %d, %v s; %d bytes", observed, stats.Freshness.Sum, stats.Bytes)
		}
	})
}

// Clients come and go while states are published. No stream is left in the end.
func TestServer_clientsComeAndGo(t *testing.T) {
	onBothTransports(t, sse.Options{}, func(t *testing.T, s *testServer) {
		stop := make(chan struct{})
		var publishing sync.WaitGroup
		publishing.Go(func() {
			for v := int64(2); ; v++ {
				select {
				case <-stop:
					return
				default:
					s.publish(v)
				}
			}
		})
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for n := range 40 {
					c := s.connect("diff")
					for range n % 7 {
						c.read()
					}
					if i%2 == 0 { // close with a reset
						_ = c.conn.SetLinger(0)
					}
					_ = c.conn.Close()
				}
			})
		}
		wg.Wait()
		close(stop)
		publishing.Wait()
		for s.streams.Streams() > 0 {
			time.Sleep(time.Millisecond) // the kernel has still to report the last ones
		}
	})
}

// A connection whose request has a body that has not arrived is not taken over. When the stream had
// ended, net/http would keep the connection open and wait for the body.
func TestServer_requestWithBodyIsNotTakenOver(t *testing.T) {
	onBothTransports(t, sse.Options{}, func(t *testing.T, s *testServer) {
		c := s.connect("", "Content-Length: 1")
		c.want(hello, `news {"v":1} e-1`)
		if got := s.streams.Stats().Streams; got["standard"] != 1 || got["raw"] != 0 {
			t.Errorf("streams = %v", got)
		}
	})
}

// A stream over HTTP/1.0 has no chunks. nginx speaks HTTP/1.0 to a server by default.
func TestServer_http10HasNoChunks(t *testing.T) {
	onBothTransports(t, sse.Options{}, func(t *testing.T, s *testServer) {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		if _, err := io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if err := conn.SetDeadline(time.Now().Add(patient)); err != nil {
			t.Fatal(err)
		}
		var got []byte
		buf := make([]byte, 4096)
		for !bytes.Contains(got, []byte("id: e-1.")) {
			n, err := conn.Read(buf)
			if err != nil {
				t.Fatalf("%v after %q", err, got)
			}
			got = append(got, buf[:n]...)
		}
		if bytes.Contains(got, []byte("chunked")) {
			t.Errorf("chunked: %q", got)
		}
	})
}
