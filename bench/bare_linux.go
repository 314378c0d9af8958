package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// serveBare is the least that a server of streams can do. It collects sockets, and sends an event
// with one non-blocking send of the same bytes to each of them, on all cores. It frames nothing and
// checks nobody, and it skips clients whose send buffer is full.
func serveBare(frame []byte) error {
	listener, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	if err := errors.Join(
		unix.Bind(listener, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}),
		unix.Listen(listener, unix.SOMAXCONN),
	); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	own, err := unix.Getsockname(listener)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	at, ok := own.(*unix.SockaddrInet4)
	if !ok {
		return errors.New("the listener is not IPv4")
	}
	shards := make([]shard, runtime.NumCPU())
	go func() {
		request := make([]byte, 4096)
		for n := 0; ; n++ {
			if err := shards[n%len(shards)].admit(listener, request); err != nil {
				fmt.Fprintln(os.Stderr, "bench: bare:", err)
				os.Exit(1)
			}
			if n%sweepEvery == sweepEvery-1 {
				for i := range shards {
					shards[i].sweep()
				}
			}
		}
	}()
	return obey(at.Port, func() {
		var sending sync.WaitGroup
		for i := range shards {
			sending.Go(func() { shards[i].send(frame) })
		}
		sending.Wait()
	})
}

// sweepEvery is the number of new connections after which closed ones are removed. Without events,
// nothing else would notice them.
const sweepEvery = 8192

// shard has the sockets of one core.
type shard struct {
	mu  sync.Mutex
	fds []int // guarded by mu
}

// admit waits for a connection and its request, and answers with the head of a response. The
// clients of this program send their request at once and in one piece. A client that is already
// gone is no error.
func (s *shard) admit(listener int, request []byte) error {
	fd, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
	switch {
	case errors.Is(err, unix.EINTR), errors.Is(err, unix.ECONNABORTED):
		return nil
	case err != nil:
		return fmt.Errorf("accept: %w", err)
	}
	n, err := unix.Read(fd, request)
	if err == nil && n > 0 {
		_, err = unix.SendmsgN(fd, []byte("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"), nil, nil, unix.MSG_NOSIGNAL)
	}
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.SOL_TCP, unix.TCP_NODELAY, 1)
	}
	if err != nil || n == 0 {
		return unix.Close(fd)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fds = append(s.fds, fd)
	return nil
}

// send sends the frame to all sockets, and removes closed ones.
func (s *shard) send(frame []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	open := s.fds[:0]
	for _, fd := range s.fds {
		if _, err := unix.SendmsgN(fd, frame, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL); err != nil && !errors.Is(err, unix.EAGAIN) {
			_ = unix.Close(fd) // the client has closed it
			continue
		}
		open = append(open, fd)
	}
	s.fds = open
}

// sweep removes closed sockets.
func (s *shard) sweep() {
	s.mu.Lock()
	defer s.mu.Unlock()
	var one [1]byte
	open := s.fds[:0]
	for _, fd := range s.fds {
		if n, _, err := unix.Recvfrom(fd, one[:], unix.MSG_PEEK|unix.MSG_DONTWAIT); n <= 0 && !errors.Is(err, unix.EAGAIN) {
			_ = unix.Close(fd) // the client has closed it
			continue
		}
		open = append(open, fd)
	}
	s.fds = open
}
