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

	// request returns the request of client n. Each client is a different user.
	request(n int, want stream) []byte

	// publish causes an event and returns when the server has accepted it.
	publish(ctx context.Context) (publication, error)

	// publishedAt returns when the server began to send the event, in nanoseconds since 1970. It is
	// known once a client has received the event.
	publishedAt(p publication) int64

	terminate() error // asks the process to end
	stop() error      // kills the process, and returns when it has ended
}

// stream is a kind of stream that a client asks for.
type stream struct {
	diff bool // differences instead of snapshots
	gzip bool
}

// String returns the name of the kind.
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
	version int64 // 0 if the server has no versions
	key     int64 // the key of its samples in a group
	at      int64 // when the server was asked, in nanoseconds since 1970
}

// child is a process that this one has started, and that ends with it.
type child struct {
	cmd    *exec.Cmd
	at     unix.SockaddrInet4
	exited chan struct{}
	err    error // from Wait; readable once exited is closed
	said   lastWords
}

// newChild prepares a program that the system kills if this process dies. The caller starts it,
// reads its outputs, and calls wait.
func newChild(name string, args, env []string) *child {
	cmd := exec.Command(name, args...) //nolint:noctx // stop ends it
	cmd.Env = append(os.Environ(), env...)
	// With a process group of its own it does not get our Ctrl-C.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	return &child{cmd: cmd, exited: make(chan struct{})}
}

// wait waits for the process in the background, after its output has ended.
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

// lastWords has the last eight lines that a process wrote to its standard error.
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

// peer is a server to compare with. It runs in a process of this program and sends a fixed frame.
type peer struct {
	*child

	ask  io.Writer
	said chan string // the lines of its standard output
}

// startPeer starts this program again, as the peer with the name.
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

// answer waits for a line that begins with the name and returns the number in it.
func (p *peer) answer(ctx context.Context, name string) (int64, error) {
	timer := time.NewTimer(10 * time.Second)
	defer timer.Stop()
	select {
	case line, ok := <-p.said:
		number, found := strings.CutPrefix(line, name+" ")
		if !ok || !found {
			return 0, fmt.Errorf("it said %q instead of %s", line, name)
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

// obey runs in the peer's process. It writes the peer's port, and then publishes an event for each
// line of the standard input.
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
