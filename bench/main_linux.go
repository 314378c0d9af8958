// Bench loads servers with streams and measures what each stream costs them.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// bench is what the scenarios share.
type bench struct {
	program *program
	folder  string // temporary
	loops   int
	limit   int // streams that this process and a server can hold

	// Events as the program sends them, for others to send. difference is nil where
	// the program sends none.
	snapshot, difference []byte
	compresses           bool // the program does

	streams                            []int // of fan-outs
	idleStreams, idleTLS, drainStreams int
	count                              int // runs of each measurement
	log                                io.Writer
}

// scenario is one question.
type scenario struct {
	name string
	run  func(*bench, context.Context) ([]*table, error)
}

// cores is how many the machine has; more threads than that run Go code here.
var cores = runtime.NumCPU()

// scenarios are in the order in which they run.
var scenarios = []scenario{
	{"fanout", (*bench).fanout},
	{"idle", (*bench).idle},
	{"stall", (*bench).stall},
	{"churn", (*bench).churn},
	{"drain", (*bench).drain},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process, and its children with it
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	b := &bench{log: stderr}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	out := flags.String("out", "", "write the results to this file too, as Markdown")
	flags.IntVar(&b.count, "count", 3, "runs of each measurement, of which the median counts")
	flags.IntVar(&b.loops, "loops", min(2, runtime.NumCPU()), "threads that read for the clients")
	streams := flags.String("streams", "1000,5000", "numbers of streams of a fan-out")
	flags.IntVar(&b.idleStreams, "idle", 5000, "number of idle streams")
	flags.IntVar(&b.idleTLS, "idle-tls", 1000, "number of idle streams over TLS")
	flags.IntVar(&b.drainStreams, "drain", 20000, "number of streams that a shutdown ends")
	serve := flags.String("serve", "", "be a server to compare with; for the load command itself")
	frame := flags.String("frame", "", "file with the event that such a server sends")
	flags.Usage = func() {
		names := make([]string, len(scenarios))
		for i, s := range scenarios {
			names[i] = s.name
		}
		fmt.Fprintf(stderr, "Usage: go run ./bench [flags] [scenario …]\n\nScenarios, all of them by default: %s.\n\n", strings.Join(names, ", "))
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *serve != "" {
		return servePeer(*serve, *frame)
	}
	for text := range strings.SplitSeq(*streams, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return fmt.Errorf("-streams %q: give numbers above 0, separated by commas", *streams)
		}
		b.streams = append(b.streams, n)
	}
	if min(b.count, b.loops, b.idleStreams, b.idleTLS, b.drainStreams) < 1 {
		return errors.New("-count, -loops and numbers of streams have to be 1 or more")
	}
	chosen, err := choose(flags.Args())
	if err != nil {
		return err
	}
	if b.limit, err = raiseLimit(); err != nil {
		return err
	}
	if b.folder, err = os.MkdirTemp("", "marcador-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.folder)) }()
	runtime.GOMAXPROCS(cores + b.loops) // nobody waits for a loop that sits in a system call
	if err := b.prepare(ctx); err != nil {
		return err
	}
	var file bytes.Buffer
	fmt.Fprintf(&file, "# Streams\n\nWritten by `go run ./bench`; see [README.md](README.md).\n\n```\n%s\n```\n\n", strings.Join(machine(), "\n"))
	for _, s := range chosen {
		tables, err := s.run(b, ctx)
		if err != nil {
			return err
		}
		for _, t := range tables {
			if err := t.write(io.MultiWriter(stdout, &file)); err != nil {
				return err
			}
		}
	}
	if *out == "" {
		return nil
	}
	return os.WriteFile(*out, append(bytes.TrimRight(file.Bytes(), "\n"), '\n'), 0o644) //nolint:gosec // it is for anybody to read
}

// choose returns the scenarios of those names, all where there are none.
func choose(names []string) ([]scenario, error) {
	if len(names) == 0 {
		return scenarios, nil
	}
	var chosen []scenario
	for _, name := range names {
		i := slices.IndexFunc(scenarios, func(s scenario) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no scenario %q; see -help", name)
		}
		chosen = append(chosen, scenarios[i])
	}
	return chosen, nil
}

// servePeer is this program as a server to compare with.
func servePeer(name, frame string) error {
	event, err := os.ReadFile(frame)
	if err != nil {
		return err
	}
	switch name {
	case "bare":
		return serveBare(event)
	case "r3labs":
		return serveR3labs(event)
	}
	return fmt.Errorf("there is no server %q", name)
}

// prepare builds the program and captures the events that all servers send.
func (b *bench) prepare(ctx context.Context) (err error) {
	b.progress("building marcador")
	if b.program, err = build(ctx, b.folder); err != nil {
		return err
	}
	if err := b.program.sign(min(max(slices.Max(b.streams), b.idleStreams, b.idleTLS, b.drainStreams, 2000), b.limit)); err != nil {
		return err
	}
	s, err := b.program.start(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	var has bool
	if b.snapshot, has, err = s.capture(ctx, stream{}); err != nil || !has {
		return errors.Join(errors.New("marcador refuses a stream"), err)
	}
	if b.difference, _, err = s.capture(ctx, stream{diff: true}); err != nil {
		return err
	}
	if b.compresses, err = s.compresses(ctx); err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(b.frame(stream{}), b.snapshot, 0o600),
		os.WriteFile(b.frame(stream{diff: true}), b.difference, 0o600),
	)
}

// frame is the file with the event that a stream of that kind is sent.
func (b *bench) frame(want stream) string {
	if want.diff {
		return filepath.Join(b.folder, "difference")
	}
	return filepath.Join(b.folder, "snapshot")
}

// start starts a server. Flags are for marcador.
func (b *bench) start(ctx context.Context, name string, want stream, flags ...string) (server, error) {
	if name == "marcador" {
		return b.program.start(ctx, flags...)
	}
	return startPeer(ctx, name, b.frame(want))
}

// clients returns a group of clients for a server of that name.
func (b *bench) clients(p *pool, name string, srv server, want stream) *group {
	g := p.newGroup(srv.addr(), func(n int) []byte { return srv.request(n, want) })
	g.counted = name != "marcador" || want.gzip
	g.greeted = name == "marcador"
	return g
}

// hold starts a server and opens streams, which have their first state.
func (b *bench) hold(ctx context.Context, name string, streams int, want stream, flags ...string) (server, *group, func() error, error) {
	srv, err := b.start(ctx, name, want, flags...)
	if err != nil {
		return nil, nil, nil, err
	}
	p, err := newPool(b.loops)
	if err != nil {
		return nil, nil, nil, errors.Join(err, srv.stop())
	}
	closeAll := func() error { return errors.Join(p.close(), srv.stop()) }
	g := b.clients(p, name, srv, want)
	err = g.open(ctx, streams)
	if err == nil {
		err = pause(ctx, 300*time.Millisecond)
	}
	if err != nil {
		return nil, nil, nil, errors.Join(err, closeAll())
	}
	g.settle()
	return srv, g, closeAll, nil
}

// fits returns how many of so many streams the limit of open files allows.
func (b *bench) fits(t *table, streams int) int {
	if streams > b.limit {
		if len(t.notes) == 0 || !strings.Contains(t.notes[len(t.notes)-1], "open files") {
			t.note("The limit of open files allows %d streams here, not %d.", b.limit, streams)
		}
		return b.limit
	}
	return streams
}

// missing notes what the program could not be asked for.
func (b *bench) missing(t *table) {
	if b.difference == nil {
		t.note("marcador has no `mode=diff` yet, so there are no differences here.")
	}
	if !b.compresses {
		t.note("marcador does not compress streams yet, so there is no gzip here.")
	}
}

func (b *bench) progress(format string, args ...any) {
	fmt.Fprintf(b.log, "bench: "+format+"\n", args...)
}
