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
	// sendBuffer is what the kernel may hold for a client that does not read, in
	// bytes; it doubles it for its own needs. By itself it would grow to megabytes.
	sendBuffer = 20 << 10

	// segment is the most that one TCP segment carries, in bytes. On the loopback interface it
	// would be more than the kernel may hold. The receiver, who thinks that more of the segment
	// is to come, then waits 40 ms before it acknowledges a part, and we wait for that each
	// time that the buffer is full. Smaller ones cost more: up to here an event is one
	// segment. Elsewhere segments are much smaller anyway.
	segment = 30 << 10

	// deadAfter is how long the kernel waits for a client to acknowledge what it was
	// sent: a phone that has lost its network says nothing.
	deadAfter = 30 * time.Second
)

// Listen is net.Listen for connections that will carry streams: what the kernel
// holds for a client that does not read is bounded, and one that has vanished is
// noticed. Accepted connections inherit this from the listener, which spares each
// some system calls.
func Listen(ctx context.Context, network, address string) (net.Listener, error) {
	config := net.ListenConfig{
		KeepAlive: -1, // not for each connection: the listener's is inherited
		Control: func(_, _ string, c syscall.RawConn) error {
			var err error
			return errors.Join(c.Control(func(fd uintptr) { err = tune(int(fd)) }), err)
		},
	}
	return config.Listen(ctx, network, address) //nolint:wrapcheck // it is net.Listen to callers
}

func tune(fd int) error {
	return errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, sendBuffer),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_MAXSEG, segment),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(deadAfter.Milliseconds())),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 15),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 15),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 3),
	)
}
