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

// cores is the number of cores. GOMAXPROCS is higher.
var cores = runtime.NumCPU()

// bench has what the scenarios share.
type bench struct {
	program *program
	folder  string // a temporary folder
	loops   int    // threads that read for the clients
	limit   int    // most streams that this process and a server can have

	// These are events of the program, which the other servers send too. difference is nil if the
	// program sends none.
	snapshot, difference []byte
	compresses           bool // the program compresses streams

	streams                            []int // numbers of streams of fan-outs
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

// frame returns the file with the event of a kind of stream.
func (b *bench) frame(want stream) string {
	if want.diff {
		return filepath.Join(b.folder, "difference")
	}
	return filepath.Join(b.folder, "snapshot")
}

// start starts a server. The flags are for marcador.
func (b *bench) start(ctx context.Context, name string, want stream, flags ...string) (server, error) {
	if name == "marcador" {
		return b.program.start(ctx, flags...)
	}
	return startPeer(ctx, name, b.frame(want))
}

// clients returns a group of clients for the server with the name.
func (b *bench) clients(p *pool, name string, srv server, want stream) *group {
	g := p.newGroup(srv.addr(), func(n int) []byte { return srv.request(n, want) })
	g.counted = name != "marcador" || want.gzip
	g.greeted = name == "marcador"
	return g
}

// hold starts a server and opens streams, and returns when each has its first state.
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

// fits returns the number of streams, or fewer if the limit of open files does not allow as many.
func (b *bench) fits(t *table, streams int) int {
	if streams > b.limit {
		if len(t.remarks) == 0 || !strings.Contains(t.remarks[len(t.remarks)-1], "open files") {
			t.remark("The limit of open files allows only %d streams here, not %d.", b.limit, streams)
		}
		return b.limit
	}
	return streams
}

// missing adds remarks on events that the program does not have.
func (b *bench) missing(t *table) {
	if b.difference == nil {
		t.remark("marcador has no `mode=diff` yet, so differences are left out.")
	}
	if !b.compresses {
		t.remark("marcador does not compress streams yet, so gzip is left out.")
	}
}

func (b *bench) progress(format string, args ...any) {
	fmt.Fprintf(b.log, "bench: "+format+"\n", args...)
}

// compare measures the servers one after the other, b.count times, and returns the series of each.
// If bare is one of them, each metric has another one beside it, the multiple of bare's value in
// the same run: see against.
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

// against returns the name of the metric's multiple of bare.
func against(metric string) string { return metric + " × bare" }
