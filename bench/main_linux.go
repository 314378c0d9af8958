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
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// scenario is one question.
type scenario struct {
	name string
	run  func(*bench, context.Context) ([]*table, error)
	long bool // it runs only where it is asked for
}

// scenarios are in the order in which they run.
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
	flags.DurationVar(&b.soakTime, "soak", time.Hour, "how long a soak takes")
	flags.DurationVar(&b.pageTime, "page", 10*time.Minute, "how long the page's memory is watched")
	serve := flags.String("serve", "", "be a server to compare with; for the load command itself")
	frame := flags.String("frame", "", "file with the event that such a server sends")
	flags.Usage = func() {
		names := make([]string, len(scenarios))
		for i, s := range scenarios {
			names[i] = s.name
		}
		fmt.Fprintf(stderr, "Usage: go run ./bench [flags] [scenario …]\n\nScenarios, all of them but page and soak by default: %s.\n\n", strings.Join(names, ", "))
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
	if min(b.count, b.loops, b.idleStreams, b.idleTLS, b.drainStreams) < 1 || b.soakTime <= 0 || b.pageTime <= 0 {
		return errors.New("-count, -loops, -page, -soak and numbers of streams have to be above 0")
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
	if *out == "" {
		return nil
	}
	return os.WriteFile(*out, append(bytes.TrimRight(file.Bytes(), "\n"), '\n'), 0o644) //nolint:gosec // it is for anybody to read
}

// choose returns the scenarios of those names, all but the long ones where there are none.
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
