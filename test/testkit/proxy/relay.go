package proxy

import (
	"io"
	"net"
	"sync"
	"testing"
)

// Relay passes bytes on to an address. It can reset all connections, as a network that fails
// does.
type Relay struct {
	URL string

	mu    sync.Mutex
	conns []*net.TCPConn // guarded by mu
	over  sync.WaitGroup
}

// NewRelay starts a relay to a host and port.
func NewRelay(tb testing.TB, to string) *Relay {
	tb.Helper()
	listener, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	r := &Relay{URL: "http://" + listener.Addr().String()}
	r.over.Go(func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return // it is closed
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				_ = in.Close() // as a service that is away refuses
				continue
			}
			r.pass(in.(*net.TCPConn), out.(*net.TCPConn)) //nolint:errcheck // by "tcp" they are
			r.pass(out.(*net.TCPConn), in.(*net.TCPConn)) //nolint:errcheck // likewise
		}
	})
	tb.Cleanup(func() {
		_ = listener.Close() // nothing is lost
		r.Cut()
		r.over.Wait()
	})
	return r
}

func (r *Relay) pass(from, to *net.TCPConn) {
	r.mu.Lock()
	r.conns = append(r.conns, from)
	r.mu.Unlock()
	r.over.Go(func() {
		if _, err := io.Copy(to, from); err != nil {
			_ = to.SetLinger(0) // a reset is passed on
			_ = to.Close()
			return
		}
		_ = to.CloseWrite() // it may be closed already
	})
}

// Cut resets all connections.
func (r *Relay) Cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.conns {
		_ = c.SetLinger(0)
		_ = c.Close()
	}
	r.conns = nil
}
