package stream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"marcador/test/testkit"
	"marcador/test/testkit/certs"
)

// Clients that never read delay nobody, and are let go after the write timeout.
func TestStream_stalledReaders(t *testing.T) {
	t.Parallel()
	p := testkit.Serve(t, "--write-timeout", "1s", "--max-streams-per-user", "30")
	service := testkit.Token(t, "svc", "admin")
	p.EnrolWithAvatars(100, 1900) // a broadcast of 200 KB
	var stalled []net.Conn
	for range 20 {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", p.Host())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() }) // the server may have
		stalled = append(stalled, conn)
		if _, err := fmt.Fprintf(conn, "GET /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", service); err != nil {
			t.Fatal(err)
		}
	}
	heard := p.Follow(service, "board=global", "")
	testkit.Next(t, heard, "authenticated")
	testkit.Next(t, heard, "leaderboard:updated")
	var wrote struct{ Version int }
	// Each client is sent 20 MB, more than the sockets hold, for some seconds longer than the
	// write timeout.
	began := time.Now()
	for i := 0; i < 100 || time.Since(began) < 4*time.Second; i++ {
		p.Call(service, http.MethodPost, "/v1/users/u1/xp", `{"xp":1}`, &wrote)
		if u := testkit.UpdateOf(t, testkit.Next(t, heard, "leaderboard:updated")); u.Version != wrote.Version {
			t.Fatalf("broadcast %d: version %d, want %d", i, u.Version, wrote.Version)
		}
	}
	// The service has let them go, so what is left to read comes to an end.
	for _, conn := range stalled {
		if err := conn.SetReadDeadline(time.Now().Add(testkit.Patience)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("a client that did not read is still connected")
		}
	}
}

// stallable is a connection whose client a test can make stop reading.
type stallable struct {
	net.Conn

	stalled chan struct{} // closed to stall it
	closed  chan struct{}
	close   func()
}

func (c *stallable) Read(b []byte) (int, error) {
	select {
	case <-c.stalled:
		<-c.closed
		return 0, net.ErrClosed
	default:
		return c.Conn.Read(b)
	}
}

func (c *stallable) Close() error {
	c.close()
	return c.Conn.Close()
}

// A connection of HTTP/2 whose client stops reading is given up after the write timeout, with
// all its streams.
func TestServe_stalledConnection(t *testing.T) {
	t.Parallel()
	p := testkit.Serve(t, "--write-timeout", "1s", "--metrics-addr", testkit.AnyPort)
	service := testkit.Token(t, "svc", "admin")
	p.EnrolWithAvatars(100, 1900) // a broadcast of 200 KB
	stalled := make(chan struct{})
	transport := certs.New(t).Transport(h2c)
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		closed := make(chan struct{})
		return &stallable{conn, stalled, closed, sync.OnceFunc(func() { close(closed) })}, err
	}
	const streams = 8
	for range streams {
		heard := p.FollowOver(transport, service, "", "")
		testkit.Next(t, heard, "authenticated")
		testkit.Next(t, heard, "leaderboard:updated")
	}
	private := p.Private()
	open := func(n int) bool {
		_, body := private.Try("", http.MethodGet, "/metrics", "")
		raw := bytes.Contains(body, []byte(`marcador_streams{transport="raw"} 0`))
		return raw && bytes.Contains(body, fmt.Appendf(nil, `marcador_streams{transport="standard"} %d`, n))
	}
	if !open(streams) {
		t.Fatal("not all streams are open")
	}
	close(stalled)
	for began := time.Now(); !open(0); {
		p.Give("u1", 1)
		if time.Since(began) > 20*time.Second { // without the deadline, pings would find it later
			t.Fatal("a connection that takes nothing is still open")
		}
	}
}

// A stream over HTTP/2 may be quiet for longer than the write timeout. (A write deadline of
// net/http that passes ends such a stream even while nothing is being written.)
func TestServe_quietStream(t *testing.T) {
	t.Parallel()
	p := testkit.Serve(t, "--write-timeout", "100ms", "--heartbeat", "400ms")
	heard := p.FollowOver(certs.New(t).Transport(h2c), testkit.Token(t, "u1", ""), "", "")
	testkit.Next(t, heard, "authenticated")
	testkit.Next(t, heard, "leaderboard:updated")
	for range 2 {
		testkit.Next(t, heard, "ping")
	}
}
