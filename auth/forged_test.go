package auth_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"math/big"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"marcador/auth"
	"marcador/auth/authtest"
)

// description matches what RFC 6750, section 3, allows in error_description.
var description = regexp.MustCompile(`^[\x20-\x21\x23-\x5B\x5D-\x7E]+$`)

// Forged tokens of every kind are refused, each for its own reason, by a verifier that has keys of
// all kinds, from a file or from a JWKS.
func TestVerifier_Verify_forged(t *testing.T) {
	good := authtest.Good()
	accepted, forged := authtest.Accepted(t), authtest.Forged(t)
	var s server
	s.set(authtest.Set(good.JWK("RS256", nil), good.JWK("ES256", nil), good.JWK("EdDSA", nil)), "", 0)
	for name, opts := range map[string]auth.Options{
		"file":          {Secret: good.Secret, PublicPEM: good.PEM(t, "RS256", "ES256", "EdDSA")},
		"JWKS":          {Secret: good.Secret, JWKS: address},
		"file and JWKS": {Secret: good.Secret, JWKS: address, PublicPEM: good.PEM(t, "RS256", "ES256", "EdDSA")},
	} {
		opts.Transport, opts.Log = &s, slog.New(slog.DiscardHandler)
		opts.Issuer, opts.Audience = authtest.Iss, authtest.Aud
		v := newRemote(t, opts)
		for v.Ready() != nil {
			time.Sleep(time.Millisecond) // until another goroutine has fetched the keys
		}
		for range 2 { // the second time from the cache
			for _, c := range accepted {
				if caller, err := v.Verify(t.Context(), c.Token); err != nil || caller.Anonymous() {
					t.Errorf("%s: %s: %+v, %v", name, c.Name, caller, err)
				}
			}
		}
		for _, c := range forged {
			if name != "JWKS" && c.Name == "kid of another key" {
				continue // keys in a file have no ids
			}
			caller, err := v.Verify(t.Context(), c.Token)
			if !errors.Is(err, auth.ErrInvalidToken) || !caller.Anonymous() || len(caller.Scopes) > 0 {
				t.Errorf("%s: %s: %+v, %v", name, c.Name, caller, err)
				continue
			}
			if !strings.Contains(err.Error(), c.Why) || !description.MatchString(err.Error()) {
				t.Errorf("%s: %s: %q, want it to say %q", name, c.Name, err, c.Why)
			}
		}
	}
	// A verifier without the secret refuses tokens that were made with it.
	v := newRemote(t, auth.Options{PublicPEM: good.PEM(t, "RS256", "ES256", "EdDSA")})
	if _, err := v.Verify(t.Context(), good.Token(t, "HS256", authtest.Claims(nil), nil)); !errors.Is(err, auth.ErrInvalidToken) {
		t.Errorf("HS256 without a secret: %v", err)
	}
}

// Clocks may differ by thirty seconds, exactly.
func TestVerifier_Verify_leeway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		token := func(claim string, at time.Time) string {
			return authtest.Good().Token(t, "HS256", authtest.Claims(map[string]any{claim: at.Unix()}), nil)
		}
		v, err := auth.NewVerifier(auth.Options{Secret: authtest.Good().Secret})
		if err != nil {
			t.Fatal(err)
		}
		expired, early, issued := token("exp", now), token("nbf", now.Add(time.Minute)), token("iat", now.Add(time.Minute))
		check := func(when string, want map[string]bool) {
			t.Helper()
			for token, good := range want {
				if _, err := v.Verify(t.Context(), token); (err == nil) != good {
					t.Errorf("%s: %v, want it to be good: %v", when, err, good)
				}
			}
		}
		time.Sleep(30*time.Second - 1)
		check("before thirty seconds", map[string]bool{expired: true, early: false, issued: false})
		time.Sleep(time.Nanosecond)
		check("after thirty seconds", map[string]bool{expired: false, early: true, issued: true})
	})
}

// A token without a kid is tried with up to eight keys.
func TestVerifier_Verify_manyKeys(t *testing.T) {
	good := authtest.Good()
	keys := make([]map[string]any, 0, 9)
	for _, kid := range []string{"1", "2", "3", "4", "5", "6", "7", "8"} {
		keys = append(keys, authtest.Evil().JWK("ES256", map[string]any{"kid": kid}))
	}
	var s server
	s.set(authtest.Set(append(keys, good.JWK("ES256", nil))...), "", 0)
	v := newRemote(t, auth.Options{JWKS: address, Transport: &s, Log: slog.New(slog.DiscardHandler)})
	for v.Ready() != nil {
		time.Sleep(time.Millisecond) // until another goroutine has fetched the keys
	}
	if _, err := v.Verify(t.Context(), good.Token(t, "ES256", authtest.Claims(nil), nil)); err != nil {
		t.Errorf("with a kid: %v", err)
	}
	_, err := v.Verify(t.Context(), good.Token(t, "ES256", authtest.Claims(nil), map[string]any{"kid": nil}))
	if !errors.Is(err, auth.ErrInvalidToken) || !strings.Contains(err.Error(), "kid") {
		t.Errorf("without: %v", err)
	}
}

// FuzzVerifier_Verify checks that Verify never panics, and that objection agrees that an accepted
// token is good.
func FuzzVerifier_Verify(f *testing.F) {
	good := authtest.Good()
	v, err := auth.NewVerifier(auth.Options{
		Secret: good.Secret, PublicPEM: good.PEM(f, "RS256", "ES256", "EdDSA"), Issuer: authtest.Iss, Audience: authtest.Aud,
	})
	if err != nil {
		f.Fatal(err)
	}
	for _, c := range append(authtest.Accepted(f), authtest.Forged(f)...) {
		f.Add(c.Token)
	}
	f.Fuzz(func(t *testing.T, token string) {
		caller, err := v.Verify(t.Context(), token)
		if err != nil {
			if !errors.Is(err, auth.ErrInvalidToken) || !caller.Anonymous() || !description.MatchString(err.Error()) {
				t.Errorf("Verify(%q) = %+v, %v", token, caller, err)
			}
			return
		}
		if why := objection(good, token, caller); why != "" {
			t.Errorf("Verify(%q) = %+v, but %s", token, caller, why)
		}
	})
}

// FuzzVerifier_claims checks how Verify reads arbitrary headers and claims that are signed with a
// good key. The corpus has no tokens, because each process has another key.
func FuzzVerifier_claims(f *testing.F) {
	good := authtest.Good()
	v, err := auth.NewVerifier(auth.Options{Secret: good.Secret, PublicPEM: good.PEM(f, "EdDSA"), Issuer: authtest.Iss, Audience: authtest.Aud})
	if err != nil {
		f.Fatal(err)
	}
	for _, c := range append(authtest.Accepted(f), authtest.Forged(f)...) {
		if parts := strings.Split(c.Token, "."); len(parts) == 3 {
			header, err1 := base64.RawURLEncoding.DecodeString(parts[0])
			payload, err2 := base64.RawURLEncoding.DecodeString(parts[1])
			if err1 == nil && err2 == nil {
				header := strings.NewReplacer("RS256", "HS256", "ES256", "EdDSA").Replace(string(header))
				f.Add(strings.Contains(header, "EdDSA"), header, string(payload))
			}
		}
	}
	f.Fuzz(func(t *testing.T, ed bool, header, payload string) {
		alg := "HS256"
		if ed {
			alg = "EdDSA"
		}
		token := good.Raw(t, alg, header, payload)
		caller, err := v.Verify(t.Context(), token)
		if err != nil {
			if !errors.Is(err, auth.ErrInvalidToken) || !caller.Anonymous() || !description.MatchString(err.Error()) {
				t.Errorf("Verify() = %+v, %v", caller, err)
			}
			return
		}
		if why := objection(good, token, caller); why != "" {
			t.Errorf("Verify() = %+v, but %s", caller, why)
		}
	})
}

// canonical returns the canonical form of an id.
func canonical(sub any) string {
	s, _ := sub.(string)
	return strings.TrimFunc(norm.NFC.String(strings.TrimFunc(s, unicode.IsSpace)), unicode.IsSpace)
}

// objection returns what is wrong with an accepted token, or "". It uses nothing but the standard
// library.
func objection(good *authtest.Issuer, token string, caller auth.Caller) string {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "it has not three parts"
	}
	var decoded [3][]byte
	for i, part := range parts {
		b, err := base64.RawURLEncoding.DecodeString(part)
		if err != nil || base64.RawURLEncoding.EncodeToString(b) != part {
			return "it is not in base64url"
		}
		decoded[i] = b
	}
	var header, claims map[string]any // a struct would accept names in another case
	if json.Unmarshal(decoded[0], &header) != nil || json.Unmarshal(decoded[1], &claims) != nil {
		return "it is not JSON"
	}
	exp, _ := claims["exp"].(float64)
	signed, sig := []byte(parts[0]+"."+parts[1]), decoded[2]
	sum := sha256.Sum256(signed)
	ok := false
	switch header["alg"] {
	case "HS256":
		mac := hmac.New(sha256.New, good.Secret)
		mac.Write(signed)
		ok = hmac.Equal(mac.Sum(nil), sig)
	case "RS256":
		ok = rsa.VerifyPKCS1v15(&good.RSA.PublicKey, crypto.SHA256, sum[:], sig) == nil
	case "ES256":
		ok = len(sig) == 64 && ecdsa.Verify(&good.EC.PublicKey, sum[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:]))
	case "EdDSA":
		public, _ := good.Ed.Public().(ed25519.PublicKey) // it always is
		ok = ed25519.Verify(public, signed, sig)
	}
	switch {
	case !ok:
		return "its signature is not good"
	case caller.Anonymous() || canonical(claims["sub"]) != caller.UserID || claims["iss"] != authtest.Iss:
		return "its claims are not the caller's"
	case time.Until(time.Unix(int64(exp), 0)) < -31*time.Second || caller.Expires.Unix() != int64(exp):
		return "it expires at another time"
	case header["crit"] != nil || strings.ContainsAny(caller.UserID, "\r\n\x00"):
		return "its header or user should be refused"
	}
	return ""
}
