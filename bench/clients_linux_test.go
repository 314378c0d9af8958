package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// answering listens, reads the request of each connection, and then calls serve.
func answering(t *testing.T, serve func(io.WriteCloser)) unix.SockaddrInet4 {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
					serve(conn)
				}
			}()
		}
	}()
	at, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		t.Fatalf("listening on %s", l.Addr())
	}
	return unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: at.Port}
}

// opened returns a group of clients for the server.
func opened(t *testing.T, at unix.SockaddrInet4) *group {
	t.Helper()
	p, err := newPool(2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.close(); err != nil {
			t.Error(err)
		}
	})
	return p.newGroup(at, func(n int) []byte { return fmt.Appendf(nil, "GET /%d HTTP/1.1\r\nHost: x\r\n\r\n", n) })
}

func TestGroup(t *testing.T) {
	const clients, events = 50, 4
	publish := make(chan struct{})
	g := opened(t, answering(t, func(conn io.WriteCloser) {
		fmt.Fprint(conn, "HTTP/1.1 200 OK\r\n\r\nevent: authenticated\ndata: {}\n\n")
		<-publish
		for i := range events {
			fmt.Fprintf(conn, "event: leaderboard:updated\ndata: %s\nid: e-%d\n\n", strings.Repeat("x", 20_000), 7+i)
		}
		_ = conn.Close()
	}))
	var gone atomic.Int64
	g.greeted = true
	g.onGone = func(*client, int64) { gone.Add(1) }
	if err := g.open(t.Context(), clients); err != nil {
		t.Fatal(err)
	}
	g.settle()
	before := time.Now().UnixNano()
	close(publish)
	if err := g.tally.wait(t.Context(), 0, clients*events, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	list, size := g.received()
	got := make(map[int64]int)
	for _, s := range list {
		if got[s.key]++; s.at < before {
			t.Errorf("event %d was received before it was sent", s.key)
		}
	}
	for key := range int64(events) {
		if got[7+key] != clients {
			t.Errorf("event %d was received by %d, want %d", 7+key, got[7+key], clients)
		}
	}
	if size < clients*events*20_000 {
		t.Errorf("%d bytes were received", size)
	}
	for end := time.Now().Add(10 * time.Second); gone.Load() < clients && time.Now().Before(end); {
		time.Sleep(time.Millisecond) // the end of a connection arrives by itself
	}
	if n := gone.Load(); n != clients {
		t.Errorf("%d clients noticed the end, want %d", n, clients)
	}
}

func TestGroup_refused(t *testing.T) {
	for name, answer := range map[string]string{
		"with a status": "HTTP/1.1 503 Service Unavailable\r\n\r\n",
		"with nothing":  "",
	} {
		t.Run(name, func(t *testing.T) {
			g := opened(t, answering(t, func(conn io.WriteCloser) {
				fmt.Fprint(conn, answer)
				_ = conn.Close()
			}))
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			if err := g.open(ctx, 3); err == nil || ctx.Err() != nil {
				t.Errorf("open: got %v, in time: %v", err, ctx.Err() == nil)
			}
		})
	}
}

func TestLatencies(t *testing.T) {
	srv := &peer{}
	published := []publication{{key: 3, at: 100}, {key: 4, at: 200}}
	received := []sample{{4, 230}, {2, 50}, {3, 110}, {3, 120}}
	if got, want := latencies(srv, published, received), []int64{10, 20, 30}; !slices.Equal(got, want) {
		t.Errorf("latencies: got %v, want %v", got, want)
	}
	if got := incomplete(published, received, 2); got != 1 {
		t.Errorf("incomplete: got %d, want 1", got)
	}
}
