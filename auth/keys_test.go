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

// A secret and public keys stand beside each other; a file's keys have no ids.
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

func TestNewVerifier_publicPEM(t *testing.T) {
	good := authtest.Good()
	block := func(kind string, der []byte, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	public := func(key any) string {
		t.Helper()
		der, err := x509.MarshalPKIXPublicKey(key)
		return block("PUBLIC KEY", der, err)
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	wide := &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 8192), E: 65537}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(good.RSA)
	secret := block("PRIVATE KEY", private, err)
	sec1, err := x509.MarshalECPrivateKey(good.EC)
	old := block("EC PRIVATE KEY", sec1, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now()}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &good.EC.PublicKey, good.EC)
	certificate := block("CERTIFICATE", der, err)
	ed := public(good.Ed.Public())

	for name, c := range map[string]struct {
		text string
		alg  string // a token of which is good then
		want string // what the error says
	}{
		"RSA":             {public(&good.RSA.PublicKey), authtest.RS256, ""},
		"RSA of old":      {block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&good.RSA.PublicKey), nil), authtest.RS256, ""},
		"P-256":           {public(&good.EC.PublicKey), authtest.ES256, ""},
		"Ed25519":         {"kept by Ana\n\n" + ed, authtest.EdDSA, ""},
		"certificate":     {certificate, authtest.ES256, ""},
		"several":         {ed + public(&authtest.Evil().EC.PublicKey) + certificate, authtest.ES256, ""},
		"empty":           {"", "", "no PEM block"},
		"text":            {"secret", "", "no PEM block"},
		"private":         {secret, "", "a private key in it"},
		"private too":     {ed + secret, "", "a private key in it"},
		"private of old":  {old, "", "a private key in it"},
		"RSA too short":   {public(&weak.PublicKey), "", "2048 to 8192 bits"},
		"RSA too long":    {public(wide), "", "2048 to 8192 bits"},
		"another curve":   {public(&p384.PublicKey), "", "P-256"},
		"a broken one":    {block("PUBLIC KEY", []byte("x"), nil), "", "block 1, PUBLIC KEY, can't be read"},
		"broken behind":   {ed + block("CERTIFICATE", []byte("x"), nil), "", "block 2, CERTIFICATE, can't be read"},
		"something else":  {block("X509 CRL", []byte("x"), nil), "", "another type"},
		"more than eight": {strings.Repeat(ed, 9), "", "more than 8 keys"},
	} {
		t.Run(name, func(t *testing.T) {
			v, err := auth.NewVerifier(auth.Options{PublicPEM: []byte(c.text)})
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
					t.Errorf("error = %v, want one line with %q", err, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := v.Verify(t.Context(), good.Token(t, c.alg, authtest.Claims(nil), nil)); err != nil {
				t.Error(err)
			}
		})
	}
	if _, err := auth.NewVerifier(auth.Options{}); !errors.Is(err, auth.ErrNoKeys) {
		t.Errorf("without a key: %v", err)
	}
	if v, err := auth.NewVerifier(auth.Options{PublicPEM: []byte(ed)}); err != nil {
		t.Error(err)
	} else if _, err := v.Sign(auth.Caller{UserID: "u1"}, time.Hour); err == nil {
		t.Error("it signs without a secret")
	}
}

// FuzzCheckPEM: no file is the end of the process.
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
