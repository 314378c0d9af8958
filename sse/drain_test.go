package sse_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"marcador/sse"
)

// Drain tells all clients goodbye, each with a delay of its own, and lets no stream begin. It waits
// for a client that does not read, but no longer than WriteTimeout.
func TestServer_Drain(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, f *fixture) {
		readers := []*reader{f.read(t), f.read(t), f.read(t)}
		stalled := f.get(t, http.MethodGet)
		synctest.Wait()
		began := time.Now()
		if err := f.streams.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(began); waited > 5*time.Second {
			t.Errorf("Drain waited %v for a client that does not read", waited)
		}
		retries := map[string]bool{}
		for _, r := range readers {
			r.want(t, `authenticated {"v":1}e-1 goodbye`, true)
			_, after, _ := strings.Cut(string(r.got), "\n\nretry: ")
			retry, _, _ := strings.Cut(after, "\n")
			retries[retry] = true
		}
		if len(retries) < 2 {
			t.Errorf("all are told to come back after %v", retries)
		}
		if res := f.get(t, http.MethodGet); res.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("status %d while draining", res.StatusCode)
		} else if err := res.Body.Close(); err != nil {
			t.Error(err)
		}
		_ = stalled.Body.Close() // the server has closed it
	})
}

// Each stream ends with goodbye, also if many end at once.
func TestServer_Drain_saysGoodbye(t *testing.T) {
	onBothTransports(t, sse.Options{}, func(t *testing.T, s *testServer) {
		const clients = 200
		var all []*client
		for range clients {
			all = append(all, s.connect("gzip"))
		}
		drained := make(chan error)
		go func() { drained <- s.streams.Drain(context.Background()) }()
		for _, c := range all {
			c.want(hello, `news {"v":1} e-1`, "goodbye", "")
		}
		if err := <-drained; err != nil {
			t.Error(err)
		}
		c := s.connect("")
		if line, _ := c.body.ReadString('\n'); strings.TrimSpace(line) != sse.ErrDraining.Error() {
			t.Errorf("while draining: %s", line)
		}
	})
}

// Clients that are told goodbye come back one by one, evenly spread over the time.
func TestServer_Drain_spreadsReturn(t *testing.T) {
	onBothTransports(t, sse.Options{}, func(t *testing.T, s *testServer) {
		const clients = 100
		var all []*client
		for range clients {
			c := s.connect("")
			c.want(hello, `news {"v":1} e-1`)
			all = append(all, c)
		}
		if err := s.streams.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		var back []int
		for _, c := range all {
			rest, err := io.ReadAll(c.body)
			var ms, after int
			_, scanErr := fmt.Sscanf(string(rest), "retry: %d\nevent: goodbye\n"+
				"data: {\"reason\":\"shutdown\",\"retryAfter\":%d}\n\n", &ms, &after)
			if err != nil || scanErr != nil || after != ms {
				t.Fatalf("%q: %v %v", rest, err, scanErr)
			}
			back = append(back, ms)
		}
		slices.Sort(back)
		const step = 21 // in milliseconds: 2.1 s for a hundred
		for i := 1; i < clients; i++ {
			if gap := back[i] - back[i-1]; gap > 2*step {
				t.Errorf("no client comes back between %d and %d ms", back[i-1], back[i])
			}
		}
		if back[0] < 1000 || back[clients-1] > 3100 {
			t.Errorf("they come back from %d to %d ms", back[0], back[clients-1])
		}
	})
}

// Drain returns an error if its context is done before all streams have ended.
func TestServer_Drain_impatient(t *testing.T) {
	inBubble(t, sse.Options{WriteTimeout: time.Minute}, func(t *testing.T, f *fixture) {
		stalled := f.get(t, http.MethodGet)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := f.streams.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Drain() = %v, want DeadlineExceeded", err)
		}
		if err := stalled.Body.Close(); err != nil {
			t.Error(err)
		}
	})
}
