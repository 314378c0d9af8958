// Package auth turns a token into a caller and what they may do.
package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Scopes that a token may carry.
const (
	ScopeWriteXP    = "xp:write"    // give points to anyone
	ScopeWriteUsers = "users:write" // profiles, groups, deletion
	ScopeAdmin      = "admin"       // all of it, and every board
)

const (
	// MinSecret is the least length of an HS256 key, in bytes: that of the hash,
	// as RFC 7518, section 3.2, demands.
	MinSecret = 32

	// leeway is how far the clocks of who signs and who verifies may differ.
	leeway = 30 * time.Second
)

// ErrInvalidToken is wrapped by the errors of Verify about the token; what wraps
// it says why, quotes nothing from it, and is fit for the caller's eyes.
var ErrInvalidToken = errors.New("invalid token")

// ErrNoKeys is what NewVerifier returns where the options name none.
var ErrNoKeys = errors.New("there is no key to verify tokens with")

// Caller is who calls. The zero value is an anonymous caller.
type Caller struct {
	UserID  string
	Email   string    // or empty
	Name    string    // or empty
	Scopes  []string  // not to be changed
	Expires time.Time // zero for an anonymous caller
}

// Anonymous reports whether the caller showed no token.
func (c Caller) Anonymous() bool { return c.UserID == "" }

// May reports whether the caller has the scope, by itself or as admin.
func (c Caller) May(scope string) bool {
	return slices.Contains(c.Scopes, scope) || slices.Contains(c.Scopes, ScopeAdmin)
}

// StreamUntil is when a stream that begins now ends: when the token expires, or,
// for one that is accepted after that because clocks differ, when they may not
// differ more.
func (c Caller) StreamUntil(now time.Time) time.Time {
	if c.Expires.IsZero() || c.Expires.After(now) {
		return c.Expires
	}
	return c.Expires.Add(leeway)
}

// Options says which tokens are good. A secret and public keys may stand beside
// each other: a token is verified only with keys of its own algorithm.
type Options struct {
	Secret    []byte // HS256 key, MinSecret bytes or more
	PublicPEM []byte // RS256, ES256 and EdDSA keys: PEM blocks of public keys or certificates
	JWKS      string // address of a set of such keys, which Run keeps fresh
	Issuer    string // required `iss`, where set
	Audience  string // required `aud`, where set

	// Known reports whether the database has that user id to the letter. A sub that it
	// knows is taken as it is, any other in the form that ids are kept in. Nil knows none.
	Known func(id string) bool

	Transport http.RoundTripper // fetches the JWKS, where it is set
	Log       *slog.Logger      // told of the JWKS; must be set with it
}

// Verifier verifies tokens. Safe for concurrent use.
type Verifier struct {
	opts   Options
	keys   []key   // of the options, and fixed
	remote *remote // nil where there is no JWKS
	seen   *seen   // nil where there is no public key
	claims *jwt.Validator
}

// NewVerifier returns a verifier, ErrNoKeys where there is no key, or an error of
// one line where one can't be used.
func NewVerifier(opts Options) (*Verifier, error) {
	if opts.Known == nil {
		opts.Known = func(string) bool { return false }
	}
	v := &Verifier{opts: opts}
	if n := len(opts.Secret); n > 0 {
		if n < MinSecret {
			return nil, fmt.Errorf("the JWT secret has %d bytes; it needs %d or more", n, MinSecret)
		}
		v.keys = append(v.keys, key{method: jwt.SigningMethodHS256, material: opts.Secret})
	}
	if opts.PublicPEM != nil {
		public, err := parsePEM(opts.PublicPEM)
		if err != nil {
			return nil, err
		}
		v.keys = append(v.keys, public...)
	}
	if opts.JWKS != "" {
		var err error
		if v.remote, err = newRemote(opts.JWKS, opts.Transport, opts.Log); err != nil {
			return nil, err
		}
	}
	if len(v.keys) == 0 && v.remote == nil {
		return nil, ErrNoKeys
	}
	if opts.PublicPEM != nil || v.remote != nil {
		v.seen = newSeen()
	}
	checks := []jwt.ParserOption{jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(leeway)}
	if opts.Issuer != "" {
		checks = append(checks, jwt.WithIssuer(opts.Issuer))
	}
	if opts.Audience != "" {
		checks = append(checks, jwt.WithAudience(opts.Audience))
	}
	v.claims = jwt.NewValidator(checks...)
	return v, nil
}

// Run fetches the JWKS and keeps it fresh until ctx is done. Where there is none,
// it returns at once. It must not be called twice.
func (v *Verifier) Run(ctx context.Context) {
	if v.remote != nil {
		v.remote.run(ctx)
	}
}

// Ready returns ErrUnavailable until the JWKS has come for the first time. From
// then on the last one that came is used.
func (v *Verifier) Ready() error {
	if v.remote != nil && v.remote.keys.Load() == nil {
		return ErrUnavailable
	}
	return nil
}

// Verify returns who the token says calls. It refuses, with an error that wraps
// ErrInvalidToken: a signature that none of the keys for the token's algorithm
// made, no `exp` or `sub`, another issuer or audience, a time that is out by more
// than 30 s, and what is not a JWT to the letter. Nothing of the claims is read
// before the signature is known to be good.
//
// A token that names a key which the JWKS lacks may wait some seconds for a newer
// one; the error is ErrUnavailable where that can't be had. Others never wait.
func (v *Verifier) Verify(ctx context.Context, token string) (Caller, error) {
	if v.seen != nil && len(token) <= maxToken {
		if caller, ok := v.seen.find(token, v.set(), time.Now()); ok {
			return caller, nil
		}
	}
	t, err := parse(token)
	if err != nil {
		return Caller{}, err
	}
	set, err := v.signed(ctx, t)
	if err != nil {
		return Caller{}, err
	}
	c, err := t.claims()
	if err != nil {
		return Caller{}, err
	}
	if err := v.claims.Validate(c.registered()); err != nil {
		return Caller{}, refused(reason(err))
	}
	caller, err := c.caller(v.opts.Known)
	if err == nil && v.seen != nil && t.header.Algorithm != jwt.SigningMethodHS256.Alg() {
		v.seen.keep(token, set, caller)
	}
	return caller, err
}

// set returns the newest set of the JWKS, or nil.
func (v *Verifier) set() *[]key {
	if v.remote == nil {
		return nil
	}
	return v.remote.keys.Load()
}

// signed returns nil where one of our keys signed the token, and the set of the JWKS
// that was asked.
func (v *Verifier) signed(ctx context.Context, t token) (*[]key, error) {
	set := v.set()
	err := t.verify(v.keys, keysOf(set))
	if err == nil || v.remote == nil || !misses(set, t.header) {
		return set, err
	}
	if err := v.remote.renew(ctx); err != nil {
		return nil, err
	}
	set = v.set()
	return set, t.verify(v.keys, keysOf(set))
}

// Sign returns a token that Verify takes for c until ttl from now. c.Expires is
// not looked at. It needs the secret.
func (v *Verifier) Sign(c Caller, ttl time.Duration) (string, error) {
	if len(v.opts.Secret) == 0 {
		return "", errors.New("tokens are signed with a secret, and there is none")
	}
	now := time.Now()
	out := jwt.MapClaims{"sub": c.UserID, "iat": now.Unix(), "exp": now.Add(ttl).Unix()}
	for name, value := range map[string]string{
		"iss": v.opts.Issuer, "aud": v.opts.Audience,
		"email": c.Email, "name": c.Name, "scope": strings.Join(c.Scopes, " "),
	} {
		if value != "" {
			out[name] = value
		}
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, out).SignedString(v.opts.Secret)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return token, nil
}
