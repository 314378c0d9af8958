// Package auth turns a token into a caller and what they may do.
package auth

import (
	"errors"
	"fmt"
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

	// maxToken bounds what is parsed at all, in bytes.
	maxToken = 8 << 10
)

// ErrInvalidToken is wrapped by all errors of Verify; what wraps it says why and
// is fit for the caller's eyes.
var ErrInvalidToken = errors.New("invalid token")

// Caller is who calls. The zero value is an anonymous caller.
type Caller struct {
	UserID  string
	Email   string // or empty
	Name    string // or empty
	Scopes  []string
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

// Options says which tokens are good.
type Options struct {
	Secret   []byte // HS256 key, MinSecret bytes or more
	Issuer   string // required `iss`, where set
	Audience string // required `aud`, where set
}

// Verifier verifies tokens. Safe for concurrent use.
type Verifier struct {
	opts   Options
	parser *jwt.Parser
}

// claims are those of RFC 7519 and three more.
type claims struct {
	jwt.RegisteredClaims

	Email string `json:"email,omitempty"`
	Name  string `json:"name,omitempty"`
	Scope string `json:"scope,omitempty"`
}

// NewVerifier returns a verifier, or an error where the secret is too short.
func NewVerifier(opts Options) (*Verifier, error) {
	if n := len(opts.Secret); n < MinSecret {
		return nil, fmt.Errorf("the JWT secret has %d bytes; it needs %d or more", n, MinSecret)
	}
	checks := []jwt.ParserOption{
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
		jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(),
		jwt.WithLeeway(leeway),
	}
	if opts.Issuer != "" {
		checks = append(checks, jwt.WithIssuer(opts.Issuer))
	}
	if opts.Audience != "" {
		checks = append(checks, jwt.WithAudience(opts.Audience))
	}
	return &Verifier{opts: opts, parser: jwt.NewParser(checks...)}, nil
}

// Verify returns who the token says calls. It refuses, with an error that wraps
// ErrInvalidToken: any algorithm but HS256, a signature that is not ours, no
// `exp` or `sub`, another issuer or audience, a time that is out by more than
// 30 s.
func (v *Verifier) Verify(token string) (Caller, error) {
	if len(token) > maxToken {
		return Caller{}, fmt.Errorf("%w: it is longer than %d bytes", ErrInvalidToken, maxToken)
	}
	var c claims
	_, err := v.parser.ParseWithClaims(token, &c, func(t *jwt.Token) (any, error) {
		// RFC 7515, section 4.1.11: what must be understood and is not.
		if _, critical := t.Header["crit"]; critical {
			return nil, jwt.ErrTokenUnverifiable
		}
		return v.opts.Secret, nil
	})
	if err != nil {
		return Caller{}, fmt.Errorf("%w: %s", ErrInvalidToken, reason(err))
	}
	if c.Subject == "" {
		return Caller{}, fmt.Errorf("%w: it has no sub claim", ErrInvalidToken)
	}
	if c.ExpiresAt.Year() > 9999 {
		return Caller{}, fmt.Errorf("%w: its exp lies beyond the year 9999; it counts seconds, not milliseconds", ErrInvalidToken)
	}
	return Caller{
		UserID:  c.Subject,
		Email:   c.Email,
		Name:    c.Name,
		Scopes:  strings.Fields(c.Scope),
		Expires: c.ExpiresAt.Time,
	}, nil
}

// reason words why a token was refused without quoting from it.
func reason(err error) string {
	for _, r := range []struct {
		err  error
		text string
	}{
		{jwt.ErrTokenMalformed, "it is not a JWT"},
		{jwt.ErrTokenSignatureInvalid, "its signature or algorithm is not accepted"},
		{jwt.ErrTokenUnverifiable, "its signature can't be verified"},
		{jwt.ErrTokenRequiredClaimMissing, "it lacks a required claim (exp, and iss or aud where the service asks for them)"},
		{jwt.ErrTokenExpired, "it has expired"},
		{jwt.ErrTokenNotValidYet, "it is not valid yet"},
		{jwt.ErrTokenUsedBeforeIssued, "it was issued in the future"},
		{jwt.ErrTokenInvalidIssuer, "it is of another issuer"},
		{jwt.ErrTokenInvalidAudience, "it is for another audience"},
	} {
		if errors.Is(err, r.err) {
			return r.text
		}
	}
	return "its claims are not accepted"
}

// Sign returns a token that Verify takes for c until ttl from now. c.Expires is
// not looked at.
func (v *Verifier) Sign(c Caller, ttl time.Duration) (string, error) {
	now := time.Now()
	out := claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Subject:   c.UserID,
			Issuer:    v.opts.Issuer,
			IssuedAt:  jwt.NewNumericDate(now),
			ExpiresAt: jwt.NewNumericDate(now.Add(ttl)),
		},
		Email: c.Email,
		Name:  c.Name,
		Scope: strings.Join(c.Scopes, " "),
	}
	if v.opts.Audience != "" {
		out.Audience = jwt.ClaimStrings{v.opts.Audience}
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, out).SignedString(v.opts.Secret)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return token, nil
}
