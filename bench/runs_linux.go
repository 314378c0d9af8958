package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// cores is how many the machine has; more threads than that run Go code here.
var cores = runtime.NumCPU()

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
	soakTime, pageTime                 time.Duration
	log                                io.Writer
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

// compare measures servers in turn, so many times as there are runs, and returns
// the series of each. Beside each metric is another one, its multiple of what bare
// had in the same run, where bare is among them and had any: see against.
func (b *bench) compare(what string, names []string, measure func(name string) (map[string]float64, error)) (map[string]series, error) {
	results := make(map[string]series, len(names))
	for _, name := range names {
		results[name] = series{}
	}
	for run := range b.count {
		for _, name := range names {
			b.progress("%s %d/%d: %s", what, run+1, b.count, name)
			m, err := measure(name)
			if err != nil {
				return nil, fmt.Errorf("%s, %s: %w", what, name, err)
			}
			for metric, value := range m {
				results[name].add(metric, value)
				if bare := results["bare"][metric]; len(bare) == run+1 && bare[run] > 0 {
					results[name].add(against(metric), value/bare[run])
				}
			}
		}
	}
	return results, nil
}

// against names the metric that is a multiple of bare's.
func against(metric string) string { return metric + " × bare" }
