package api

import (
	"context"
	"net/http"
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

type sessionInput struct {
	token  string
	secure bool
}

// Resolve implements huma.Resolver.
func (in *sessionInput) Resolve(ctx huma.Context) []error {
	r, _ := humago.Unwrap(ctx)
	in.secure = secure(r)
	token, from, err := auth.TokenOf(r, false)
	if err != nil || from != auth.FromHeader {
		return []error{problemOf(http.StatusUnauthorized, "token_missing",
			"a session begins with a token in the Authorization header")}
	}
	in.token = token
	return nil
}

type sessionOutput struct {
	SetCookie http.Cookie `header:"Set-Cookie"`
	Body      session
}

type sessionEnd struct {
	SetCookie http.Cookie `header:"Set-Cookie"`
}

func (a *api) sessionRoutes() {
	begin := a.operation(http.MethodPost, "/v1/session", "postSession", "Session", "Keep the token in a cookie, for browsers", access{unpaced: true})
	begin.Description = "Sets the cookie `" + auth.Cookie + "` (HttpOnly, SameSite=Lax) to the token of the Authorization header, for as long as it is good."
	huma.Register(a.huma, begin, func(ctx context.Context, in *sessionInput) (*sessionOutput, error) {
		caller := callerOf(ctx)
		return &sessionOutput{
			SetCookie: *auth.SessionCookie(in.token, caller.Expires, in.secure),
			Body:      session{caller.UserID, caller.Expires.UTC().Format(live.TimeFormat)},
		}, nil
	})

	end := a.operation(http.MethodDelete, "/v1/session", "deleteSession", "Session", "Forget the cookie", access{open: true, unpaced: true})
	end.DefaultStatus = http.StatusNoContent
	huma.Register(a.huma, end, func(context.Context, *struct{}) (*sessionEnd, error) {
		return &sessionEnd{*auth.SessionCookie("", time.Time{}, false)}, nil
	})
}
