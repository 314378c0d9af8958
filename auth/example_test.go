package auth_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"marcador/auth"
)

// login is a login service with one key.
type login struct{ key ed25519.PrivateKey }

func newLogin() login {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	return login{key}
}

// token returns a token with these claims that is good for an hour.
func (l login) token(claims jwt.MapClaims) string {
	claims["exp"] = time.Now().Add(time.Hour).Unix()
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims)
	token.Header["kid"] = "2026"
	text, err := token.SignedString(l.key)
	if err != nil {
		panic(err)
	}
	return text
}

func (l login) publicPEM() []byte {
	der, err := x509.MarshalPKIXPublicKey(l.key.Public())
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// keySet returns the public key as a JWKS.
func (l login) keySet() map[string]any {
	public, _ := l.key.Public().(ed25519.PublicKey) // it always is
	return map[string]any{"keys": []map[string]string{
		{"kty": "OKP", "crv": "Ed25519", "kid": "2026", "x": base64.RawURLEncoding.EncodeToString(public)},
	}}
}

// A verifier with a secret signs tokens, for development and tests, and verifies them.
func Example() {
	verifier, err := auth.NewVerifier(auth.Options{Secret: []byte("an example's secret of 32 bytes!")})
	if err != nil {
		fmt.Println(err)
		return
	}
	token, err := verifier.Sign(auth.Caller{UserID: "ana", Scopes: []string{auth.ScopeWriteXP}}, time.Hour)
	if err != nil {
		fmt.Println(err)
		return
	}
	caller, err := verifier.Verify(context.Background(), token)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(caller.UserID, caller.May(auth.ScopeWriteXP), caller.May(auth.ScopeWriteUsers))
	_, err = verifier.Verify(context.Background(), token+"x")
	fmt.Println(err)
	fmt.Println(errors.Is(err, auth.ErrInvalidToken))
	// Output:
	// ana true false
	// invalid token: its signature or algorithm is not accepted
	// true
}

// Tokens of a login service are verified with its public key, which usually comes from a file. The
// service also demands that a token is for this audience.
func ExampleNewVerifier_publicPEM() {
	login := newLogin()
	verifier, err := auth.NewVerifier(auth.Options{PublicPEM: login.publicPEM(), Audience: "marcador"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, audience := range []string{"marcador", "wiki"} {
		caller, err := verifier.Verify(context.Background(), login.token(jwt.MapClaims{"sub": "ana", "aud": audience}))
		fmt.Printf("%q %v\n", caller.UserID, err)
	}
	// Output:
	// "ana" <nil>
	// "" invalid token: it is for another audience
}

// A login service that changes its keys publishes them as a JSON Web Key Set (JWKS).
func ExampleVerifier_Run() {
	login := newLogin()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(login.keySet()) // the client may be gone
	}))
	defer server.Close()

	verifier, err := auth.NewVerifier(auth.Options{JWKS: server.URL, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		verifier.Run(ctx)
	}()
	defer func() { cancel(); <-stopped }()

	// The token names a key that is not known yet, so Verify waits until the set has been fetched.
	caller, err := verifier.Verify(ctx, login.token(jwt.MapClaims{"sub": "ana", "scope": "admin"}))
	fmt.Println(caller.UserID, caller.May(auth.ScopeWriteUsers), err)
	// Output:
	// ana true <nil>
}
