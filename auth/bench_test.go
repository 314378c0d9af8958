package auth_test

import (
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"marcador/auth"
	"marcador/auth/authtest"
)

// BenchmarkVerifier_Verify measures what a token costs a request, for each algorithm, and as a
// multiple of HS256: a token that is new, and one that was seen before.
func BenchmarkVerifier_Verify(b *testing.B) {
	good := authtest.Good()
	v, err := auth.NewVerifier(auth.Options{Secret: good.Secret, PublicPEM: good.PEM(b, "RS256", "ES256", "EdDSA")})
	if err != nil {
		b.Fatal(err)
	}
	claims := func(i int) jwt.MapClaims {
		return authtest.Claims(jwt.MapClaims{"email": "ana@school.mx", "iat": time.Now().Unix(), "jti": i})
	}
	run := func(b *testing.B, alg string, tokens int) float64 {
		b.Helper()
		seen := make([]string, tokens)
		for i := range seen {
			seen[i] = good.Token(b, alg, claims(i), nil)
		}
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			if _, err := v.Verify(b.Context(), seen[i%tokens]); err != nil {
				b.Fatal(err)
			}
			i++
		}
		return float64(b.Elapsed().Nanoseconds()) / float64(b.N)
	}
	var bare float64
	for _, alg := range authtest.Algorithms {
		b.Run(alg+"/new", func(b *testing.B) {
			cost := run(b, alg, 10_000) // more than the cache holds
			if alg == authtest.HS256 {
				bare = cost
			}
			b.ReportMetric(cost/bare, "x-HS256")
		})
		b.Run(alg+"/seen", func(b *testing.B) { b.ReportMetric(run(b, alg, 100)/bare, "x-HS256") })
	}
}
