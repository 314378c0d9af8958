package testkit

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	client "github.com/r3labs/sse/v2"
)

// Message is an event as a client sees it.
type Message struct{ Event, ID, Data string }

// once is a reconnection strategy: none.
type once struct{}

func (once) NextBackOff() time.Duration { return -1 }
func (once) Reset()                     {}

// Follow opens a stream with r3labs' client. The channel delivers its events and is closed when
// the stream ends.
func (p *Program) Follow(token, query, lastID string) <-chan Message {
	p.tb.Helper()
	return p.FollowOver(&http.Transport{}, token, query, lastID)
}

// FollowOver is Follow on the connections of a transport.
func (p *Program) FollowOver(transport http.RoundTripper, token, query, lastID string) <-chan Message {
	p.tb.Helper()
	heard := make(chan Message, 100)
	c := client.NewClient(p.URL+"/v1/events?"+query, client.ClientMaxBufferSize(1<<20))
	c.ReconnectStrategy = once{}
	c.Connection = &http.Client{Transport: transport}
	if token != "" {
		c.Headers["Authorization"] = "Bearer " + token
	}
	if lastID != "" {
		c.LastEventID.Store([]byte(lastID))
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer close(heard)
		_ = c.SubscribeWithContext(ctx, "", func(e *client.Event) { // it ends with an error in any case
			heard <- Message{string(e.Event), string(e.ID), string(e.Data)}
		})
	}()
	p.tb.Cleanup(func() { cancel(); <-ended; c.Connection.CloseIdleConnections() })
	return heard
}

// Next waits for the next event and fails unless it has that name. It passes over pings, which
// come where a machine is slow, and over rank_changed.
func Next(tb testing.TB, heard <-chan Message, event string) Message {
	tb.Helper()
	late := time.After(Patience) // pings don't put it off
	for {
		select {
		case m, ok := <-heard:
			if ok && m.Event == event {
				return m
			}
			if !ok || m.Event != "ping" && m.Event != "rank_changed" {
				tb.Fatalf("heard %q %s (open %v), want %q", m.Event, m.Data, ok, event)
			}
		case <-late:
			tb.Fatalf("heard nothing, want %q", event)
		}
	}
}

// Later returns the next event of that name, and passes over all others.
func Later(tb testing.TB, heard <-chan Message, event string) Message {
	tb.Helper()
	late := time.After(Patience)
	var seen []string
	for {
		select {
		case m, ok := <-heard:
			if !ok {
				tb.Fatalf("it ended before %q, after %q", event, seen)
			}
			if m.Event == event {
				return m
			}
			seen = append(seen, m.Event)
		case <-late:
			tb.Fatalf("no %q, but %q", event, seen)
		}
	}
}

// Update is the data of leaderboard:updated.
type Update struct {
	Leaderboard           []map[string]any // all fields of each row
	Timestamp             time.Time
	Board, Period         string
	TotalEntries, Version int
}

// UpdateOf decodes the data of a leaderboard:updated.
func UpdateOf(tb testing.TB, m Message) (u Update) {
	tb.Helper()
	if err := json.Unmarshal([]byte(m.Data), &u); err != nil {
		tb.Fatalf("%v: %s", err, m.Data)
	}
	return u
}
