package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"marcador/api"
	"marcador/auth"
	"marcador/internal/forwarded"
	"marcador/sse"
)

// A session's cookie stands for its token, but not in requests of other sites.
func TestSession_cookie(t *testing.T) {
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
	// A write by cookie must come from the same site. A write by header may come from anywhere.
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
	// A session does not begin with a cookie, or with a bad token.
	f.do("", http.MethodPost, "/v1/session", "", "Cookie", cookie).wantProblem(t, 401, "token_missing", "")
	f.do("forged", http.MethodPost, "/v1/session", "").wantProblem(t, 401, "token_invalid", "")
	f.do("", http.MethodDelete, "/v1/session", "", "Cookie", cookie, "Sec-Fetch-Site", "cross-site").wantProblem(t, 403, "cross_origin", "")
	end := f.do("", http.MethodDelete, "/v1/session", "", "Cookie", cookie)
	if end.status != http.StatusNoContent || !strings.Contains(end.header.Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("DELETE /v1/session = %d %v", end.status, end.header)
	}
}

// cookies are the cookies of a browser, by name.
type cookies map[string]string

// begin begins a session and returns its cookies and whether they are Secure.
func (f *fixture) begin(token string, headers ...string) (jar cookies, secure bool) {
	f.t.Helper()
	a := f.do(token, http.MethodPost, "/v1/session", "", headers...)
	if a.status != http.StatusOK {
		f.t.Fatalf("POST /v1/session = %d %s", a.status, a.body)
	}
	jar, secure = cookies{}, true
	for _, set := range (&http.Response{Header: a.header}).Cookies() {
		jar[set.Name] = set.Value
		secure = secure && set.Secure
		if !set.HttpOnly || set.SameSite != http.SameSiteLaxMode || set.Path != "/" {
			f.t.Errorf("the cookie %s is %v", set.Name, set)
		}
	}
	if jar[auth.Cookie] != token {
		f.t.Errorf("cookies = %v", jar)
	}
	return jar, secure
}

func (c cookies) String() string {
	var pairs []string
	for name, value := range c {
		pairs = append(pairs, name+"="+value)
	}
	return strings.Join(pairs, "; ")
}

// The cookie is Secure if the browser's connection is encrypted, as a trusted proxy or the browser
// itself says.
func TestSession_secure(t *testing.T) {
	for name, c := range map[string]struct {
		trusted string
		headers []string
		secure  bool
	}{
		"plain":                         {"loopback", nil, false},
		"a trusted proxy with TLS":      {"loopback", []string{"X-Forwarded-Proto", "https"}, true},
		"the same, in the standard":     {"loopback", []string{"Forwarded", "for=203.0.113.9;proto=https"}, true},
		"a trusted proxy without TLS":   {"loopback", []string{"X-Forwarded-Proto", "http"}, false},
		"headers of somebody's own":     {"10.0.0.7", []string{"X-Forwarded-Proto", "https", "Forwarded", "proto=https"}, false},
		"a page by HTTPS, silent nginx": {"10.0.0.7", []string{"Origin", "https://school.mx"}, true},
		"a page by HTTP":                {"loopback", []string{"Origin", "http://school.mx"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := trusting(t, c.trusted)
			if _, secure := f.begin(f.token("u1", ""), c.headers...); secure != c.secure {
				t.Errorf("Secure = %t, want %t", secure, c.secure)
			}
		})
	}
}

// trusting returns a fixture that trusts the proxies in the list.
func trusting(tb testing.TB, list string) *fixture {
	tb.Helper()
	return newFixture(tb, func(o *api.Options) {
		var err error
		if o.Proxies, err = forwarded.Parse([]string{list}); err != nil {
			tb.Fatal(err)
		}
	})
}

// Behind a proxy that replaces the site's host by its own, pages of the site can write with the
// cookie, and pages of other sites can't.
func TestSession_hostIsRewritten(t *testing.T) {
	const site, neighbour, evil = "https://board.school.mx", "https://other.school.mx", "https://evil.example"
	f := newFixture(t, nil)
	f.put("u1", "u2")
	token, other := f.token("u1", "xp:write"), f.token("u2", "xp:write")
	jar, _ := f.begin(token, "Origin", site)
	forged, _ := f.begin(other, "Origin", neighbour) // what a neighbouring host can set
	plain := cookies{auth.Cookie: token}
	for name, c := range map[string]struct {
		jar     cookies
		headers []string
		status  int
	}{
		"its page": {jar, []string{"Origin", site, "Sec-Fetch-Site", "same-origin"}, 200},
		"its page, in a browser without Sec-Fetch": {jar, []string{"Origin", site}, 200},
		"with a session from before":               {plain, []string{"Origin", site}, 403},
		"a proxy says the host":                    {plain, []string{"Origin", site, "X-Forwarded-Host", "board.school.mx"}, 200},
		"the same, in the standard":                {plain, []string{"Origin", site, "Forwarded", "host=board.school.mx"}, 200},
		"another site":                             {jar, []string{"Origin", evil, "Sec-Fetch-Site", "cross-site"}, 403},
		"another site, without Sec-Fetch":          {jar, []string{"Origin", evil}, 403},
		"a neighbour":                              {jar, []string{"Origin", neighbour, "Sec-Fetch-Site", "same-site"}, 403},
		"a neighbour, without Sec-Fetch":           {jar, []string{"Origin", neighbour}, 403},
		"a neighbour that sets a cookie":           {cookies{auth.Cookie: token, auth.OriginCookie: forged[auth.OriginCookie]}, []string{"Origin", neighbour}, 403},
		"another site that claims to be the page":  {jar, []string{"Origin", site, "Sec-Fetch-Site", "cross-site"}, 403},
		"without TLS":                              {jar, []string{"Origin", "http://board.school.mx"}, 403},
		"a sandbox":                                {jar, []string{"Origin", "null"}, 403},
		"another host, says the proxy":             {jar, []string{"Origin", evil, "X-Forwarded-Host", "board.school.mx"}, 403},
		"the upstream's own name, says the proxy":  {plain, []string{"Origin", f.url, "X-Forwarded-Host", "board.school.mx"}, 403},
	} {
		t.Run(name, func(t *testing.T) {
			a := f.do("", http.MethodPost, "/v1/users/u1/xp", `{"xp":1}`, append([]string{"Cookie", c.jar.String()}, c.headers...)...)
			if a.status != c.status {
				t.Errorf("%d %s, want %d", a.status, a.body, c.status)
			}
			if c.status == http.StatusForbidden {
				a.wantProblem(t, c.status, "cross_origin", "")
			}
		})
	}
	a := f.do("", http.MethodDelete, "/v1/session", "", "Cookie", jar.String(), "Origin", site)
	if ended := (&http.Response{Header: a.header}).Cookies(); a.status != http.StatusNoContent || len(ended) != 2 || ended[0].MaxAge >= 0 || ended[1].MaxAge >= 0 {
		t.Errorf("DELETE /v1/session = %d %v", a.status, ended)
	}
	// Headers of a proxy that is not trusted are ignored.
	f = trusting(t, "10.0.0.7")
	f.put("u1")
	f.do("", http.MethodPost, "/v1/users/u1/xp", `{"xp":1}`, "Cookie", auth.Cookie+"="+f.admin, "Origin", evil, "X-Forwarded-Host", "evil.example", "Forwarded", "host=evil.example").
		wantProblem(t, http.StatusForbidden, "cross_origin", "")
}

// A token that does not fit into a cookie is refused, with the reason and what to do.
func TestSession_tokenTooLong(t *testing.T) {
	f := newFixture(t, nil)
	long := func(n int) string {
		token, err := f.verifier.Sign(auth.Caller{UserID: "u1", Name: strings.Repeat("x", n)}, 1e12)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	empty := len(long(1))
	token := long((auth.MaxCookie - len(auth.Cookie) - empty) * 3 / 4)
	f.begin(token)
	token = long((auth.MaxCookie-len(auth.Cookie)-empty)*3/4 + 20)
	a := f.do(token, http.MethodPost, "/v1/session", "")
	a.wantProblem(t, http.StatusUnprocessableEntity, "invalid_input", "Authorization")
	for _, part := range []string{fmt.Sprint(len(token)), "4096", "claims"} {
		if !strings.Contains(string(a.body), part) {
			t.Errorf("%s: want %q", a.body, part)
		}
	}
	if set := a.header.Get("Set-Cookie"); set != "" {
		t.Errorf("Set-Cookie = %s", set)
	}
}

// Signing out ends the streams that this browser has opened, and no others of the user.
func TestSession_endsStreams(t *testing.T) {
	onBothTransports(t, sse.Options{}, func(t *testing.T, f *fixture) {
		f.put("u1")
		token, fresh := f.token("u1", ""), f.token("u1", "xp:write")
		jar, _ := f.begin(token)
		one, two := f.follow("", "", "Cookie", jar.String()), f.follow("", "", "Cookie", jar.String())
		another := f.follow("", "", "Cookie", auth.Cookie+"="+f.token("u1", "users:write"))
		byHeader := f.follow(token, "")
		for _, s := range []*follower{one, two, another, byHeader} {
			s.until("leaderboard:updated")
		}
		// The session goes on with a fresh token, and its streams still belong to it.
		jar, _ = f.begin(fresh, "Cookie", jar.String())
		a := f.do("", http.MethodDelete, "/v1/session", "", "Cookie", jar.String())
		if a.status != http.StatusNoContent {
			t.Fatalf("DELETE /v1/session = %d %s", a.status, a.body)
		}
		for _, s := range []*follower{one, two} {
			if e := s.until("error"); e.Code != "token_expired" || e.Board != "" {
				t.Errorf("error = %+v", e)
			}
		}
		f.must(nil, http.MethodPost, "/v1/users/u1/xp", `{"xp":1}`)
		another.until("leaderboard:updated")
		byHeader.until("leaderboard:updated")
		f.untilStreams(2)
	})
}
