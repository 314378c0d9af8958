//go:build !linux

package sse

import "net/http"

// shards write to sockets where the system has epoll.
type shards struct{}

func (s *Server) serveRaw(http.ResponseWriter, *http.Request, Stream) bool { return false }

func (*shards) drain() {}
func (*shards) stop()  {}
