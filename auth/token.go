package auth

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/golang-jwt/jwt/v5"

	"marcador/internal/validate"
)

const (
	// maxToken bounds a token, in bytes.
	maxToken = 8 << 10

	// lastSecond is the last second of the year 9999, the last year that RFC 3339 can write.
	lastSecond = 253_402_300_799
)

// header is the first part of a JWT. It has no field for keys that the token brings along or points
// to (jwk, jku, x5c, x5u), because whoever forges a token forges them too.
type header struct {
	Algorithm string         `json:"alg"`
	KeyID     string         `json:"kid"`
	Type      string         `json:"typ"`
	Critical  jsontext.Value `json:"crit"`
}

// token is a JWT in parts. Only its header has been decoded.
type token struct {
	header    header
	signed    string // what the signature is for: header and claims as they came
	payload   string // the claims, in base64
	signature []byte
}

// base64url accepts no padding, and only one form of each value.
var base64url = base64.RawURLEncoding.Strict()

// refused returns the error that says why a token is not accepted.
func refused(why string) error { return fmt.Errorf("%w: %s", ErrInvalidToken, why) }

// parse takes a token apart. It never allocates more than a few times maxToken.
func parse(text string) (token, error) {
	var t token
	if len(text) > maxToken {
		return t, refused(fmt.Sprintf("it is longer than %d bytes", maxToken))
	}
	head, rest, _ := strings.Cut(text, ".")
	payload, signature, ok := strings.Cut(rest, ".")
	if !ok || strings.ContainsAny(text, "\r\n") { // base64 would skip line breaks
		return t, refused("it is not a JWT")
	}
	t.payload, t.signed = payload, text[:len(head)+1+len(payload)]
	b, err := base64url.DecodeString(head)
	if err == nil {
		err = json.Unmarshal(b, &t.header)
	}
	if err == nil {
		t.signature, err = base64url.DecodeString(signature)
	}
	switch {
	case err != nil:
		return t, refused("it is not a JWT")
	case t.header.Critical != nil: // RFC 7515, section 4.1.11
		return t, refused("its header has a critical extension (crit), which this service does not know")
	case !isAccess(t.header.Type):
		return t, refused("its header says that it is another kind of JWT (typ), not an access token")
	}
	return t, nil
}

// isAccess reports whether a JWT of that type may be an access token. Most tokens only say JWT. One
// that says it is something else must be refused (RFC 8725, section 3.11).
func isAccess(typ string) bool {
	typ = strings.TrimPrefix(strings.ToLower(typ), "application/")
	return typ == "" || typ == "jwt" || typ == "at+jwt"
}

// verify returns nil if one of the keys made the signature. The header only chooses between keys,
// by algorithm and id. The key decides which algorithm is computed.
func (t token) verify(sets ...[]key) error {
	tried := 0
	for _, keys := range sets {
		for _, k := range keys {
			if !k.fits(t.header) {
				continue
			}
			if tried++; tried > maxTried {
				return refused("several keys may have signed it; its header must name one (kid)")
			}
			if k.method.Verify(t.signed, t.signature, k.material) == nil {
				return nil
			}
		}
	}
	return refused("its signature or algorithm is not accepted")
}

// claims are the claims that are used: six of RFC 7519, and email, name and scope.
type claims struct {
	Issuer    string           `json:"iss"`
	Subject   string           `json:"sub"`
	Audience  jwt.ClaimStrings `json:"aud"`
	Expires   *float64         `json:"exp"`
	NotBefore *float64         `json:"nbf"`
	IssuedAt  *float64         `json:"iat"`
	Email     string           `json:"email"`
	Name      string           `json:"name"`
	Scope     string           `json:"scope"`
}

// claims decodes the claims. They must be JSON in valid UTF-8, with each name once and values of
// the right types.
func (t token) claims() (claims, error) {
	var c claims
	b, err := base64url.DecodeString(t.payload)
	if err == nil {
		err = json.Unmarshal(b, &c)
	}
	if err != nil {
		return claims{}, refused("its claims are not a JSON object as RFC 7519 demands; sub and scope are text, exp is a number of seconds, and no name comes twice")
	}
	for _, seconds := range []*float64{c.Expires, c.NotBefore, c.IssuedAt} {
		if seconds != nil && (*seconds < 0 || *seconds > lastSecond) {
			return claims{}, refused("one of its times lies before 1970 or after the year 9999; exp, nbf and iat count seconds, not milliseconds")
		}
	}
	return c, nil
}

// registered returns the claims for which jwt.Validator has rules.
func (c claims) registered() jwt.RegisteredClaims {
	return jwt.RegisteredClaims{
		Issuer: c.Issuer, Subject: c.Subject, Audience: c.Audience,
		ExpiresAt: date(c.Expires), NotBefore: date(c.NotBefore), IssuedAt: date(c.IssuedAt),
	}
}

func date(seconds *float64) *jwt.NumericDate {
	if seconds == nil {
		return nil
	}
	whole, part := math.Modf(*seconds)
	return &jwt.NumericDate{Time: time.Unix(int64(whole), int64(part*float64(time.Second)))}
}

// caller returns the caller that the claims name, with a canonical id. The claims must have an exp.
func (c claims) caller(known func(id string) bool) (Caller, error) {
	if c.Subject == "" {
		return Caller{}, refused("it has no sub claim")
	}
	// No login service puts a line break into a sub, not even at an end, where IDIn would remove
	// it.
	id, fault := c.Subject, validate.Text(c.Subject, validate.MaxID)
	if fault == "" {
		id, fault = validate.IDIn(c.Subject, known)
	}
	if fault != "" {
		return Caller{}, refused("its sub can't be a user's id: it " + fault)
	}
	return Caller{
		UserID:  id,
		Email:   c.Email,
		Name:    c.Name,
		Scopes:  strings.Fields(c.Scope),
		Expires: date(c.Expires).Time,
	}, nil
}

// reason says why claims were refused, without quoting from them.
func reason(err error) string {
	for _, r := range []struct {
		err  error
		text string
	}{
		{jwt.ErrTokenRequiredClaimMissing, "it lacks a required claim (exp, and iss or aud where the service asks for them)"},
		{jwt.ErrTokenExpired, "it has expired"},
		{jwt.ErrTokenNotValidYet, "it is not valid yet"},
		{jwt.ErrTokenUsedBeforeIssued, "it was issued in the future"},
		{jwt.ErrTokenInvalidIssuer, "it is from another issuer"},
		{jwt.ErrTokenInvalidAudience, "it is for another audience"},
	} {
		if errors.Is(err, r.err) {
			return r.text
		}
	}
	return "its claims are not accepted"
}
