package sse

import (
	"context"
	"errors"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// sendBuffer is how much the kernel may buffer for a client that does not read, in bytes. The
	// kernel doubles it for its own needs. Without it, the buffer would grow to megabytes.
	sendBuffer = 20 << 10

	// segment is the largest TCP segment, in bytes. On the loopback interface a segment could
	// otherwise be larger than the send buffer. The receiver of a part waits 40 ms for the rest
	// before it acknowledges the part, and the sender waits for that whenever its buffer is full.
	// Up to this size an event is one segment, and smaller segments would cost more. On other
	// networks segments are much smaller anyway.
	segment = 30 << 10

	// deadAfter is how long the kernel waits for a client to acknowledge what it was sent. A phone
	// that has lost its network sends nothing, so nothing else ends its stream.
	deadAfter = 30 * time.Second
)

// Listen is net.Listen for connections that will carry streams. The kernel buffers little for a
// client that does not read, and notices a client that has vanished. The options are set on the
// listener and inherited by its connections, which saves several system calls per connection.
func Listen(ctx context.Context, network, address string) (net.Listener, error) {
	config := net.ListenConfig{
		KeepAlive: -1, // don't set it per connection; it is inherited from the listener
		Control: func(_, _ string, c syscall.RawConn) error {
			var failure error
			err := c.Control(func(fd uintptr) { failure = tune(int(fd)) })
			return errors.Join(err, failure)
		},
	}
	return config.Listen(ctx, network, address) //nolint:wrapcheck // it is net.Listen to callers
}

func tune(fd int) error {
	dead := int(deadAfter.Milliseconds())
	return errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, sendBuffer),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_MAXSEG, segment),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, dead),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 15),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 15),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 3),
	)
}
