package api

import (
	"context"
	"fmt"
	"hash/maphash"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"marcador/auth"
	"marcador/live"
)

// session says who a browser is signed in as.
type session struct {
	UserID    string `json:"userId"`
	ExpiresAt string `json:"expiresAt" format:"date-time" doc:"When the token expires, and with it the cookie"`
}

// sessionSeed makes the ids of sessions unpredictable.
var sessionSeed = maphash.MakeSeed()

// sessionOf returns the id of the session whose cookie has the token, or 0 for an empty token.
func sessionOf(token string) uint64 {
	if token == "" {
		return 0
	}
	return maphash.String(sessionSeed, token) | 1
}

// browser is what the operations on sessions need to know about a request.
type browser struct {
	request *http.Request
	cookie  string // the token in the cookie, or empty
	origin  string // of the page that calls, or empty
}

// Resolve implements huma.Resolver.
func (b *browser) Resolve(ctx huma.Context) []error {
	b.request, _ = humago.Unwrap(ctx)
	if c, err := b.request.Cookie(auth.Cookie); err == nil {
		b.cookie = c.Value
	}
	b.origin = b.request.Header.Get("Origin")
	return nil
}

type sessionInput struct {
	browser

	token string
}

// Resolve implements huma.Resolver.
func (in *sessionInput) Resolve(ctx huma.Context) []error {
	_ = in.browser.Resolve(ctx) // it finds no faults
	token, from, err := auth.TokenOf(in.request, false)
	if err != nil || from != auth.FromHeader {
		return []error{problemOf(http.StatusUnauthorized, "token_missing",
			"a session begins with a token in the Authorization header; send one")}
	}
	if n := len(auth.Cookie) + len(token); n > auth.MaxCookie {
		return []error{invalid("Authorization", fmt.Sprintf(
			"the token has %d bytes, but browsers drop cookies of more than %d bytes, name included; "+
				"have the sign-in leave claims out of the token, or send it in the Authorization header of each call",
			len(token), auth.MaxCookie))}
	}
	in.token = token
	return nil
}

type sessionOutput struct {
	SetCookie []*http.Cookie `header:"Set-Cookie"`
	Body      session
}

type sessionEnd struct {
	SetCookie []*http.Cookie `header:"Set-Cookie"`
}

func (a *api) sessionRoutes() {
	begin := a.operation(http.MethodPost, "/v1/session", "postSession", "Session", "Store the token in a cookie, for browsers", access{noRateLimit: true})
	begin.Description = "Sets the cookie `" + auth.Cookie + "` (HttpOnly, SameSite=Lax, and Secure over HTTPS) to the token of the Authorization header, until the token expires. " +
		"A token of more than 4,082 bytes does not fit into a cookie. Behind a proxy that changes the host, the cookie `" + auth.OriginCookie + "` remembers the origin of the page that began the session."
	huma.Register(a.huma, begin, a.beginSession)

	end := a.operation(http.MethodDelete, "/v1/session", "deleteSession", "Session", "Forget the cookie", access{open: true, noRateLimit: true})
	end.Description = "Also ends the streams that were opened with the cookie, by the event `error` with the code `token_expired`."
	end.DefaultStatus = http.StatusNoContent
	huma.Register(a.huma, end, a.endSession)
}

func (a *api) beginSession(ctx context.Context, in *sessionInput) (*sessionOutput, error) {
	caller := callerOf(ctx)
	if before := a.userOf(ctx, in.cookie); before == caller.UserID {
		a.Streams.MoveSession(before, sessionOf(in.cookie), sessionOf(in.token))
	} else {
		a.Streams.EndSession(before, sessionOf(in.cookie))
	}
	of := a.Proxies.Of(in.request)
	page, err := url.Parse(in.origin)
	secure := of.Secure || err == nil && page.Scheme == "https" // the browser itself sets Origin
	out := &sessionOutput{
		SetCookie: []*http.Cookie{auth.SessionCookie(in.token, caller.Expires, secure)},
		Body:      session{caller.UserID, caller.Expires.UTC().Format(live.TimeFormat)},
	}
	if err == nil && page.Host != "" && page.Host != of.Host {
		out.SetCookie = append(out.SetCookie, auth.SessionOrigin(in.token, in.origin, caller.Expires, secure))
	}
	return out, nil
}

func (a *api) endSession(ctx context.Context, in *browser) (*sessionEnd, error) {
	a.Streams.EndSession(a.userOf(ctx, in.cookie), sessionOf(in.cookie))
	secure := a.Proxies.Of(in.request).Secure || strings.HasPrefix(in.origin, "https://")
	out := &sessionEnd{[]*http.Cookie{auth.SessionCookie("", time.Time{}, secure)}}
	if len(in.request.CookiesNamed(auth.OriginCookie)) > 0 {
		out.SetCookie = append(out.SetCookie, auth.SessionOrigin("", "", time.Time{}, secure))
	}
	return out, nil
}

// userOf returns the user of a valid token. It returns "" for any other token: no stream is open
// with one.
func (a *api) userOf(ctx context.Context, token string) string {
	if token == "" {
		return ""
	}
	caller, err := a.Verifier.Verify(ctx, token)
	if err != nil {
		return ""
	}
	return caller.UserID
}
