package command_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"marcador/test/testkit"
)

// terminal opens a terminal of that size. The outer end reads what is written to the inner one.
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

// On a terminal the table is drawn over itself, without colours if NO_COLOR says so, and it is left
// there at the end.
func TestWatch_terminal(t *testing.T) {
	p := testkit.Serve(t)
	admin := testkit.Token(t, "svc", "admin")
	p.Call(admin, http.MethodPut, "/v1/users/ana", `{"username":"Ana Pech"}`, nil)
	p.Call(admin, http.MethodPut, "/v1/users/leo", `{"username":"李小龍"}`, nil)
	for _, colour := range []bool{true, false} {
		outer, inner := terminal(t, 60, 12)
		cmd := exec.CommandContext(context.Background(), testkit.Binary(t), "watch", "--url", p.URL, "--rows", "5", "--token", testkit.Token(t, "leo", ""))
		cmd.Env = append(os.Environ(), "TERM=xterm")
		if !colour {
			cmd.Env = append(cmd.Env, "NO_COLOR=1")
		}
		cmd.Stdout, cmd.Stderr = inner, inner
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		shown := new(testkit.Log)
		read := make(chan struct{})
		go func() {
			defer close(read)
			_, _ = io.Copy(shown, outer) // until the other end is closed
		}()
		shown.Await(t, "● live · global · all-time · 2 on the board")
		shown.Await(t, "▸ ")
		p.Give("leo", 1500)
		shown.Await(t, "1,500")
		shown.Await(t, "\x1b[H")
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
		if coloured := shown.Has("\x1b[1;7m"); coloured != colour {
			t.Errorf("colours %v, want %v: %q", coloured, colour, shown)
		}
	}
}
