package stream_test

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
	"net"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"syscall"

	"github.com/tinylib/msgp/msgp"

	"marcador/test/testkit"
)

// unknown is the rank of a user whose client has not been told one.
const unknown = -1

// reference does the least that a client of mode=diff has to do. It holds a page and the user's
// own rank, and after each event it compares both with the record.
type reference struct {
	p         *testkit.Program
	user      string
	query     string
	token     string
	transport *http.Transport
	record    *record
	top       int // rows of its page

	reading sync.Mutex // a test locks it to make the client slow

	state         // after the last event
	known   state // after the last event that had an id
	lastID  string
	cancel  context.CancelFunc
	stopped chan struct{}

	mu      sync.Mutex
	reached int            // guarded by mu: the version that it holds
	counts  map[string]int // guarded by mu: events by name, and recoveries
	fault   error          // guarded by mu: what was wrong with an event
}

// state is what a client holds.
type state struct {
	version int // of the page, 0 for none
	rows    []map[string]any
	rank    int // the user's own, 0 for none, or unknown
}

// anyEvent has the fields of all events.
type anyEvent struct {
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

// connect opens a stream that goes on from what the client holds.
func (c *reference) connect() {
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel, c.stopped = cancel, make(chan struct{})
	go func() {
		defer close(c.stopped)
		if err := c.follow(ctx); err != nil {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.fault = fmt.Errorf("%s of %s: %w", c.query, c.user, err)
		}
	}()
}

func (c *reference) disconnect() {
	c.cancel()
	<-c.stopped
	c.transport.CloseIdleConnections()
}

// follow takes events until the stream ends, and returns what is wrong with one.
func (c *reference) follow(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.p.URL+"/v1/events?mode=diff"+c.query, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	if c.lastID != "" {
		req.Header.Set("Last-Event-ID", c.lastID)
	}
	res, err := c.transport.RoundTrip(req)
	if err != nil {
		if ctx.Err() != nil || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF) {
			return nil // the service or this client is going away
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
	return c.read(res.Body)
}

// read takes the events of a stream until it ends.
func (c *reference) read(body io.Reader) error {
	var name, data, id string
	lines := bufio.NewReaderSize(body, 64)
	for line, err := lines.ReadString('\n'); err == nil; line, err = lines.ReadString('\n') {
		field, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch field {
		case "event":
			name = value
		case "data":
			data = value
		case "id":
			id = value
		case "":
			c.reading.Lock()
			err := c.take(name, data, id)
			c.reading.Unlock()
			if err != nil {
				return fmt.Errorf("%s %.300s %s: %w", name, data, id, err)
			}
			name, data, id = "", "", ""
		}
	}
	return nil
}

// take changes the client's state as an event says.
func (c *reference) take(name, data, id string) error {
	e, err := c.decode(data)
	if err != nil {
		return err
	}
	c.count(name, e.Recovered)
	switch name {
	case "authenticated":
		return c.begin(e)
	case "rank_changed":
		if err := c.move(e); err != nil || id == "" {
			return err
		}
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
	return c.compare(e, id)
}

// decode decodes the data of an event, whichever format the client asked for.
func (c *reference) decode(data string) (e anyEvent, err error) {
	if !strings.Contains(c.query, "msgpack") {
		return e, json.Unmarshal([]byte(data), &e)
	}
	packed, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		return e, err
	}
	var text bytes.Buffer
	if _, err := msgp.UnmarshalAsJSON(&text, packed); err != nil {
		return e, err
	}
	return e, json.Unmarshal(text.Bytes(), &e)
}

// count counts an event.
func (c *reference) count(name string, recovered bool) {
	if recovered {
		name = "recovered"
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[name]++
}

// begin takes the first event of a stream. Whatever came after the last id is said again.
func (c *reference) begin(e anyEvent) error {
	c.state = c.known
	if !e.Recovered && c.record.joinedAfter(c.version) {
		// The service may work out from the ledger what the rank was, and the ledger does not
		// know who came without points or was erased.
		c.rank = unknown
	}
	if e.Recovered && c.version == 0 {
		return errors.New("recovered from nothing")
	}
	return nil
}

// compare compares the client's page, and its rank if the event has an id, with what the service
// said of that version. An event without an id is followed by one about the user alone.
func (c *reference) compare(e anyEvent, id string) error {
	if before, _, _ := strings.Cut(id, "."); id != "" && !strings.HasSuffix(before, fmt.Sprintf("-%d", e.Version)) {
		return fmt.Errorf("the id does not name version %d", e.Version)
	}
	board := c.record.at(e.Version)
	if e.TotalEntries != len(board) {
		return fmt.Errorf("totalEntries %d, want %d", e.TotalEntries, len(board))
	}
	if want := board[:min(c.top, len(board))]; !reflect.DeepEqual(c.rows, want) {
		return fmt.Errorf("the client holds\n%v, the page was\n%v", c.rows, want)
	}
	if id == "" {
		return nil
	}
	rank := rankIn(board, c.user)
	if c.rank != unknown && c.rank != rank {
		return fmt.Errorf("the client was told of rank %d, the page says %d", c.rank, rank)
	}
	c.rank = rank
	c.keep(id)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reached = e.Version
	return nil
}

// keep remembers what the client holds with an id.
func (c *reference) keep(id string) {
	c.lastID, c.known = id, c.state
}

// move takes a change of the user's own rank.
func (c *reference) move(e anyEvent) error {
	zero := 0
	if e.OldRank == nil {
		e.OldRank = &zero
	}
	if e.NewRank == nil {
		e.NewRank = &zero
	}
	if c.rank != unknown && *e.OldRank != c.rank || *e.NewRank == *e.OldRank {
		return fmt.Errorf("a move from %d to %d, but the client was told of rank %d", *e.OldRank, *e.NewRank, c.rank)
	}
	c.rank = *e.NewRank
	return nil
}

// apply changes the page as a difference says.
func (c *reference) apply(e anyEvent) error {
	was := map[string]map[string]any{}
	at := map[string]int{}
	for i, r := range c.rows {
		user := fmt.Sprint(r["userId"])
		was[user], at[user] = r, i+1
	}
	now := map[int]map[string]any{}
	for _, change := range e.Changes {
		if old := at[change.UserID]; (old == 0) != (change.OldRank == nil) || old != 0 && old != *change.OldRank {
			return fmt.Errorf("%s was at %d", change.UserID, old)
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
	for user, r := range was { // they did not move
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

// narrow makes connections with a small buffer, so that the service soon notices a client that
// does not read.
func narrow(ctx context.Context, network, addr string) (net.Conn, error) {
	d := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4<<10) })
	}}
	return d.DialContext(ctx, network, addr)
}
