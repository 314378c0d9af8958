package stream_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"marcador/test/testkit"
)

// A stream says who its user is, shows the board, then every change of it in order, and ends
// with a goodbye.
func TestStream_broadcasts(t *testing.T) {
	t.Parallel()
	p := testkit.Serve(t)
	p.Enrol(3)
	heard := p.Follow(testkit.Token(t, "u2", ""), "board=global", "")
	checkGreeting(t, testkit.Next(t, heard, "authenticated"))
	before := testkit.UpdateOf(t, testkit.Next(t, heard, "leaderboard:updated"))
	if before.TotalEntries != 3 || len(before.Leaderboard) != 3 {
		t.Errorf("first state = %+v", before)
	}

	var wrote struct{ Version int }
	service := testkit.Token(t, "svc", "xp:write")
	p.Call(service, http.MethodPost, "/v1/users/u3/xp", `{"xp":5000,"mlCoins":7}`, &wrote)
	checkBroadcast(t, testkit.Next(t, heard, "leaderboard:updated"), wrote.Version)

	last := wrote.Version
	for i := range 20 {
		p.Call(service, http.MethodPost, fmt.Sprintf("/v1/users/u%d/xp", 1+i%2), `{"xp":300}`, &wrote)
		for last < wrote.Version { // none is skipped or comes twice, in order
			u := testkit.UpdateOf(t, testkit.Next(t, heard, "leaderboard:updated"))
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

	p.Stop()
	if m := testkit.Next(t, heard, "goodbye"); !regexp.MustCompile(`^\{"reason":"shutdown","retryAfter":[1-9]\d{3}\}$`).MatchString(m.Data) {
		t.Errorf("goodbye = %s", m.Data)
	}
	if m, ok := <-heard; ok {
		t.Errorf("after goodbye: %+v", m)
	}
}

// checkGreeting checks the first event of u2's stream.
func checkGreeting(t *testing.T, first testkit.Message) {
	t.Helper()
	var hello struct {
		Success, Recovered      bool
		UserID, Email, SocketID string
		Boards                  []string
	}
	if err := json.Unmarshal([]byte(first.Data), &hello); err != nil {
		t.Fatal(err)
	}
	if !hello.Success || hello.Recovered || hello.UserID != "u2" || hello.Email != "u2@school.mx" || len(hello.SocketID) < 20 || !slices.Equal(hello.Boards, []string{"global"}) {
		t.Errorf("authenticated = %s", first.Data)
	}
}

// checkBroadcast checks the event for the 5,000 points of u3, field by field.
func checkBroadcast(t *testing.T, m testkit.Message, version int) {
	t.Helper()
	u := testkit.UpdateOf(t, m)
	if u.Version != version || !strings.Contains(m.ID, fmt.Sprintf("-%d.", version)) {
		t.Errorf("version %d, id %s, the write was %d", u.Version, m.ID, version)
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
	// A broadcast is the same for all, so the follower's own row is not marked.
	for _, e := range u.Leaderboard {
		if e["isCurrentUser"] != false {
			t.Errorf("entry = %v", e)
		}
	}
}

// curl -N shows everything in a stream as it comes.
func TestStream_curl(t *testing.T) {
	t.Parallel()
	p := testkit.Serve(t)
	p.Enrol(1)
	service := testkit.Token(t, "svc", "xp:write")
	c := testkit.StartCurl(t, "-H", "Authorization: Bearer "+service, p.URL+"/v1/events?board=global")
	head := c.Until("event: authenticated")
	for _, want := range []string{"HTTP/1.1 200 OK", "Content-Type: text/event-stream", "Cache-Control: no-store, no-transform", "X-Accel-Buffering: no", "Vary: Accept-Encoding, Origin"} {
		if !slices.Contains(head, want) {
			t.Errorf("head %q lacks %s", head, want)
		}
	}
	c.Until(`data: {"leaderboard":[{"rank":1,"userId":"u1",`)
	p.Give("u1", 12)
	c.Until(`data: {"leaderboard":[{"rank":1,"userId":"u1","username":"User 1","avatar":"","rankBadge":"Ajaw","score":12,`)
	c.Until("id: ")
	p.Stop()
	c.Until("event: goodbye")
	c.End()
}

// Writes need no listener, and a later stream begins with all of them.
func TestStream_noListeners(t *testing.T) {
	t.Parallel()
	p := testkit.Serve(t)
	p.Enrol(1)
	for range 10 {
		p.Give("u1", 1)
	}
	heard := p.Follow(testkit.Token(t, "svc", "xp:write"), "", "")
	testkit.Next(t, heard, "authenticated")
	if u := testkit.UpdateOf(t, testkit.Next(t, heard, "leaderboard:updated")); u.Leaderboard[0]["score"] != 10.0 {
		t.Errorf("state = %+v", u)
	}
}
