package main

import (
	"context"
	"slices"
	"time"
)

// stallWatch watches the memory of a server, and its ends of connections whose clients do not read.
// Its fields may be read when run has returned.
type stallWatch struct {
	server server

	// The keys of these are the clients' addresses. Times are in nanoseconds since 1970.
	first  map[string]int64 // when the send queue had last grown
	queued map[string]int64 // bytes in the queue then
	over   map[string]int64 // when the server had closed the connection

	rss    int64 // bytes, the highest value
	kernel int64 // bytes of one connection, the highest median; 0 if it is not known
	err    error
}

// run looks at the server every 50 ms until ctx is done.
func (w *stallWatch) run(ctx context.Context) {
	for n := 0; w.err == nil; n++ {
		if w.look(); n%10 == 0 {
			if all, ok := socketMemory(ctx, w.server.addr().Port, stalledSource); ok {
				w.kernel = max(w.kernel, quantile(all, 0.5))
			}
		}
		if pause(ctx, 50*time.Millisecond) != nil {
			return
		}
	}
}

func (w *stallWatch) look() {
	rss, err := resident(w.server.pid())
	if err != nil {
		w.err = err
		return
	}
	w.rss = max(w.rss, rss)
	all, err := connections(w.server.addr().Port, stalledSource)
	if err != nil {
		w.err = err
		return
	}
	at := time.Now().UnixNano()
	for peer, c := range all {
		if c.state == established && c.queued > w.queued[peer] {
			w.queued[peer], w.first[peer] = c.queued, at
		}
	}
	for peer := range w.first {
		if c, is := all[peer]; (!is || c.state != established) && w.over[peer] == 0 {
			w.over[peer] = at
		}
	}
}

// waits returns, for each connection that the server closed, the time from the first event that did
// not fit into the send queue, in nanoseconds and sorted. That event is the first one that was
// published after the queue had grown for the last time. published is sorted.
func (w *stallWatch) waits(published []int64) []int64 {
	var all []int64
	for peer, at := range w.over {
		if i, _ := slices.BinarySearch(published, w.first[peer]); i < len(published) {
			all = append(all, at-published[i])
		}
	}
	slices.Sort(all)
	return all
}
