package auth_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"marcador/auth"
	"marcador/auth/authtest"
)

// A token in the cache is not good for longer than another token.
func TestVerifier_Verify_cached(t *testing.T) {
	good := authtest.Good()
	synctest.Test(t, func(t *testing.T) {
		var s server
		s.set(authtest.Set(good.JWK("RS256", nil), good.JWK("ES256", nil)), "max-age=600", 0)
		v := newRemote(t, auth.Options{JWKS: address, Transport: &s, Log: slog.New(slog.DiscardHandler), Secret: good.Secret})
		synctest.Wait()
		verify := func(when, token string, want bool) {
			t.Helper()
			for range 2 {
				caller, err := v.Verify(t.Context(), token)
				if (err == nil) != want || want != (caller.UserID == "u1") || err != nil && !errors.Is(err, auth.ErrInvalidToken) {
					t.Errorf("%s: %+v, %v, want it to be good: %v", when, caller, err, want)
				}
			}
		}
		long := good.Token(t, "RS256", authtest.Claims(jwt.MapClaims{"exp": time.Now().Add(24 * time.Hour).Unix()}), nil)
		other := good.Token(t, "ES256", authtest.Claims(jwt.MapClaims{"exp": time.Now().Add(24 * time.Hour).Unix()}), nil)
		short := good.Token(t, "RS256", authtest.Claims(jwt.MapClaims{"exp": time.Now().Add(time.Minute).Unix()}), nil)
		verify("at first", long, true)
		verify("at first, another key's", other, true)
		verify("at first, short", short, true)
		if got := v.Cached(); got != 3 {
			t.Errorf("%d tokens are cached", got)
		}
		verify("at first, HS256", good.Token(t, "HS256", authtest.Claims(nil), nil), true)
		if got := v.Cached(); got != 3 {
			t.Errorf("%d tokens are cached after one in HS256", got)
		}
		// A token that differs in any part is another token.
		signed, _, _ := strings.Cut(long, ".")
		verify("with another's claims", signed+"."+strings.Split(short, ".")[1]+"."+strings.Split(long, ".")[2], false)
		verify("without its signature", long[:strings.LastIndexByte(long, '.')+1], false)
		verify("with more behind", long+"A", false)

		time.Sleep(90*time.Second - 1)
		verify("nearly expired", short, true)
		time.Sleep(time.Nanosecond)
		verify("expired", short, false)
		time.Sleep(time.Hour) // the same set comes again and again
		verify("with the same set", long, true)
		s.set(authtest.Set(good.JWK("ES256", nil)), "max-age=600", 0)
		time.Sleep(11 * time.Minute)
		verify("when its key has left", long, false)
		verify("when another key has left", other, true)
		s.set(authtest.Set(authtest.Evil().JWK("ES256", nil)), "max-age=600", 0)
		time.Sleep(11 * time.Minute)
		verify("when its key is another", other, false)
	})
}

// The cache is bounded. Long tokens and bad tokens do not get into it.
func TestVerifier_Verify_cacheBound(t *testing.T) {
	good := authtest.Good()
	v, err := auth.NewVerifier(auth.Options{PublicPEM: good.PEM(t, "EdDSA")})
	if err != nil {
		t.Fatal(err)
	}
	for _, claims := range []jwt.MapClaims{
		{"name": strings.Repeat("x", 1100)}, {"scope": strings.Repeat("x ", 600)}, {"exp": 1}, {"sub": ""},
	} {
		// The first two tokens are good, and too long for the cache.
		_, _ = v.Verify(t.Context(), good.Token(t, "EdDSA", authtest.Claims(claims), nil))
	}
	if _, err := v.Verify(t.Context(), authtest.Evil().Token(t, "EdDSA", authtest.Claims(nil), nil)); err == nil {
		t.Error("a forged token is accepted")
	}
	if got := v.Cached(); got != 0 {
		t.Errorf("%d tokens are cached that should not be", got)
	}
	if got := auth.CacheTokens(9000); got != 8192 {
		t.Errorf("%d of 9,000 tokens are cached", got)
	}
}
