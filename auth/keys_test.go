package auth_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"marcador/auth"
	"marcador/auth/authtest"
)

// Each kind of key verifies the tokens of its own algorithm, and no others.
func TestVerifier_Verify_algorithms(t *testing.T) {
	good := authtest.Good()
	for _, has := range authtest.Algorithms {
		opts := auth.Options{Secret: good.Secret}
		if has != authtest.HS256 {
			opts = auth.Options{PublicPEM: good.PEM(t, has)}
		}
		v, err := auth.NewVerifier(opts)
		if err != nil {
			t.Fatal(err)
		}
		for _, alg := range authtest.Algorithms {
			caller, err := v.Verify(t.Context(), good.Token(t, alg, authtest.Claims(nil), nil))
			if alg == has && (err != nil || caller.UserID != "u1") {
				t.Errorf("%s by its key: %+v, %v", alg, caller, err)
			}
			if alg != has && !errors.Is(err, auth.ErrInvalidToken) {
				t.Errorf("%s by a key of %s: %v", alg, has, err)
			}
		}
	}
}

// A verifier may have a secret and public keys. Keys of a file have no ids, so any kid will do.
func TestVerifier_Verify_together(t *testing.T) {
	good := authtest.Good()
	v, err := auth.NewVerifier(auth.Options{Secret: good.Secret, PublicPEM: good.PEM(t, authtest.EdDSA, authtest.ES256, authtest.RS256)})
	if err != nil {
		t.Fatal(err)
	}
	for _, alg := range authtest.Algorithms {
		for _, kid := range []any{nil, "2026-11", alg} {
			if _, err := v.Verify(t.Context(), good.Token(t, alg, authtest.Claims(nil), map[string]any{"kid": kid})); err != nil {
				t.Errorf("%s, kid %v: %v", alg, kid, err)
			}
		}
		if _, err := v.Verify(t.Context(), authtest.Evil().Token(t, alg, authtest.Claims(nil), nil)); !errors.Is(err, auth.ErrInvalidToken) {
			t.Errorf("%s of another issuer: %v", alg, err)
		}
	}
}

// pemBlock returns a PEM block of what a function of crypto/x509 has returned.
func pemBlock(tb testing.TB, kind string, der []byte, err error) string {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// pemOf returns the PEM block of a public key.
func pemOf(tb testing.TB, key any) string {
	tb.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	return pemBlock(tb, "PUBLIC KEY", der, err)
}

func certificateOf(tb testing.TB, key *ecdsa.PrivateKey) string {
	tb.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now()}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	return pemBlock(tb, "CERTIFICATE", der, err)
}

// Public keys and certificates of each supported kind verify tokens, also if there is text around
// the blocks or there are several.
func TestNewVerifier_publicPEM(t *testing.T) {
	good := authtest.Good()
	ed, certificate := pemOf(t, good.Ed.Public()), certificateOf(t, good.EC)
	for name, c := range map[string]struct {
		text string
		alg  string // of a token that is good then
	}{
		"RSA":         {pemOf(t, &good.RSA.PublicKey), authtest.RS256},
		"RSA of old":  {pemBlock(t, "RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&good.RSA.PublicKey), nil), authtest.RS256},
		"P-256":       {pemOf(t, &good.EC.PublicKey), authtest.ES256},
		"Ed25519":     {"from Ana\n\n" + ed, authtest.EdDSA},
		"certificate": {certificate, authtest.ES256},
		"several":     {ed + pemOf(t, &authtest.Evil().EC.PublicKey) + certificate, authtest.ES256},
	} {
		t.Run(name, func(t *testing.T) {
			v, err := auth.NewVerifier(auth.Options{PublicPEM: []byte(c.text)})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := v.Verify(t.Context(), good.Token(t, c.alg, authtest.Claims(nil), nil)); err != nil {
				t.Error(err)
			}
		})
	}
}

// Other files are refused, with an error of one line.
func TestNewVerifier_refusesPEM(t *testing.T) {
	good := authtest.Good()
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	wide := &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 8192), E: 65537}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(good.RSA)
	secret := pemBlock(t, "PRIVATE KEY", pkcs8, err)
	sec1, err := x509.MarshalECPrivateKey(good.EC)
	old := pemBlock(t, "EC PRIVATE KEY", sec1, err)
	ed := pemOf(t, good.Ed.Public())
	for name, c := range map[string]struct {
		text string
		want string // a part of the error
	}{
		"empty":           {"", "no PEM block"},
		"text":            {"secret", "no PEM block"},
		"private":         {secret, "a private key in it"},
		"private too":     {ed + secret, "a private key in it"},
		"private of old":  {old, "a private key in it"},
		"RSA too short":   {pemOf(t, &weak.PublicKey), "2048 to 8192 bits"},
		"RSA too long":    {pemOf(t, wide), "2048 to 8192 bits"},
		"another curve":   {pemOf(t, &p384.PublicKey), "P-256"},
		"a broken one":    {pemBlock(t, "PUBLIC KEY", []byte("x"), nil), "block 1, PUBLIC KEY, can't be read"},
		"broken behind":   {ed + pemBlock(t, "CERTIFICATE", []byte("x"), nil), "block 2, CERTIFICATE, can't be read"},
		"something else":  {pemBlock(t, "X509 CRL", []byte("x"), nil), "another type"},
		"more than eight": {strings.Repeat(ed, 9), "more than 8 keys"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := auth.NewVerifier(auth.Options{PublicPEM: []byte(c.text)})
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error = %v, want one line with %q", err, c.want)
			}
		})
	}
}

// A verifier needs a key, and signs only with a secret.
func TestNewVerifier_needsKeys(t *testing.T) {
	if _, err := auth.NewVerifier(auth.Options{}); !errors.Is(err, auth.ErrNoKeys) {
		t.Errorf("without a key: %v", err)
	}
	if v, err := auth.NewVerifier(auth.Options{PublicPEM: authtest.Good().PEM(t, authtest.EdDSA)}); err != nil {
		t.Error(err)
	} else if _, err := v.Sign(auth.Caller{UserID: "u1"}, time.Hour); err == nil {
		t.Error("it signs without a secret")
	}
}

// FuzzCheckPEM checks that no file makes the parser panic, and that errors are one line long.
func FuzzCheckPEM(f *testing.F) {
	good := authtest.Good()
	f.Add(good.PEM(f, authtest.RS256, authtest.ES256, authtest.EdDSA))
	f.Add(slices.Concat([]byte("text\n"), good.PEM(f, authtest.ES256)[:60]))
	f.Add(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: ed25519.PublicKey{}}))
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := auth.CheckPEM(text); err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("the error has more than a line: %v", err)
		}
	})
}
