package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	drainTime = 60 * time.Second // for all clients to get the goodbye, and to come back
	slot      = 100 * time.Millisecond

	returnSource = 7 // clients come back from 127.0.7.x
)

// drain shuts a service with many streams down, and measures whether their clients come back all at
// once.
func (b *bench) drain(ctx context.Context) ([]*table, error) {
	t := &table{
		title: "drain",
		intro: fmt.Sprintf("SIGTERM to marcador after each stream got an event. Each client that reads `goodbye` connects again exactly after its `retry:`. Most is the number of clients that return in the fullest slot of %s; × mean compares it with the mean of all slots from the first return to the last.", slot),
		head:  []string{"server", "streams", "got an event", "got goodbye", "process ended after", "returned", "within", "most in a slot", "× mean"},
	}
	streams := b.fits(t, b.drainStreams)
	s := series{}
	for run := range b.count {
		b.progress("drain %d/%d: %d streams", run+1, b.count, streams)
		m, err := b.drainOf(ctx, streams)
		if err != nil {
			return nil, fmt.Errorf("drain: %w", err)
		}
		for metric, value := range m {
			s.add(metric, value)
		}
	}
	whole := func(metric string) string { return fmt.Sprintf("%.0f", s.median(metric)) }
	t.add("marcador", fmt.Sprint(streams), whole("events"), whole("goodbyes"), fmt.Sprintf("%.2f s", s.median("exit")/1e9),
		whole("returned"), fmt.Sprintf("%.1f s", s.median("within")/1e9), whole("most"), times(s.median("ratio")))
	return []*table{t}, nil
}

func (b *bench) drainOf(ctx context.Context, streams int) (_ map[string]float64, err error) {
	srv, g, closeAll, err := b.hold(ctx, "marcador", streams, stream{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closeAll()) }()
	s, ok := srv.(*service)
	if !ok {
		return nil, errors.New("only marcador sends goodbye")
	}
	if _, err := publishEach(ctx, srv, g, streams, 1); err != nil {
		return nil, err
	}
	events := g.tally.n.Load()

	r := &returns{server: srv.addr()}
	var gone atomic.Int64
	for _, l := range g.pool.loops { // only the loops may set hooks now
		l.do(func() {
			g.onEvent = func(c *client, e event, _ int64) {
				if e.kind == goodbyeEvent {
					r.schedule(c.n, time.Duration(e.retry)*time.Millisecond)
				}
			}
			g.onGone = func(*client, int64) { gone.Add(1) }
		})
	}
	begin := time.Now()
	if err := s.terminate(); err != nil {
		return nil, err
	}
	deadline := time.NewTimer(drainTime)
	defer deadline.Stop()
	select {
	case <-s.exited:
	case <-deadline.C:
		return nil, fmt.Errorf("the process had not ended after %s", drainTime)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	exit := time.Since(begin)
	for end := time.Now().Add(5 * time.Second); gone.Load() < int64(streams) && time.Now().Before(end); {
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return nil, err
		}
	}
	goodbyes := r.scheduled()
	at, err := r.wait(ctx)
	if err != nil {
		return nil, err
	}
	m := map[string]float64{
		"events": float64(events), "goodbyes": float64(goodbyes), "exit": float64(exit), "returned": float64(len(at)),
	}
	if most, mean := spread(at, int64(slot)); mean > 0 {
		m["most"], m["ratio"] = float64(most), float64(most)/mean
		m["within"] = float64(r.last() - begin.UnixNano())
	}
	return m, nil
}

// returns has the clients that come back after a goodbye.
type returns struct {
	server unix.SockaddrInet4

	mu      sync.Mutex
	waiting int     // guarded by mu: clients that are still to come
	told    int     // guarded by mu: clients that got a goodbye
	at      []int64 // guarded by mu: when clients came back, in nanoseconds since 1970
}

func (r *returns) schedule(n int, after time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told++
	r.waiting++
	time.AfterFunc(after, func() {
		at := time.Now().UnixNano()
		// The service has ended by now, so the attempt may fail.
		if fd, err := connect(r.server, returnSource, n, 0); err == nil {
			_ = unix.Close(fd)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.at = append(r.at, at)
		r.waiting--
	})
}

func (r *returns) scheduled() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.told
}

// wait waits until all clients have come back, or for drainTime, and returns when each came back.
func (r *returns) wait(ctx context.Context) ([]int64, error) {
	for end := time.Now().Add(drainTime); time.Now().Before(end); {
		r.mu.Lock()
		waiting, at := r.waiting, r.at
		r.mu.Unlock()
		if waiting == 0 {
			return at, nil
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return nil, err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.at), nil
}

// last returns when the last client came back.
func (r *returns) last() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Max(r.at)
}
