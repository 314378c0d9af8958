package api_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"marcador/api"
	"marcador/sse"
)

const (
	site      = "https://school.example"
	otherSite = "https://elsewhere.example"
)

// ofSites lets two other sites call the API.
func ofSites(o *api.Options) { o.Origins = []string{site, "http://localhost:5173"} }

// wantShared fails the test unless a browser lets a page of that origin read the answer, or does
// not let it if shared is false.
func (a answer) wantShared(tb testing.TB, what, origin string, shared bool) {
	tb.Helper()
	want := ""
	if shared {
		want = origin
	}
	if got := a.header.Get("Access-Control-Allow-Origin"); got != want {
		tb.Errorf("%s from %q = %d, Access-Control-Allow-Origin %q, want %q", what, origin, a.status, got, want)
	}
	if !strings.Contains(strings.Join(a.header.Values("Vary"), ","), "Origin") {
		tb.Errorf("%s from %q: Vary = %q", what, origin, a.header.Values("Vary"))
	}
	if got := a.header.Get("Access-Control-Allow-Credentials"); got != "" {
		tb.Errorf("%s from %q: Access-Control-Allow-Credentials = %s", what, origin, got)
	}
	for _, name := range []string{"Retry-After", "Www-Authenticate"} {
		if exposed := strings.Contains(strings.Join(a.header.Values("Access-Control-Expose-Headers"), ","), name); exposed != shared {
			tb.Errorf("%s from %q: Access-Control-Expose-Headers = %q", what, origin, a.header.Values("Access-Control-Expose-Headers"))
		}
	}
}

// Pages of the named sites can read every answer, also a refusal. Pages of other sites can read
// none.
func TestOrigins(t *testing.T) {
	var streams *sse.Server
	f := newFixture(t, func(o *api.Options) {
		ofSites(o)
		o.Streams = sse.NewServer(o.Live.Hub(), sse.Options{MaxStreams: 1})
		streams = o.Streams
	})
	f.put("u1")
	_, _, end := f.open(f.token("u1", ""), "", "Origin", site)
	defer end()
	for what, c := range map[string]struct {
		token, method, path, body string
		status                    int
	}{
		"page":             {f.token("u1", ""), http.MethodGet, "/v1/leaderboards/global", "", 200},
		"write":            {f.admin, http.MethodPost, "/v1/users/u1/xp", `{"xp":1}`, 200},
		"without a token":  {"", http.MethodGet, "/v1/leaderboards/global", "", 401},
		"bad token":        {"forged", http.MethodGet, "/v1/events", "", 401},
		"no right":         {f.token("u1", ""), http.MethodPost, "/v1/users/u1/xp", `{"xp":1}`, 403},
		"not there":        {f.admin, http.MethodGet, "/v1/users/nobody", "", 404},
		"no such path":     {f.admin, http.MethodGet, "/v1/nothing", "", 404},
		"empty part":       {f.admin, http.MethodGet, "/v1//users", "", 422},
		"method":           {f.admin, http.MethodPut, "/v1/xp", "", 405},
		"bad input":        {f.admin, http.MethodPost, "/v1/users/u1/xp", `{"xp":0}`, 422},
		"too many streams": {f.token("u1", ""), http.MethodGet, "/v1/events", "", 503},
		"alive":            {"", http.MethodGet, "/healthz", "", 200},
		"OpenAPI":          {"", http.MethodGet, "/openapi.json", "", 200},
	} {
		for origin, named := range map[string]bool{
			site: true, "http://localhost:5173": true, otherSite: false, "http://school.example": false,
			"https://school.example:8443": false, "https://school.example.evil.example": false, "null": false, "": false,
		} {
			var headers []string
			if origin != "" {
				headers = []string{"Origin", origin}
			}
			a := f.do(c.token, c.method, c.path, c.body, headers...)
			if a.status != c.status {
				t.Errorf("%s from %q = %d %s, want %d", what, origin, a.status, a.body, c.status)
			}
			a.wantShared(t, what, origin, named)
		}
	}
	end()
	if err := streams.Drain(context.Background()); err != nil {
		t.Fatal(err)
	}
	f.do(f.admin, http.MethodGet, "/readyz", "", "Origin", site).wantShared(t, "shutting down", site, true)
	f.do(f.admin, http.MethodGet, "/v1/events", "", "Origin", site).wantShared(t, "stream, shutting down", site, true)
	// Pages of another site can't write with the cookie, and can read that they can't.
	cookie := f.do("", http.MethodPost, "/v1/users/u1/xp", `{"xp":1}`, "Cookie", "marcador_token="+f.admin, "Origin", site)
	cookie.wantProblem(t, http.StatusForbidden, "cross_origin", "")
	cookie.wantShared(t, "cookie", site, true)
	// Other paths than the API's do not have the headers.
	if got := f.do("", http.MethodGet, "/", "", "Origin", site).header.Get("Access-Control-Allow-Origin"); got != "" {
		t.Errorf("the page has Access-Control-Allow-Origin %q", got)
	}
}

// The header of a stream has them too, whether sse or net/http writes it.
func TestOrigins_streams(t *testing.T) {
	for name, standard := range map[string]bool{"raw": false, "standard": true} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, func(o *api.Options) {
				ofSites(o)
				o.Streams = sse.NewServer(o.Live.Hub(), sse.Options{Standard: standard})
			})
			for origin, named := range map[string]bool{site: true, otherSite: false} {
				_, header, end := f.open(f.admin, "", "Origin", origin)
				answer{200, header, nil}.wantShared(t, "stream", origin, named)
				if header.Get("Content-Type") != "text/event-stream" || len(header.Values("Access-Control-Allow-Origin")) > 1 {
					t.Errorf("head of the stream = %v", header)
				}
				end()
			}
		})
	}
}

// A browser that asks before a call (a preflight) is told what a page of the named sites may do,
// and nothing about pages of other sites.
func TestOrigins_preflight(t *testing.T) {
	f := newFixture(t, ofSites)
	ask := func(path, origin, method, headers string) answer {
		return f.do("", http.MethodOptions, path, "", "Origin", origin, "Access-Control-Request-Method", method, "Access-Control-Request-Headers", headers)
	}
	lists := func(a answer, name, want string) bool {
		return slices.Contains(strings.FieldsFunc(a.header.Get(name), func(r rune) bool { return r == ',' || r == ' ' }), want)
	}
	for _, op := range f.operations() {
		a := ask(op.path, site, op.method, "authorization,content-type")
		if a.status != http.StatusNoContent || a.header.Get("Access-Control-Allow-Origin") != site || !lists(a, "Access-Control-Allow-Methods", op.method) ||
			!lists(a, "Access-Control-Allow-Headers", "authorization") || a.header.Get("Access-Control-Max-Age") != "7200" || a.header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("preflight of %s = %d %v", op.name, a.status, a.header)
		}
		if vary := strings.Join(a.header.Values("Vary"), ","); !strings.Contains(vary, "Origin") {
			t.Errorf("preflight of %s: Vary = %s", op.name, vary)
		}
		for what, a := range map[string]answer{
			"another site":   ask(op.path, otherSite, op.method, "authorization"),
			"null":           ask(op.path, "null", op.method, "authorization"),
			"another method": ask(op.path, site, "TRACE", "authorization"),
			"another header": ask(op.path, site, op.method, "authorization,x-other"),
		} {
			for name := range a.header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("preflight of %s by %s has %s: %s", op.name, what, name, a.header.Get(name))
				}
			}
			if !strings.Contains(strings.Join(a.header.Values("Vary"), ","), "Origin") {
				t.Errorf("preflight of %s by %s: Vary = %q", op.name, what, a.header.Values("Vary"))
			}
		}
	}
	for _, header := range []string{"accept", "authorization", "cache-control", "content-type", "idempotency-key", "last-event-id"} {
		if a := ask("/v1/events", site, http.MethodGet, header); !lists(a, "Access-Control-Allow-Headers", header) {
			t.Errorf("preflight with %s = %v", header, a.header)
		}
	}
	// Without the flag no other site may call.
	plain := newFixture(t, nil)
	plain.do("", http.MethodOptions, "/v1/events", "", "Origin", site, "Access-Control-Request-Method", http.MethodGet).
		wantProblem(t, http.StatusMethodNotAllowed, "method_not_allowed", "")
	if got := plain.do(plain.admin, http.MethodGet, "/v1/leaderboards/global", "", "Origin", site).header.Get("Access-Control-Allow-Origin"); got != "" {
		t.Errorf("without the flag Access-Control-Allow-Origin = %q", got)
	}
}
