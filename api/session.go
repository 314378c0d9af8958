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

// session is who a browser is logged in as.
type session struct {
	UserID    string `json:"userId"`
	ExpiresAt string `json:"expiresAt" format:"date-time" doc:"When the token that was shown expires, and with it the cookie"`
}

// sessionSeed keeps sessions' names from being made elsewhere.
var sessionSeed = maphash.MakeSeed()

// sessionOf names the session whose cookie has the token: 0 for none.
func sessionOf(token string) uint64 {
	if token == "" {
		return 0
	}
	return maphash.String(sessionSeed, token) | 1
}

// browser is what the session's routes look at beside the token.
type browser struct {
	request *http.Request
	before  string // the token in the cookie, if there is one
	origin  string // of the page that calls, or empty
}

// Resolve implements huma.Resolver.
func (b *browser) Resolve(ctx huma.Context) []error {
	b.request, _ = humago.Unwrap(ctx)
	if c, err := b.request.Cookie(auth.Cookie); err == nil {
		b.before = c.Value
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
	_ = in.browser.Resolve(ctx) // it finds nothing wrong
	token, from, err := auth.TokenOf(in.request, false)
	if err != nil || from != auth.FromHeader {
		return []error{problemOf(http.StatusUnauthorized, "token_missing",
			"a session begins with a token in the Authorization header")}
	}
	if n := len(auth.Cookie) + len(token); n > auth.MaxCookie {
		return []error{invalid("Authorization", fmt.Sprintf(
			"the token has %d bytes, and browsers keep cookies of up to %d with their name, so it can't be one; "+
				"have the sign-in leave claims out of it, or send it in the Authorization header of each call",
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
	begin := a.operation(http.MethodPost, "/v1/session", "postSession", "Session", "Keep the token in a cookie, for browsers", access{unpaced: true})
	begin.Description = "Sets the cookie `" + auth.Cookie + "` (HttpOnly, SameSite=Lax, and Secure over HTTPS) to the token of the Authorization header, for as long as it is good. " +
		"A token of more than 4,082 bytes can't be a cookie. Behind a proxy that names another host, `" + auth.OriginCookie + "` remembers which page began the session."
	huma.Register(a.huma, begin, a.beginSession)

	end := a.operation(http.MethodDelete, "/v1/session", "deleteSession", "Session", "Forget the cookie", access{open: true, unpaced: true})
	end.Description = "Ends the streams that were opened with the cookie, too: with the event `error` of the code `token_expired`."
	end.DefaultStatus = http.StatusNoContent
	huma.Register(a.huma, end, a.endSession)
}

func (a *api) beginSession(ctx context.Context, in *sessionInput) (*sessionOutput, error) {
	caller := callerOf(ctx)
	if before := a.userOf(ctx, in.before); before == caller.UserID {
		a.Streams.MoveSession(before, sessionOf(in.before), sessionOf(in.token))
	} else {
		a.Streams.EndSession(before, sessionOf(in.before))
	}
	of := a.Proxies.Of(in.request)
	page, err := url.Parse(in.origin)
	secure := of.Secure || err == nil && page.Scheme == "https" // a browser says so itself
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
	a.Streams.EndSession(a.userOf(ctx, in.before), sessionOf(in.before))
	secure := a.Proxies.Of(in.request).Secure || strings.HasPrefix(in.origin, "https://")
	out := &sessionEnd{[]*http.Cookie{auth.SessionCookie("", time.Time{}, secure)}}
	if len(in.request.CookiesNamed(auth.OriginCookie)) > 0 {
		out.SetCookie = append(out.SetCookie, auth.SessionOrigin("", "", time.Time{}, secure))
	}
	return out, nil
}

// userOf returns whose a good token is, or an empty id: then no stream is open with it.
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
