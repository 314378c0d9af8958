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

// Cookie is the name of the cookie that has a browser's token.
const Cookie = "marcador_token"

// Source is the part of a request that has its token.
type Source int

// The sources, in the order in which TokenOf looks at them.
const (
	None Source = iota
	FromHeader
	FromCookie
	FromQuery
)

// TokenOf returns the token of a request, and where it was: in the Authorization header, in the
// cookie or, only if query is true, in the parameter access_token. If there are several, the first
// of these counts.
//
// A caller who tries to show a token must not be served as an anonymous one. So an Authorization
// header of another scheme is an error that wraps ErrInvalidToken, and a token that can't be read
// is returned as an empty one, which Verify refuses.
func TokenOf(r *http.Request, query bool) (token string, from Source, err error) {
	if values := r.Header.Values("Authorization"); len(values) > 0 {
		scheme, token, _ := strings.Cut(values[0], " ")
		if !strings.EqualFold(scheme, "Bearer") || len(values) > 1 {
			return "", FromHeader, fmt.Errorf("%w: there must be a single Authorization header, of the form 'Bearer <token>'", ErrInvalidToken)
		}
		return strings.TrimSpace(token), FromHeader, nil
	}
	if c, err := r.Cookie(Cookie); err == nil {
		return c.Value, FromCookie, nil
	}
	if named(r.Header.Values("Cookie"), Cookie) { // its value is not a cookie's
		return "", FromCookie, nil
	}
	if query && strings.Contains(r.URL.RawQuery, "access_token") {
		values, broken := url.ParseQuery(r.URL.RawQuery)
		if broken != nil || values.Has("access_token") {
			return values.Get("access_token"), FromQuery, nil //nolint:nilerr // Verify refuses an empty token
		}
	}
	return "", None, nil
}

// OriginCookie is the name of the cookie that remembers the origin of the page that began the
// session.
const OriginCookie = "marcador_origin"

// originMAC returns the value of OriginCookie for a session with that token. A page of another host
// in the same domain can set cookies for the site too, but without the token it can't compute the
// value.
func originMAC(token, origin string) string {
	mac := hmac.New(sha256.New, []byte(token))
	_, _ = io.WriteString(mac, origin) // a hash never fails
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// BegunAt reports whether the session began on a page of that origin. token is the one in the
// request's cookie.
func BegunAt(r *http.Request, token, origin string) bool {
	want := []byte(originMAC(token, origin))
	for _, c := range r.CookiesNamed(OriginCookie) {
		if hmac.Equal([]byte(c.Value), want) {
			return true
		}
	}
	return false
}

// named reports whether the Cookie headers have a cookie of that name, with any value.
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

// MaxCookie bounds the name and the value of a cookie together, in bytes. Browsers drop a longer
// one and report no error.
const MaxCookie = 4096

// SessionCookie returns the cookie that has the token until it expires. With an empty token it
// clears the cookie. secure restricts the cookie to HTTPS.
func SessionCookie(token string, expires time.Time, secure bool) *http.Cookie {
	return cookie(Cookie, token, expires, secure)
}

// SessionOrigin returns the cookie that remembers that the session began on a page of that origin.
// With an empty token it clears the cookie.
func SessionOrigin(token, origin string, expires time.Time, secure bool) *http.Cookie {
	if token == "" {
		return cookie(OriginCookie, "", expires, secure)
	}
	return cookie(OriginCookie, originMAC(token, origin), expires, secure)
}

func cookie(name, value string, expires time.Time, secure bool) *http.Cookie {
	c := &http.Cookie{ //nolint:gosec // without TLS a browser would drop a Secure cookie, so the caller decides
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
