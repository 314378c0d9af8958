package command

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"

	"marcador/internal/connlimit"
	"marcador/sse"
)

const (
	// headTimeout is how long a client may take to send the head of a request, and before it to
	// complete the TLS handshake. The API limits bodies itself; see api.Limits.
	headTimeout = 5 * time.Second

	idleTimeout = 2 * time.Minute
	maxHead     = 32 << 10 // bytes of a request's head

	// otherFiles is how many open files are reserved for everything but streams.
	otherFiles = 256

	// maxConnections is the most connections without a stream. Each takes about 15 KB.
	maxConnections = 16_384
)

// streams returns the server of streams. If the process may not open enough files for
// --max-streams, the server accepts fewer streams, so that files remain for writes and for
// answering the refused streams with 503.
func (f boardFlags) streams(hub *sse.Hub, log *slog.Logger) *sse.Server {
	most := f.MaxStreams
	if files := openFiles(); files > 0 && files-otherFiles < most {
		most = max(files-otherFiles, 1)
		log.Info("the limit of open files allows fewer streams than --max-streams; raise it if they are needed (ulimit -n, LimitNOFILE=)",
			"open_files", files, "max_streams", most)
	}
	return sse.NewServer(hub, sse.Options{
		Heartbeat: f.Heartbeat, WriteTimeout: f.WriteTimeout,
		MaxStreams: most, MaxStreamsPerUser: f.MaxStreamsPerUser,
	})
}

// server returns the HTTP server, which closes idle connections when there are too many.
func (f boardFlags) server(h http.Handler, streams *sse.Server, log *slog.Logger) *http.Server {
	limiter := connlimit.New(connlimit.Options{MaxOpen: func() int { return connections(openFiles(), streams.Streams()) }})
	return &http.Server{
		Handler: limiter.Handler(h),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return sse.ConnContext(limiter.ConnContext(ctx, c), c)
		},
		ConnState:         limiter.ConnState,
		Protocols:         protocols(),
		HTTP2:             http2Config(f.WriteTimeout),
		ReadHeaderTimeout: headTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHead,
		// Clients cause these errors. The API logs panics itself.
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// connections returns how many connections without a stream may be open. files is how many files
// the process may have open, or 0 if that is not known. The database needs only a few files.
func connections(files, streams int) int {
	if files == 0 {
		return maxConnections
	}
	return max(min(files-otherFiles/2-streams, maxConnections), otherFiles/4)
}

// listen listens on the address that the flag has.
func listen(ctx context.Context, flag, addr string) (net.Listener, error) {
	listener, err := sse.Listen(ctx, "tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("the address %s is taken by another program; stop that program, or give another address with %s", addr, flag)
	case err != nil:
		return nil, fmt.Errorf("listen on %s %q: %w", flag, addr, err)
	}
	return listener, nil
}

// urlOf returns the URL at which a browser on this machine reaches the listener.
func urlOf(l net.Listener) string {
	scheme := "http"
	if _, ok := l.(secureListener); ok {
		scheme = "https"
	}
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok || !addr.IP.IsUnspecified() {
		return scheme + "://" + l.Addr().String()
	}
	return fmt.Sprintf("%s://localhost:%d", scheme, addr.Port)
}

// protocols are HTTP/1.1 and HTTP/2. Without TLS, HTTP/2 works by prior knowledge, as proxies speak
// it.
func protocols() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	p.SetHTTP2(true)
	p.SetUnencryptedHTTP2(true)
	return p
}

// http2Config limits what one HTTP/2 connection takes. A browser has one connection for all its
// tabs, a proxy a few for all its clients, and most of their requests wait for events.
func http2Config(writeTimeout time.Duration) *http.HTTP2Config {
	return &http.HTTP2Config{
		// A request takes about 8 KB before anything can refuse it. With 100 open requests a client
		// waits, or opens another connection. RFC 9113 recommends no fewer.
		MaxConcurrentStreams: 100,

		// The read buffer grows to the largest frame so far and never shrinks. Requests are small,
		// and 16 KiB is the smallest limit that HTTP/2 allows.
		MaxReadFrameSize: 16 << 10,

		// These bound bodies that nobody has read yet. A body has at most 1 MiB.
		MaxReceiveBufferPerStream:     256 << 10,
		MaxReceiveBufferPerConnection: 512 << 10,

		// If a whole connection is stuck, its streams can't even be told to end.
		WriteByteTimeout: writeTimeout,

		// Pings find a client that vanished without closing the connection. Heartbeats don't: they
		// fit into the kernel's buffers, so writing them succeeds.
		SendPingTimeout: 30 * time.Second,
		PingTimeout:     15 * time.Second,
	}
}
