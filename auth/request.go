package auth

import (
	"fmt"
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

// SessionCookie returns the cookie that carries the token until it expires; an
// empty token clears it.
func SessionCookie(token string, expires time.Time, secure bool) *http.Cookie {
	c := &http.Cookie{ //nolint:gosec // Secure is the caller's to say: without TLS the cookie would be lost
		Name:     Cookie,
		Value:    token,
		Path:     "/",
		Expires:  expires,
		HttpOnly: true,
		Secure:   secure,
		SameSite: http.SameSiteLaxMode,
	}
	if token == "" {
		c.MaxAge = -1
	}
	return c
}
