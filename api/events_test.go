package api_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"marcador/api"
	"marcador/auth"
	"marcador/internal/forwarded"
	"marcador/sse"
)

// open begins a stream and returns its first event's data and the header. The
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

// Past the bounds a client is told when to come back, and that a token helps.
func TestEvents_limits(t *testing.T) {
	f := newFixture(t, func(o *api.Options) {
		o.Public = true
		o.Streams = sse.NewServer(o.Live.Hub(), sse.Options{MaxStreams: 10, MaxStreamsPerUser: 10})
	})
	from := func(address string) *follower { return f.follow("", "", "X-Forwarded-For", address) }
	refused := func(token, address string, status int, code string, least, most int) {
		t.Helper()
		a := f.do(token, http.MethodGet, "/v1/events", "", "X-Forwarded-For", address)
		a.wantProblem(t, status, code, "")
		if n, err := strconv.Atoi(a.header.Get("Retry-After")); err != nil || n < least || n > most {
			t.Errorf("%s: Retry-After = %q", code, a.header.Get("Retry-After"))
		}
		if token == "" && !bytes.Contains(a.body, []byte("show a token")) {
			t.Errorf("the remedy is not named: %s", a.body)
		}
	}
	for i := range 5 {
		from(fmt.Sprint("2001:db8:0:", i, "::1")).until("authenticated")
	}
	refused("", "2001:db8:0:6::1", http.StatusServiceUnavailable, "too_many_streams", 5, 15)
	u1 := f.token("u1", "")
	var open []*follower
	for range 5 {
		s := f.follow(u1, "")
		s.until("authenticated")
		open = append(open, s)
	}
	refused(u1, "", http.StatusServiceUnavailable, "too_many_streams", 5, 15)
	different := map[string]bool{} // all who are refused at once don't return at once
	for range 50 {
		different[f.do(u1, http.MethodGet, "/v1/events", "").header.Get("Retry-After")] = true
	}
	if len(different) < 3 {
		t.Errorf("Retry-After is one of %v", different)
	}
	open[0].end()
	f.untilStreams(9)
	f.follow(u1, "").until("authenticated")
}

// One address is one client, of IPv6 its first half, and what a client says of its own
// address counts for nothing.
func TestEvents_limitsOfAddress(t *testing.T) {
	fill := func(proxies ...string) *fixture {
		return newFixture(t, func(o *api.Options) {
			var err error
			if o.Proxies, err = forwarded.Parse(proxies); err != nil {
				t.Fatal(err)
			}
			o.Public = true
			o.Streams = sse.NewServer(o.Live.Hub(), sse.Options{MaxStreams: 20})
		})
	}
	f := fill("loopback")
	f.follow("", "", "X-Forwarded-For", "2001:db8::1").until("authenticated")
	f.follow("", "", "X-Forwarded-For", "2001:db8::2").until("authenticated")
	f.do("", http.MethodGet, "/v1/events", "", "X-Forwarded-For", "2001:db8::3").wantProblem(t, 429, "too_many_streams_of_address", "")
	f.follow("", "", "Forwarded", `for="[2001:db8:0:1::1]"`).until("authenticated")
	f = fill("none")
	f.follow("", "", "X-Forwarded-For", "203.0.113.1").until("authenticated")
	f.follow("", "", "X-Forwarded-For", "203.0.113.2").until("authenticated")
	f.do("", http.MethodGet, "/v1/events", "", "X-Forwarded-For", "203.0.113.3").wantProblem(t, 429, "too_many_streams_of_address", "")
}

func TestEvents_freshToken(t *testing.T) {
	f := newFixture(t, nil)
	hello, _, _ := f.open(f.token("u1", ""), "")
	path := fmt.Sprintf("/v1/events/%s/token", hello["socketId"])
	fresh, err := f.verifier.Sign(auth.Caller{UserID: "u1"}, 2*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ token, body string }{
		{fresh, ""}, // the request's own
		{f.token("u1", ""), `{"token":"` + fresh + `"}`}, // one that comes with it
	} {
		a := f.do(c.token, http.MethodPost, path, c.body)
		var extended struct{ SocketID, ExpiresAt string }
		if err := json.Unmarshal(a.body, &extended); a.status != 200 || err != nil || extended.SocketID != hello["socketId"] {
			t.Errorf("with body %q: %d %s", c.body, a.status, a.body)
		}
		if at, err := time.Parse(time.RFC3339, extended.ExpiresAt); err != nil || time.Until(at) < 90*time.Minute {
			t.Errorf("with body %q it goes on until %s", c.body, extended.ExpiresAt)
		}
	}
	f.do("", http.MethodPost, path, "").wantProblem(t, 401, "token_missing", "")
	f.do(f.token("u1", ""), http.MethodPost, path, `{"token":"forged"}`).wantProblem(t, 401, "token_invalid", "")
	f.do(f.token("u1", ""), http.MethodPost, path, `{"token":"`+f.token("u2", "")+`"}`).wantProblem(t, 403, "other_user", "token")
	f.do(f.token("u2", ""), http.MethodPost, path, "").wantProblem(t, 404, "unknown_stream", "socketId")
	f.do(fresh, http.MethodPost, "/v1/events/nothing/token", "").wantProblem(t, 404, "unknown_stream", "socketId")
	f.do(fresh, http.MethodPost, path, `{"token":`).wantProblem(t, 400, "invalid_json", "")
}

func TestEvents_parameters(t *testing.T) {
	f := newFixture(t, nil)
	f.put("u1")
	u1 := f.token("u1", "")
	f.do(u1, http.MethodGet, "/v1/events?mode=both", "").wantProblem(t, 422, "invalid_input", "mode")
	f.do(u1, http.MethodGet, "/v1/events?format=xml", "").wantProblem(t, 422, "invalid_input", "format")
	hello, _, _ := f.open(u1, "")
	if hello["recovered"] != false {
		t.Errorf("authenticated = %v", hello)
	}
	id := f.lastID(u1)
	for query, header := range map[string]string{"last_event_id=" + id: "", "": id, "last_event_id=nonsense": id} {
		headers := []string{"Last-Event-ID", header}
		if header == "" {
			headers = nil
		}
		if hello, _, _ := f.open(u1, query, headers...); hello["recovered"] != true {
			t.Errorf("after ?%s and Last-Event-ID %q: %v", query, header, hello)
		}
	}
	// event-source-polyfill's name for it goes before what the address had at first.
	for _, query := range []string{"lastEventId=" + id, "last_event_id=nonsense&lastEventId=" + id} {
		if hello, _, _ := f.open(u1, query); hello["recovered"] != true {
			t.Errorf("after ?%s: %v", query, hello)
		}
	}
	plain, _, _ := strings.Cut(id, ".")
	for _, id := range []string{"nonsense", "x-1", strings.Repeat("9", 1000), "-1", plain, plain + ".", f.lastID(f.token("u2", "")), id + "A"} {
		if hello, _, _ := f.open(u1, "last_event_id="+id); hello["recovered"] != false {
			t.Errorf("after last_event_id=%s: %v", id, hello)
		}
	}
}

// lastID is the id with which a stream of the token begins.
func (f *fixture) lastID(token string) string {
	f.t.Helper()
	s := f.follow(token, "")
	s.until("leaderboard:updated")
	s.end()
	return s.id
}

func TestEvents_gzip(t *testing.T) {
	f := newFixture(t, nil)
	u1 := f.token("u1", "")
	for accept, want := range map[string]string{
		"": "", "identity": "", "gzip": "gzip", "br, gzip": "gzip", "GZIP;q=0.5, *;q=0": "gzip", "x-gzip": "gzip",
		"*": "gzip", "gzip;q=0": "", "*;q=0": "", "gzip; q=0.000, br": "", "gzip;q=x": "", "gzip;level=9": "", "deflate": "",
	} {
		a := f.do(u1, http.MethodHead, "/v1/events", "", "Accept-Encoding", accept)
		if got := a.header.Get("Content-Encoding"); got != want {
			t.Errorf("Accept-Encoding %q: Content-Encoding = %q, want %q", accept, got, want)
		}
		if got := a.header.Get("Vary"); got != "Accept-Encoding, Origin" {
			t.Errorf("Vary = %q", got)
		}
	}
}

// FuzzEvents: whatever a client says of what it wants and has seen, it is answered
// with a stream or a problem.
func FuzzEvents(f *testing.F) {
	for _, c := range [][3]string{{"", "", ""}, {"mode=diff&format=msgpack", "e-1", "gzip"}, {"board=global&board=school:1", "-", "gzip;q=1,*;q=0"}, {"%zz&;=", "\xff", ",;=;q"}} {
		f.Add(c[0], c[1], c[2])
	}
	site := newFixture(f, nil)
	token := site.token("u1", "")
	f.Fuzz(func(t *testing.T, query, id, accept string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodHead, site.url+"/v1/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.URL.RawQuery = query
		req.Header = http.Header{"Authorization": {"Bearer " + token}, "Last-Event-Id": {id}, "Accept-Encoding": {accept}}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return // the client does not send such a thing
		}
		if err := res.Body.Close(); err != nil {
			t.Error(err)
		}
		if res.StatusCode >= 500 {
			t.Errorf("?%s, %q, %q: %d", query, id, accept, res.StatusCode)
		}
	})
}
