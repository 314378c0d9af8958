package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"marcador/auth/authtest"
)

// challenge is how RFC 6750, section 3, words the refusal of a token.
var challenge = regexp.MustCompile(`^Bearer realm="marcador", error="invalid_token", error_description="([\x20-\x21\x23-\x5B\x5D-\x7E]+)"$`)

// door is a way in for a token.
type door struct {
	name    string
	request func(token string) *http.Request
	raw     bool // takes line breaks
}

// doors are all of them; stream is the id of a live stream, and own a good token
// of its user.
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

// jwks serves the public keys of an issuer.
func jwks(t *testing.T, issuer *authtest.Issuer) string {
	t.Helper()
	set := authtest.Set(issuer.JWK("RS256", nil), issuer.JWK("ES256", nil), issuer.JWK("EdDSA", nil))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(set) })) // who asks may have gone
	t.Cleanup(server.Close)
	return server.URL
}

// ready waits until the service has its keys.
func (p *program) ready() {
	p.tb.Helper()
	for begun := time.Now(); ; {
		status, body := p.try("", http.MethodGet, "/readyz", "")
		if status == http.StatusOK {
			return
		}
		if time.Since(begun) > patient {
			p.tb.Fatalf("not ready: %s", body)
		}
		time.Sleep(time.Millisecond) // a real fetch over HTTP
	}
}

// No forged token opens any door, and none is let in as nobody where nobody is.
func TestForgedTokens(t *testing.T) {
	good := authtest.Good()
	p := serveOn(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "m.db"), "--public", "--allow-query-token",
		"--jwks-url", jwks(t, good), "--jwt-secret", string(good.Secret), "--jwt-issuer", authtest.Iss, "--jwt-audience", authtest.Aud)
	p.ready()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	send := func(r *http.Request) (*http.Response, []byte) {
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
	claims := func(sub string) map[string]any {
		return authtest.Claims(map[string]any{"sub": sub, "iss": authtest.Iss, "aud": authtest.Aud, "scope": "admin"})
	}
	own := good.Token(t, "RS256", claims("u1"), nil)
	heard := p.follow(own, "", "")
	var hello struct{ SocketID string }
	if err := json.Unmarshal([]byte(next(t, heard, "authenticated").data), &hello); err != nil {
		t.Fatal(err)
	}
	ways := doors(t, p.url, hello.SocketID, own)

	for _, c := range authtest.Forged(t) {
		for _, door := range ways {
			if strings.ContainsAny(c.Token, "\r\n") && !door.raw {
				continue // no client can send it
			}
			res, body := send(door.request(c.Token))
			got := challenge.FindStringSubmatch(res.Header.Get("WWW-Authenticate"))
			if res.StatusCode != http.StatusUnauthorized || got == nil || res.Header.Get("Set-Cookie") != "" {
				t.Errorf("%s: %s: %d, %v %s", c.Name, door.name, res.StatusCode, res.Header, body)
				continue
			}
			if len(body) > 0 && !bytes.Contains(body, []byte(`"code":"token_invalid"`)) { // HEAD has none
				t.Errorf("%s: %s: %s", c.Name, door.name, body)
			}
			// A cookie can't have all characters; what is wrong with the token is then that.
			if !strings.Contains(got[1], c.Why) && !strings.Contains(door.name, "cookie") {
				t.Errorf("%s: %s: %q, want it to say %q", c.Name, door.name, got[1], c.Why)
			}
		}
	}
	if status, body := p.try(own, http.MethodGet, "/v1/users/root", ""); status != http.StatusNotFound {
		t.Errorf("what a forged token wrote is there: %d %s", status, body)
	}
	for _, c := range authtest.Accepted(t) {
		for _, door := range ways {
			res, body := send(door.request(c.Token))
			known := res.StatusCode < 300 || res.StatusCode == http.StatusForbidden || res.StatusCode == http.StatusNotFound // by its rights
			if !known {
				t.Errorf("%s: %s: %d %s", c.Name, door.name, res.StatusCode, body)
			}
		}
	}
	// A good token of somebody else prolongs nobody's stream.
	for _, door := range ways[len(ways)-2:] {
		if res, _ := send(door.request(good.Token(t, "RS256", claims("u2"), nil))); res.StatusCode != http.StatusForbidden && res.StatusCode != http.StatusNotFound {
			t.Errorf("%s, of another user: %d", door.name, res.StatusCode)
		}
	}
}

// A service whose keys can't be fetched starts, says so, and takes nobody's token for
// a bad one; what it can verify, it does.
func TestKeysUnavailable(t *testing.T) {
	good := authtest.Good()
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	file := filepath.Join(t.TempDir(), "keys.pem")
	if err := os.WriteFile(file, good.PEM(t, "EdDSA"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := serveOn(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "m.db"), "--public", "--jwks-url", server.URL, "--jwt-public-key", file)
	own := good.Token(t, "EdDSA", authtest.Claims(nil), nil)
	heard := p.follow(own, "", "")
	var hello struct{ SocketID string }
	if err := json.Unmarshal([]byte(next(t, heard, "authenticated").data), &hello); err != nil {
		t.Fatal(err)
	}
	unknown := good.Token(t, "RS256", authtest.Claims(nil), nil)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	open := door{"readiness", func(string) *http.Request {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/readyz", nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}, true}
	for _, door := range append(doors(t, p.url, hello.SocketID, own), open) {
		if door.name == "stream, query" {
			continue // is not allowed here
		}
		res, err := transport.RoundTrip(door.request(unknown))
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
		if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" || res.Header.Get("WWW-Authenticate") != "" ||
			len(body) > 0 && !bytes.Contains(body, []byte(`"code":"keys_unavailable"`)) {
			t.Errorf("%s: %d, %v %s", door.name, res.StatusCode, res.Header, body)
		}
	}
	if status, body := p.try(own, http.MethodGet, "/v1/leaderboards/global", ""); status != http.StatusOK {
		t.Errorf("with a key of the file: %d %s", status, body)
	}
	if want := "jwks=" + server.URL; !strings.Contains(p.log.String(), want) || !strings.Contains(p.log.String(), "404") {
		t.Errorf("the log does not say why: %s", p.log)
	}
	if !strings.Contains(p.log.String(), "--jwt-audience") {
		t.Errorf("the log does not warn of tokens for others: %s", p.log)
	}
}
