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

// access says who may call an operation. The zero value is for anyone with a token.
type access struct {
	scope  string // callers with this scope
	self   bool   // the user whose id is in the path, and callers with the scope users:write
	public bool   // also callers without a token, if the service is public
	open   bool   // everybody; no token is looked at
	stream bool   // the token may be in the query, if the service allows that

	noRateLimit bool // it changes nothing in the database; see Limits.WriteRate
}

const accessKey = "access"

// realm is the beginning of every WWW-Authenticate header.
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

// sessionIn returns the id of the browser session that the request belongs to, or 0.
func sessionIn(ctx context.Context) uint64 {
	id, _ := ctx.Value(sessionKey{}).(uint64)
	return id
}

// authorize passes on a request if its caller may call the operation. Otherwise it refuses the
// request with a challenge that says what the caller lacks, as in RFC 6750, section 3.
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
		id, _ := validate.IDIn(ctx.Param("id"), a.Live.Has) // a bad id is refused later, by Resolve
		p, challenge = permit(caller, may, id)
	}
	if p != nil {
		switch {
		case p.Status == http.StatusServiceUnavailable:
			ctx.SetHeader("Retry-After", keysRetryAfter)
		case p.Code != "cross_origin":
			ctx.SetHeader("WWW-Authenticate", realm+challenge)
		}
		_ = huma.WriteErr(a.huma, ctx, p.Status, p.Detail, p) // huma reports it
		return
	}
	if !caller.Anonymous() {
		requestOf(r.Context()).memory.SetAccount(caller.UserID)
	}
	ctx = huma.WithValue(ctx, callerKey{}, caller)
	if token, from, _ := auth.TokenOf(r, false); from == auth.FromCookie {
		ctx = huma.WithValue(ctx, sessionKey{}, sessionOf(token))
	}
	next(ctx)
}

// identify returns who calls, or the problem with the token and the challenge to answer with.
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

// keysRetryAfter is how many seconds a client should wait until the keys may have been fetched.
const keysRetryAfter = "5"

// noKeys is the problem that a token can't be verified now. It does not say that the token is bad,
// so clients do not throw it away.
func noKeys() *problem {
	return problemOf(http.StatusServiceUnavailable, "keys_unavailable", auth.ErrUnavailable.Error()+"; try again")
}

// invalidToken returns the part of a challenge that says why a token was refused.
func invalidToken(err error) string {
	return fmt.Sprintf(`, error="invalid_token", error_description=%q`, err)
}

// sameOrigin returns a problem if a page of another site made the browser send this write together
// with the session cookie.
//
// A browser says how the page is related to the site (Sec-Fetch-Site). An older one only says which
// site the page is from (Origin), which has to be compared with the host. A proxy may have replaced
// the host by its own. If it does not say what the host was, the page is taken for the site's own
// if the session began on a page of the same origin: beginning a session needs the token, which
// other sites do not have.
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

// permit returns a problem and a challenge if the caller may not call the operation. id is the user
// in the path.
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
