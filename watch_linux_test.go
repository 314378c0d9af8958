package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// terminal opens a terminal of that size: what is written to one end is read at the other.
func terminal(tb testing.TB, columns, rows uint16) (outer, inner *os.File) {
	tb.Helper()
	outer, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		tb.Skipf("there are no terminals here: %v", err)
	}
	tb.Cleanup(func() { _ = outer.Close() })
	fd := int(outer.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		tb.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		tb.Fatal(err)
	}
	if inner, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = inner.Close() })
	if err := unix.IoctlSetWinsize(int(inner.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: columns, Row: rows}); err != nil {
		tb.Fatal(err)
	}
	return outer, inner
}

// On a terminal the table is drawn in place, without colours where they are not wanted,
// and is left there at the end.
func TestWatch_terminal(t *testing.T) {
	p := serveOn(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "m.db"))
	admin := tokenFor(t, "svc", "admin", time.Hour)
	p.call(admin, http.MethodPut, "/v1/users/ana", `{"username":"Ana Pech"}`, nil)
	p.call(admin, http.MethodPut, "/v1/users/leo", `{"username":"李小龍"}`, nil)
	for _, colour := range []bool{true, false} {
		outer, inner := terminal(t, 60, 12)
		cmd := exec.CommandContext(context.Background(), build(t), "watch", "--url", p.url, "--rows", "5", "--token", tokenFor(t, "leo", "", time.Hour))
		cmd.Env = append(os.Environ(), "TERM=xterm")
		if !colour {
			cmd.Env = append(cmd.Env, "NO_COLOR=1")
		}
		cmd.Stdout, cmd.Stderr = inner, inner
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		shown := &log{opened: make(chan string, 1)}
		read := make(chan struct{})
		go func() {
			defer close(read)
			for b := make([]byte, 4096); ; {
				n, err := outer.Read(b)
				_, _ = shown.Write(b[:n])
				if err != nil {
					return // the other end is closed
				}
			}
		}()
		see := func(want string) {
			t.Helper()
			for began := time.Now(); !strings.Contains(shown.String(), want); time.Sleep(5 * time.Millisecond) {
				if time.Since(began) > patient {
					t.Fatalf("it does not show %q, but %q", want, shown)
				}
			}
		}
		see("● live · global · all-time · 2 on the board")
		see("▸ ")
		p.call(admin, http.MethodPost, "/v1/users/leo/xp", `{"xp":1500}`, nil)
		see("1,500")
		see("\x1b[H")
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("after Ctrl-C: %v", err)
		}
		if err := inner.Close(); err != nil {
			t.Error(err)
		}
		<-read
		_, left, _ := strings.Cut(shown.String(), "\x1b[?1049l")
		if !strings.Contains(left, "李小龍") || !strings.Contains(left, "Ana Pech") {
			t.Errorf("at the end it leaves %q", left)
		}
		if coloured := strings.Contains(shown.String(), "\x1b[1;7m"); coloured != colour {
			t.Errorf("colours %v, want %v: %q", coloured, colour, shown)
		}
	}
}
