package api_test

import (
	"crypto/tls"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"marcador/api"
)

// headersOfAll are headers that every answer has, unless another value is wanted.
var headersOfAll = map[string]string{
	"X-Content-Type-Options":       "nosniff",
	"Content-Security-Policy":      "default-src 'none'; frame-ancestors 'none'",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Referrer-Policy":              "no-referrer",
	"Access-Control-Allow-Origin":  "",
	"Strict-Transport-Security":    "",
}

// Headers that kinds of answers have; "-" stands for any value.
var (
	private  = map[string]string{"Cache-Control": "no-store"}
	ofStream = map[string]string{"Cache-Control": "no-store, no-transform"}
	ofClient = map[string]string{"Cross-Origin-Resource-Policy": "cross-origin", "Access-Control-Allow-Origin": "*"}
	ofDocs   = map[string]string{"X-Frame-Options": "DENY", "Cross-Origin-Opener-Policy": "same-origin", "Content-Security-Policy": "-"}
	ofPage   = map[string]string{"X-Frame-Options": "SAMEORIGIN", "Cross-Origin-Opener-Policy": "same-origin", "Referrer-Policy": "same-origin", "Content-Security-Policy": "-"}
)

// headerCases are requests, by an admin or without a token, and the headers of their answers.
var headerCases = map[string]struct {
	admin              bool
	method, path, body string
	status             int
	want               map[string]string // apart from headersOfAll
}{
	"page of a board":      {true, get, "/v1/leaderboards/global", "", 200, private},
	"user":                 {true, get, "/v1/users/u1", "", 200, private},
	"write":                {true, post, xpPath, `{"xp":1}`, 200, private},
	"session":              {true, post, "/v1/session", "", 200, private},
	"stream":               {true, http.MethodHead, "/v1/events", "", 200, ofStream},
	"refusal":              {false, get, "/v1/leaderboards/global", "", 401, private},
	"bad input":            {true, post, xpPath, `{`, 400, private},
	"nothing in the API":   {false, get, "/v1/nothing", "", 404, private},
	"empty part":           {false, get, "/v1/users//xp", "", 422, private},
	"wrong method":         {false, patch, batchPath, "", 405, private},
	"health":               {false, get, "/healthz", "", 200, private},
	"demo":                 {false, get, "/demo/students", "", 200, nil},
	"document":             {false, get, "/openapi.json", "", 200, nil},
	"description":          {false, get, "/docs", "", 200, ofDocs},
	"page":                 {false, get, "/", "", 200, ofPage},
	"script of the page":   {false, get, "/static/page/page.js", "", 200, nil},
	"style":                {false, get, "/static/page/style.css", "", 200, nil},
	"client":               {false, get, "/marcador.js", "", 200, ofClient},
	"module of the client": {false, get, "/marcador/client/sse.js", "", 200, ofClient},
	"its types":            {false, get, "/marcador.d.ts", "", 200, ofClient},
	"nothing":              {false, get, "/nothing", "", 404, nil},
	"wrong method on page": {false, post, "/", "", 405, nil},
}

// Each kind of answer tells browsers what they may do with it: nothing, except for pages and the
// files that they consist of.
func TestHeaders(t *testing.T) {
	f := newFixture(t, func(o *api.Options) {
		o.Demo = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) })
	})
	f.put("u1")
	for name, c := range headerCases {
		t.Run(name, func(t *testing.T) {
			token := ""
			if c.admin {
				token = f.admin
			}
			a := f.do(token, c.method, c.path, c.body)
			if a.status != c.status {
				t.Fatalf("%d %s, want %d", a.status, a.body, c.status)
			}
			wanted := maps.Clone(headersOfAll)
			maps.Copy(wanted, c.want)
			for header, want := range wanted {
				if got := a.header.Get(header); got != want && want != "-" {
					t.Errorf("%s = %q, want %q", header, got, want)
				}
			}
			csp := a.header.Get("Content-Security-Policy")
			for _, loose := range []string{"unsafe", "*", "http:", "blob:"} {
				if strings.Contains(csp, loose) {
					t.Errorf("Content-Security-Policy = %s", csp)
				}
			}
			for _, tight := range []string{"default-src 'none'", "frame-ancestors '"} {
				if !strings.Contains(csp, tight) {
					t.Errorf("Content-Security-Policy = %s, want %s in it", csp, tight)
				}
			}
		})
	}
}

// Over TLS, and only there, browsers are told to use nothing else.
func TestHeaders_httpsOnly(t *testing.T) {
	f := newFixture(t, nil)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/healthz", nil)
	r.TLS = &tls.ConnectionState{}
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	if got := w.Header().Get("Strict-Transport-Security"); got != "max-age=31536000" {
		t.Errorf("Strict-Transport-Security = %q over TLS", got)
	}
}
