package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Cookie is the name of the cookie that carries a browser's token.
const Cookie = "marcador_token"

// Source is where a request carries its token.
type Source int

// The sources, in the order in which they are looked at.
const (
	None Source = iota
	FromHeader
	FromCookie
	FromQuery
)

// TokenOf returns the token that the request carries and where: in the
// Authorization header, in the cookie, or, only where query allows it, in the
// parameter access_token. An Authorization header of another scheme wraps
// ErrInvalidToken, and what can't be read is an empty token: who means to show
// something is not served as nobody.
func TokenOf(r *http.Request, query bool) (token string, from Source, err error) {
	if values := r.Header.Values("Authorization"); len(values) > 0 {
		scheme, token, _ := strings.Cut(values[0], " ")
		if !strings.EqualFold(scheme, "Bearer") || len(values) > 1 {
			return "", FromHeader, fmt.Errorf("%w: the Authorization header must be one, of the form 'Bearer <token>'", ErrInvalidToken)
		}
		return strings.TrimSpace(token), FromHeader, nil
	}
	if c, err := r.Cookie(Cookie); err == nil {
		return c.Value, FromCookie, nil
	}
	if named(r.Header.Values("Cookie"), Cookie) { // with a value that no cookie has
		return "", FromCookie, nil
	}
	if query && strings.Contains(r.URL.RawQuery, "access_token") {
		values, broken := url.ParseQuery(r.URL.RawQuery)
		if broken != nil || values.Has("access_token") { // one that can't be read is one, too
			return values.Get("access_token"), FromQuery, nil //nolint:nilerr // Verify says what is wrong with it
		}
	}
	return "", None, nil
}

// OriginCookie is the name of the cookie that says from which origin's page a session began.
const OriginCookie = "marcador_origin"

// ofOrigin is what OriginCookie has for a session of that token. Whoever can set cookies for
// the site but does not know the token, as a page of a neighbouring host, can't make one.
func ofOrigin(token, origin string) string {
	mac := hmac.New(sha256.New, []byte(token))
	_, _ = io.WriteString(mac, origin) // a hash takes all
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// BegunAt reports whether the session of the token, which is in the request's cookie, began
// with a page of that origin.
func BegunAt(r *http.Request, token, origin string) bool {
	want := []byte(ofOrigin(token, origin))
	for _, c := range r.CookiesNamed(OriginCookie) {
		if hmac.Equal([]byte(c.Value), want) {
			return true
		}
	}
	return false
}

// named reports whether Cookie headers name a cookie, whatever its value.
func named(headers []string, name string) bool {
	for _, header := range headers {
		for pair := range strings.SplitSeq(header, ";") {
			if key, _, _ := strings.Cut(pair, "="); strings.TrimSpace(key) == name {
				return true
			}
		}
	}
	return false
}

// MaxCookie is how long a cookie's name and value may be together, in bytes: browsers drop
// longer ones without a word.
const MaxCookie = 4096

// SessionCookie returns the cookie that carries the token until it expires; an
// empty token clears it.
func SessionCookie(token string, expires time.Time, secure bool) *http.Cookie {
	return cookie(Cookie, token, expires, secure)
}

// SessionOrigin returns the cookie that says that the session of the token began with a page
// of that origin; an empty token clears it.
func SessionOrigin(token, origin string, expires time.Time, secure bool) *http.Cookie {
	if token == "" {
		return cookie(OriginCookie, "", expires, secure)
	}
	return cookie(OriginCookie, ofOrigin(token, origin), expires, secure)
}

func cookie(name, value string, expires time.Time, secure bool) *http.Cookie {
	c := &http.Cookie{ //nolint:gosec // Secure is the caller's to say: without TLS the cookie would be lost
		Name:     name,
		Value:    value,
		Path:     "/",
		Expires:  expires,
		HttpOnly: true,
		Secure:   secure,
		SameSite: http.SameSiteLaxMode,
	}
	if value == "" {
		c.MaxAge = -1
	}
	return c
}
