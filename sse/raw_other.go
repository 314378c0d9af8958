//go:build !linux

package sse

import (
	"context"
	"net"
	"net/http"
)

// shards exist on Linux alone. Here all streams use the standard transport.
type shards struct{}

func (s *Server) serveRaw(http.ResponseWriter, *http.Request, Stream, *address) {}

func (*shards) drain() {}
func (*shards) stop()  {}

// Listen is net.Listen. On Linux it also tunes the connections for streams.
func Listen(ctx context.Context, network, address string) (net.Listener, error) {
	return new(net.ListenConfig).Listen(ctx, network, address)
}
