package docs_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"marcador/test/testkit"
)

// session is a shell in an empty folder that has nothing but ./marcador. It runs the commands of a
// document as they stand there. Only three things are changed: addresses, since port 8080 may be
// taken; curl, which is told that nobody wants to see its progress; and go, which runs in the
// repository.
type session struct {
	tb     testing.TB
	folder string
	bash   *exec.Cmd
	stdin  io.Writer
	done   *bufio.Scanner // of the shell's standard output: how each command ended

	outputs  int    // how many files of output there are
	service  *job   // that runs
	port     string // of the service
	metrics  string // port of its metrics
	stream   *job   // what stays running
	streamed int    // how much of its steady output was compared
}

// prelude makes commands print as they do in a terminal, and gives go the repository.
const prelude = `
curl() { command curl --no-progress-meter "$@"; }
go() {
	case "$*" in
	"build -o marcador .") [[ -n $BUILT ]] || { rm marcador; command go -C "$REPOSITORY" build -o "$PWD/marcador" .; } ;;
	*) command go -C "$REPOSITORY" "$@" ;;
	esac
}
set -e
`

// newSession starts the shell, which ends with the test, and with it all that it started.
func newSession(tb testing.TB) *session {
	tb.Helper()
	s := &session{tb: tb, folder: tb.TempDir()}
	if err := os.Symlink(testkit.Binary(tb), filepath.Join(s.folder, "marcador")); err != nil {
		tb.Fatal(err)
	}
	s.bash = exec.CommandContext(context.Background(), "bash", "--noprofile", "--norc")
	s.bash.Dir = s.folder
	s.bash.Env = append(os.Environ(), "REPOSITORY="+root, "MARCADOR_ADDR=127.0.0.1:0", "PATH="+s.folder+":"+os.Getenv("PATH"),
		"CGO_ENABLED=0") // as testkit.Binary was compiled, so that go run compiles nothing
	s.bash.Stderr = os.Stderr
	stdin, err := s.bash.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	stdout, err := s.bash.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	s.stdin, s.done = stdin, bufio.NewScanner(stdout)
	if err := s.bash.Start(); err != nil {
		tb.Fatalf("the documents' commands are for bash: %v", err)
	}
	tb.Cleanup(func() {
		s.stream.stop(s)
		s.service.stop(s)
		_ = stdin.Close() // it ends with its input
		_ = s.bash.Wait() // a failure was reported by run
	})
	s.run(prelude)
	return s
}

// tell has the shell run one line, which says when it is done, and returns what it says. It
// reports false if the shell has ended, as it does when a command fails.
func (s *session) tell(line string) (said string, ok bool) {
	fmt.Fprintln(s.stdin, line)
	ok = s.done.Scan()
	return s.done.Text(), ok
}

// output returns the path of a new file.
func (s *session) output() string {
	s.outputs++
	return filepath.Join(s.folder, fmt.Sprintf(".output-%d", s.outputs))
}

// run runs commands in the shell and returns what they print. They have to succeed.
func (s *session) run(text string) string {
	s.tb.Helper()
	path := s.output()
	_, ok := s.tell(fmt.Sprintf("{ %s\n} >%s 2>&1 </dev/null; echo done", strings.TrimRight(s.rewrite(text), "\n"), path))
	if !ok {
		s.tb.Fatalf("this failed:\n%s\n%s\nthe service says:\n%s", text, s.read(path), s.service.says(s))
	}
	return s.read(path)
}

// rewrite puts the addresses of this session into commands.
func (s *session) rewrite(text string) string {
	return strings.NewReplacer(
		"localhost:8080", "localhost:"+s.port,
		"localhost:9090", "localhost:"+s.metrics,
		"127.0.0.1:9090", "127.0.0.1:0",
	).Replace(text)
}

func (s *session) read(path string) string {
	s.tb.Helper()
	text, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		s.tb.Fatal(err)
	}
	return string(text)
}

// job is a command that does not end by itself. Nil is none.
type job struct {
	pid    string // of its process group, so that what it starts ends with it
	output string // a file
	signal string // that ends it
	last   string // what it prints at its end
}

// begin starts a command that does not end by itself.
func (s *session) begin(text, signal, last string) *job {
	s.tb.Helper()
	path := s.output()
	pid, ok := s.tell(fmt.Sprintf("set -m; { %s\n} >%s 2>&1 </dev/null & set +m; echo $!", strings.TrimRight(s.rewrite(text), "\n"), path))
	if !ok {
		s.tb.Fatalf("this does not start: %s", text)
	}
	return &job{pid, path, signal, last}
}

// stop ends the job and waits for it, if there is one.
func (j *job) stop(s *session) {
	s.tb.Helper()
	if j == nil {
		return
	}
	if err := exec.CommandContext(context.Background(), "kill", "-"+j.signal, "--", "-"+j.pid).Run(); err != nil {
		s.tb.Errorf("end a job: %v", err)
	}
	if _, ok := s.tell(fmt.Sprintf("wait %s || true; echo done", j.pid)); !ok || !strings.Contains(j.says(s), j.last) {
		s.tb.Errorf("it did not end well:\n%s", j.says(s))
	}
}

func (j *job) says(s *session) string {
	if j == nil {
		return ""
	}
	return s.read(j.output)
}

// listening finds the ports in what serve logs, and in what the demo prints.
var listening = regexp.MustCompile(`(?:msg=listening url=|Open )https?://[0-9.]+:(\d+)(?:.* metrics=http://[0-9.]+:(\d+))?`)

// serve starts the service by that command and waits until it listens. Ctrl-C has to end it well.
func (s *session) serve(text string) {
	s.tb.Helper()
	s.stopService()
	s.service = s.begin(text, "INT", "msg=stopped")
	var found []string
	s.await(func() bool {
		found = listening.FindStringSubmatch(s.service.says(s))
		return found != nil
	}, func() string { return "it does not listen:\n" + s.service.says(s) })
	s.port, s.metrics = found[1], found[2]
	s.run("export MARCADOR_URL=http://localhost:" + s.port)
}

func (s *session) stopService() {
	s.tb.Helper()
	s.service.stop(s)
	s.service = nil
}

// await waits until ok.
func (s *session) await(ok func() bool, problem func() string) {
	s.tb.Helper()
	for late := time.Now().Add(testkit.Patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(late) {
			s.tb.Fatal(problem())
		}
	}
}

// serves finds the command of a block that starts the service. It is the block's last one.
var serves = regexp.MustCompile(`(?ms)^(?:\./marcador serve|go run \. demo).*\z`)

// script runs a block of commands whose output the document does not show.
func (s *session) script(b block) {
	s.tb.Helper()
	at := serves.FindStringIndex(b.text)
	if at == nil {
		s.run(b.text)
		return
	}
	if at[0] > 0 {
		s.run(b.text[:at[0]])
	}
	s.serve(b.text[at[0]:])
}

// console runs the commands of a block and compares what they print with what the document shows.
func (s *session) console(b block) {
	s.tb.Helper()
	for _, c := range b.commands() {
		switch {
		case c.text == "":
			s.streams(c.want)
		case b.directive == "stays running":
			s.stream.stop(s)
			s.stream, s.streamed = s.begin(c.text, "TERM", ""), 0
			s.streams(c.want)
		default:
			if got := s.run(c.text); !alike(c.want, got) {
				s.tb.Errorf("line %d: %s\nprints\n%s\nwant\n%s", b.line, c.text, got, c.want)
			}
		}
	}
}

// streams waits until what stays running has printed that, beyond what was compared before. It may
// have printed more.
func (s *session) streams(want string) {
	s.tb.Helper()
	pattern := regexp.MustCompile(`\A\s*` + patternOf(want))
	s.await(func() bool {
		found := pattern.FindStringIndex(steady(s.stream.says(s))[s.streamed:])
		if found != nil {
			s.streamed += found[1]
		}
		return found != nil
	}, func() string {
		return fmt.Sprintf("what stays running prints\n%s\nwant\n%s", steady(s.stream.says(s))[s.streamed:], want)
	})
}

// changing is what differs from run to run.
var changing = []struct {
	what *regexp.Regexp
	as   string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z`), "TIME"},
	{regexp.MustCompile(`"socketId":"[A-Z2-7]{26}"`), `"socketId":"ID"`},
	{regexp.MustCompile(`(?m)^id: [A-Z0-9]+(-\d+)\.\S+$`), "id: EPOCH$1.TAG"},
	{regexp.MustCompile(`(?m)^event: ping\ndata: \{\}\n\n`), ""},
	{regexp.MustCompile(`(?m)^retry: \d+$`), "retry: MS"},
	{regexp.MustCompile(`\b\d+ bytes`), "N bytes"},
}

// steady replaces what differs from run to run.
func steady(text string) string {
	for _, one := range changing {
		text = one.what.ReplaceAllString(text, one.as)
	}
	return text
}

// patternOf returns the regular expression of what a document shows. There, … stands for anything
// in a line, and a line of … for any lines.
func patternOf(want string) string {
	pattern := regexp.QuoteMeta(strings.TrimSpace(steady(want)))
	pattern = regexp.MustCompile(`(?m)^…$`).ReplaceAllString(pattern, "(?s:.*?)")
	return strings.ReplaceAll(pattern, "…", ".*")
}

// alike reports whether a command printed what the document shows.
func alike(want, got string) bool {
	return regexp.MustCompile(`\A` + patternOf(want) + `\z`).MatchString(strings.TrimSpace(steady(got)))
}
