package command

import (
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// tlsFlags name the certificate. Without one the service speaks HTTP.
type tlsFlags struct {
	TLSCert string `name:"tls-cert" help:"PEM file of the certificate and its chain. With it the service speaks HTTPS. A changed file is read again."`
	TLSKey  string `name:"tls-key" help:"PEM file of the certificate's private key."`
}

// certificate returns the certificate that the flags name, or nil if they name none.
func (f tlsFlags) certificate(log *slog.Logger) (*certificate, error) {
	switch {
	case f.TLSCert == "" && f.TLSKey == "":
		return nil, nil //nolint:nilnil // HTTP is no error
	case f.TLSKey == "":
		return nil, errors.New("--tls-cert needs --tls-key; give the PEM file of the certificate's private key too")
	case f.TLSCert == "":
		return nil, errors.New("--tls-key needs --tls-cert; give the PEM file of the certificate too")
	}
	return newCertificate(f.TLSCert, f.TLSKey, time.Now, log)
}

// lookEvery is how often the certificate's files are read, at most.
const lookEvery = time.Second

// certificate is a pair of files, a certificate and its private key, that may be renewed at any
// time. It serves the newest pair that was valid. Safe for concurrent use.
type certificate struct {
	certFile, keyFile string
	now               func() time.Time
	log               *slog.Logger

	current atomic.Pointer[tls.Certificate] // never nil

	mu     sync.Mutex
	looked time.Time         // guarded by mu: when the files were last read
	seen   [sha256.Size]byte // guarded by mu: digest of what was read then, valid or not
}

// newCertificate reads the files. Its errors are one line long and name the flag and the file.
func newCertificate(certFile, keyFile string, now func() time.Time, log *slog.Logger) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, now: now, log: log}
	c.looked = now()
	pair, seen, err := c.read()
	if err != nil {
		return nil, err
	}
	c.seen = seen
	c.current.Store(pair)
	return c, nil
}

// get is the GetCertificate of a tls.Config. Once in lookEvery, one handshake reads the files,
// which takes some tens of microseconds. Other handshakes don't wait for it.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if c.mu.TryLock() {
		defer c.mu.Unlock()
		if now := c.now(); now.Sub(c.looked) >= lookEvery {
			c.looked = now
			c.renew()
		}
	}
	return c.current.Load(), nil
}

// renew reads the files and serves the new pair, if it is valid. The files may be replaced one
// after the other, so a pair that does not match is read again after its next change. mu must be
// locked.
func (c *certificate) renew() {
	pair, seen, err := c.read()
	if seen == c.seen {
		return
	}
	c.seen = seen
	if err != nil {
		c.log.Warn("the renewed certificate can't be used, so the previous one stays in use; put a certificate and its key there", "error", err)
		return
	}
	c.current.Store(pair)
	c.log.Info("certificate renewed", "file", c.certFile, "expires", pair.Leaf.NotAfter)
}

// read returns the pair, or an error that says why it can't be used. In both cases it returns a
// digest of the files' contents. Times and sizes would not do: they can stay the same.
func (c *certificate) read() (*tls.Certificate, [sha256.Size]byte, error) {
	digest := func(cert, key []byte) [sha256.Size]byte {
		whole := sha256.New()
		for _, part := range [][]byte{cert, key} {
			sum := sha256.Sum256(part)
			whole.Write(sum[:])
		}
		return [sha256.Size]byte(whole.Sum(nil))
	}
	cert, err := os.ReadFile(c.certFile)
	if err != nil {
		return nil, digest(nil, nil), fmt.Errorf("--tls-cert can't be read: %w", err)
	}
	key, err := os.ReadFile(c.keyFile)
	if err != nil {
		return nil, digest(cert, nil), fmt.Errorf("--tls-key can't be read: %w", err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, digest(cert, key), fmt.Errorf("--tls-cert %s with --tls-key %s: %w; give the PEM files of a certificate and of its key", c.certFile, c.keyFile, err)
	}
	return &pair, digest(cert, key), nil
}

// secureListener accepts TLS connections that carry HTTP/2 or HTTP/1.1.
type secureListener struct{ net.Listener }

func secured(l net.Listener, c *certificate) net.Listener {
	return secureListener{tls.NewListener(l, &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: c.get,
		NextProtos:     []string{"h2", "http/1.1"},
	})}
}
