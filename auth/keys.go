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
	// maxTried bounds the signatures that are computed for one token. It also bounds the keys of a
	// PEM file, because those have no ids by which a token could choose one.
	maxTried = 8

	// RSA keys of fewer bits can be broken (RFC 7518, section 3.3). With more bits, verifying is
	// slow enough to be an attack.
	minRSA = 2048
	maxRSA = 8192
)

// errAlgorithm refuses a public key that fits none of the algorithms.
var errAlgorithm = errors.New("it must be RSA of 2048 to 8192 bits, ECDSA on P-256, or Ed25519")

// key verifies signatures by one algorithm, whatever a token may say (RFC 8725, section 3.1). It
// must not be changed.
type key struct {
	id       string // by which tokens may choose it; or ""
	method   jwt.SigningMethod
	material any // of the type that method needs
}

// keyOf returns a public key with the one algorithm that it is used for.
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

// fits reports whether the key may have signed a token with this header. A key without an id, as
// those of a PEM file, fits whatever id the token names.
func (k key) fits(h header) bool {
	return k.method.Alg() == h.Algorithm && (k.id == "" || h.KeyID == "" || k.id == h.KeyID)
}

// CheckPEM returns nil if Options.PublicPEM may have this value. Otherwise the error says in one
// line what is wrong.
func CheckPEM(text []byte) error {
	_, err := parsePEM(text)
	return err
}

// same reports whether both lists have the same public keys with the same ids.
func same(a, b []key) bool {
	return slices.EqualFunc(a, b, func(a, b key) bool {
		public, ok := a.material.(interface{ Equal(crypto.PublicKey) bool })
		return ok && a.id == b.id && public.Equal(b.material)
	})
}

// parsePEM returns the public keys in PEM blocks. Of certificates it reads nothing but the key. Its
// errors are one line long.
func parsePEM(text []byte) ([]key, error) {
	var keys []key
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		n := len(keys) + 1
		if strings.HasSuffix(block.Type, "PRIVATE KEY") {
			return nil, errors.New("there is a private key in it; leave that where tokens are signed, and give the public key (openssl pkey -in private.pem -pubout)")
		}
		if n > maxTried {
			return nil, fmt.Errorf("there are more than %d keys in it; give the newest ones, or a JWKS, in which keys have ids", maxTried)
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
	return nil, errors.New("it has another type")
}
