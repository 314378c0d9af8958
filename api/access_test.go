package api_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"marcador/api"
	"marcador/auth"
)

// A caller without the scope is refused, with a challenge that names it.
func TestAccess_needsScope(t *testing.T) {
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

// A request without a token is refused unless the service is public. One with a bad token is always
// refused.
func TestAccess_needsGoodToken(t *testing.T) {
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
		// A caller with a bad token is not served as an anonymous one, even if that would be
		// allowed.
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
	// A token in the query only counts for streams, and only if the service allows that.
	good := closed.token("u1", "")
	closed.do("", http.MethodGet, events+"?access_token="+good, "").wantProblem(t, 401, "token_missing", "")
	query := newFixture(t, func(o *api.Options) { o.AllowQueryToken = true })
	query.do("", http.MethodGet, page+"?access_token="+query.token("u1", ""), "").wantProblem(t, 401, "token_missing", "")
	if a := query.do("", http.MethodHead, events+"?access_token="+query.token("u1", ""), ""); a.status != 200 {
		t.Errorf("stream by query = %d %s", a.status, a.body)
	}
	query.do("", http.MethodGet, events+"?access_token=forged", "").wantProblem(t, 401, "token_invalid", "")
}
