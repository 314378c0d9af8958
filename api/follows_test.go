package api_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"marcador/api"
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
	for name, standard := range map[string]bool{"raw": false, "standard": true} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, func(o *api.Options) {
				o.Streams = sse.NewServer(o.Live.Hub(), sse.Options{Standard: standard})
			})
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
}
