package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	// MinSecret is the least length of an HS256 key, in bytes. It is the length of the hash, as RFC
	// 7518, section 3.2, demands.
	MinSecret = 32

	// leeway is how much the clocks of the signing and the verifying machine may differ.
	leeway = 30 * time.Second
)

// ErrInvalidToken is wrapped by errors that say why a token is refused. Their text quotes nothing
// from the token and may be shown to the caller.
var ErrInvalidToken = errors.New("invalid token")

// ErrNoKeys is returned by NewVerifier if the options name no key.
var ErrNoKeys = errors.New("there is no key to verify tokens with")

// Options says which tokens are good. There must be at least one key.
type Options struct {
	Secret    []byte // an HS256 key of MinSecret bytes or more
	PublicPEM []byte // RS256, ES256 and EdDSA keys: PEM blocks of public keys or certificates
	JWKS      string // the address of a set of such keys, which Run keeps fresh; see CheckJWKS
	Issuer    string // the iss that a token must have; "" for any
	Audience  string // the aud that a token must have; "" for any

	// Known reports whether the database has exactly this user id. A sub that it knows is not
	// changed. Any other sub is brought into the canonical form of ids. Nil knows no id.
	Known func(id string) bool

	Transport http.RoundTripper // fetches the JWKS; nil for a default one
	Log       *slog.Logger      // gets changes and failures of the JWKS; must be set if JWKS is
}

// Verifier verifies tokens. It is safe for concurrent use.
type Verifier struct {
	opts   Options
	keys   []key       // from the options; they do not change
	remote *remoteKeys // nil without a JWKS
	cache  *tokenCache // nil if there is no public key
	claims *jwt.Validator
}

// NewVerifier returns a verifier. The error is ErrNoKeys if the options name no key, or else says
// in one line which key can't be used and why.
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
		if v.remote, err = newRemoteKeys(opts.JWKS, opts.Transport, opts.Log); err != nil {
			return nil, err
		}
	}
	if len(v.keys) == 0 && v.remote == nil {
		return nil, ErrNoKeys
	}
	if opts.PublicPEM != nil || v.remote != nil {
		v.cache = newTokenCache()
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

// Run fetches the JWKS and keeps it fresh until ctx ends. Without a JWKS it returns at once. It
// must not be called twice.
func (v *Verifier) Run(ctx context.Context) {
	if v.remote != nil {
		v.remote.run(ctx)
	}
}

// Ready returns ErrUnavailable until the JWKS has been fetched for the first time. After that, and
// without a JWKS, it returns nil.
func (v *Verifier) Ready() error {
	if v.remote != nil && v.remote.keys.Load() == nil {
		return ErrUnavailable
	}
	return nil
}

// Verify returns the caller that the token names. The package documentation says which tokens are
// accepted; for others the error wraps ErrInvalidToken. The error is ErrUnavailable if the token
// may be signed with a key that can't be fetched now.
//
// Verify only waits, for up to 5 s, if the token names a key that the JWKS lacks.
func (v *Verifier) Verify(ctx context.Context, token string) (Caller, error) {
	if v.cache != nil && len(token) <= maxToken {
		if caller, ok := v.cache.get(token, v.keySet(), time.Now()); ok {
			return caller, nil
		}
	}
	t, err := parse(token)
	if err != nil {
		return Caller{}, err
	}
	set, err := v.checkSignature(ctx, t)
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
	if err == nil && v.cache != nil && t.header.Algorithm != jwt.SigningMethodHS256.Alg() {
		v.cache.put(token, set, caller)
	}
	return caller, err
}

// keySet returns the newest set of the JWKS, or nil.
func (v *Verifier) keySet() *[]key {
	if v.remote == nil {
		return nil
	}
	return v.remote.keys.Load()
}

// checkSignature returns an error unless one of the keys signed the token. It also returns the set
// of the JWKS that was used.
func (v *Verifier) checkSignature(ctx context.Context, t token) (*[]key, error) {
	set := v.keySet()
	err := t.verify(v.keys, keysOf(set))
	if err == nil || v.remote == nil || !mayBeNewer(set, t.header) {
		return set, err
	}
	if err := v.remote.renew(ctx); err != nil {
		return nil, err
	}
	set = v.keySet()
	return set, t.verify(v.keys, keysOf(set))
}

// Sign returns a token that Verify accepts as c's for the given time. It ignores c.Expires. It is
// an error if there is no secret.
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
