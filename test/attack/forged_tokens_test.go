package attack_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"marcador/auth/authtest"
	"marcador/test/testkit"
)

// challenge matches the header that refuses a token, as RFC 6750, section 3, words it.
var challenge = regexp.MustCompile(`^Bearer realm="marcador", error="invalid_token", error_description="([\x20-\x21\x23-\x5B\x5D-\x7E]+)"$`)

// door is a way to send a token.
type door struct {
	name    string
	request func(token string) *http.Request
	raw     bool // it can carry line breaks
}

// doors returns all of them. stream is the id of a live stream, and own a good token of its user.
func doors(t *testing.T, address, stream, own string) []door {
	t.Helper()
	request := func(method, path, body string) *http.Request {
		r, err := http.NewRequestWithContext(t.Context(), method, address+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		return r
	}
	header := func(method, path, body string) func(string) *http.Request {
		return func(token string) *http.Request {
			r := request(method, path, body)
			r.Header.Set("Authorization", "Bearer "+token)
			return r
		}
	}
	cookie := func(method, path, body string) func(string) *http.Request {
		return func(token string) *http.Request {
			r := request(method, path, body)
			r.Header.Set("Cookie", "theme=dark; marcador_token="+token)
			return r
		}
	}
	extend := "/v1/events/" + stream + "/token"
	return []door{
		{"page, header", header(http.MethodGet, "/v1/leaderboards/global", ""), false},
		{"page, cookie", cookie(http.MethodGet, "/v1/leaderboards/global", ""), false},
		{"stream, header", header(http.MethodHead, "/v1/events", ""), false},
		{"stream, cookie", cookie(http.MethodHead, "/v1/events", ""), false},
		{"stream, query", func(token string) *http.Request {
			return request(http.MethodHead, "/v1/events?access_token="+url.QueryEscape(token), "")
		}, true},
		{"write, header", header(http.MethodPut, "/v1/users/root", `{"username":"Root"}`), false},
		{"write, cookie", cookie(http.MethodPut, "/v1/users/root", `{"username":"Root"}`), false},
		{"session", header(http.MethodPost, "/v1/session", ""), false},
		{"live stream, header", header(http.MethodPost, extend, ""), false},
		{"live stream, body", func(token string) *http.Request {
			body, err := json.Marshal(map[string]string{"token": token})
			if err != nil {
				t.Fatal(err)
			}
			return header(http.MethodPost, extend, string(body))(own)
		}, true},
	}
}

// jwks serves the public keys of an issuer, and returns the address.
func jwks(t *testing.T, issuer *authtest.Issuer) string {
	t.Helper()
	set := authtest.Set(issuer.JWK("RS256", nil), issuer.JWK("ES256", nil), issuer.JWK("EdDSA", nil))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(set) })) // the client may have gone
	t.Cleanup(server.Close)
	return server.URL
}

// adminClaims are claims of an admin's token.
func adminClaims(sub string) map[string]any {
	return authtest.Claims(map[string]any{"sub": sub, "iss": authtest.Iss, "aud": authtest.Aud, "scope": "admin"})
}

// sender sends requests on connections that are closed when the test is over.
func sender(t *testing.T) func(*http.Request) (*http.Response, []byte) {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return func(r *http.Request) (*http.Response, []byte) {
		t.Helper()
		res, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		if err := res.Body.Close(); err != nil {
			t.Error(err)
		}
		return res, body
	}
}

// socketID follows the program and returns the id of the stream.
func socketID(t *testing.T, p *testkit.Program, token string) string {
	t.Helper()
	var hello struct{ SocketID string }
	if err := json.Unmarshal([]byte(testkit.Next(t, p.Follow(token, "", ""), "authenticated").Data), &hello); err != nil {
		t.Fatal(err)
	}
	return hello.SocketID
}

// No forged token opens any door. It is refused even at doors that are open without a token.
func TestTokens_forged(t *testing.T) {
	t.Parallel()
	good := authtest.Good()
	p := testkit.Serve(t, "--public", "--allow-query-token",
		"--jwks-url", jwks(t, good), "--jwt-secret", string(good.Secret), "--jwt-issuer", authtest.Iss, "--jwt-audience", authtest.Aud)
	p.AwaitReady()
	send := sender(t)
	own := good.Token(t, "RS256", adminClaims("u1"), nil)
	all := doors(t, p.URL, socketID(t, p, own), own)

	for _, c := range authtest.Forged(t) {
		for _, door := range all {
			if strings.ContainsAny(c.Token, "\r\n") && !door.raw {
				continue // no client can send it
			}
			res, body := send(door.request(c.Token))
			checkChallenge(t, c.Name+": "+door.name, res, body, c.Why)
		}
	}
	if status, body := p.Try(own, http.MethodGet, "/v1/users/root", ""); status != http.StatusNotFound {
		t.Errorf("a forged token has written: %d %s", status, body)
	}
	for _, c := range authtest.Accepted(t) {
		for _, door := range all {
			res, body := send(door.request(c.Token))
			known := res.StatusCode < 300 || res.StatusCode == http.StatusForbidden || res.StatusCode == http.StatusNotFound // by its rights
			if !known {
				t.Errorf("%s: %s: %d %s", c.Name, door.name, res.StatusCode, body)
			}
		}
	}
	// A good token of one user does not prolong another user's stream.
	for _, door := range all[len(all)-2:] {
		if res, _ := send(door.request(good.Token(t, "RS256", adminClaims("u2"), nil))); res.StatusCode != http.StatusForbidden && res.StatusCode != http.StatusNotFound {
			t.Errorf("%s, of another user: %d", door.name, res.StatusCode)
		}
	}
}

// checkChallenge checks that an answer refuses a token and says why.
func checkChallenge(t *testing.T, what string, res *http.Response, body []byte, why string) {
	t.Helper()
	got := challenge.FindStringSubmatch(res.Header.Get("WWW-Authenticate"))
	if res.StatusCode != http.StatusUnauthorized || got == nil || res.Header.Get("Set-Cookie") != "" {
		t.Errorf("%s: %d, %v %s", what, res.StatusCode, res.Header, body)
		return
	}
	if len(body) > 0 && !bytes.Contains(body, []byte(`"code":"token_invalid"`)) { // HEAD has none
		t.Errorf("%s: %s", what, body)
	}
	// A cookie can't carry all characters, so the service may see another fault.
	if !strings.Contains(got[1], why) && !strings.Contains(what, "cookie") {
		t.Errorf("%s: %q, want it to say %q", what, got[1], why)
	}
}

// A service whose keys can't be fetched starts and says so. It calls no token bad that it can't
// verify, and verifies others.
func TestTokens_keysUnavailable(t *testing.T) {
	t.Parallel()
	good := authtest.Good()
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	file := filepath.Join(t.TempDir(), "keys.pem")
	testkit.Write(t, file, good.PEM(t, "EdDSA"))
	p := testkit.Serve(t, "--public", "--jwks-url", server.URL, "--jwt-public-key", file)
	own := good.Token(t, "EdDSA", authtest.Claims(nil), nil)
	unknown := good.Token(t, "RS256", authtest.Claims(nil), nil)
	send := sender(t)
	open := door{"readiness", func(string) *http.Request {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.URL+"/readyz", nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}, true}
	for _, door := range append(doors(t, p.URL, socketID(t, p, own), own), open) {
		if door.name == "stream, query" {
			continue // it is not allowed here
		}
		res, body := send(door.request(unknown))
		if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" || res.Header.Get("WWW-Authenticate") != "" ||
			len(body) > 0 && !bytes.Contains(body, []byte(`"code":"keys_unavailable"`)) {
			t.Errorf("%s: %d, %v %s", door.name, res.StatusCode, res.Header, body)
		}
	}
	if status, body := p.Try(own, http.MethodGet, "/v1/leaderboards/global", ""); status != http.StatusOK {
		t.Errorf("with a key of the file: %d %s", status, body)
	}
	if want := "jwks=" + server.URL; !p.Log.Has(want) || !p.Log.Has("404") {
		t.Errorf("the log does not say why: %s", p.Log)
	}
	if !p.Log.Has("--jwt-audience") {
		t.Errorf("the log does not warn of tokens for others: %s", p.Log)
	}
}
