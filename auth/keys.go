package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

const (
	// maxTried bounds the signatures that are computed for one token, and so the
	// keys of a PEM file: its keys have no ids to choose by.
	maxTried = 8

	// RSA keys below the least are forgeable (RFC 7518, section 3.3); above the
	// most, verifying is slow enough to be an attack.
	minRSA = 2048
	maxRSA = 8192
)

// errAlgorithm is what a public key is refused with that no algorithm here is for.
var errAlgorithm = errors.New("it must be RSA of 2048 to 8192 bits, ECDSA on P-256, or Ed25519")

// key verifies signatures of one algorithm, whatever a token may say (RFC 8725,
// section 3.1). It is never changed.
type key struct {
	id       string // tokens may name it so, or ""
	method   jwt.SigningMethod
	material any // of the type that method wants
}

// keyOf binds a public key to the one algorithm that it is used with.
func keyOf(public any) (key, error) {
	switch p := public.(type) {
	case *rsa.PublicKey:
		if bits := p.N.BitLen(); bits >= minRSA && bits <= maxRSA {
			return key{method: jwt.SigningMethodRS256, material: p}, nil
		}
	case *ecdsa.PublicKey:
		if p.Curve == elliptic.P256() {
			return key{method: jwt.SigningMethodES256, material: p}, nil
		}
	case ed25519.PublicKey:
		return key{method: jwt.SigningMethodEdDSA, material: p}, nil
	}
	return key{}, errAlgorithm
}

// fits reports whether the key may have signed a token with the header. A key
// without an id may, whichever the token names: a file has none.
func (k key) fits(h header) bool {
	return k.method.Alg() == h.Algorithm && (k.id == "" || h.KeyID == "" || k.id == h.KeyID)
}

// CheckPEM says what is wrong with Options.PublicPEM, if anything, in one line.
func CheckPEM(text []byte) error {
	_, err := parsePEM(text)
	return err
}

// same reports whether both are the same keys, under the same ids.
func same(a, b []key) bool {
	return slices.EqualFunc(a, b, func(a, b key) bool {
		public, ok := a.material.(interface{ Equal(crypto.PublicKey) bool })
		return ok && a.id == b.id && public.Equal(b.material)
	})
}

// parsePEM returns the public keys in PEM blocks: bare, or in certificates, of
// which nothing else is looked at. Its errors are of one line.
func parsePEM(text []byte) ([]key, error) {
	var keys []key
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		n := len(keys) + 1
		if strings.HasSuffix(block.Type, "PRIVATE KEY") {
			return nil, errors.New("there is a private key in it; keep that where tokens are signed, and give the public key (openssl pkey -in private.pem -pubout)")
		}
		if n > maxTried {
			return nil, fmt.Errorf("there are more than %d keys in it; give the newest, or a JWKS, where keys have ids", maxTried)
		}
		public, err := publicOf(block)
		if err != nil {
			return nil, fmt.Errorf("block %d, %s, can't be read (%w); give public keys or certificates", n, block.Type, err)
		}
		k, err := keyOf(public)
		if err != nil {
			return nil, fmt.Errorf("the key in block %d can't be used: %w", n, err)
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, errors.New("there is no PEM block in it; a public key begins with -----BEGIN PUBLIC KEY-----")
	}
	return keys, nil
}

func publicOf(block *pem.Block) (any, error) {
	switch block.Type {
	case "PUBLIC KEY":
		return x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		return x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		return c.PublicKey, nil
	}
	return nil, errors.New("it is of another type")
}
