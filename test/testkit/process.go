package testkit

import (
	"context"
	"fmt"
	"hash/fnv"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// built builds the binary, once for all tests of a package. The file in the user's cache saves the
// linker's time if nothing has changed since another package built it. The package's own link to it
// stays as it is when somebody changes the sources meanwhile.
var built = sync.OnceValues(func() (path string, err error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	root := fnv.New64a()
	_, _ = root.Write([]byte(Path(""))) // it does not fail
	cache = filepath.Join(cache, "marcador-test", fmt.Sprintf("%x", root.Sum64()))
	if err := os.MkdirAll(cache, 0o700); err != nil {
		return "", err
	}
	shared := filepath.Join(cache, "marcador")
	cmd := exec.CommandContext(context.Background(), "go", "build", "-o", shared, ".")
	cmd.Dir = Path("")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	own, err := os.MkdirTemp(cache, "")
	if err != nil {
		return "", err
	}
	builtIn.Store(&own)
	path = filepath.Join(own, "marcador")
	return path, os.Link(shared, path)
})

// builtIn is the folder of the package's own link, nil if no test needed the binary.
var builtIn atomic.Pointer[string]

func removeBinary() {
	if folder := builtIn.Load(); folder != nil {
		_ = os.RemoveAll(*folder) // a link
	}
}

// Binary returns the path of the program, built as a user would build it.
func Binary(tb testing.TB) string {
	tb.Helper()
	path, err := built()
	if err != nil {
		tb.Fatal(err)
	}
	return path
}

// Process is a program that runs as a process of its own.
type Process struct {
	*Program

	cmd *exec.Cmd
}

// Spawn runs the built service on a database and waits until it listens.
func Spawn(tb testing.TB, db string, flags ...string) *Process {
	tb.Helper()
	return Await(tb, ServiceCommand([]string{Binary(tb)}, db, flags...))
}

// ServiceCommand returns the command that runs the service on a database. The last word of argv
// is the program; the words before it, if any, are a program that runs it, with its arguments.
func ServiceCommand(argv []string, db string, flags ...string) *exec.Cmd {
	args := append(slices.Clone(argv[1:]), "serve", "--addr", AnyPort, "--db", db, "--throttle", "0")
	cmd := exec.CommandContext(context.Background(), argv[0], append(args, flags...)...)
	cmd.Env = append(os.Environ(), "MARCADOR_JWT_SECRET="+Secret)
	return cmd
}

// Await starts the command of a service and waits until the service listens.
func Await(tb testing.TB, cmd *exec.Cmd) *Process {
	tb.Helper()
	p := &Process{Program: &Program{tb: tb, Log: newLog()}, cmd: cmd}
	cmd.Stdout, cmd.Stderr = p.Log, p.Log
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill() // the test has failed, or no longer needs it
			_ = cmd.Wait()
		}
	})
	select {
	case p.URL = <-p.Log.opened:
	case <-time.After(Patience):
		tb.Fatalf("it does not listen:\n%s", p.Log)
	}
	return p
}

// PID returns the process's number.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Signal sends the process a signal.
func (p *Process) Signal(signal os.Signal) {
	p.tb.Helper()
	if err := p.cmd.Process.Signal(signal); err != nil {
		p.tb.Fatal(err)
	}
}

// TrySignal sends a signal to a process that may be gone.
func (p *Process) TrySignal(signal os.Signal) { _ = p.cmd.Process.Signal(signal) }

// Kill ends the process at once, as SIGKILL does, and fails if it ended otherwise.
func (p *Process) Kill() {
	p.tb.Helper()
	Kill(p.tb, p.cmd)
}

// Kill ends the process of a command at once, and fails if it ended otherwise.
func Kill(tb testing.TB, cmd *exec.Cmd) {
	tb.Helper()
	if err := cmd.Process.Kill(); err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != -1 {
		tb.Fatalf("it was not killed but ended: %v", err)
	}
}

// KillAfter ends the process of a command at once, a while after it has started.
func KillAfter(tb testing.TB, cmd *exec.Cmd, while time.Duration) {
	tb.Helper()
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	time.Sleep(while) // a real process
	Kill(tb, cmd)
}

// Terminate sends SIGTERM, and fails unless the process then ends well.
func (p *Process) Terminate() {
	p.tb.Helper()
	p.Signal(syscall.SIGTERM)
	p.AwaitEnd()
}

// AwaitEnd waits for the process to end, and fails unless it ends well.
func (p *Process) AwaitEnd() {
	p.tb.Helper()
	if err := p.cmd.Wait(); err != nil {
		p.tb.Errorf("%v\n%s", err, p.Log)
	}
}

// End waits for the process to end and returns how it did. A process that takes longer than
// within fails the test and is killed.
func (p *Process) End(within time.Duration) (*os.ProcessState, error) {
	p.tb.Helper()
	late := time.AfterFunc(within, func() {
		p.tb.Errorf("it has not ended within %s", within)
		_ = p.cmd.Process.Kill() // it may just have ended
	})
	defer late.Stop()
	err := p.cmd.Wait()
	return p.cmd.ProcessState, err
}
