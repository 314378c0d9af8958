package auth_test

import (
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"marcador/auth"
	"marcador/auth/authtest"
)

type member = map[string]any

// jwk is a key of a JWKS, and whether tokens may be signed with it.
type jwk struct {
	key  member
	want bool
}

func jwks() map[string]jwk {
	good := authtest.Good()
	return map[string]jwk{
		"RSA":                  {good.JWK("RS256", nil), true},
		"EC":                   {good.JWK("ES256", nil), true},
		"Ed25519":              {good.JWK("EdDSA", nil), true},
		"RSA, bare":            {good.JWK("RS256", member{"kid": nil, "alg": nil, "use": nil}), true},
		"EC, bare":             {good.JWK("ES256", member{"kid": nil, "alg": nil, "use": nil}), true},
		"Ed25519, bare":        {good.JWK("EdDSA", member{"kid": nil, "alg": nil, "use": nil}), true},
		"to verify":            {good.JWK("ES256", member{"use": nil, "key_ops": []string{"verify"}}), true},
		"with members unknown": {good.JWK("ES256", member{"iat": 1, "ext": true}), true},
		"with a certificate":   {good.JWK("RS256", member{"x5t": "abc", "x5c": []string{"MII"}, "x5u": "http://127.0.0.1:1/"}), true},
		"to encrypt":           {good.JWK("RS256", member{"use": "enc"}), false},
		"to sign":              {good.JWK("ES256", member{"key_ops": []string{"sign"}}), false},
		"another algorithm":    {good.JWK("RS256", member{"alg": "RS512"}), false},
		"another kind's":       {good.JWK("RS256", member{"alg": "HS256"}), false},
		"no algorithm":         {good.JWK("RS256", member{"alg": "none"}), false},
		"a secret":             {good.JWK("HS256", nil), false},
		"a secret beside":      {good.JWK("RS256", member{"k": "AQAB"}), false},
		"its private half":     {good.JWK("ES256", member{"d": base64.RawURLEncoding.EncodeToString([]byte("x"))}), false},
		"another curve":        {good.JWK("ES256", member{"crv": "P-384"}), false},
		"off the curve":        {good.JWK("ES256", member{"y": good.JWK("ES256", nil)["x"]}), false},
		"the point of nothing": {good.JWK("ES256", member{"x": "AA", "y": "AA"}), false},
		"short Ed25519":        {good.JWK("EdDSA", member{"x": "AAAA"}), false},
		"X25519":               {good.JWK("EdDSA", member{"crv": "X25519", "alg": nil}), false},
		"short RSA":            {good.JWK("RS256", member{"n": strings.Repeat("A", 170) + "B"}), false},
		"RSA without exponent": {good.JWK("RS256", member{"e": nil}), false},
		"kind unknown":         {good.JWK("ES256", member{"kty": "AKP"}), false},
		"kid a number":         {good.JWK("ES256", member{"kid": 7}), false},
		"empty":                {member{}, false},
	}
}

// What a JWKS says about its keys is obeyed, and an unusable key does not spoil the others.
func TestParseSet(t *testing.T) {
	for name, c := range jwks() {
		usable, unusable, err := auth.ParseSet(authtest.Set(c.key, authtest.Good().JWK("RS256", nil)))
		if want := 2 - usable; err != nil || unusable != want || (usable == 2) != c.want {
			t.Errorf("%s: %d usable, %d unusable, %v; want it to be usable: %v", name, usable, unusable, err, c.want)
		}
	}
}

// A set may have up to 64 keys, or none. What is not a set is refused.
func TestParseSet_sets(t *testing.T) {
	good := authtest.Good()
	many := make([]map[string]any, 65)
	for i := range many {
		many[i] = good.JWK("ES256", member{"kid": fmt.Sprint(i)})
	}
	if in, _, err := auth.ParseSet(authtest.Set(many[:64]...)); in != 64 || err != nil {
		t.Errorf("64 keys: %d, %v", in, err)
	}
	for name, body := range map[string]string{
		"65 keys": string(authtest.Set(many...)), "HTML": "<html>", "nothing": "", "no keys": "{}", "null": `{"keys":null}`,
		"a list": "[]", "keys an object": `{"keys":{}}`, "cut off": `{"keys":[`,
	} {
		if _, _, err := auth.ParseSet([]byte(body)); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	if in, out, err := auth.ParseSet([]byte(`{"keys":[]}`)); in != 0 || out != 0 || err != nil {
		t.Errorf("an empty set: %d, %d, %v", in, out, err)
	}
	if in, out, err := auth.ParseSet([]byte(`{"keys":[1,null,"x",{}]}`)); in != 0 || out != 4 || err != nil {
		t.Errorf("members that are no keys: %d, %d, %v", in, out, err)
	}
}

// The headers of the answer say how long a set is fresh, between five minutes and a day.
func TestFreshFor(t *testing.T) {
	for name, c := range map[string]struct {
		control, age string
		want         float64
	}{
		"none":         {"", "", 3600},
		"max-age":      {"public, max-age=1800", "", 1800},
		"upper case":   {"Public, Max-Age=1800", "", 1800},
		"older":        {"max-age=1800", "600", 1200},
		"too old":      {"max-age=1800", "1800", 300},
		"too short":    {"max-age=1", "", 300},
		"too long":     {"max-age=2000000000", "", 86400},
		"no number":    {"max-age=x", "", 300},
		"too large":    {"max-age=99999999999999999999", "", 300},
		"not stored":   {"no-store", "", 300},
		"not stored 2": {"max-age=1800, no-cache", "", 300},
	} {
		h := http.Header{}
		h.Set("Cache-Control", c.control)
		h.Set("Age", c.age)
		if got := auth.FreshFor(h); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestCheckJWKS(t *testing.T) {
	for address, good := range map[string]bool{
		"https://login.example.org/keys": true, "http://127.0.0.1:9/keys": true, "http://localhost/keys": true, "http://[::1]/": true,
		"http://login.example.org/keys": false, "http://localhost.example.org/": false, "http://127.0.0.1.example.org/": false,
		"http://10.0.0.1/keys": false, "https://ana:secret@login.example.org/": false, "ftp://127.0.0.1/": false, "file:///etc/keys": false,
		"keys.json": false, "": false, "https://": false, "https://%zz/": false,
	} {
		err := auth.CheckJWKS(address)
		if (err == nil) != good {
			t.Errorf("%q: %v, want it to be good: %v", address, err, good)
		}
		if err != nil && (strings.Contains(err.Error(), "secret@") || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%q: %v", address, err)
		}
	}
	if _, err := auth.NewVerifier(auth.Options{JWKS: "http://login.example.org/keys"}); err == nil {
		t.Error("NewVerifier accepts an address that CheckJWKS refuses")
	}
}

// Over a real connection, a set is accepted if it has a bounded size and comes over connections
// that nobody can tamper with.
func TestVerifier_Run_fetch(t *testing.T) {
	good := authtest.Good()
	set := authtest.Set(good.JWK("ES256", nil))
	write := func(b []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(b) }
	}
	plain := httptest.NewServer(write(set))
	defer plain.Close()
	secure := httptest.NewUnstartedServer(write(set))
	secure.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	secure.StartTLS()
	defer secure.Close()
	to := func(url string) http.HandlerFunc { return http.RedirectHandler(url, http.StatusFound).ServeHTTP }
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		want    string // what the log says; "" if the set is accepted
	}{
		"set":                {write(set), ""},
		"largest":            {write(append(set, make1MiB(len(set), ' ')...)), ""},
		"redirect":           {to(secure.URL), ""},
		"too large":          {write(append(set, make1MiB(len(set)-1, ' ')...)), "longer than 1048576 bytes"},
		"redirect to http":   {to(plain.URL), "from https to http"},
		"round and round":    {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusFound) }, "more than three times"},
		"not found":          {http.NotFound, "the answer is 404"},
		"empty answer":       {write(nil), "not a JWKS"},
		"huge headers":       {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 1<<20)) }, "headers exceeded"},
		"connection cut off": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewTLSServer(c.handler)
			defer server.Close()
			transport, _ := server.Client().Transport.(*http.Transport) // it is one
			transport.MaxResponseHeaderBytes = 64 << 10
			log := newLog()
			v := newRemote(t, auth.Options{JWKS: server.URL, Transport: transport, Log: slog.New(log)})
			defer transport.CloseIdleConnections()
			said := log.next(t)
			if err := v.Ready(); (err == nil) != (c.want == "") {
				t.Errorf("Ready() = %v after %s", err, said)
			}
			if !strings.Contains(said, c.want) {
				t.Errorf("log = %s, want %q", said, c.want)
			}
		})
	}
	// A server whose certificate is not trusted is refused.
	log := newLog()
	v := newRemote(t, auth.Options{JWKS: secure.URL, Log: slog.New(log)})
	if said := log.next(t); v.Ready() == nil || !strings.Contains(said, "certificate") {
		t.Errorf("Ready() = %v after %s", v.Ready(), said)
	}
	// A server on this machine may use http.
	log = newLog()
	v = newRemote(t, auth.Options{JWKS: plain.URL, Log: slog.New(log)})
	said := log.next(t)
	if _, err := v.Verify(t.Context(), good.Token(t, "ES256", authtest.Claims(nil), nil)); err != nil {
		t.Errorf("Verify() = %v after %s", err, said)
	}
}

// make1MiB returns the rest of a megabyte, of which used bytes are used.
func make1MiB(used int, with byte) []byte {
	b := make([]byte, 1<<20-used)
	for i := range b {
		b[i] = with
	}
	return b
}

// FuzzParseSet checks that no answer makes the parser panic or take long, and that a refused set
// has no keys.
func FuzzParseSet(f *testing.F) {
	good := authtest.Good()
	f.Add(authtest.Set(good.JWK("RS256", nil), good.JWK("ES256", nil), good.JWK("EdDSA", nil), good.JWK("HS256", nil)))
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"},{"kty":"EC","crv":"P-256","x":"","y":""},{"kty":"OKP","crv":"Ed25519","x":"!"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x5c":["MIIB"],"x5u":"https://x","x":"AA","y":"AA","d":"AA"},[]]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		began := time.Now()
		in, out, err := auth.ParseSet(body)
		if in+out > 64 || err != nil && in > 0 {
			t.Errorf("%d usable keys, %d unusable, %v", in, out, err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}
