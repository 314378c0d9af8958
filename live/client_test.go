package live_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"marcador/live"
	"marcador/sse"
	"marcador/store"
)

// client is the client of a stream. It records what it is sent, and when.
type client struct {
	t      *testing.T
	header http.Header
	leave  func()
	began  time.Time

	streams *sse.Server

	recovered bool

	mu    sync.Mutex
	delay time.Duration // guarded by mu: how long a write takes
	seen  []string      // guarded by mu: "seconds: page"
	id    string        // guarded by mu: the last event id
	heard []string      // guarded by mu: the events up to the last id: name and data
	after []string      // guarded by mu: the events since the last id
	last  live.PageBody // guarded by mu
}

// follow follows the global board without a user, from the beginning.
func (f *fixture) follow() *client { return f.followAs("", 0) }

// followAs follows the global board as a user.
func (f *fixture) followAs(user string, format sse.Format) *client {
	f.t.Helper()
	return f.resume(user, "", format)
}

// resume follows the global board as a user whose client received that event id last.
func (f *fixture) resume(user, id string, format sse.Format) *client {
	f.t.Helper()
	return f.followBoard(live.Follow{Board: live.Global, Period: store.AllTime, User: user}, format, id)
}

// followBoard follows one board, for a client that received that event id last.
func (f *fixture) followBoard(to live.Follow, format sse.Format, id ...string) *client {
	f.t.Helper()
	return f.followBoards(strings.Join(id, ""), format, to)
}

// followBoards follows boards in one stream, for a client that received that event id last.
func (f *fixture) followBoards(id string, format sse.Format, boards ...live.Follow) *client {
	f.t.Helper()
	scope := ""
	for _, to := range boards {
		scope += fmt.Sprintln(to.User, to.Board, to.Period)
	}
	from := f.Hub().Resume(id, scope, len(boards))
	fl := &client{t: f.t, header: http.Header{}, began: time.Now(), streams: sse.NewServer(f.Hub(), sse.Options{Heartbeat: 1000 * time.Hour})}
	var follows []sse.Follow
	for i, to := range boards {
		to.Seen, to.Told = from.Version(), from.Told(i)
		follow, err := f.Follow(f.t.Context(), to)
		if err != nil {
			f.t.Fatal(err)
		}
		follows = append(follows, follow)
	}
	ctx, cancel := context.WithCancel(f.t.Context())
	var served sync.WaitGroup
	served.Go(func() {
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
		greet := func(recovered bool) []byte {
			fl.recovered = recovered
			return []byte("{}")
		}
		if err := fl.streams.Serve(fl, r, sse.Stream{Greeting: greet, UserID: boards[0].User, Scope: scope, Resume: from, Format: format, Follows: follows}); err != nil {
			f.t.Error(err)
		}
	})
	fl.leave = func() { cancel(); served.Wait() }
	synctest.Wait()
	return fl
}

func (fl *client) Header() http.Header { return fl.header }

func (fl *client) WriteHeader(int) {}

func (fl *client) Flush() {}

func (fl *client) SetWriteDeadline(time.Time) error { return nil }

func (fl *client) Write(b []byte) (int, error) {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	delay := fl.delay
	fl.mu.Unlock()
	if id, is := strings.CutPrefix(string(b), "id: "); is { // the end of an event
		fl.mu.Lock()
		fl.receivedID(strings.TrimSpace(id))
		return len(b), nil
	}
	time.Sleep(delay)
	fl.mu.Lock()
	for block := range strings.SplitSeq(string(b), "\n\n") {
		_, block, ok := strings.Cut(block, "event: ")
		if !ok || strings.HasPrefix(block, "authenticated") {
			continue
		}
		name, rest, _ := strings.Cut(block, "\ndata: ")
		data, id, _ := strings.Cut(rest, "\nid: ")
		fl.after = append(fl.after, name+" "+data)
		if id != "" {
			fl.receivedID(id)
		}
		said, err := fl.summarize(name, []byte(data))
		if err != nil {
			fl.t.Errorf("event %s: %v", block, err)
		}
		fl.seen = append(fl.seen, fmt.Sprintf("%.0fs: %s", time.Since(fl.began).Seconds(), said))
	}
	return len(b), nil
}

// receivedID says that the events so far came with an id. mu must be held.
func (fl *client) receivedID(id string) {
	fl.id = id
	fl.heard = append(fl.heard, fl.after...)
	fl.after = nil
}

// summarize records an event, and returns what it says in short. mu must be held.
func (fl *client) summarize(name string, data []byte) (string, error) {
	var e struct {
		Leaderboard      []live.Entry
		Version, From    int64
		OldRank, NewRank int // 0 for null
		PointsGained     int64
		Code             string
		Changes          []struct {
			UserID           string
			OldRank, NewRank int
			Entry            *live.Entry
		}
	}
	if err := json.Unmarshal(data, &e); err != nil {
		return "", err
	}
	switch name {
	case "leaderboard:updated":
		fl.last = live.PageBody{Entries: e.Leaderboard, Version: e.Version}
		return brief(e.Leaderboard), nil
	case "error":
		return e.Code, nil
	case "rank_changed":
		return fmt.Sprintf("rank %d>%d %+d", e.OldRank, e.NewRank, e.PointsGained), nil
	case "position_change":
		said := fmt.Sprintf("%d>%d", e.From, e.Version)
		for _, c := range e.Changes {
			said += fmt.Sprintf(" %s %d>%d", c.UserID, c.OldRank, c.NewRank)
			if c.Entry != nil {
				said += fmt.Sprintf(":%d", c.Entry.Score)
			}
		}
		return said, nil
	}
	return "", fmt.Errorf("unknown event %s", name)
}

// slow makes each read of the client take so long.
func (fl *client) slow(delay time.Duration) {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	fl.delay = delay
}

// lastID returns the event id that the client received last.
func (fl *client) lastID() string {
	synctest.Wait()
	fl.mu.Lock()
	defer fl.mu.Unlock()
	return fl.id
}

// want checks what the client was sent since the last call.
func (fl *client) want(states ...string) {
	fl.t.Helper()
	synctest.Wait()
	fl.mu.Lock()
	defer fl.mu.Unlock()
	if !slices.Equal(fl.seen, states) {
		fl.t.Errorf("the client was sent %q, want %q", fl.seen, states)
	}
	fl.seen = nil
}
