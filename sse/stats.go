package sse

import (
	"sync/atomic"
	"time"
)

// Stats are counts since a Server was made, and how many streams are open now.
type Stats struct {
	Streams     map[string]int    // open now, by transport: raw, standard
	Deliveries  uint64            // news of topics written to a client
	Bytes       uint64            // written to clients, compressed where they are
	Skipped     uint64            // states that a client was not sent because it was sent a later one
	Recoveries  map[string]uint64 // connections that named an event id, by result: current, difference, snapshot
	Disconnects map[string]uint64 // streams that ended, by reason: client_gone, too_slow, token_expired, forbidden, replaced, signed_out, shutdown
	Refused     map[string]uint64 // streams that could not begin, by reason: the bound that was met, or shutting_down
	Freshness   Histogram         // from commit to written to the socket
}

// Histogram counts durations: Counts[i] are those of at most Bounds[i] seconds
// and more than the bound before; the last count has no bound.
type Histogram struct {
	Bounds []float64
	Counts []uint64
	Sum    float64 // seconds
}

// reason is why a stream ended.
type reason int

const (
	clientGone reason = iota
	tooSlow
	tokenExpired
	forbidden
	replaced
	signedOut
	shutdown
)

var reasonNames = [...]string{"client_gone", "too_slow", "token_expired", "forbidden", "replaced", "signed_out", "shutdown"}

// What became of a client that named an event id.
const (
	resultCurrent = iota
	resultDifference
	resultSnapshot
)

var resultNames = [...]string{"current", "difference", "snapshot"}

const (
	transportRaw = iota
	transportStandard
)

var transportNames = [...]string{"raw", "standard"}

// freshnessBounds cover a broadcast at once as well as one at the end of a window.
var freshnessBounds = [...]time.Duration{
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond,
	25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond,
	500 * time.Millisecond, time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second,
	30 * time.Second, time.Minute,
}

// counts are a server's. Safe for concurrent use.
type counts struct {
	streams     [len(transportNames)]atomic.Int64
	deliveries  atomic.Int64
	bytes       atomic.Int64
	skipped     atomic.Int64
	recoveries  [len(resultNames)]atomic.Int64
	disconnects [len(reasonNames)]atomic.Int64
	refused     [len(refusals)]atomic.Int64
	freshness   [len(freshnessBounds) + 1]atomic.Int64
	age         atomic.Int64 // sum of what freshness counts, in nanoseconds
}

// delivered counts n deliveries of news that were as old by then.
func (c *counts) delivered(n int64, age time.Duration) {
	i := 0
	for i < len(freshnessBounds) && age > freshnessBounds[i] {
		i++
	}
	c.deliveries.Add(n)
	c.freshness[i].Add(n)
	c.age.Add(n * int64(age))
}

// Stats returns the counts. Each is right by itself; together they may be a
// moment apart.
func (s *Server) Stats() Stats {
	c := &s.counts
	stats := Stats{
		Streams:     map[string]int{},
		Deliveries:  uint64(c.deliveries.Load()),
		Bytes:       uint64(c.bytes.Load()),
		Skipped:     uint64(c.skipped.Load()),
		Recoveries:  named(resultNames[:], c.recoveries[:]),
		Disconnects: named(reasonNames[:], c.disconnects[:]),
		Refused:     map[string]uint64{},
		Freshness:   Histogram{Sum: time.Duration(c.age.Load()).Seconds()},
	}
	for i, name := range transportNames {
		stats.Streams[name] = int(c.streams[i].Load())
	}
	for i, r := range refusals {
		stats.Refused[r.name] = uint64(c.refused[i].Load())
	}
	for _, b := range freshnessBounds {
		stats.Freshness.Bounds = append(stats.Freshness.Bounds, b.Seconds())
	}
	for i := range c.freshness {
		stats.Freshness.Counts = append(stats.Freshness.Counts, uint64(c.freshness[i].Load()))
	}
	return stats
}

func named(names []string, values []atomic.Int64) map[string]uint64 {
	m := make(map[string]uint64, len(names))
	for i, name := range names {
		m[name] = uint64(values[i].Load())
	}
	return m
}
