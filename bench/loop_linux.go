package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// pool has the loops that read for the clients.
type pool struct {
	loops []*loop
	table []atomic.Pointer[client] // by file descriptor
}

// loop reads for its clients on a thread of its own.
type loop struct {
	pool  *pool
	n     int // index in pool.loops
	epoll int
	wake  int // an eventfd
	over  sync.WaitGroup

	mu   sync.Mutex
	jobs []func() // guarded by mu; nil after the loop has ended
	quit bool     // guarded by mu
}

// readSize is what one read takes at most, in bytes.
const readSize = 256 << 10

// newPool starts n loops. The caller has to close the pool.
func newPool(n int) (*pool, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return nil, fmt.Errorf("read the limit of open files: %w", err)
	}
	p := &pool{table: make([]atomic.Pointer[client], min(limit.Cur, 1<<20))}
	for i := range n {
		l := &loop{pool: p, n: i}
		var err error
		if l.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
			return nil, errors.Join(fmt.Errorf("epoll: %w", err), p.close())
		}
		if l.wake, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
			return nil, errors.Join(fmt.Errorf("eventfd: %w", err), p.close())
		}
		if err = l.control(unix.EPOLL_CTL_ADD, l.wake, unix.EPOLLIN); err != nil {
			return nil, errors.Join(err, p.close())
		}
		p.loops = append(p.loops, l)
		l.over.Go(l.run)
	}
	return p, nil
}

// close ends the loops and closes all clients.
func (p *pool) close() error {
	for _, l := range p.loops {
		l.mu.Lock()
		l.quit = true
		l.mu.Unlock()
		l.signal()
	}
	for _, l := range p.loops {
		l.over.Wait()
	}
	for i := range p.table {
		if c := p.table[i].Swap(nil); c != nil {
			c.state = closed
			_ = unix.Close(c.fd) // nothing is left to write
		}
	}
	var err error
	for _, l := range p.loops {
		err = errors.Join(err, unix.Close(l.epoll), unix.Close(l.wake))
	}
	return err
}

func (l *loop) control(op, fd int, events uint32) error {
	if err := unix.EpollCtl(l.epoll, op, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)}); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	return nil
}

// register adds a client that is connecting to the loop.
func (l *loop) register(c *client) error {
	if c.fd >= len(l.pool.table) {
		return errors.Join(errors.New("too many open files"), unix.Close(c.fd))
	}
	l.pool.table[c.fd].Store(c)
	return l.control(unix.EPOLL_CTL_ADD, c.fd, unix.EPOLLOUT)
}

// do runs fn on the loop's goroutine and returns when it is done.
func (l *loop) do(fn func()) {
	done := make(chan struct{})
	l.mu.Lock()
	if l.quit {
		l.mu.Unlock()
		return
	}
	l.jobs = append(l.jobs, func() { fn(); close(done) })
	l.mu.Unlock()
	l.signal()
	<-done
}

func (l *loop) signal() {
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	_, _ = unix.Write(l.wake, one[:]) // fails only if the counter is full, which wakes the loop too
}

func (l *loop) run() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	buf := make([]byte, readSize)
	events := make([]unix.EpollEvent, 256)
	for {
		n, err := unix.EpollWait(l.epoll, events, -1)
		if err != nil && !errors.Is(err, unix.EINTR) {
			panic(fmt.Sprintf("epoll_wait: %v", err)) // the descriptor is wrong
		}
		for _, e := range events[:max(n, 0)] {
			if int(e.Fd) == l.wake {
				if l.work() {
					return
				}
			} else if c := l.pool.table[e.Fd].Load(); c != nil {
				c.serve(e.Events, buf)
			}
		}
	}
}

// work runs the jobs and reports whether the loop has to end.
func (l *loop) work() bool {
	var count [8]byte
	_, _ = unix.Read(l.wake, count[:]) // resets the counter
	l.mu.Lock()
	jobs, quit := l.jobs, l.quit
	l.jobs = nil
	l.mu.Unlock()
	for _, job := range jobs {
		job()
	}
	return quit
}

// serve handles the events of a socket.
func (c *client) serve(events uint32, buf []byte) {
	if c.state == connecting {
		if err := c.ask(); err != nil {
			c.lost(err)
		}
		return
	}
	if c.group.deaf {
		if events&(unix.EPOLLHUP|unix.EPOLLERR|unix.EPOLLRDHUP) != 0 {
			c.lost(io.EOF)
		}
		return
	}
	n, err := unix.Read(c.fd, buf)
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
	case err != nil:
		c.lost(err)
	case n == 0:
		c.lost(io.EOF)
	default:
		c.take(buf[:n])
	}
}

// take handles bytes that were read.
func (c *client) take(b []byte) {
	at := time.Now().UnixNano()
	c.bytes += int64(len(b))
	for {
		e, rest, ok := c.scan.next(b)
		if c.state == asked && c.scan.open {
			if c.scan.status != 200 {
				c.lost(fmt.Errorf("the server answered with %d", c.scan.status))
				return
			}
			if !c.group.greeted {
				c.becomes(ready)
			}
		}
		if !ok || c.state == closed {
			return
		}
		c.heard(e, at)
		if c.state == closed {
			return
		}
		b = rest
	}
}

// ask sends the request, once the client is connected.
func (c *client) ask() error {
	code, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && code != 0 {
		err = unix.Errno(code)
	}
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	request := c.group.request(c.n)
	n, err := unix.Write(c.fd, request)
	switch {
	case err != nil:
		return fmt.Errorf("send the request: %w", err)
	case n < len(request):
		return fmt.Errorf("send the request: %w", io.ErrShortWrite)
	}
	c.state = asked
	if c.group.deaf {
		c.becomes(ready)
		return c.loop.control(unix.EPOLL_CTL_MOD, c.fd, unix.EPOLLRDHUP)
	}
	return c.loop.control(unix.EPOLL_CTL_MOD, c.fd, unix.EPOLLIN|unix.EPOLLRDHUP)
}

// lost closes a client whose connection has ended or could not be opened.
func (c *client) lost(err error) {
	if c.state < ready {
		if !errors.Is(err, io.EOF) {
			err = os.NewSyscallError("client", err)
		}
		c.group.fail(fmt.Errorf("a client could not open its stream: %w", err))
	}
	c.close()
	if c.group.onGone != nil {
		c.group.onGone(c, time.Now().UnixNano())
	}
}

// close closes the client. Only its loop may call it.
func (c *client) close() {
	if c.state == closed {
		return
	}
	if c.state < ready && c.group.onReady == nil {
		<-c.group.room // the client is no longer being opened
	}
	c.state = closed
	c.loop.pool.table[c.fd].Store(nil)
	_ = unix.Close(c.fd) // nothing is left to write
}

// connect begins to connect to the server, from one of several addresses.
func connect(server unix.SockaddrInet4, source byte, n, receiveBuffer int) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("socket: %w", err)
	}
	from := unix.SockaddrInet4{Addr: [4]byte{127, 0, source, byte(2 + n%16)}}
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1),
		unix.Bind(fd, &from),
	)
	if receiveBuffer > 0 {
		err = errors.Join(err, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer))
	}
	if err == nil {
		if err = unix.Connect(fd, &server); errors.Is(err, unix.EINPROGRESS) {
			err = nil
		}
	}
	if err != nil {
		return -1, errors.Join(fmt.Errorf("connect: %w", err), unix.Close(fd))
	}
	return fd, nil
}
