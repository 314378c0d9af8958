package api_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"marcador/api"
	"marcador/auth"
	"marcador/internal/forwarded"
	"marcador/sse"
)

// A stream beyond the limits is refused. The answer says when to come back, and that a token helps.
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
	different := map[string]bool{} // clients that are refused together must not come back together
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

// Streams without a token are limited by address, in IPv6 by its first half. What a client says
// about its own address is ignored.
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

// A stream resumes from a good id, in the header and in each parameter, and from no other.
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
	// lastEventId, which event-source-polyfill appends, wins over last_event_id.
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

// A stream is compressed if the client accepts gzip.
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

// FuzzEvents checks that every request for a stream gets a stream or a problem, and no 500.
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
			return // Go's client refuses to send it
		}
		if err := res.Body.Close(); err != nil {
			t.Error(err)
		}
		if res.StatusCode >= 500 {
			t.Errorf("?%s, %q, %q: %d", query, id, accept, res.StatusCode)
		}
	})
}

// Names and ids that contain line breaks or look like events stay within the data of an event.
func TestEvents_hostileTextStaysInData(t *testing.T) {
	f := newFixture(t, nil)
	const evil = "x\r\nevent: evil\ndata: {}\n\nid: 9\u2028"
	f.must(nil, http.MethodPut, "/v1/users/u1", `{"username":"event: evil","groups":{"school":["data: {}"]},"avatar":"data:image/png,\\n\\nevent: evil"}`)
	token, err := f.verifier.Sign(auth.Caller{UserID: "u1", Email: evil, Name: evil}, 1<<40)
	if err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{"snapshot", "diff"} {
		conn := f.dial()
		text := "GET /v1/events?mode=" + mode + "&board=global&board=school:data:%20%7B%7D&last_event_id=" + "x%0A%0Aevent:%20evil HTTP/1.1\r\nHost: x\r\n" +
			"Last-Event-ID: x event: evil\r\nAuthorization: Bearer " + token + "\r\n\r\n"
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReader(conn)
		res, err := http.ReadResponse(r, nil)
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("%v %v", res, err)
		}
		stream := bufio.NewReader(res.Body)
		events := func(n int) {
			t.Helper()
			for names := 0; n > 0; {
				line, err := stream.ReadBytes('\n')
				if err != nil {
					t.Fatal(err)
				}
				field, value, _ := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte(": "))
				switch string(field) {
				case "event":
					names++
					if bytes.Contains(value, []byte("evil")) {
						t.Errorf("an event has the name %q", value)
					}
				case "data":
					if !json.Valid(value) {
						t.Errorf("data = %q", value)
					}
				case "id", "retry":
				case "":
					if names != 1 {
						t.Errorf("an event has %d names", names)
					}
					names, n = 0, n-1
				default:
					t.Errorf("line %q", line)
				}
			}
		}
		events(3) // authenticated, and two boards
		f.must(nil, http.MethodPost, "/v1/users/u1/xp", `{"xp":1,"reason":"event: evil"}`)
		events(1)
		_ = conn.Close()
	}
}
