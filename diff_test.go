package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"maps"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tinylib/msgp/msgp"
)

// record is what the server's pages said, by version. Safe for concurrent use.
type record struct {
	mu     sync.Mutex
	pages  map[int][]map[string]any // guarded by mu: whole boards
	more   *sync.Cond               // a page is there
	joined int                      // guarded by mu: the version with which somebody came or was erased last
}

// at waits for the board at a version.
func (r *record) at(version int) []map[string]any {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.pages[version] == nil {
		r.more.Wait()
	}
	return r.pages[version]
}

// read has the server say how the board is now, and returns its version.
func (r *record) read(p *program, token string) int {
	p.tb.Helper()
	var page struct {
		Entries []map[string]any
		Version int
	}
	p.call(token, http.MethodGet, "/v1/leaderboards/global?limit=1000", "", &page)
	r.mu.Lock()
	defer r.mu.Unlock()
	if was := r.pages[page.Version]; was != nil && len(was) != len(page.Entries) {
		p.tb.Errorf("version %d is of two states, with %d entries and %d", page.Version, len(was), len(page.Entries))
	}
	r.pages[page.Version] = page.Entries
	r.more.Broadcast()
	return page.Version
}

// joins notes the version with which somebody comes or is erased, and returns the
// one before.
func (r *record) joins(version int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.joined
	r.joined = version
	return before
}

// rankIn is the user's rank on a board, 0 for none.
func rankIn(board []map[string]any, user string) int {
	for i, e := range board {
		if e["userId"] == user {
			return i + 1
		}
	}
	return 0
}

// reference is the least that a client of mode=diff has to do. It holds a page and
// an own rank, and compares both with the record after each event.
type reference struct {
	t         *testing.T
	p         *program
	user      string
	query     string
	header    http.Header
	transport *http.Transport
	record    *record
	top       int

	gate    sync.Mutex // held by who makes the client slow
	lastID  string
	version int // of the page that it holds, 0 for none
	rows    []map[string]any
	rank    int      // -1: not known
	known   struct { // all of it when lastID came
		version int
		rows    []map[string]any
		rank    int
	}
	moved int // the rank with what came since the last id, which belongs to the next one

	cancel context.CancelFunc
	done   chan struct{}

	mu       sync.Mutex
	reached  int            // guarded by mu: the version that it holds
	counts   map[string]int // guarded by mu: events by name, and recoveries
	finished error          // guarded by mu: what is wrong
}

// event is what any of the events says.
type diffEvent struct {
	Success, Recovered bool
	Leaderboard        []map[string]any
	From, Version      int
	TotalEntries       int
	Changes            []struct {
		UserID           string
		OldRank, NewRank *int
		Entry            map[string]any
	}
	OldRank, NewRank *int
	PointsGained     int
}

// connect opens a stream, that goes on from what the client holds.
func (c *reference) connect() {
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel, c.done = cancel, make(chan struct{})
	go func() {
		defer close(c.done)
		if err := c.follow(ctx); err != nil {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.finished = fmt.Errorf("%s of %s: %w", c.query, c.user, err)
		}
	}()
}

func (c *reference) disconnect() {
	c.cancel()
	<-c.done
	c.transport.CloseIdleConnections()
}

// follow takes events in until the stream ends, and returns what is wrong with one.
func (c *reference) follow(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.p.url+"/v1/events?mode=diff"+c.query, nil)
	if err != nil {
		return err
	}
	req.Header = c.header.Clone()
	if c.lastID != "" {
		req.Header.Set("Last-Event-ID", c.lastID)
	}
	res, err := c.transport.RoundTrip(req)
	if err != nil {
		if ctx.Err() != nil || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF) {
			return nil // one of the two is going away
		}
		return err
	}
	defer func() { _ = res.Body.Close() }() // it has ended
	if res.StatusCode == http.StatusServiceUnavailable {
		return nil // it is shutting down
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", res.StatusCode)
	}
	var name, data, id string
	for lines := bufio.NewReaderSize(res.Body, 64); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			return nil // the stream has ended
		}
		field, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch field {
		case "event":
			name = value
		case "data":
			data = value
		case "id":
			id = value
		case "":
			c.gate.Lock()
			err := c.take(name, data, id)
			c.gate.Unlock()
			if err != nil {
				return fmt.Errorf("%s %.300s %s: %w", name, data, id, err)
			}
			name, data, id = "", "", ""
		}
	}
}

// take takes an event in and compares what the client then holds with what the
// server said of that version.
func (c *reference) take(name, data, id string) error {
	if strings.Contains(c.query, "msgpack") {
		packed, err := base64.StdEncoding.DecodeString(data)
		if err != nil {
			return err
		}
		var text bytes.Buffer
		if _, err := msgp.UnmarshalAsJSON(&text, packed); err != nil {
			return err
		}
		data = text.String()
	}
	var e diffEvent
	if err := json.Unmarshal([]byte(data), &e); err != nil {
		return err
	}
	what := name
	if e.Recovered {
		what = "recovered"
	}
	c.mu.Lock()
	c.counts[what]++
	c.mu.Unlock()
	switch name {
	case "authenticated":
		c.version, c.rows, c.rank = c.known.version, c.known.rows, c.known.rank // what came without an id is said again
		c.moved = c.rank
		c.record.mu.Lock()
		if c.record.joined > c.version && !e.Recovered {
			c.moved = -1 // what is told of the gap may be by the ledger, which knows points alone
		}
		c.record.mu.Unlock()
		if e.Recovered && c.version == 0 {
			return errors.New("recovered from nothing")
		}
		return nil
	case "rank_changed":
		if err := c.move(e); err != nil || id == "" {
			return err
		}
		c.rank = c.moved
		c.keep(id)
		return nil
	case "leaderboard:updated":
		c.rows = e.Leaderboard
	case "position_change":
		if e.From != c.version {
			return fmt.Errorf("it leads from %d, the client holds %d", e.From, c.version)
		}
		if err := c.apply(e); err != nil {
			return err
		}
	default:
		return nil
	}
	if e.Version < c.version || e.Version == c.version && name == "position_change" {
		return fmt.Errorf("version %d after %d", e.Version, c.version)
	}
	c.version = e.Version
	if id != "" { // else what only this client is told is newer, and follows with one
		defer c.keep(id)
	}
	if id, _, _ := strings.Cut(id, "."); id != "" && !strings.HasSuffix(id, fmt.Sprintf("-%d", e.Version)) {
		return fmt.Errorf("the id is not of version %d", e.Version)
	}
	board := c.record.at(e.Version)
	if e.TotalEntries != len(board) {
		return fmt.Errorf("totalEntries %d, want %d", e.TotalEntries, len(board))
	}
	if want := board[:min(c.top, len(board))]; !reflect.DeepEqual(c.rows, want) {
		return fmt.Errorf("the client holds\n%v, the page was\n%v", c.rows, want)
	}
	rank := rankIn(board, c.user)
	if id == "" {
		return nil // the own rank follows
	}
	if c.moved >= 0 && c.moved != rank {
		return fmt.Errorf("the client was told of rank %d, the page says %d", c.moved, rank)
	}
	c.rank, c.moved = rank, rank
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reached = e.Version
	return nil
}

// keep notes what the client holds with an id.
func (c *reference) keep(id string) {
	c.lastID = id
	c.known.version, c.known.rows, c.known.rank = c.version, c.rows, c.rank
}

// move takes in that the user's own rank has moved.
func (c *reference) move(e diffEvent) error {
	zero := 0
	if e.OldRank == nil {
		e.OldRank = &zero
	}
	if e.NewRank == nil {
		e.NewRank = &zero
	}
	if c.moved >= 0 && *e.OldRank != c.moved || *e.NewRank == *e.OldRank {
		return fmt.Errorf("a move from %d to %d of who was told of rank %d", *e.OldRank, *e.NewRank, c.moved)
	}
	c.moved = *e.NewRank
	return nil
}

// apply makes the page that the difference leads to.
func (c *reference) apply(e diffEvent) error {
	was := map[string]map[string]any{}
	at := map[string]int{}
	for i, r := range c.rows {
		user := fmt.Sprint(r["userId"])
		was[user], at[user] = r, i+1
	}
	now := map[int]map[string]any{}
	for _, change := range e.Changes {
		if old := at[change.UserID]; (old == 0) != (change.OldRank == nil) || old != 0 && old != *change.OldRank {
			return fmt.Errorf("%s stood at %d", change.UserID, old)
		}
		row := change.Entry
		if row == nil && change.NewRank != nil {
			row = maps.Clone(was[change.UserID])
			row["rank"] = float64(*change.NewRank)
		}
		delete(was, change.UserID)
		if change.NewRank != nil {
			now[*change.NewRank] = row
		}
	}
	for user, r := range was { // who did not move
		now[at[user]] = r
	}
	c.rows = make([]map[string]any, len(now))
	for rank, r := range now {
		if rank < 1 || rank > len(now) {
			return fmt.Errorf("rank %d of %d", rank, len(now))
		}
		c.rows[rank-1] = r
	}
	return nil
}

// narrow makes connections that hold little, so that who does not read is noticed.
func narrow(ctx context.Context, network, addr string) (net.Conn, error) {
	d := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4<<10) })
	}}
	return d.DialContext(ctx, network, addr)
}

// A client that applies differences holds exactly the server's page after each
// event, and knows its own rank, whatever is written, however slowly it reads and
// however often it, or the server, goes away and comes back.
func TestDifferences(t *testing.T) {
	const top, users, steps = 8, 12, 400
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	db := filepath.Join(t.TempDir(), "m.db")
	admin := tokenFor(t, "svc", "admin", time.Hour)
	open := func(addr string) *program {
		return serveOn(t, addr, db, "--top", fmt.Sprint(top), "--max-streams-per-user", "100")
	}
	p := open("127.0.0.1:0")
	addr := strings.TrimPrefix(p.url, "http://")
	record := &record{pages: map[int][]map[string]any{}}
	record.more = sync.NewCond(&record.mu)
	put := func(user, name string) {
		before := record.joins(math.MaxInt)
		status, b := p.try(admin, http.MethodPut, "/v1/users/"+user, fmt.Sprintf(`{"username":%q,"avatar":"https://x/%s"}`, name, strings.Repeat(name, 100)))
		if status >= 300 {
			t.Fatalf("%d %s", status, b)
		}
		if version := record.read(p, admin); status == http.StatusCreated {
			before = version
		}
		record.joins(before)
	}
	name := func(i int) string { return fmt.Sprintf("u%d", i+1) }
	for i := range users {
		put(name(i), name(i))
	}

	var clients []*reference
	for i, query := range []string{"", "&format=msgpack", "", "&format=msgpack", "", "", "", ""} {
		transport := &http.Transport{DialContext: narrow, DisableCompression: i%4 < 2, Protocols: new(http.Protocols)}
		if transport.Protocols.SetHTTP1(true); i >= 6 {
			transport.Protocols = new(http.Protocols)
			transport.Protocols.SetUnencryptedHTTP2(true) // through net/http
		}
		user := name(random.IntN(users))
		c := &reference{
			t: t, p: p, user: user, query: query, transport: transport, record: record, top: top, rank: -1, moved: -1, counts: map[string]int{},
			header: http.Header{"Authorization": {"Bearer " + tokenFor(t, user, "", time.Hour)}},
		}
		c.known.rank = -1
		clients = append(clients, c)
		c.connect()
	}
	slow := map[int]bool{}
	toggle := func(i int) {
		if slow[i] = !slow[i]; slow[i] {
			clients[i].gate.Lock()
		} else {
			clients[i].gate.Unlock()
		}
	}
	for step := range steps {
		i := random.IntN(len(clients))
		user := name(random.IntN(users))
		switch dice := random.IntN(100); {
		case dice < 60:
			status, b := p.try(admin, http.MethodPost, "/v1/users/"+user+"/xp", fmt.Sprintf(`{"xp":%d}`, random.IntN(9)-3))
			if status == http.StatusOK {
				record.read(p, admin)
			} else if status != 404 && status != 422 { // erased, none to take, or nothing to add
				t.Fatalf("%d %s", status, b)
			}
		case dice < 65:
			put(user, fmt.Sprintf("name%d", step))
		case dice < 67:
			before := record.joins(math.MaxInt) // until it is known
			if status, _ := p.try(admin, http.MethodDelete, "/v1/users/"+user, ""); status == http.StatusNoContent {
				before = record.read(p, admin)
			}
			record.joins(before)
		case dice < 82:
			toggle(i)
		case dice < 99:
			if !slow[i] {
				clients[i].disconnect()
				clients[i].connect()
			}
		default:
			for i := range clients {
				if slow[i] {
					toggle(i)
				}
			}
			p.stop()
			for _, c := range clients {
				<-c.done
			}
			p = open(addr)
			for _, c := range clients {
				c.p = p
				c.connect()
			}
		}
	}
	for i := range clients {
		if slow[i] {
			toggle(i)
		}
	}
	// All come to hold the last page.
	put(name(0), "the last")
	p.call(admin, http.MethodPost, "/v1/users/u1/xp", `{"xp":1000}`, nil)
	record.read(p, admin)
	var page struct{ Version int }
	p.call(admin, http.MethodGet, "/v1/leaderboards/global", "", &page)
	all := map[string]int{}
	for _, c := range clients {
		for began := time.Now(); ; time.Sleep(time.Millisecond) {
			c.mu.Lock()
			reached, err := c.reached, c.finished
			c.mu.Unlock()
			if err != nil {
				t.Fatal(err)
			}
			if reached == page.Version {
				break
			}
			if time.Since(began) > patient {
				t.Fatalf("%s of %s holds version %d, the page is of %d", c.query, c.user, reached, page.Version)
			}
		}
		c.disconnect()
		for what, n := range c.counts {
			all[what] += n
		}
	}
	for _, what := range []string{"recovered", "authenticated", "position_change", "leaderboard:updated", "rank_changed"} {
		if all[what] == 0 {
			t.Errorf("nothing was %s: %v", what, all)
		}
	}
	t.Logf("events: %v", all)

}
