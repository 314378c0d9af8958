// Bench loads servers with streams and writes, and measures what these cost. README.md says how to
// read the results.
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
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// scenario is a question that bench answers with tables.
type scenario struct {
	name string
	run  func(*bench, context.Context) ([]*table, error)
	long bool // runs only if it is named
}

// scenarios are all scenarios, in the order in which they run.
var scenarios = []scenario{
	{name: "fanout", run: (*bench).fanout},
	{name: "ways", run: (*bench).ways},
	{name: "idle", run: (*bench).idle},
	{name: "stall", run: (*bench).stall},
	{name: "churn", run: (*bench).churn},
	{name: "drain", run: (*bench).drain},
	{name: "writes", run: (*bench).writes},
	{name: "page", run: (*bench).page, long: true},
	{name: "soak", run: (*bench).soak, long: true},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // so that a second signal ends the process and its children
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	b := &bench{log: stderr}
	o, err := b.parse(args, stderr)
	if err != nil {
		return err
	}
	if o.serve != "" {
		return servePeer(o.serve, o.frame)
	}
	chosen, err := choose(o.scenarios)
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
	runtime.GOMAXPROCS(cores + b.loops) // so that no goroutine waits for a loop in a system call
	if err := b.prepare(ctx); err != nil {
		return err
	}
	var file bytes.Buffer
	fmt.Fprintf(&file, "# Results\n\nWritten by `go run ./bench`; see [README.md](README.md).\n\n```\n%s\n```\n\n", strings.Join(machine(), "\n"))
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
	if o.out == "" {
		return nil
	}
	results := append(bytes.TrimRight(file.Bytes(), "\n"), '\n')
	return os.WriteFile(o.out, results, 0o644) //nolint:gosec // anybody may read it
}

// options are the flags and arguments that bench has no fields for.
type options struct {
	out          string
	serve, frame string
	scenarios    []string
}

// parse reads the command line.
func (b *bench) parse(args []string, stderr io.Writer) (o options, err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.out, "out", "", "also write the results to this file, as Markdown")
	flags.IntVar(&b.count, "count", 3, "runs of each measurement; the results are medians")
	flags.IntVar(&b.loops, "loops", min(2, runtime.NumCPU()), "threads that read for the clients")
	streams := flags.String("streams", "1000,5000", "numbers of streams of a fan-out")
	flags.IntVar(&b.idleStreams, "idle", 5000, "number of idle streams")
	flags.IntVar(&b.idleTLS, "idle-tls", 1000, "number of idle streams over TLS")
	flags.IntVar(&b.drainStreams, "drain", 20000, "number of streams that a shutdown ends")
	flags.DurationVar(&b.soakTime, "soak", time.Hour, "how long the soak takes")
	flags.DurationVar(&b.pageTime, "page", 10*time.Minute, "how long the page's memory is watched")
	flags.StringVar(&o.serve, "serve", "", "internal: be this server")
	flags.StringVar(&o.frame, "frame", "", "internal: the file with the event that the server sends")
	flags.Usage = func() {
		names := make([]string, len(scenarios))
		for i, s := range scenarios {
			names[i] = s.name
		}
		fmt.Fprintf(stderr, "Usage: go run ./bench [flags] [scenario …]\n\nThe scenarios are %s. By default all of them run, except page and soak.\n\n", strings.Join(names, ", "))
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	o.scenarios = flags.Args()
	for text := range strings.SplitSeq(*streams, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return o, fmt.Errorf("-streams %q: give numbers above 0, separated by commas", *streams)
		}
		b.streams = append(b.streams, n)
	}
	if min(b.count, b.loops, b.idleStreams, b.idleTLS, b.drainStreams) < 1 || b.soakTime <= 0 || b.pageTime <= 0 {
		return o, errors.New("-count, -loops, -page, -soak and numbers of streams have to be above 0")
	}
	return o, nil
}

// choose returns the scenarios with the names. Without names it returns all that are not long.
func choose(names []string) ([]scenario, error) {
	var chosen []scenario
	if len(names) == 0 {
		return slices.DeleteFunc(slices.Clone(scenarios), func(s scenario) bool { return s.long }), nil
	}
	for _, name := range names {
		i := slices.IndexFunc(scenarios, func(s scenario) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no scenario %q; see -help", name)
		}
		chosen = append(chosen, scenarios[i])
	}
	return chosen, nil
}

// servePeer turns this process into a server to compare with.
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
