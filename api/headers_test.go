package api_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"marcador/api"
)

// Each kind of answer says what browsers may make of it: nothing, but for pages and
// what those are made of.
func TestHeaders(t *testing.T) {
	f := newFixture(t, func(o *api.Options) {
		o.Demo = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) })
	})
	f.put("u1")
	const nothing = "default-src 'none'; frame-ancestors 'none'"
	all := map[string]string{
		"X-Content-Type-Options": "nosniff", "Content-Security-Policy": nothing, "Cross-Origin-Resource-Policy": "same-origin",
		"Referrer-Policy": "no-referrer", "Access-Control-Allow-Origin": "", "Strict-Transport-Security": "",
	}
	private := map[string]string{"Cache-Control": "no-store"}
	framed := map[string]string{"X-Frame-Options": "SAMEORIGIN", "Cross-Origin-Opener-Policy": "same-origin", "Referrer-Policy": "same-origin", "Content-Security-Policy": "-"}
	client := map[string]string{"Cross-Origin-Resource-Policy": "cross-origin", "Access-Control-Allow-Origin": "*"}
	for name, c := range map[string]struct {
		token, method, path, body string
		status                    int
		want                      map[string]string // beside all
	}{
		"page of a board":      {f.admin, http.MethodGet, "/v1/leaderboards/global", "", 200, private},
		"user":                 {f.admin, http.MethodGet, "/v1/users/u1", "", 200, private},
		"write":                {f.admin, http.MethodPost, "/v1/users/u1/xp", `{"xp":1}`, 200, private},
		"session":              {f.admin, http.MethodPost, "/v1/session", "", 200, private},
		"stream":               {f.admin, http.MethodHead, "/v1/events", "", 200, map[string]string{"Cache-Control": "no-store, no-transform"}},
		"refusal":              {"", http.MethodGet, "/v1/leaderboards/global", "", 401, private},
		"bad input":            {f.admin, http.MethodPost, "/v1/users/u1/xp", `{`, 400, private},
		"nothing in the API":   {"", http.MethodGet, "/v1/nothing", "", 404, private},
		"empty part":           {"", http.MethodGet, "/v1/users//xp", "", 422, private},
		"wrong method":         {"", http.MethodPatch, "/v1/xp", "", 405, private},
		"health":               {"", http.MethodGet, "/healthz", "", 200, private},
		"demo":                 {"", http.MethodGet, "/demo/students", "", 200, nil},
		"document":             {"", http.MethodGet, "/openapi.json", "", 200, nil},
		"description":          {"", http.MethodGet, "/docs", "", 200, map[string]string{"X-Frame-Options": "DENY", "Cross-Origin-Opener-Policy": "same-origin", "Content-Security-Policy": "-"}},
		"page":                 {"", http.MethodGet, "/", "", 200, framed},
		"script of the page":   {"", http.MethodGet, "/static/page/page.js", "", 200, nil},
		"style":                {"", http.MethodGet, "/static/page/style.css", "", 200, nil},
		"client":               {"", http.MethodGet, "/marcador.js", "", 200, client},
		"module of the client": {"", http.MethodGet, "/marcador/sse.js", "", 200, client},
		"its types":            {"", http.MethodGet, "/marcador.d.ts", "", 200, client},
		"nothing":              {"", http.MethodGet, "/nothing", "", 404, nil},
		"wrong method on page": {"", http.MethodPost, "/", "", 405, nil},
	} {
		t.Run(name, func(t *testing.T) {
			a := f.do(c.token, c.method, c.path, c.body)
			if a.status != c.status {
				t.Fatalf("%d %s, want %d", a.status, a.body, c.status)
			}
			for _, list := range []map[string]string{all, c.want} {
				for header, want := range list {
					if other, is := c.want[header]; is {
						want = other
					}
					if got := a.header.Get(header); got != want && want != "-" {
						t.Errorf("%s = %q, want %q", header, got, want)
					}
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
	// Over TLS, and only there, browsers are to remember that.
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/healthz", nil)
	r.TLS = &tls.ConnectionState{}
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	if got := w.Header().Get("Strict-Transport-Security"); got != "max-age=31536000" {
		t.Errorf("Strict-Transport-Security = %q over TLS", got)
	}
}
