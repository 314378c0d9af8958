package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	steadyStreams = 1000
	churnEvents   = 10   // a second
	churnRate     = 1500 // short connections a second
	churnTime     = 8 * time.Second

	atOnce      = 64 // connections that are opened at the same time
	connectTime = 5 * time.Second

	churnSource = 5 // short connections come from 127.0.5.x
)

// churn measures what short connections do to long streams, and how many connections a second a
// server accepts.
func (b *bench) churn(ctx context.Context) ([]*table, error) {
	steady, err := b.beside(ctx)
	if err != nil {
		return nil, err
	}
	most, err := b.connects(ctx)
	if err != nil {
		return nil, err
	}
	return []*table{steady, most}, nil
}

// beside measures long streams beside short ones.
func (b *bench) beside(ctx context.Context) (*table, error) {
	t := &table{
		title: "churn",
		intro: fmt.Sprintf("%d long streams get the snapshot %d times a second for %s, first alone (quiet) and then while %d clients a second connect, wait for their first event (with bare and r3labs, for the head of the response) and leave. Each client of marcador has its own token.",
			steadyStreams, churnEvents, churnTime, churnRate),
		head: []string{"server", "p50, quiet", "p50", "p99, quiet", "p99", "× quiet", "× bare", "received", "connects/s"},
	}
	names := []string{"bare", "marcador", "r3labs"}
	results, err := b.compare("churn", names, func(name string) (map[string]float64, error) {
		quiet, err := b.besideOf(ctx, name, 0)
		if err != nil {
			return nil, err
		}
		m, err := b.besideOf(ctx, name, churnRate)
		if err != nil {
			return nil, err
		}
		m["quiet p50"], m["quiet p99"] = quiet["p50"], quiet["p99"]
		m["ratio"] = m["p99"] / quiet["p99"]
		return m, nil
	})
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		s := results[name]
		t.add(name, millis(s.median("quiet p50")), millis(s.median("p50")), millis(s.median("quiet p99")), millis(s.median("p99")),
			times(s.median("ratio")), times(s.median(against("p99"))), percent(s.median("received")), fmt.Sprintf("%.0f", s.median("connects")))
	}
	return t, nil
}

func (b *bench) besideOf(ctx context.Context, name string, rate int) (_ map[string]float64, err error) {
	srv, g, closeAll, err := b.hold(ctx, name, steadyStreams, stream{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closeAll()) }()
	if _, err := publishEach(ctx, srv, g, steadyStreams, warmUp); err != nil {
		return nil, err
	}
	g.settle()

	guests := b.clients(g.pool, name, srv, stream{})
	guests.source = churnSource
	var came atomic.Int64
	guests.onReady = func(c *client) {
		came.Add(1)
		c.close()
	}
	inviting, stop := context.WithCancel(ctx)
	var inviters sync.WaitGroup
	if rate > 0 {
		inviters.Go(func() { guests.invite(inviting, rate) })
	}
	begin := time.Now()
	published, err := publishAtRate(ctx, srv, g, churnEvents, churnTime)
	if err == nil {
		err = pause(ctx, 500*time.Millisecond) // for the last events to arrive
	}
	stop()
	inviters.Wait()
	passed := time.Since(begin)
	if err = errors.Join(err, guests.failure()); err != nil {
		return nil, err
	}
	list, _ := g.received()
	delays := latencies(srv, published, list)
	return map[string]float64{
		"p50":      float64(quantile(delays, 0.5)),
		"p99":      float64(quantile(delays, 0.99)),
		"received": float64(len(delays)) / float64(steadyStreams*len(published)),
		"connects": float64(came.Load()) / passed.Seconds(),
	}, nil
}

// invite opens rate clients a second until ctx is done or one fails. The group records the failure,
// but not the clients.
func (g *group) invite(ctx context.Context, rate int) {
	const step = 2 * time.Millisecond
	begin := time.Now()
	for n := 0; pause(ctx, step) == nil; {
		for due := int(time.Since(begin).Seconds() * float64(rate)); n < due; n++ {
			if err := g.redial(n); err != nil {
				g.fail(err)
				return
			}
		}
	}
}

// connects measures how many connections a second a server accepts.
func (b *bench) connects(ctx context.Context) (*table, error) {
	t := &table{
		title: "connects",
		intro: fmt.Sprintf("As many connections as possible in %s, %d at a time: connect, send the request, wait for the first event (with bare and r3labs, for the head of the response), close. The shares are of all cores of the machine.", connectTime, atOnce),
		head:  []string{"server", "connects/s", "× bare", "server's CPU for each", "server's share", "load command's share"},
	}
	names := []string{"bare", "marcador", "r3labs"}
	results, err := b.compare("connects", names, func(name string) (map[string]float64, error) { return b.connectsOf(ctx, name) })
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		s := results[name]
		t.add(name, fmt.Sprintf("%.0f", s.median("connects")), times(s.median(against("connects"))), micros(s.median("cpu")), percent(s.median("share")), percent(s.median("own")))
	}
	return t, nil
}

func (b *bench) connectsOf(ctx context.Context, name string) (_ map[string]float64, err error) {
	srv, err := b.start(ctx, name, stream{})
	if err != nil {
		return nil, err
	}
	p, err := newPool(b.loops)
	if err != nil {
		return nil, errors.Join(err, srv.stop())
	}
	defer func() { err = errors.Join(err, p.close(), srv.stop()) }()
	g := b.clients(p, name, srv, stream{})
	g.source = churnSource
	var came atomic.Int64
	g.onReady = func(c *client) {
		came.Add(1)
		c.close()
		if err := g.redial(c.n + atOnce); err != nil {
			g.fail(err)
		}
	}
	for n := range atOnce {
		if err := g.redial(n); err != nil {
			return nil, err
		}
	}
	if err := pause(ctx, time.Second); err != nil {
		return nil, err
	}
	var clock [2]time.Time
	var server, own [2]time.Duration
	var count [2]int64
	for i := range 2 {
		clock[i], count[i] = time.Now(), came.Load()
		var failed error
		if server[i], failed = cpuTime(srv.pid()); failed != nil {
			return nil, failed
		}
		if own[i], failed = cpuTime(os.Getpid()); failed != nil {
			return nil, failed
		}
		if i == 0 {
			if err := pause(ctx, connectTime); err != nil {
				return nil, err
			}
		}
	}
	if err := g.failure(); err != nil {
		return nil, err
	}
	passed, n := clock[1].Sub(clock[0]), float64(count[1]-count[0])
	all := float64(passed) * float64(cores)
	return map[string]float64{
		"connects": n / passed.Seconds(),
		"cpu":      float64(server[1]-server[0]) / n,
		"share":    float64(server[1]-server[0]) / all,
		"own":      float64(own[1]-own[0]) / all,
	}, nil
}
