package api_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"marcador/api"
	"marcador/sse"
)

// heard is an event of a stream: its name, and the part of its data that tests look at.
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
	retry  string // the latest retry field
	id     string // the latest id field
	end    func()
}

// follow opens a stream, which ends with the test. Its status need not be 200.
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
	// Otherwise the connection could be used for the next POST, which Go would not send twice.
	req.Close = true
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

// next returns the next event that is not a ping. At the end of the stream it returns an event
// without a name.
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

// until returns the next event with that name.
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

// untilStreams waits until that many streams are open.
func (f *fixture) untilStreams(n int) {
	f.t.Helper()
	for began := time.Now(); f.streams.Streams() != n; time.Sleep(time.Millisecond) {
		if time.Since(began) > 10*time.Second {
			f.t.Fatalf("%d streams are open, want %d", f.streams.Streams(), n)
		}
	}
}

// onBothTransports runs a test twice: with streams on bare sockets, and through net/http.
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

// open opens a stream. It returns the data of its first event and the header of the answer. The
// stream ends with the test, or when end is called.
func (f *fixture) open(token, query string, headers ...string) (hello map[string]any, header http.Header, end func()) {
	f.t.Helper()
	ctx, cancel := context.WithCancel(f.t.Context())
	f.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.url+"/v1/events?"+query, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK {
		f.t.Fatalf("GET /v1/events?%s = %d", query, res.StatusCode)
	}
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		if data, ok := bytes.CutPrefix(lines.Bytes(), []byte("data: ")); ok {
			if err := json.Unmarshal(data, &hello); err != nil {
				f.t.Fatalf("%v: %s", err, data)
			}
			break
		}
	}
	return hello, res.Header, func() { cancel(); _ = res.Body.Close() }
}

// lastID returns the id of the first event of a stream with that token.
func (f *fixture) lastID(token string) string {
	f.t.Helper()
	s := f.follow(token, "")
	s.until("leaderboard:updated")
	s.end()
	return s.id
}
