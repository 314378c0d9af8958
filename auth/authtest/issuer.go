// Package authtest makes tokens for tests: good ones, and forged ones of every kind.
package authtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// The names of the algorithms.
const (
	HS256 = "HS256"
	RS256 = "RS256"
	ES256 = "ES256"
	EdDSA = "EdDSA"
)

// Algorithms are all algorithms that a token may be signed with.
var Algorithms = []string{HS256, RS256, ES256, EdDSA}

// Issuer has a key of each algorithm.
type Issuer struct {
	Secret []byte
	RSA    *rsa.PrivateKey
	EC     *ecdsa.PrivateKey
	Ed     ed25519.PrivateKey
}

// Good is an issuer that services trust, and Evil is one that they do not trust. Each is made once
// in a process, because making an RSA key takes long.
var (
	Good = sync.OnceValue(newIssuer)
	Evil = sync.OnceValue(newIssuer)
)

func newIssuer() *Issuer {
	i := &Issuer{Secret: []byte(rand.Text() + rand.Text())}
	var err error
	if i.RSA, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		panic(err)
	}
	if i.EC, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		panic(err)
	}
	if _, i.Ed, err = ed25519.GenerateKey(rand.Reader); err != nil {
		panic(err)
	}
	return i
}

// Public returns the public keys, by algorithm.
func (i *Issuer) Public() map[string]crypto.PublicKey {
	return map[string]crypto.PublicKey{RS256: &i.RSA.PublicKey, ES256: &i.EC.PublicKey, EdDSA: i.Ed.Public()}
}

// Method returns the signing method of an algorithm, and the key for it.
func (i *Issuer) Method(alg string) (jwt.SigningMethod, any) {
	switch alg {
	case HS256:
		return jwt.SigningMethodHS256, i.Secret
	case RS256:
		return jwt.SigningMethodRS256, i.RSA
	case ES256:
		return jwt.SigningMethodES256, i.EC
	}
	return jwt.SigningMethodEdDSA, i.Ed
}

// Claims returns claims of the user u1 that are good for an hour, with changes. A change to nil
// removes a claim.
func Claims(changes jwt.MapClaims) jwt.MapClaims {
	c := jwt.MapClaims{"sub": "u1", "exp": time.Now().Add(time.Hour).Unix()}
	maps.Copy(c, changes)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

// Token signs claims with the issuer's key of an algorithm. The key id is the name of the
// algorithm. header has more members of the header, or changes to them; nil removes one.
func (i *Issuer) Token(tb testing.TB, alg string, claims jwt.MapClaims, header map[string]any) string {
	tb.Helper()
	method, key := i.Method(alg)
	token := jwt.NewWithClaims(method, claims)
	if alg != HS256 {
		token.Header["kid"] = alg
	}
	maps.Copy(token.Header, header)
	maps.DeleteFunc(token.Header, func(_ string, v any) bool { return v == nil })
	text, err := token.SignedString(key)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

// Raw signs a header and a payload, whatever they are.
func (i *Issuer) Raw(tb testing.TB, alg, header, payload string) string {
	tb.Helper()
	method, key := i.Method(alg)
	signed := b64([]byte(header)) + "." + b64([]byte(payload))
	signature, err := method.Sign(signed, key)
	if err != nil {
		tb.Fatal(err)
	}
	return signed + "." + b64(signature)
}

// PEM returns the public keys of the algorithms as in a PEM file.
func (i *Issuer) PEM(tb testing.TB, algorithms ...string) []byte {
	tb.Helper()
	var out []byte
	for _, alg := range algorithms {
		der, err := x509.MarshalPKIXPublicKey(i.Public()[alg])
		if err != nil {
			tb.Fatal(err)
		}
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})...)
	}
	return out
}

// JWK returns the public key of an algorithm as a member of a JWKS, with the algorithm's name as
// its id, with changes. A change to nil removes a member.
func (i *Issuer) JWK(alg string, changes map[string]any) map[string]any {
	k := map[string]any{"kid": alg, "alg": alg, "use": "sig"}
	switch alg {
	case HS256:
		k["kty"], k["k"] = "oct", b64(i.Secret)
	case RS256:
		k["kty"], k["n"], k["e"] = "RSA", b64(i.RSA.N.Bytes()), b64(big.NewInt(int64(i.RSA.E)).Bytes())
	case ES256:
		point, err := i.EC.PublicKey.Bytes() // 4, x, y
		if err != nil {
			panic(err)
		}
		k["kty"], k["crv"], k["x"], k["y"] = "EC", "P-256", b64(point[1:33]), b64(point[33:])
	case EdDSA:
		public, _ := i.Ed.Public().(ed25519.PublicKey) // it always is
		k["kty"], k["crv"], k["x"] = "OKP", "Ed25519", b64(public)
	}
	maps.Copy(k, changes)
	maps.DeleteFunc(k, func(_ string, v any) bool { return v == nil })
	return k
}

// Set returns a JWKS of the keys.
func Set(keys ...map[string]any) []byte {
	b, err := json.Marshal(map[string]any{"keys": append([]map[string]any{}, keys...)})
	if err != nil {
		panic(err)
	}
	return b
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
