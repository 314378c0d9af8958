package main

import (
	"context"
	"slices"
	"time"
)

// stallWatch follows the server's ends of connections whose clients do not read,
// and its memory. Its fields may be read when run has returned.
type stallWatch struct {
	server server

	// By connection, in nanoseconds since 1970.
	first  map[string]int64 // when the send queue was last seen to have grown
	queued map[string]int64 // its size then, in bytes
	over   map[string]int64 // when the server had given the connection up

	rss    int64 // at its highest, in bytes
	kernel int64 // of one connection, the median at its highest, in bytes; 0 where that is not known
	err    error
}

// run looks every 50 ms until ctx is done.
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

// waits returns how long each connection that was given up was kept after the first
// event that found no room, sorted, in nanoseconds. That event is the first of
// those, which are sorted, that was published when the queue had grown for the last
// time.
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
