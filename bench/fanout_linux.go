package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// A fan-out sends warmUp events that are not measured, and then the measured ones.
const (
	warmUp   = 5
	measured = 40
)

// trial is a server, a number of streams and a kind of stream.
type trial struct {
	server  string
	streams int
	want    stream
}

// fanout sends events to all streams, one at a time, and measures what a delivery costs the server
// and how long it takes.
func (b *bench) fanout(ctx context.Context) ([]*table, error) {
	t := &table{
		title: "fanout",
		intro: fmt.Sprintf("One event at a time to all streams, the next one after all have received it: %d events after %d of warm-up. "+
			"CPU is the time of the server process for each delivery; for marcador it includes the write that causes the event. "+
			"Times are from the publication until a client has read the event, over all clients and events. "+
			"Sent is the size of an event for one client; × bare compares with the plain event. Skipped is the number of events that some client did not get, and in how many of the %d events.", measured, warmUp, measured),
		head: []string{"server", "streams", "event", "sent", "× bare", "CPU", "× bare", "p50", "p99", "× bare", "skipped"},
	}
	order := b.trials(t)
	results, err := b.fanouts(ctx, order)
	if err != nil {
		return nil, err
	}
	for _, one := range order {
		s := results[one]
		skipped := "0"
		if n := s.median("missing"); n > 0 {
			skipped = fmt.Sprintf("%.0f, in %.0f events", n, s.median("incomplete"))
		}
		t.add(one.server, fmt.Sprint(one.streams), one.want.String(), fmt.Sprintf("%.0f B", s.median("bytes")), times(s.median("bytes ratio")),
			micros(s.median("cpu")), times(s.median("cpu ratio")), millis(s.median("p50")), millis(s.median("p99")),
			times(s.median("p99 ratio")), skipped)
	}
	b.missing(t)
	return []*table{t}, nil
}

// trials returns the trials in the order in which they run. bare comes before the servers that are
// compared with it.
func (b *bench) trials(t *table) (order []trial) {
	for _, streams := range b.streams {
		streams = b.fits(t, streams)
		for _, diff := range []bool{false, true} {
			if diff && b.difference == nil {
				continue
			}
			plain := stream{diff: diff}
			order = append(order, trial{"bare", streams, plain}, trial{"marcador", streams, plain})
			if b.compresses {
				order = append(order, trial{"marcador", streams, stream{diff: diff, gzip: true}})
			}
			order = append(order, trial{"r3labs", streams, plain})
		}
	}
	return order
}

// fanouts runs the trials b.count times.
func (b *bench) fanouts(ctx context.Context, order []trial) (map[trial]series, error) {
	results := map[trial]series{}
	for run := range b.count {
		for _, one := range order {
			b.progress("fanout %d/%d: %s, %d streams, %s", run+1, b.count, one.server, one.streams, one.want)
			m, err := b.fanoutOf(ctx, one.server, one.streams, one.want)
			if err != nil {
				return nil, fmt.Errorf("fanout, %s, %d streams, %s: %w", one.server, one.streams, one.want, err)
			}
			s := results[one]
			if s == nil {
				s = series{}
				results[one] = s
			}
			for metric, value := range m {
				s.add(metric, value)
			}
			bare := results[trial{"bare", one.streams, stream{diff: one.want.diff}}]
			for _, metric := range []string{"bytes", "cpu", "p99"} {
				s.add(metric+" ratio", m[metric]/bare[metric][run])
			}
		}
	}
	return results, nil
}

// fanoutOf measures one server once.
func (b *bench) fanoutOf(ctx context.Context, name string, streams int, want stream) (_ map[string]float64, err error) {
	srv, g, closeAll, err := b.hold(ctx, name, streams, want)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closeAll()) }()
	if _, err := publishEach(ctx, srv, g, streams, warmUp); err != nil {
		return nil, err
	}
	_, bytesBefore := g.received()
	before, err := cpuTime(srv.pid())
	if err != nil {
		return nil, err
	}
	published, err := publishEach(ctx, srv, g, streams, measured)
	if err != nil {
		return nil, err
	}
	after, err := cpuTime(srv.pid())
	if err != nil {
		return nil, err
	}
	list, bytesAfter := g.received()
	delays := latencies(srv, published, list)
	if len(delays) == 0 {
		return nil, errors.New("no stream received an event")
	}
	return map[string]float64{
		"cpu":        float64(after-before) / float64(len(delays)),
		"p50":        float64(quantile(delays, 0.5)),
		"p99":        float64(quantile(delays, 0.99)),
		"bytes":      float64(bytesAfter-bytesBefore) / float64(len(delays)),
		"missing":    float64(streams*measured - len(delays)),
		"incomplete": float64(incomplete(published, list, streams)),
	}, nil
}

// publishEach publishes n events. It waits until all streams have received an event, or for five
// seconds, before it publishes the next one.
func publishEach(ctx context.Context, srv server, g *group, streams, n int) ([]publication, error) {
	var all []publication
	for range n {
		start := g.tally.n.Load()
		p, err := g.publish(ctx, srv)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
		if err := g.tally.wait(ctx, start, int64(streams), 5*time.Second); err != nil {
			return nil, err
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// incomplete returns how many of the events some stream did not receive.
func incomplete(published []publication, received []sample, streams int) int {
	got := make(map[int64]int, len(published))
	for _, s := range received {
		got[s.key]++
	}
	n := 0
	for _, p := range published {
		if got[p.key] < streams {
			n++
		}
	}
	return n
}

// latencies returns how long each event took to each client that received it, in nanoseconds and
// sorted.
func latencies(srv server, published []publication, received []sample) []int64 {
	at := make(map[int64]int64, len(published))
	for _, p := range published {
		at[p.key] = srv.publishedAt(p)
	}
	delays := make([]int64, 0, len(received))
	for _, s := range received {
		if t, ok := at[s.key]; ok {
			delays = append(delays, s.at-t)
		}
	}
	slices.Sort(delays)
	return delays
}
