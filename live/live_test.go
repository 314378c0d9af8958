package live_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"marcador/internal/schematest"
	"marcador/live"
	"marcador/sse"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fixture is a service on a real database, in a bubble of virtual time that
// begins at midnight UTC on 1 January 2000.
type fixture struct {
	*live.Service

	t    *testing.T
	path string
	log  *logBuffer
}

// logBuffer keeps log lines. Safe for concurrent use.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func inBubble(t *testing.T, opts live.Options, test func(t *testing.T, f *fixture)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "m.db")
	synctest.Test(t, func(t *testing.T) {
		f := &fixture{t: t, path: path, log: &logBuffer{}}
		f.open(opts)
		test(t, f)
		f.close()
	})
}

func (f *fixture) open(opts live.Options) {
	f.t.Helper()
	opts.Log = slog.New(slog.NewTextHandler(io.MultiWriter(f.log, f.t.Output()), nil))
	opts.Schema = schematest.Text(f.t)
	s, err := live.Open(f.t.Context(), f.path, opts)
	if err != nil {
		f.t.Fatal(err)
	}
	f.Service = s
}

func (f *fixture) close() {
	f.t.Helper()
	if err := f.Close(); err != nil {
		f.t.Error(err)
	}
}

func (f *fixture) put(ids ...string) {
	f.t.Helper()
	var profiles []live.Profile
	for _, id := range ids {
		profiles = append(profiles, live.Profile{ID: id, Username: "name of " + id})
	}
	if _, err := f.PutProfiles(f.t.Context(), profiles); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) give(id string, xp int64) live.Result {
	f.t.Helper()
	results, err := f.AddPoints(f.t.Context(), []live.Write{{Updates: []live.Update{{UserID: id, XP: xp}}}})
	if err != nil {
		f.t.Fatal(err)
	}
	return results[0]
}

// page returns a page of the global board of all time.
func (f *fixture) page(offset, limit int, caller string) live.PageBody {
	f.t.Helper()
	return f.ask(live.Query{Board: live.Global, Period: live.AllTime, Offset: offset, Limit: limit, Caller: caller})
}

func (f *fixture) ask(q live.Query) live.PageBody {
	f.t.Helper()
	synctest.Wait()
	body, err := f.Page(f.t.Context(), q)
	if err != nil {
		f.t.Fatal(err)
	}
	var p live.PageBody
	if err := json.Unmarshal(body, &p); err != nil {
		f.t.Fatalf("%v: %s", err, body)
	}
	return p
}

// sql runs a statement on the database as another program would.
func (f *fixture) sql(query string) {
	f.t.Helper()
	db, err := sql.Open("sqlite", f.path)
	if err == nil {
		_, err = db.ExecContext(f.t.Context(), query)
	}
	if err == nil {
		err = db.Close()
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

// count returns the number that a query of the database returns.
func (f *fixture) count(query string) (n int) {
	f.t.Helper()
	db, err := sql.Open("sqlite", f.path)
	if err == nil {
		err = db.QueryRowContext(f.t.Context(), query).Scan(&n)
	}
	if err == nil {
		err = db.Close()
	}
	if err != nil {
		f.t.Fatal(err)
	}
	return n
}

func brief(entries []live.Entry) string {
	s := ""
	for _, e := range entries {
		s += fmt.Sprintf("%d %s:%d ", e.Rank, e.UserID, e.Score)
	}
	return s
}

func (f *fixture) wantPage(want string) {
	f.t.Helper()
	if got := brief(f.page(0, 100, "").Entries); got != want {
		f.t.Errorf("page = %s, want %s", got, want)
	}
}

// follower is a client of a stream that notes what it is sent, and when.
type follower struct {
	t      *testing.T
	header http.Header
	leave  func()
	began  time.Time

	streams *sse.Server

	recovered bool

	mu    sync.Mutex
	delay time.Duration // guarded by mu: what a write takes
	seen  []string      // guarded by mu: "seconds: page"
	id    string        // guarded by mu: the last one
	heard []string      // guarded by mu: events that came with an id, or before one: name and data
	after []string      // guarded by mu: events that came since
	last  live.PageBody // guarded by mu
}

// follow follows the board as api does, as nobody and from the beginning.
func (f *fixture) follow() *follower { return f.followAs("", 0) }

// followAs follows the board as a user.
func (f *fixture) followAs(user string, format sse.Format) *follower {
	f.t.Helper()
	return f.resume(user, "", format)
}

// resume follows the board as a user whose client saw that id last.
func (f *fixture) resume(user, id string, format sse.Format) *follower {
	f.t.Helper()
	return f.followBoard(live.Follow{Board: live.Global, Period: live.AllTime, User: user}, format, id)
}

func (f *fixture) followBoard(to live.Follow, format sse.Format, id ...string) *follower {
	f.t.Helper()
	return f.followBoards(strings.Join(id, ""), format, to)
}

// followBoards follows boards in one stream, for a client that saw that id last.
func (f *fixture) followBoards(id string, format sse.Format, boards ...live.Follow) *follower {
	f.t.Helper()
	scope := ""
	for _, to := range boards {
		scope += fmt.Sprintln(to.User, to.Board, to.Period)
	}
	from := f.Hub().Resume(id, scope, len(boards))
	fl := &follower{t: f.t, header: http.Header{}, began: time.Now(), streams: sse.NewServer(f.Hub(), sse.Options{Heartbeat: 1000 * time.Hour})}
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

func (fl *follower) Header() http.Header              { return fl.header }
func (fl *follower) WriteHeader(int)                  {}
func (fl *follower) Flush()                           {}
func (fl *follower) SetWriteDeadline(time.Time) error { return nil }
func (fl *follower) Write(b []byte) (int, error) {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	delay := fl.delay
	fl.mu.Unlock()
	if id, is := strings.CutPrefix(string(b), "id: "); is { // the end of an event
		fl.mu.Lock()
		fl.reach(strings.TrimSpace(id))
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
			fl.reach(id)
		}
		said, err := fl.note(name, []byte(data))
		if err != nil {
			fl.t.Errorf("event %s: %v", block, err)
		}
		fl.seen = append(fl.seen, fmt.Sprintf("%.0fs: %s", time.Since(fl.began).Seconds(), said))
	}
	return len(b), nil
}

// reach takes in the id of the events that came. It is called with mu held.
func (fl *follower) reach(id string) {
	fl.id = id
	fl.heard = append(fl.heard, fl.after...)
	fl.after = nil
}

// note takes an event in and says in short what it said. It is called with mu held.
func (fl *follower) note(name string, data []byte) (string, error) {
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

// slow makes the client take so long to read.
func (fl *follower) slow(delay time.Duration) {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	fl.delay = delay
}

// lastID is the id that the client saw last.
func (fl *follower) lastID() string {
	synctest.Wait()
	fl.mu.Lock()
	defer fl.mu.Unlock()
	return fl.id
}

// want says what has been sent since it was last asked.
func (fl *follower) want(states ...string) {
	fl.t.Helper()
	synctest.Wait()
	fl.mu.Lock()
	defer fl.mu.Unlock()
	if !slices.Equal(fl.seen, states) {
		fl.t.Errorf("a follower was sent %q, want %q", fl.seen, states)
	}
	fl.seen = nil
}
