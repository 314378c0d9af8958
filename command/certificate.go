package command

import (
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// tlsFlags name the certificate, where the service is to speak HTTPS.
type tlsFlags struct {
	TLSCert string `name:"tls-cert" help:"PEM file of the certificate and its chain, to serve HTTPS; read again when it changes."`
	TLSKey  string `name:"tls-key" help:"PEM file of the certificate's private key."`
}

// certificate returns nil where none is named.
func (f tlsFlags) certificate(log *slog.Logger) (*certificate, error) {
	switch {
	case f.TLSCert == "" && f.TLSKey == "":
		return nil, nil //nolint:nilnil // there is none, and nothing is wrong
	case f.TLSKey == "":
		return nil, errors.New("--tls-cert needs --tls-key; give the PEM file of the certificate's private key, too")
	case f.TLSCert == "":
		return nil, errors.New("--tls-key needs --tls-cert; give the PEM file of the certificate, too")
	}
	return newCertificate(f.TLSCert, f.TLSKey, time.Now, log)
}

// lookEvery is the least time between two looks at the certificate's files.
const lookEvery = time.Second

// certificate is a pair of files that may be renewed at any time, and the newest
// pair that was good. Safe for concurrent use.
type certificate struct {
	certFile, keyFile string
	now               func() time.Time
	log               *slog.Logger

	current atomic.Pointer[tls.Certificate] // never nil

	mu     sync.Mutex
	looked time.Time         // guarded by mu: when the files were last read
	seen   [sha256.Size]byte // guarded by mu: what was in them then, good or not
}

// newCertificate reads the files. Its errors are of one line and name flag and
// file.
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

// get is a tls.Config's GetCertificate. At most once in lookEvery a handshake
// reads the files, which takes some tens of microseconds; other handshakes
// don't wait for it.
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

// renew takes what is in the files, if it is new and good. Certificate and key
// may be replaced one after the other: what does not match now is looked at
// again as soon as it has changed. It is called with mu held.
func (c *certificate) renew() {
	pair, seen, err := c.read()
	if seen == c.seen {
		return
	}
	c.seen = seen
	if err != nil {
		c.log.Warn("the renewed certificate can't be used, the one before stays; put a certificate and its key there", "error", err)
		return
	}
	c.current.Store(pair)
	c.log.Info("certificate renewed", "file", c.certFile, "expires", pair.Leaf.NotAfter)
}

// read returns the pair, or why it can't be used, and in both cases a digest of
// what the files have: contents, since times and sizes can stay the same.
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

// secureListener accepts TLS connections of HTTP/2 or HTTP/1.1.
type secureListener struct{ net.Listener }

func secured(l net.Listener, c *certificate) net.Listener {
	return secureListener{tls.NewListener(l, &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: c.get,
		NextProtos:     []string{"h2", "http/1.1"},
	})}
}

// protocols are HTTP/1.1 and HTTP/2, on connections without TLS by prior
// knowledge, as proxies speak it.
func protocols() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	p.SetHTTP2(true)
	p.SetUnencryptedHTTP2(true)
	return p
}

// http2Config bounds what one HTTP/2 connection may hold. A browser has one for
// all its tabs, a proxy few for all its clients, and most of them wait for events.
func http2Config(writeTimeout time.Duration) *http.HTTP2Config {
	return &http.HTTP2Config{
		// Each takes some 8 KB before it is looked at, so that it may be refused. Past it a client
		// waits or opens another connection. No fewer are recommended.
		MaxConcurrentStreams: 100,

		// The buffer that frames are read into stays as large as the largest
		// so far. Requests are small; 16 KiB is the least that may be asked.
		MaxReadFrameSize: 16 << 10,

		// Of bodies, which are 1 MiB at the most and read as they come.
		MaxReceiveBufferPerStream:     256 << 10,
		MaxReceiveBufferPerConnection: 512 << 10,

		// Where the whole connection is stuck, its streams can't even be ended.
		WriteByteTimeout: writeTimeout,

		// These find a client that vanished without a word: heartbeats to it fit
		// into the kernel's buffers, where no write deadline sees them.
		SendPingTimeout: 30 * time.Second,
		PingTimeout:     15 * time.Second,
	}
}
