//go:build !linux

package sse

import (
	"context"
	"net"
	"net/http"
)

// shards write to sockets where the system has epoll.
type shards struct{}

func (s *Server) serveRaw(http.ResponseWriter, *http.Request, Stream, *address) {}

func (*shards) drain() {}
func (*shards) stop()  {}

// Listen is net.Listen for connections that will carry streams.
func Listen(ctx context.Context, network, address string) (net.Listener, error) {
	return new(net.ListenConfig).Listen(ctx, network, address)
}
