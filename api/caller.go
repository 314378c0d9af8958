package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"marcador/auth"
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

type callerKey struct{}

// callerOf returns who calls.
func callerOf(ctx context.Context) auth.Caller {
	c, _ := ctx.Value(callerKey{}).(auth.Caller)
	return c
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
		p, challenge = permit(caller, may, ctx.Param("id"))
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
	next(huma.WithValue(ctx, callerKey{}, caller))
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
func (a *api) sameOrigin(r *http.Request) *problem {
	if _, from, _ := auth.TokenOf(r, false); from != auth.FromCookie || a.crossOrigin.Check(r) == nil {
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

// secure reports whether the caller's side of the connection is encrypted, here
// or by a proxy.
func secure(r *http.Request) bool {
	return r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
}
