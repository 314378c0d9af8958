package testkit

import (
	"bufio"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Curl is a running curl, which prints the head and the body of an answer as they come.
type Curl struct {
	tb    testing.TB
	cmd   *exec.Cmd
	lines chan string
}

// StartCurl starts curl with further arguments.
func StartCurl(tb testing.TB, args ...string) *Curl {
	tb.Helper()
	c := &Curl{tb: tb, cmd: exec.CommandContext(tb.Context(), "curl", append([]string{"-sNi"}, args...)...), lines: make(chan string, 1000)}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		tb.Fatalf("this test needs curl: %v", err)
	}
	go func() {
		defer close(c.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			c.lines <- s.Text()
		}
	}()
	return c
}

// Until returns the lines up to the next one that begins with want.
func (c *Curl) Until(want string) (seen []string) {
	c.tb.Helper()
	for {
		select {
		case line, ok := <-c.lines:
			if !ok {
				c.tb.Fatalf("%v ended before %q: %q", c.cmd.Args, want, seen)
			}
			seen = append(seen, line)
			if strings.HasPrefix(line, want) {
				return seen
			}
		case <-time.After(Patience):
			c.tb.Fatalf("%v: no %q in %q", c.cmd.Args, want, seen)
		}
	}
}

// End reads the answer to its end, and fails unless curl takes it for a regular one.
func (c *Curl) End() {
	c.tb.Helper()
	for range c.lines { // to the end
	}
	if err := c.cmd.Wait(); err != nil {
		c.tb.Errorf("%v: %v", c.cmd.Args, err)
	}
}

// Kill ends curl, which closes its connection.
func (c *Curl) Kill() {
	c.tb.Helper()
	if err := c.cmd.Process.Kill(); err != nil {
		c.tb.Fatal(err)
	}
	for range c.lines { // so that nothing is left to read it
	}
	_ = c.cmd.Wait() // it was killed
}
