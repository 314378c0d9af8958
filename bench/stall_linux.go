package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	goodClients    = 100
	stalledClients = 20
	stallRate      = 100             // events a second
	stallTime      = 8 * time.Second // how long events are published
	writeTimeout   = 2 * time.Second // --write-timeout of marcador

	stalledSource = 9 // stalled clients come from 127.0.9.x
)

// stall measures what clients that have stopped reading do to other clients, when the server cuts
// them off, and how much memory they take until then.
func (b *bench) stall(ctx context.Context) ([]*table, error) {
	t := &table{
		title: "stall",
		intro: fmt.Sprintf("%d clients read and %d never do (receive buffers of 4 KB); all get the snapshot %d times a second for %s; marcador has `--write-timeout %s`. Quiet is the same run without the stalled clients. "+
			"Received is the share of all events that the reading clients got. Cut off counts the stalled clients whose connection the server closed; after is the time since the first event that did not fit into the send queue (the first one after the queue in /proc/net/tcp, read every 50 ms, had grown for the last time). "+
			"RSS and kernel are the highest memory for each stalled client: the growth of the process over the quiet run, and the kernel's memory for the server's socket.",
			goodClients, stalledClients, stallRate, stallTime, writeTimeout),
		head: []string{"server", "received, quiet", "received", "p99, quiet", "p99", "× quiet", "× bare", "cut off", "after, median", "after, most", "RSS", "kernel"},
	}
	names := []string{"bare", "marcador", "r3labs"}
	results, err := b.compare("stall", names, func(name string) (map[string]float64, error) {
		quiet, err := b.stallOf(ctx, name, 0)
		if err != nil {
			return nil, err
		}
		m, err := b.stallOf(ctx, name, stalledClients)
		if err != nil {
			return nil, err
		}
		m["quiet p99"], m["quiet received"] = quiet["p99"], quiet["received"]
		m["ratio"] = m["p99"] / quiet["p99"]
		m["growth"] = (m["rss"] - quiet["rss"]) / stalledClients
		return m, nil
	})
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		s := results[name]
		after, most, kernel := "–", "–", "–"
		if s.has("after") {
			after, most = fmt.Sprintf("%.2f s", s.median("after")/1e9), fmt.Sprintf("%.2f s", s.median("most")/1e9)
		}
		if s.has("kernel") {
			kernel = kilobytes(s.median("kernel"))
		}
		t.add(name, percent(s.median("quiet received")), percent(s.median("received")), millis(s.median("quiet p99")), millis(s.median("p99")),
			times(s.median("ratio")), times(s.median(against("p99"))), fmt.Sprintf("%.0f of %d", s.median("cut off"), stalledClients), after, most, kilobytes(s.median("growth")), kernel)
	}
	return []*table{t}, nil
}

func (b *bench) stallOf(ctx context.Context, name string, stalled int) (_ map[string]float64, err error) {
	var flags []string
	if name == "marcador" {
		flags = []string{"--write-timeout", writeTimeout.String()}
	}
	srv, g, closeAll, err := b.hold(ctx, name, goodClients, stream{}, flags...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closeAll()) }()
	deaf := b.clients(g.pool, name, srv, stream{})
	deaf.deaf, deaf.receiveBuffer, deaf.source = true, 4<<10, stalledSource
	if err := deaf.open(ctx, stalled); err != nil {
		return nil, err
	}
	g.settle()

	watch := &stallWatch{server: srv, first: map[string]int64{}, queued: map[string]int64{}, over: map[string]int64{}}
	watching, stop := context.WithCancel(ctx)
	var watchers sync.WaitGroup
	watchers.Go(func() { watch.run(watching) })
	published, err := publishAtRate(ctx, srv, g, stallRate, stallTime)
	if err == nil {
		err = pause(ctx, time.Second) // for the last events to arrive
	}
	list, _ := g.received()
	stop()
	watchers.Wait()
	if err = errors.Join(err, watch.err); err != nil {
		return nil, err
	}
	delays := latencies(srv, published, list)
	m := map[string]float64{
		"p99":      float64(quantile(delays, 0.99)),
		"received": float64(len(delays)) / float64(goodClients*len(published)),
		"rss":      float64(watch.rss),
		"cut off":  float64(len(watch.over)),
	}
	if watch.kernel > 0 {
		m["kernel"] = float64(watch.kernel)
	}
	at := make([]int64, len(published))
	for i, p := range published {
		at[i] = srv.publishedAt(p)
	}
	if waits := watch.waits(at); len(waits) > 0 {
		m["after"], m["most"] = float64(quantile(waits, 0.5)), float64(waits[len(waits)-1])
	}
	return m, nil
}

// publishAtRate publishes rate events a second, however long they take to arrive. It does not make
// up for late events, which would be a burst.
func publishAtRate(ctx context.Context, srv server, g *group, rate int, d time.Duration) ([]publication, error) {
	var all []publication
	next := time.Now()
	for end := next.Add(d); next.Before(end); {
		if err := pause(ctx, time.Until(next)); err != nil {
			return nil, err
		}
		if next = next.Add(time.Second / time.Duration(rate)); next.Before(time.Now()) {
			next = time.Now()
		}
		p, err := g.publish(ctx, srv)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}
