package api_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"marcador/api"
	"marcador/auth"
	"marcador/sse"
)

// heard is an event of a stream: its name, and of its data what tests look at.
type heard struct {
	name string

	Code, Message, Board, Period, SocketID string
	Boards                                 []string
	Entries                                []struct{ UserID string } `json:"leaderboard"`
}

// follower reads a stream.
type follower struct {
	t      testing.TB
	status int
	header http.Header
	lines  *bufio.Scanner
	retry  string // the last one that came
	id     string // likewise
	end    func()
}

// follow opens a stream, which ends with the test. The status may be another than 200.
func (f *fixture) follow(token, query string, headers ...string) *follower {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), 20*time.Second)
	f.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.url+"/v1/events?"+query, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	req.Close = true // its connection ends with it, and is not for the next POST, which Go would not send twice
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = res.Body.Close() })
	return &follower{
		t: f.t, status: res.StatusCode, header: res.Header, lines: bufio.NewScanner(res.Body),
		end: func() { cancel(); _ = res.Body.Close() },
	}
}

// next returns the next event but pings, or one without a name at the end.
func (s *follower) next() (e heard) {
	s.t.Helper()
	for s.lines.Scan() {
		field, value, _ := strings.Cut(s.lines.Text(), ": ")
		switch {
		case field == "retry":
			s.retry = value
		case field == "id":
			s.id = value
		case field == "event":
			e = heard{name: value}
		case field == "data" && e.name != "ping":
			if err := json.Unmarshal([]byte(value), &e); err != nil {
				s.t.Fatalf("%v: %s", err, value)
			}
		case field == "" && e.name != "" && e.name != "ping":
			return e
		}
	}
	return heard{}
}

// until returns the next event of that name.
func (s *follower) until(name string) heard {
	s.t.Helper()
	for {
		switch e := s.next(); e.name {
		case name:
			return e
		case "":
			s.t.Fatalf("the stream ended before %s", name)
		}
	}
}

// Each board of a stream has its own period, or all have the same.
func TestEvents_periods(t *testing.T) {
	f := newFixture(t, nil)
	f.school("42", "ana")
	ana := f.token("ana", "")
	for query, want := range map[string]string{
		"":                              "global all-time",
		"period=daily":                  "global daily",
		"board=global&board=school:42":  "global all-time, school:42 all-time",
		"period=weekly&board=school:42": "school:42 weekly",
		"board=global&board=school:42&period=weekly":              "global weekly, school:42 weekly",
		"board=school:42&board=global&period=weekly&period=daily": "global daily, school:42 weekly",
		"board=global&board=global&period=weekly&period=daily":    "global daily, global weekly",
		"board=global&board=global&period=weekly&period=weekly":   "global weekly",
		"board=global&period=weekly&period=daily&board=school:42": "global weekly, school:42 daily",
		"board=global&board=global&board=global&period=monthly":   "global monthly",
	} {
		t.Run(query, func(t *testing.T) {
			s := f.follow(ana, query)
			defer s.end()
			hello := s.next()
			parts := strings.Split(want, ", ")
			var got, boards []string
			for range parts {
				e := s.until("leaderboard:updated")
				got = append(got, e.Board+" "+e.Period)
				boards = append(boards, e.Board)
			}
			slices.Sort(got)
			slices.Sort(boards)
			if !slices.Equal(got, parts) || !slices.Equal(hello.Boards, slices.Compact(boards)) {
				t.Errorf("it follows %v, and says that it follows %v; want %s", got, hello.Boards, want)
			}
		})
	}
	for query, field := range map[string]string{
		"period=daily&period=weekly": "period",
		"board=global&board=school:42&period=daily&period=weekly&period=monthly":             "period",
		"board=global&board=school:42&board=school:42&period=daily&period=weekly":            "period",
		"board=" + strings.Repeat("global&board=", 32) + "global&period=daily&period=weekly": "period",
	} {
		f.do(ana, http.MethodGet, "/v1/events?"+query, "").wantProblem(t, 422, "invalid_input", field)
	}
	a := f.do(ana, http.MethodGet, "/v1/events?board=global&board=school:42&period=daily&period=hourly", "")
	a.wantProblem(t, 422, "invalid_input", "period[1]")
	if !bytes.Contains(a.body, []byte("weekly")) {
		t.Errorf("the remedy is not named: %s", a.body)
	}
}

// Somebody who leaves a group loses its board in all its periods, and keeps the stream's
// other boards.
func TestEvents_forbiddenBoard(t *testing.T) {
	onBothTransports(t, sse.Options{}, func(t *testing.T, f *fixture) {
		f.school("42", "ana", "leo")
		s := f.follow(f.token("ana", ""), "board=school:42&board=school:42&board=global&period=daily&period=weekly&period=all-time")
		for range 3 {
			s.until("leaderboard:updated")
		}
		f.school("7", "ana")
		if e := s.until("error"); e.Code != "forbidden" || e.Board != "school:42" || !strings.Contains(e.Message, "school:42") {
			t.Errorf("error = %+v", e)
		}
		f.must(nil, http.MethodPost, "/v1/users/leo/xp", `{"xp":5}`)
		for e := s.next(); ; e = s.next() {
			if e.name == "error" || e.Board == "school:42" || e.name == "" {
				t.Fatalf("then came %+v", e)
			}
			if e.name == "leaderboard:updated" && e.Entries[0].UserID == "leo" {
				break
			}
		}
	})
}

// untilStreams waits until that many streams are open.
func (f *fixture) untilStreams(n int) {
	f.t.Helper()
	for began := time.Now(); f.streams.Streams() != n; time.Sleep(time.Millisecond) {
		if time.Since(began) > 10*time.Second {
			f.t.Fatalf("%d streams are open, want %d", f.streams.Streams(), n)
		}
	}
}

// onBothTransports runs a test with streams on sockets, and through net/http.
func onBothTransports(t *testing.T, opts sse.Options, test func(t *testing.T, f *fixture)) {
	t.Helper()
	for name, standard := range map[string]bool{"raw": false, "standard": true} {
		t.Run(name, func(t *testing.T) {
			opts.Standard = standard
			test(t, newFixture(t, func(o *api.Options) {
				o.Public = true
				o.Streams = sse.NewServer(o.Live.Hub(), opts)
			}))
		})
	}
}

// With each token the rights are looked at again. Boards that the fresh one may not follow
// end, in all their periods, and the others go on.
func TestEvents_freshTokenWithoutTheRight(t *testing.T) {
	onBothTransports(t, sse.Options{}, func(t *testing.T, f *fixture) {
		f.school("1", "ana", "mal")
		f.school("2", "leo")
		f.school("3", "eva")
		query := "board=global&board=school:1&board=school:2&board=school:2&board=school:3&period=daily&period=daily&period=daily&period=weekly&period=daily"
		s := f.follow(f.token("mal", "admin"), query)
		path := "/v1/events/" + s.until("authenticated").SocketID + "/token"
		for range 5 {
			s.until("leaderboard:updated")
		}
		if a := f.do(f.token("mal", ""), http.MethodPost, path, ""); a.status != http.StatusOK {
			t.Fatalf("POST = %d %s", a.status, a.body)
		}
		for _, board := range []string{"school:2", "school:3"} {
			if e := s.next(); e.name != "error" || e.Code != "forbidden" || e.Board != board {
				t.Fatalf("event = %+v, want that %s is forbidden", e, board)
			}
		}
		f.must(nil, http.MethodPost, "/v1/users/leo/xp", `{"xp":5}`)
		f.must(nil, http.MethodPost, "/v1/users/ana/xp", `{"xp":7}`)
		for e := s.next(); e.Board != "school:1"; e = s.next() {
			if e.name == "" || e.name == "error" || e.Board != "global" {
				t.Fatalf("then came %+v", e)
			}
		}
		// The admin's right is gone for good: now it is membership that allows the board.
		f.school("2", "mal")
		if e := s.until("error"); e.Code != "forbidden" || e.Board != "school:1" {
			t.Errorf("error = %+v", e)
		}
	})
}

// A token that is good for less long gives no more than there was, and a stream without any
// board left ends.
func TestEvents_olderToken(t *testing.T) {
	onBothTransports(t, sse.Options{}, func(t *testing.T, f *fixture) {
		f.school("1", "ana", "mal")
		short := func(scopes ...string) string {
			token, err := f.verifier.Sign(auth.Caller{UserID: "mal", Scopes: scopes}, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			return token
		}
		s := f.follow(f.token("mal", ""), "board=school:1")
		path := "/v1/events/" + s.until("authenticated").SocketID + "/token"
		if a := f.do(short("admin"), http.MethodPost, path, ""); a.status != http.StatusOK {
			t.Fatalf("POST = %d %s", a.status, a.body)
		}
		f.school("2", "mal") // the admin's token would let the stream go on, after it has expired
		if e := s.until("error"); e.Code != "forbidden" || e.Board != "school:1" {
			t.Errorf("error = %+v", e)
		}
		if e := s.next(); e.name != "" {
			t.Errorf("then came %+v", e)
		}
		admin := f.follow(f.token("mal", "admin"), "board=school:1")
		path = "/v1/events/" + admin.until("authenticated").SocketID + "/token"
		f.do(short(), http.MethodPost, path, "")
		if e := admin.until("error"); e.Code != "forbidden" || e.Board != "school:1" {
			t.Errorf("error = %+v", e)
		}
		f.untilStreams(0)
	})
}

// A page that somebody loads again and again is let in, and the oldest stream is told so.
func TestEvents_replaced(t *testing.T) {
	onBothTransports(t, sse.Options{}, func(t *testing.T, f *fixture) {
		ana := f.token("ana", "")
		first := f.follow(ana, "")
		first.until("leaderboard:updated")
		for range 10 {
			if s := f.follow(ana, ""); s.status != http.StatusOK || s.next().name != "authenticated" {
				t.Fatalf("a page loaded again is answered with %d", s.status)
			}
		}
		if e := first.until("error"); e.Code != "replaced" || e.Board != "" || first.retry != "60000" {
			t.Errorf("error = %+v, retry %s", e, first.retry)
		}
		back := f.follow(ana, "", "Last-Event-ID", first.id)
		if e := back.next(); back.status != http.StatusOK || e.Code != "replaced" || back.retry != "60000" {
			t.Errorf("a stream that comes back by itself: %d %+v, retry %s", back.status, e, back.retry)
		}
		again := f.follow(ana, "last_event_id="+url.QueryEscape(first.id))
		if e := again.next(); e.Code != "replaced" {
			t.Errorf("a stream that comes back by itself: %d %+v", again.status, e)
		}
		f.untilStreams(8)
	})
}

// A stream that comes back is told which of its boards it may not follow any more, and goes
// on with the others. It is refused when none is left, and a first request in any case.
func TestEvents_comesBackWithoutABoard(t *testing.T) {
	onBothTransports(t, sse.Options{}, func(t *testing.T, f *fixture) {
		f.school("42", "ana", "leo")
		ana, query := f.token("ana", ""), "board=global&board=school:42&board=school:42&period=daily&period=daily&period=weekly"
		s := f.follow(ana, query)
		for range 3 {
			s.until("leaderboard:updated")
		}
		s.end()
		f.school("7", "ana")
		back := f.follow(ana, query, "Last-Event-ID", s.id)
		if e := back.next(); e.name != "authenticated" || !slices.Equal(e.Boards, []string{"global"}) {
			t.Fatalf("event = %+v", e)
		}
		if e := back.next(); e.Code != "forbidden" || e.Board != "school:42" {
			t.Fatalf("event = %+v", e)
		}
		if e := back.next(); e.name != "leaderboard:updated" || e.Board != "global" {
			t.Fatalf("event = %+v", e)
		}
		f.must(nil, http.MethodPost, "/v1/users/leo/xp", `{"xp":5}`)
		if e := back.until("leaderboard:updated"); e.Board != "global" {
			t.Errorf("event = %+v", e)
		}
		a := f.do(ana, http.MethodGet, "/v1/events?"+query, "")
		a.wantProblem(t, http.StatusForbidden, "not_a_member", "board")
		if !bytes.Contains(a.body, []byte("school:42 is for its members")) {
			t.Errorf("which board it is, is not said: %s", a.body)
		}
		f.do(ana, http.MethodGet, "/v1/events?board=school:42", "", "Last-Event-ID", s.id).wantProblem(t, http.StatusForbidden, "not_a_member", "board")
	})
}
