package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"html"
	"net/http"
	"strings"
	"testing"
	"time"

	"marcador/api"
	"marcador/auth"
)

func TestAccess(t *testing.T) {
	f := newFixture(t, nil)
	f.put("u1", "u2")
	none, xp, users := f.token("u1", ""), f.token("svc", "xp:write"), f.token("svc", "users:write")
	for name, c := range map[string]struct {
		token, method, path, body string
		status                    int
		scope                     string // the one that is missing
	}{
		"page":                        {none, http.MethodGet, "/v1/leaderboards/global", "", 200, ""},
		"oneself":                     {none, http.MethodGet, "/v1/users/u1", "", 200, ""},
		"another":                     {none, http.MethodGet, "/v1/users/u2", "", 403, "users:write"},
		"another, as users:write":     {users, http.MethodGet, "/v1/users/u2", "", 200, ""},
		"points to oneself":           {none, http.MethodPost, "/v1/users/u1/xp", `{"xp":1}`, 403, "xp:write"},
		"points, as users:write":      {users, http.MethodPost, "/v1/users/u1/xp", `{"xp":1}`, 403, "xp:write"},
		"points, as xp:write":         {xp, http.MethodPost, "/v1/users/u1/xp", `{"xp":1}`, 200, ""},
		"batch":                       {none, http.MethodPost, "/v1/xp", `{"updates":[{"userId":"u1","xp":1}]}`, 403, "xp:write"},
		"batch, as xp:write":          {xp, http.MethodPost, "/v1/xp", `{"updates":[{"userId":"u1","xp":1}]}`, 200, ""},
		"profile of oneself":          {none, http.MethodPut, "/v1/users/u1", `{"username":"x"}`, 403, "users:write"},
		"profile, as xp:write":        {xp, http.MethodPut, "/v1/users/u1", `{"username":"x"}`, 403, "users:write"},
		"profiles":                    {xp, http.MethodPost, "/v1/users", `{"users":[{"id":"u1","username":"x"}]}`, 403, "users:write"},
		"erasing":                     {xp, http.MethodDelete, "/v1/users/u1", "", 403, "users:write"},
		"bad input without the right": {none, http.MethodPost, "/v1/users/u1/xp", `{"xp":0}`, 403, "xp:write"},
	} {
		t.Run(name, func(t *testing.T) {
			a := f.do(c.token, c.method, c.path, c.body)
			if c.scope == "" {
				if a.status != c.status {
					t.Errorf("status %d %s, want %d", a.status, a.body, c.status)
				}
				return
			}
			a.wantProblem(t, c.status, "insufficient_scope", "")
			if !bytes.Contains(a.body, []byte(c.scope)) {
				t.Errorf("the answer does not name %s: %s", c.scope, a.body)
			}
			want := `Bearer realm="marcador", error="insufficient_scope", scope="` + c.scope + `"`
			if got := a.header.Get("WWW-Authenticate"); got != want {
				t.Errorf("WWW-Authenticate = %s, want %s", got, want)
			}
		})
	}
}

func TestTokens(t *testing.T) {
	closed := newFixture(t, nil)
	public := newFixture(t, func(o *api.Options) { o.Public = true })
	expired, err := closed.verifier.Sign(auth.Caller{UserID: "u1"}, -time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	const page, events = "/v1/leaderboards/global", "/v1/events"
	for _, path := range []string{page, events, "/v1/users/u1"} {
		a := closed.do("", http.MethodGet, path, "")
		a.wantProblem(t, 401, "token_missing", "")
		if got := a.header.Get("WWW-Authenticate"); got != `Bearer realm="marcador"` {
			t.Errorf("%s: WWW-Authenticate = %s", path, got)
		}
		// A bad token is not served as nobody, even where nobody would be served.
		for _, f := range []*fixture{closed, public} {
			a := f.do(expired, http.MethodGet, path, "")
			a.wantProblem(t, 401, "token_invalid", "")
			if got := a.header.Get("WWW-Authenticate"); !strings.HasPrefix(got, `Bearer realm="marcador", error="invalid_token", error_description="`) {
				t.Errorf("%s: WWW-Authenticate = %s", path, got)
			}
			f.do("", http.MethodGet, path, "", "Authorization", "Basic dTpw").wantProblem(t, 401, "token_invalid", "")
			f.do("", http.MethodGet, path, "", "Cookie", "marcador_token=forged").wantProblem(t, 401, "token_invalid", "")
		}
	}
	if got := public.do("", http.MethodGet, page, "").header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control = %s, want no-store", got)
	}
	if a := public.do("", http.MethodGet, page, ""); a.status != 200 || !bytes.Contains(a.body, []byte(`"me":null`)) {
		t.Errorf("public page = %d %s", a.status, a.body)
	}
	public.do("", http.MethodGet, "/v1/users/u1", "").wantProblem(t, 401, "token_missing", "")
	// A token in the query counts only for streams, and only where that is allowed.
	good := closed.token("u1", "")
	closed.do("", http.MethodGet, events+"?access_token="+good, "").wantProblem(t, 401, "token_missing", "")
	query := newFixture(t, func(o *api.Options) { o.AllowQueryToken = true })
	query.do("", http.MethodGet, page+"?access_token="+query.token("u1", ""), "").wantProblem(t, 401, "token_missing", "")
	if a := query.do("", http.MethodHead, events+"?access_token="+query.token("u1", ""), ""); a.status != 200 {
		t.Errorf("stream by query = %d %s", a.status, a.body)
	}
	query.do("", http.MethodGet, events+"?access_token=forged", "").wantProblem(t, 401, "token_invalid", "")
}

func TestSession(t *testing.T) {
	f := newFixture(t, nil)
	f.put("u1")
	begin := f.do(f.token("u1", "xp:write"), http.MethodPost, "/v1/session", "")
	if begin.status != 200 || !bytes.Contains(begin.body, []byte(`"userId":"u1"`)) {
		t.Fatalf("POST /v1/session = %d %s", begin.status, begin.body)
	}
	set := begin.header.Get("Set-Cookie")
	for _, want := range []string{"marcador_token=", "HttpOnly", "SameSite=Lax", "Path=/", "Expires="} {
		if !strings.Contains(set, want) {
			t.Errorf("Set-Cookie = %s, want %s", set, want)
		}
	}
	if strings.Contains(set, "Secure") {
		t.Errorf("Set-Cookie = %s over plain HTTP", set)
	}
	if a := f.do(f.token("u1", ""), http.MethodPost, "/v1/session", "", "X-Forwarded-Proto", "https"); !strings.Contains(a.header.Get("Set-Cookie"), "Secure") {
		t.Errorf("Set-Cookie = %s behind a proxy with TLS", a.header.Get("Set-Cookie"))
	}
	cookie, _, _ := strings.Cut(set, ";")
	var page struct{ Me *struct{ UserID string } }
	a := f.do("", http.MethodGet, "/v1/leaderboards/global", "", "Cookie", cookie)
	if err := json.Unmarshal(a.body, &page); err != nil || page.Me == nil || page.Me.UserID != "u1" {
		t.Errorf("page by cookie = %d %s", a.status, a.body)
	}
	// A write by cookie must come from the same site; a header may come from anywhere.
	for site, want := range map[string]int{"same-origin": 200, "none": 200, "cross-site": 403, "same-site": 403} {
		if a := f.do("", http.MethodPost, "/v1/users/u1/xp", `{"xp":1}`, "Cookie", cookie, "Sec-Fetch-Site", site); a.status != want {
			t.Errorf("write by cookie, %s: %d %s, want %d", site, a.status, a.body, want)
		}
	}
	f.do("", http.MethodPost, "/v1/users/u1/xp", `{"xp":1}`, "Cookie", cookie, "Origin", "https://elsewhere.example").
		wantProblem(t, 403, "cross_origin", "")
	if a := f.do(f.admin, http.MethodPost, "/v1/users/u1/xp", `{"xp":1}`, "Sec-Fetch-Site", "cross-site"); a.status != 200 {
		t.Errorf("write by header, cross-site: %d %s", a.status, a.body)
	}
	// A cookie does not renew itself, and a bad token begins nothing.
	f.do("", http.MethodPost, "/v1/session", "", "Cookie", cookie).wantProblem(t, 401, "token_missing", "")
	f.do("forged", http.MethodPost, "/v1/session", "").wantProblem(t, 401, "token_invalid", "")
	f.do("", http.MethodDelete, "/v1/session", "", "Cookie", cookie, "Sec-Fetch-Site", "cross-site").wantProblem(t, 403, "cross_origin", "")
	end := f.do("", http.MethodDelete, "/v1/session", "", "Cookie", cookie)
	if end.status != http.StatusNoContent || !strings.Contains(end.header.Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("DELETE /v1/session = %d %v", end.status, end.header)
	}
}

func TestHealth(t *testing.T) {
	f := newFixture(t, nil)
	for _, path := range []string{"/healthz", "/readyz"} {
		if a := f.do("", http.MethodGet, path, ""); a.status != 200 || string(bytes.TrimSpace(a.body)) != `{"status":"ok"}` {
			t.Errorf("%s = %d %s", path, a.status, a.body)
		}
	}
	if err := f.streams.Drain(context.Background()); err != nil {
		t.Fatal(err)
	}
	a := f.do("", http.MethodGet, "/readyz", "")
	a.wantProblem(t, 503, "shutting_down", "")
	if a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	f.do(f.admin, http.MethodGet, "/v1/events", "").wantProblem(t, 503, "shutting_down", "")
	if a := f.do("", http.MethodGet, "/healthz", ""); a.status != 200 {
		t.Errorf("/healthz = %d while draining", a.status)
	}
	closed := newFixture(t, nil)
	if err := closed.live.Close(); err != nil {
		t.Fatal(err)
	}
	closed.do("", http.MethodGet, "/readyz", "").wantProblem(t, 503, "shutting_down", "")
}

func TestDocuments(t *testing.T) {
	f := newFixture(t, nil)
	a := f.do("", http.MethodGet, "/openapi.json", "")
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]struct{ Summary string }
	}
	if err := json.Unmarshal(a.body, &doc); err != nil || !strings.HasPrefix(doc.OpenAPI, "3.1") {
		t.Fatalf("openapi.json: %v, version %s", err, doc.OpenAPI)
	}
	page := f.do("", http.MethodGet, "/docs", "")
	for path, methods := range doc.Paths {
		for method, op := range methods {
			if !bytes.Contains(page.body, []byte(strings.ToUpper(method)+" "+path)) || !bytes.Contains(page.body, []byte(html.EscapeString(op.Summary))) {
				t.Errorf("/docs lacks %s %s", method, path)
			}
		}
	}
	for _, want := range []string{"/v1/users/{id}", "/v1/users", "/v1/users/{id}/xp", "/v1/xp", "/v1/leaderboards/{board}", "/v1/events", "/v1/session", "/healthz", "/readyz"} {
		if doc.Paths[want] == nil {
			t.Errorf("openapi.json lacks %s", want)
		}
	}
	for _, outside := range []string{"http://", "https://", "<script"} {
		if bytes.Contains(bytes.ReplaceAll(page.body, []byte("https: or"), nil), []byte(outside)) {
			t.Errorf("/docs has %s in it", outside)
		}
	}
}
