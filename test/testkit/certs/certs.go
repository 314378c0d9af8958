// Package certs issues TLS certificates for 127.0.0.1, for tests.
package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Authority issues certificates for 127.0.0.1.
type Authority struct {
	tb   testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	Pool *x509.CertPool // trusts the authority

}

// New returns an authority of its own.
func New(tb testing.TB) *Authority {
	tb.Helper()
	a := &Authority{tb: tb, Pool: x509.NewCertPool()}
	template := &x509.Certificate{Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true}
	cert, _ := a.sign(template)
	block, _ := pem.Decode(cert)
	parsed, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		tb.Fatal(err)
	}
	a.cert = parsed
	a.Pool.AddCert(parsed)
	return a
}

// Issue returns the PEM of a certificate with that common name, and of its key.
func (a *Authority) Issue(name string) (cert, key []byte) {
	a.tb.Helper()
	return a.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
}

// sign signs with the authority's key; the first that it signs is its own.
func (a *Authority) sign(template *x509.Certificate) (cert, key []byte) {
	a.tb.Helper()
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.tb.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent := a.cert
	if parent == nil {
		parent, a.key = template, own
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &own.PublicKey, a.key)
	if err != nil {
		a.tb.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(own)
	if err != nil {
		a.tb.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
}

// Transport speaks nothing but these protocols.
func (a *Authority) Transport(set func(*http.Protocols)) *http.Transport {
	t := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: a.Pool}, Protocols: new(http.Protocols)}
	set(t.Protocols)
	a.tb.Cleanup(t.CloseIdleConnections)
	return t
}

// Pair writes a new certificate and its key into the folder.
func (a *Authority) Pair(folder, name string) (certFile, keyFile string) {
	a.tb.Helper()
	certFile, keyFile = filepath.Join(folder, "tls.crt"), filepath.Join(folder, "tls.key")
	cert, key := a.Issue(name)
	for path, content := range map[string][]byte{certFile: cert, keyFile: key} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			a.tb.Fatal(err)
		}
	}
	return certFile, keyFile
}

// Dial returns the common name that the listener shows.
func (a *Authority) Dial(l net.Listener) string {
	a.tb.Helper()
	dialer := &tls.Dialer{Config: &tls.Config{RootCAs: a.Pool}}
	conn, err := dialer.DialContext(a.tb.Context(), "tcp", l.Addr().String())
	if err != nil {
		a.tb.Fatal(err)
	}
	defer func() { _ = conn.Close() }()                                              // the other side may have
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].Subject.CommonName //nolint:errcheck,forcetypeassert // a tls.Dialer makes no other
}
