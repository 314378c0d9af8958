package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// server is a process under load.
type server interface {
	pid() int
	addr() unix.SockaddrInet4

	// request is what client n sends. Each is a user of their own.
	request(n int, want stream) []byte

	// publish makes an event and returns when the server has taken it.
	publish(ctx context.Context) (publication, error)

	// publishedAt is when the event began to be sent, in nanoseconds since 1970.
	// It is known when the event has been received.
	publishedAt(p publication) int64

	terminate() error // asks the process to end
	stop() error      // ends it, and returns when it is gone
}

// stream is what a client asks for.
type stream struct {
	diff bool // differences in place of snapshots
	gzip bool
}

// String names what is received.
func (s stream) String() string {
	name := "snapshot"
	if s.diff {
		name = "difference"
	}
	if s.gzip {
		name += ", gzip"
	}
	return name
}

// publication is an event that was published.
type publication struct {
	version int64 // 0 where the server counts none
	key     int64 // by which a group's samples name it
	at      int64 // when the server was asked, or began, in nanoseconds since 1970
}

// child is a process that was started here, and ends with this one.
type child struct {
	cmd    *exec.Cmd
	at     unix.SockaddrInet4
	exited chan struct{}
	err    error // of Wait; to be read when exited is closed
	said   lastWords
}

// newChild prepares a program that is killed should this process die. The caller
// starts it, reads the outputs that it has asked for, and calls wait.
func newChild(name string, args, env []string) *child {
	cmd := exec.Command(name, args...) //nolint:noctx // our own programs; stop ends them
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true} // Ctrl-C is ours to pass on
	return &child{cmd: cmd, exited: make(chan struct{})}
}

// wait collects the process when its output has ended.
func (c *child) wait(output *sync.WaitGroup) {
	go func() {
		output.Wait()
		c.err = c.cmd.Wait()
		close(c.exited)
	}()
}

func (c *child) pid() int { return c.cmd.Process.Pid }

func (c *child) addr() unix.SockaddrInet4 { return c.at }

func (c *child) terminate() error { return c.cmd.Process.Signal(syscall.SIGTERM) }

func (c *child) stop() error {
	select {
	case <-c.exited:
		return nil
	default:
	}
	if err := c.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop a server: %w", err)
	}
	<-c.exited
	return nil
}

// lastWords keeps the last of what a process said on standard error, at most eight lines.
type lastWords struct {
	mu    sync.Mutex
	lines []string // guarded by mu
}

func (w *lastWords) add(line string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lines = append(w.lines, line); len(w.lines) > 8 {
		w.lines = w.lines[1:]
	}
}

func (w *lastWords) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.lines, "\n")
}

// peer is a server to compare with, which sends a frame that it was given.
type peer struct {
	*child

	ask  io.Writer
	said chan string // lines of its standard output
}

// startPeer starts this program again, as the peer of that name.
func startPeer(ctx context.Context, name, frame string) (*peer, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	p := &peer{child: newChild(self, []string{"-serve=" + name, "-frame=" + frame}, nil), said: make(chan string, 16)}
	p.cmd.Stderr = os.Stderr
	if p.ask, err = p.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	var output sync.WaitGroup
	output.Go(func() {
		defer close(p.said)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			p.said <- lines.Text()
		}
	})
	p.wait(&output)
	port, err := p.answer(ctx, "listening")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", name, err), p.stop())
	}
	p.at = unix.SockaddrInet4{Port: int(port), Addr: [4]byte{127, 0, 0, 1}}
	return p, nil
}

// answer waits for a line of that name and returns its number.
func (p *peer) answer(ctx context.Context, name string) (int64, error) {
	timer := time.NewTimer(10 * time.Second)
	defer timer.Stop()
	select {
	case line, ok := <-p.said:
		number, found := strings.CutPrefix(line, name+" ")
		if !ok || !found {
			return 0, fmt.Errorf("it said %q in place of %s", line, name)
		}
		return strconv.ParseInt(number, 10, 64)
	case <-timer.C:
		return 0, fmt.Errorf("no %s within 10s", name)
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func (p *peer) request(int, stream) []byte {
	return []byte("GET /?stream=board HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n")
}

func (p *peer) publish(ctx context.Context) (publication, error) {
	if _, err := io.WriteString(p.ask, "publish\n"); err != nil {
		return publication{}, fmt.Errorf("publish: %w", err)
	}
	at, err := p.answer(ctx, "published")
	return publication{at: at}, err
}

func (p *peer) publishedAt(pub publication) int64 { return pub.at }

// obey is the other end of a peer: it says on which port it listens and publishes when it
// is told to, until its standard input ends.
func obey(port int, publish func()) error {
	fmt.Printf("listening %d\n", port)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		at := time.Now().UnixNano()
		publish()
		fmt.Printf("published %d\n", at)
	}
	return lines.Err()
}
