package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	client "github.com/r3labs/sse/v2"
)

// patient bounds a wait that ends much sooner unless something is broken.
const patient = 30 * time.Second

// message is an event as a client sees it.
type message struct{ event, id, data string }

// once is a reconnection strategy: none.
type once struct{}

func (once) NextBackOff() time.Duration { return -1 }
func (once) Reset()                     {}

// follow opens a stream with r3labs' client and returns what it hears, until the
// stream ends.
func (p *program) follow(token, query, lastID string) <-chan message {
	p.tb.Helper()
	return p.followOver(&http.Transport{}, token, query, lastID)
}

// followOver is follow on connections of that transport.
func (p *program) followOver(transport http.RoundTripper, token, query, lastID string) <-chan message {
	p.tb.Helper()
	heard := make(chan message, 100)
	c := client.NewClient(p.url+"/v1/events?"+query, client.ClientMaxBufferSize(1<<20))
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
			heard <- message{string(e.Event), string(e.ID), string(e.Data)}
		})
	}()
	p.tb.Cleanup(func() { cancel(); <-ended; c.Connection.CloseIdleConnections() })
	return heard
}

// next waits for the next event and fails unless it has that name. Pings may come
// in between, where a machine is slow, and what is said of one's own rank.
func next(tb testing.TB, heard <-chan message, event string) message {
	tb.Helper()
	late := time.After(patient) // pings don't put it off
	for {
		select {
		case m, ok := <-heard:
			if ok && m.event == event {
				return m
			}
			if !ok || m.event != "ping" && m.event != "rank_changed" {
				tb.Fatalf("heard %q %s (open %v), want %q", m.event, m.data, ok, event)
			}
		case <-late:
			tb.Fatalf("heard nothing, want %q", event)
		}
	}
}

// update is the data of leaderboard:updated.
type update struct {
	Leaderboard           []map[string]any // to see each field
	Timestamp             time.Time
	Board, Period         string
	TotalEntries, Version int
}

func updateOf(tb testing.TB, m message) (u update) {
	tb.Helper()
	if err := json.Unmarshal([]byte(m.data), &u); err != nil {
		tb.Fatalf("%v: %s", err, m.data)
	}
	return u
}

func TestStream(t *testing.T) {
	p := serveOn(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "m.db"))
	p.enrol(3)
	service := tokenFor(t, "svc", "xp:write", time.Hour)
	heard := p.follow(tokenFor(t, "u2", "", time.Hour), "board=global", "")

	var hello struct {
		Success, Recovered      bool
		UserID, Email, SocketID string
		Boards                  []string
	}
	first := next(t, heard, "authenticated")
	if err := json.Unmarshal([]byte(first.data), &hello); err != nil {
		t.Fatal(err)
	}
	if !hello.Success || hello.Recovered || hello.UserID != "u2" || hello.Email != "u2@school.mx" || len(hello.SocketID) < 20 || !slices.Equal(hello.Boards, []string{"global"}) {
		t.Errorf("authenticated = %s", first.data)
	}
	before := updateOf(t, next(t, heard, "leaderboard:updated"))
	if before.TotalEntries != 3 || len(before.Leaderboard) != 3 {
		t.Errorf("first state = %+v", before)
	}

	var wrote struct{ Version int }
	p.call(service, http.MethodPost, "/v1/users/u3/xp", `{"xp":5000,"mlCoins":7}`, &wrote)
	m := next(t, heard, "leaderboard:updated")
	u := updateOf(t, m)
	if u.Version != wrote.Version || !strings.Contains(m.id, fmt.Sprintf("-%d.", wrote.Version)) {
		t.Errorf("version %d, id %s, the write was %d", u.Version, m.id, wrote.Version)
	}
	if u.Board != "global" || u.Period != "all-time" || u.TotalEntries != 3 || time.Since(u.Timestamp) > time.Minute {
		t.Errorf("update = %+v", u)
	}
	want := map[string]any{ // all eleven fields
		"rank": 1.0, "userId": "u3", "username": "User 3", "avatar": "", "rankBadge": "Nacom", "score": 5000.0,
		"xp": 5000.0, "mlCoins": 7.0, "change": 0.0, "changeType": "new", "isCurrentUser": false,
	}
	for name, value := range want {
		if got := u.Leaderboard[0][name]; got != value {
			t.Errorf("%s = %v, want %v", name, got, value)
		}
	}
	if len(u.Leaderboard[0]) != len(want) {
		t.Errorf("entry = %v, want %d fields", u.Leaderboard[0], len(want))
	}
	// The follower's own row is not marked: a broadcast is the same for all.
	for _, e := range u.Leaderboard {
		if e["isCurrentUser"] != false {
			t.Errorf("entry = %v", e)
		}
	}

	last := u.Version
	for i := range 20 {
		p.call(service, http.MethodPost, fmt.Sprintf("/v1/users/u%d/xp", 1+i%2), `{"xp":300}`, &wrote)
		for last < wrote.Version { // none is skipped or comes twice, in order
			u := updateOf(t, next(t, heard, "leaderboard:updated"))
			if u.Version <= last {
				t.Fatalf("version %d after %d", u.Version, last)
			}
			last = u.Version
			if !slices.IsSortedFunc(u.Leaderboard, func(a, b map[string]any) int {
				return cmp.Compare(fmt.Sprintf("%012v", b["score"]), fmt.Sprintf("%012v", a["score"]))
			}) {
				t.Errorf("out of order: %v", u.Leaderboard)
			}
		}
	}

	p.stop()
	if m := next(t, heard, "goodbye"); !regexp.MustCompile(`^\{"reason":"shutdown","retryAfter":[1-9]\d{3}\}$`).MatchString(m.data) {
		t.Errorf("goodbye = %s", m.data)
	}
	if m, ok := <-heard; ok {
		t.Errorf("after goodbye: %+v", m)
	}
}

func TestStream_reconnect(t *testing.T) {
	db := filepath.Join(t.TempDir(), "m.db")
	p := serveOn(t, "127.0.0.1:0", db)
	p.enrol(1)
	service := tokenFor(t, "svc", "xp:write", time.Hour)
	heard := p.follow(service, "board=global", "")
	next(t, heard, "authenticated")
	id := next(t, heard, "leaderboard:updated").id
	p.stop()
	next(t, heard, "goodbye")

	p = serveOn(t, "127.0.0.1:0", db)
	p.call(service, http.MethodPost, "/v1/users/u1/xp", `{"xp":9}`, nil)
	heard = p.follow(service, "board=global", id)
	if m := next(t, heard, "authenticated"); !strings.Contains(m.data, `"recovered":false`) {
		t.Errorf("authenticated = %s", m.data)
	}
	m := next(t, heard, "leaderboard:updated")
	if u := updateOf(t, m); u.Leaderboard[0]["score"] != 9.0 {
		t.Errorf("state after reconnecting = %s", m.data)
	}
	// The epoch is the database's: it outlives the process.
	if epoch, _, _ := strings.Cut(id, "-"); !strings.HasPrefix(m.id, epoch+"-") || m.id == id {
		t.Errorf("id %s after %s", m.id, id)
	}
	for _, nonsense := range []string{"nonsense", "a-b-c", "-", strings.Repeat("9", 100)} {
		heard := p.follow(service, "board=global", nonsense)
		next(t, heard, "authenticated")
		next(t, heard, "leaderboard:updated")
	}
}

func TestStream_heartbeatAndExpiry(t *testing.T) {
	p := serveOn(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "m.db"), "--heartbeat", "50ms")
	heard := p.follow(tokenFor(t, "u1", "", 2*time.Second), "", "")
	next(t, heard, "authenticated")
	next(t, heard, "leaderboard:updated")
	if m := next(t, heard, "ping"); m.data != "{}" {
		t.Errorf("ping = %s", m.data)
	}
	for m := range heard {
		if m.event == "ping" {
			continue
		}
		if m.event != "error" || !strings.Contains(m.data, `"code":"token_expired"`) {
			t.Errorf("heard %+v, want token_expired", m)
		}
	}
}

func TestStream_tokens(t *testing.T) {
	closed := serveOn(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "m.db"))
	good := tokenFor(t, "u1", "", time.Hour)
	none := "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0." + strings.Split(good, ".")[1] + "."
	for name, token := range map[string]string{
		"missing": "", "expired": tokenFor(t, "u1", "", -time.Minute), "forged": good[:len(good)-4] + "AAAA", "alg none": none,
	} {
		if status, b := closed.try(token, http.MethodGet, "/v1/events?board=global", ""); status != 401 {
			t.Errorf("%s: %d %s", name, status, b)
		}
	}
	public := serveOn(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "m.db"), "--public")
	heard := public.follow("", "board=global", "")
	if m := next(t, heard, "authenticated"); !strings.Contains(m.data, `"userId":null,"email":null`) {
		t.Errorf("authenticated = %s", m.data)
	}
	next(t, heard, "leaderboard:updated")
}

// curl -N understands everything in a stream.
func TestStream_curl(t *testing.T) {
	p := serveOn(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "m.db"))
	p.enrol(1)
	service := tokenFor(t, "svc", "xp:write", time.Hour)
	c := startCurl(t, "-H", "Authorization: Bearer "+service, p.url+"/v1/events?board=global")
	head := c.until("event: authenticated")
	for _, want := range []string{"HTTP/1.1 200 OK", "Content-Type: text/event-stream", "Cache-Control: no-store, no-transform", "X-Accel-Buffering: no", "Vary: Accept-Encoding, Origin"} {
		if !slices.Contains(head, want) {
			t.Errorf("head %q lacks %s", head, want)
		}
	}
	c.until(`data: {"leaderboard":[{"rank":1,"userId":"u1",`)
	p.call(service, http.MethodPost, "/v1/users/u1/xp", `{"xp":12}`, nil)
	c.until(`data: {"leaderboard":[{"rank":1,"userId":"u1","username":"User 1","avatar":"","rankBadge":"Ajaw","score":12,`)
	c.until("id: ")
	p.stop()
	c.until("event: goodbye")
	for range c.lines { // to the end
	}
	if err := c.cmd.Wait(); err != nil {
		t.Errorf("curl: %v", err)
	}
}

// Clients that never read delay nobody, over real sockets.
func TestStream_stalledReaders(t *testing.T) {
	p := serveOn(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "m.db"), "--write-timeout", "1s", "--max-streams-per-user", "30")
	service := tokenFor(t, "svc", "admin", time.Hour)
	for i := range 100 { // a broadcast of 200 KB
		p.call(service, http.MethodPut, fmt.Sprintf("/v1/users/u%d", i+1), `{"username":"x","avatar":"https://x/`+strings.Repeat("x", 1900)+`"}`, nil)
	}
	var stalled []net.Conn
	for range 20 {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(p.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() }) // the server may have
		stalled = append(stalled, conn)
		if _, err := fmt.Fprintf(conn, "GET /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", service); err != nil {
			t.Fatal(err)
		}
	}
	heard := p.follow(service, "board=global", "")
	next(t, heard, "authenticated")
	next(t, heard, "leaderboard:updated")
	var wrote struct{ Version int }
	// 20 MB for each, more than the sockets hold, and some seconds more.
	began := time.Now()
	for i := 0; i < 100 || time.Since(began) < 4*time.Second; i++ {
		p.call(service, http.MethodPost, "/v1/users/u1/xp", `{"xp":1}`, &wrote)
		if u := updateOf(t, next(t, heard, "leaderboard:updated")); u.Version != wrote.Version {
			t.Fatalf("broadcast %d: version %d, want %d", i, u.Version, wrote.Version)
		}
	}
	// They were let go a second after they took no more: what is left for them to
	// read has an end.
	for _, conn := range stalled {
		if err := conn.SetReadDeadline(time.Now().Add(patient)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("a client that did not read was kept")
		}
	}
}

// With nobody listening everything goes on as well.
func TestStream_noListeners(t *testing.T) {
	p := serveOn(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "m.db"))
	p.enrol(1)
	service := tokenFor(t, "svc", "xp:write", time.Hour)
	for range 10 {
		p.call(service, http.MethodPost, "/v1/users/u1/xp", `{"xp":1}`, nil)
	}
	heard := p.follow(service, "", "")
	next(t, heard, "authenticated")
	if u := updateOf(t, next(t, heard, "leaderboard:updated")); u.Leaderboard[0]["score"] != 10.0 {
		t.Errorf("state = %+v", u)
	}
}
