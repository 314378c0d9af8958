package auth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"marcador/auth"
)

const secret = "0123456789abcdef0123456789abcdef"

func verifier(tb testing.TB, opts auth.Options) *auth.Verifier {
	tb.Helper()
	opts.Secret = []byte(secret)
	v, err := auth.NewVerifier(opts)
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

// sign signs any claims with any method.
func sign(tb testing.TB, method jwt.SigningMethod, key any, claims jwt.MapClaims) string {
	tb.Helper()
	token, err := jwt.NewWithClaims(method, claims).SignedString(key)
	if err != nil {
		tb.Fatal(err)
	}
	return token
}

// in returns the time after d, as a claim.
func in(d time.Duration) int64 { return time.Now().Add(d).Unix() }

func TestVerifier_Verify_acceptsWhatSignMade(t *testing.T) {
	v := verifier(t, auth.Options{})
	caller := auth.Caller{UserID: "u1", Email: "a@b.c", Name: "Ana", Scopes: []string{"xp:write", "users:write"}}
	token, err := v.Sign(caller, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	got, err := v.Verify(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	if got.UserID != "u1" || got.Email != "a@b.c" || got.Name != "Ana" || !slices.Equal(got.Scopes, caller.Scopes) ||
		time.Until(got.Expires) > time.Hour || time.Until(got.Expires) < time.Hour-5*time.Second {
		t.Errorf("Verify() = %+v", got)
	}
}

// tokenCase is a token. Unless want is empty, it has to be refused with an error that contains
// want.
type tokenCase struct{ token, want string }

// goodClaims are what the verifier of TestVerifier_Verify_refuses demands.
func goodClaims() jwt.MapClaims {
	return jwt.MapClaims{"sub": "u1", "exp": in(time.Hour), "iss": "school", "aud": "marcador"}
}

// signChanged signs good claims with changes. A change to nil removes a claim.
func signChanged(tb testing.TB, changes jwt.MapClaims) string {
	tb.Helper()
	c := goodClaims()
	for k, v := range changes {
		if c[k] = v; v == nil {
			delete(c, k)
		}
	}
	return sign(tb, jwt.SigningMethodHS256, []byte(secret), c)
}

func tokensByForm(tb testing.TB) map[string]tokenCase {
	tb.Helper()
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	token := signChanged(tb, nil)
	parts := strings.Split(token, ".")
	others := strings.Split(signChanged(tb, jwt.MapClaims{"sub": "admin"}), ".")
	critical := jwt.NewWithClaims(jwt.SigningMethodHS256, goodClaims())
	critical.Header["crit"] = []string{"unknown"}
	crit, err := critical.SignedString([]byte(secret))
	if err != nil {
		tb.Fatal(err)
	}
	return map[string]tokenCase{
		"empty":             {"", "not a JWT"},
		"not a JWT":         {"abc", "not a JWT"},
		"two parts":         {parts[0] + "." + parts[1], "not a JWT"},
		"bad base64":        {parts[0] + ".!." + parts[2], "signature"},
		"no signature":      {parts[0] + "." + parts[1] + ".", "signature"},
		"signature cut":     {token[:len(token)-3], "signature"},
		"another's payload": {parts[0] + "." + others[1] + "." + parts[2], "signature"},
		"another key":       {sign(tb, jwt.SigningMethodHS256, []byte(strings.Repeat("x", 32)), goodClaims()), "signature"},
		"alg none":          {sign(tb, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, goodClaims()), "signature or algorithm"},
		"crit":              {crit, "crit"},
		"alg None":          {"eyJhbGciOiJOb25lIiwidHlwIjoiSldUIn0." + parts[1] + ".", "signature or algorithm"},
		"another HMAC":      {sign(tb, jwt.SigningMethodHS512, []byte(secret), goodClaims()), "signature or algorithm"},
		"asymmetric":        {sign(tb, jwt.SigningMethodES256, ec, goodClaims()), "signature or algorithm"},
		"huge":              {strings.Repeat("a", 10_000), "longer than"},
	}
}

func tokensByClaims(tb testing.TB) map[string]tokenCase {
	tb.Helper()
	hs := func(changes jwt.MapClaims) string { return signChanged(tb, changes) }
	return map[string]tokenCase{
		"good":                   {hs(nil), ""},
		"late within the leeway": {hs(jwt.MapClaims{"exp": in(-20 * time.Second)}), ""},
		"good audience of two":   {hs(jwt.MapClaims{"aud": []string{"x", "marcador"}}), ""},

		"no exp":           {hs(jwt.MapClaims{"exp": nil}), "required claim"},
		"exp is text":      {hs(jwt.MapClaims{"exp": "soon"}), "a number of seconds"},
		"exp in ms":        {hs(jwt.MapClaims{"exp": time.Now().UnixMilli()}), "milliseconds"},
		"expired":          {hs(jwt.MapClaims{"exp": in(-40 * time.Second)}), "expired"},
		"not yet valid":    {hs(jwt.MapClaims{"nbf": in(40 * time.Second)}), "not valid yet"},
		"issued in future": {hs(jwt.MapClaims{"iat": in(40 * time.Second)}), "issued in the future"},
		"no sub":           {hs(jwt.MapClaims{"sub": nil}), "no sub"},
		"another issuer":   {hs(jwt.MapClaims{"iss": "else"}), "issuer"},
		"no issuer":        {hs(jwt.MapClaims{"iss": nil}), "required claim"},
		"another audience": {hs(jwt.MapClaims{"aud": "else"}), "audience"},
		"no audience":      {hs(jwt.MapClaims{"aud": nil}), "required claim"},
	}
}

// Each token is accepted, or refused for its own reason. A refused token gives no caller.
func TestVerifier_Verify_refuses(t *testing.T) {
	v := verifier(t, auth.Options{Issuer: "school", Audience: "marcador"})
	cases := tokensByClaims(t)
	maps.Copy(cases, tokensByForm(t))
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			caller, err := v.Verify(t.Context(), c.token)
			if c.want == "" {
				if err != nil {
					t.Errorf("Verify() = %v", err)
				}
				return
			}
			if !errors.Is(err, auth.ErrInvalidToken) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Verify() = %v, want ErrInvalidToken with %q", err, c.want)
			}
			if !caller.Anonymous() || len(caller.Scopes) > 0 {
				t.Errorf("a refused token gave %+v", caller)
			}
		})
	}
}

func TestNewVerifier_refusesShortSecrets(t *testing.T) {
	if _, err := auth.NewVerifier(auth.Options{Secret: []byte(secret[:31])}); err == nil {
		t.Error("31 bytes are accepted")
	}
}

func TestCaller_May(t *testing.T) {
	for _, c := range []struct {
		scopes string
		want   bool
	}{{"xp:write", true}, {"admin", true}, {"users:write", false}, {"", false}, {"xp:writes", false}} {
		if got := (auth.Caller{Scopes: strings.Fields(c.scopes)}).May(auth.ScopeWriteXP); got != c.want {
			t.Errorf("scopes %q may write xp: %v, want %v", c.scopes, got, c.want)
		}
	}
}

func TestCaller_StreamUntil(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct{ expires, want time.Time }{
		"anonymous":         {time.Time{}, time.Time{}},
		"good":              {now.Add(time.Minute), now.Add(time.Minute)},
		"within the leeway": {now.Add(-10 * time.Second), now.Add(20 * time.Second)},
	} {
		if got := (auth.Caller{Expires: c.expires}).StreamUntil(now); !got.Equal(c.want) {
			t.Errorf("%s: StreamUntil() = %v, want %v", name, got, c.want)
		}
	}
}

func TestTokenOf(t *testing.T) {
	for name, c := range map[string]struct {
		headers []string
		cookie  string
		target  string
		query   bool
		token   string
		from    auth.Source
		bad     bool
	}{
		"none":                 {target: "/"},
		"header":               {headers: []string{"Bearer abc"}, token: "abc", from: auth.FromHeader},
		"small letters":        {headers: []string{"bearer abc"}, token: "abc", from: auth.FromHeader},
		"cookie":               {cookie: "def", token: "def", from: auth.FromCookie},
		"header first":         {headers: []string{"Bearer abc"}, cookie: "def", target: "/?access_token=ghi", query: true, token: "abc", from: auth.FromHeader},
		"cookie second":        {cookie: "def", target: "/?access_token=ghi", query: true, token: "def", from: auth.FromCookie},
		"query":                {target: "/?access_token=ghi", query: true, token: "ghi", from: auth.FromQuery},
		"query not here":       {target: "/?access_token=ghi"},
		"empty query":          {target: "/?access_token=", query: true, from: auth.FromQuery},
		"no cookie's value":    {cookie: `a\b`, from: auth.FromCookie},
		"other cookies":        {cookie: "def; x_marcador_token=abc", token: "def", from: auth.FromCookie},
		"query not readable":   {target: "/?access_token=%zz", query: true, from: auth.FromQuery},
		"query half readable":  {target: "/?access_token=ghi&x=%zz", query: true, token: "ghi", from: auth.FromQuery},
		"query with semicolon": {target: "/?a;access_token=ghi", query: true, from: auth.FromQuery},
		"query of others":      {target: "/?not_access_token=ghi", query: true},
		"another scheme":       {headers: []string{"Basic abc"}, cookie: "def", from: auth.FromHeader, bad: true},
		"two headers":          {headers: []string{"Bearer abc", "Bearer def"}, from: auth.FromHeader, bad: true},
		"empty header":         {headers: []string{""}, from: auth.FromHeader, bad: true},
		"bearer of none":       {headers: []string{"Bearer"}, from: auth.FromHeader},
		"bearer of space":      {headers: []string{"Bearer  "}, from: auth.FromHeader},
	} {
		t.Run(name, func(t *testing.T) {
			if c.target == "" {
				c.target = "/"
			}
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, c.target, nil)
			r.Header["Authorization"] = c.headers
			if c.cookie != "" {
				r.Header.Set("Cookie", "a=b; "+auth.Cookie+"="+c.cookie)
			}
			token, from, err := auth.TokenOf(r, c.query)
			if token != c.token || from != c.from || errors.Is(err, auth.ErrInvalidToken) != c.bad {
				t.Errorf("TokenOf() = %q, %v, %v; want %q, %v, bad %v", token, from, err, c.token, c.from, c.bad)
			}
		})
	}
}

func TestSessionCookie(t *testing.T) {
	c := auth.SessionCookie("abc", time.Now().Add(time.Hour), true)
	if !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Name != "marcador_token" {
		t.Errorf("cookie = %v", c)
	}
	if c := auth.SessionCookie("", time.Time{}, false); c.MaxAge >= 0 {
		t.Errorf("cookie = %v, want one that is cleared", c)
	}
}
