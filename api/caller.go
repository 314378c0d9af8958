package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"marcador/auth"
	"marcador/internal/validate"
)

// access is who may call an operation: anyone with a token, unless a field says
// otherwise.
type access struct {
	scope  string // who has this scope
	self   bool   // the user that the path names, and who may write users
	public bool   // anyone, where the service is public
	open   bool   // anyone
	stream bool   // the token may be in the query, where that is allowed

	unpaced bool // it changes nothing in the database; see Limits.WriteRate
}

const accessKey = "access"

// realm begins each challenge.
const realm = `Bearer realm="marcador"`

type (
	callerKey  struct{}
	sessionKey struct{}
)

// callerOf returns who calls.
func callerOf(ctx context.Context) auth.Caller {
	c, _ := ctx.Value(callerKey{}).(auth.Caller)
	return c
}

// sessionIn returns the session that the request belongs to, 0 for none.
func sessionIn(ctx context.Context) uint64 {
	name, _ := ctx.Value(sessionKey{}).(uint64)
	return name
}

// authorize lets through who may call the operation, and says to all others
// what they lack, as RFC 6750, section 3, words it.
func (a *api) authorize(ctx huma.Context, next func(huma.Context)) {
	may, _ := ctx.Operation().Metadata[accessKey].(access)
	r, _ := humago.Unwrap(ctx)
	var caller auth.Caller
	var challenge string
	p := a.sameOrigin(r)
	if p == nil && !may.open {
		caller, p, challenge = a.identify(r, may)
	}
	if p == nil {
		id, _ := validate.IDIn(ctx.Param("id"), a.Live.Has) // what is wrong with it comes later
		p, challenge = permit(caller, may, id)
	}
	if p != nil {
		switch {
		case p.Status == http.StatusServiceUnavailable:
			ctx.SetHeader("Retry-After", keysAgain)
		case p.Code != "cross_origin":
			ctx.SetHeader("WWW-Authenticate", realm+challenge)
		}
		_ = huma.WriteErr(a.huma, ctx, p.Status, p.Detail, p) // huma reports it
		return
	}
	if !caller.Anonymous() {
		requestOf(r.Context()).hold.is(caller.UserID)
	}
	ctx = huma.WithValue(ctx, callerKey{}, caller)
	if token, from, _ := auth.TokenOf(r, false); from == auth.FromCookie {
		ctx = huma.WithValue(ctx, sessionKey{}, sessionOf(token))
	}
	next(ctx)
}

// identify returns who calls, or what is wrong with the token they show.
func (a *api) identify(r *http.Request, may access) (caller auth.Caller, p *problem, challenge string) {
	token, from, err := auth.TokenOf(r, may.stream && a.AllowQueryToken)
	if err == nil && from == auth.None {
		if may.public && a.Public {
			return caller, nil, ""
		}
		return caller, noToken(), ""
	}
	if err == nil {
		caller, err = a.Verifier.Verify(r.Context(), token)
	}
	if errors.Is(err, auth.ErrUnavailable) {
		return caller, noKeys(), ""
	}
	if err != nil {
		return caller, problemOf(http.StatusUnauthorized, "token_invalid", err.Error()+"; get a fresh token"),
			invalidToken(err)
	}
	return caller, nil, ""
}

func noToken() *problem {
	return problemOf(http.StatusUnauthorized, "token_missing", "this needs a token; send Authorization: Bearer <token>")
}

// keysAgain is how many seconds later the keys to verify tokens with may be there.
const keysAgain = "5"

// noKeys says nothing against the token: a client must not throw it away.
func noKeys() *problem {
	return problemOf(http.StatusServiceUnavailable, "keys_unavailable", auth.ErrUnavailable.Error()+"; try again")
}

// invalidToken is what a challenge says of a token that is refused.
func invalidToken(err error) string {
	return fmt.Sprintf(`, error="invalid_token", error_description=%q`, err)
}

// sameOrigin returns what is wrong with a write that another site's page made a
// browser send along with the session cookie.
//
// A browser says itself how the page is related to the site (Sec-Fetch-Site), or else whose
// page it is (Origin), for which the host has to be known: a proxy may have put its own in
// its place. If that proxy does not say which it was, the page is the site's own if the
// session began with one of the same origin, since that needs a token that others don't have.
func (a *api) sameOrigin(r *http.Request) *problem {
	token, from, _ := auth.TokenOf(r, false)
	if from != auth.FromCookie {
		return nil
	}
	seen := r.WithContext(r.Context())
	seen.Host = a.Proxies.Of(r).Host
	if a.crossOrigin.Check(seen) == nil {
		return nil
	}
	if r.Header.Get("Sec-Fetch-Site") == "" && auth.BegunAt(r, token, r.Header.Get("Origin")) {
		return nil
	}
	return problemOf(http.StatusForbidden, "cross_origin",
		"a write with the session cookie must come from this site's own pages; use an Authorization header elsewhere")
}

// permit returns what the caller lacks for the operation, if anything.
func permit(caller auth.Caller, may access, id string) (p *problem, challenge string) {
	need := may.scope
	if may.self && caller.UserID != id {
		need = auth.ScopeWriteUsers
	}
	if need == "" || caller.May(need) {
		return nil, ""
	}
	return problemOf(http.StatusForbidden, "insufficient_scope", fmt.Sprintf("this needs a token with the scope %s", need)),
		fmt.Sprintf(`, error="insufficient_scope", scope=%q`, need)
}
