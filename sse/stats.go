package sse

import (
	"sync/atomic"
	"time"
)

// Stats are counts since a Server was made, and the number of streams that are open now.
type Stats struct {
	// Streams are the open streams, by transport: raw, standard.
	Streams map[string]int

	// Deliveries are writes of a topic's news to a client.
	Deliveries uint64

	// Bytes were written to clients, compressed if the stream is.
	Bytes uint64

	// Skipped are states that a client was not sent because it was sent a later one.
	Skipped uint64

	// Recoveries are streams whose client named an event id, by result: current (the client lacked
	// nothing), difference, snapshot (the stream began with whole states).
	Recoveries map[string]uint64

	// Disconnects are streams that ended, by reason: client_gone, too_slow, token_expired,
	// forbidden, replaced, signed_out, shutdown.
	Disconnects map[string]uint64

	// Refused are streams that did not begin, by reason: the bound that was met, or shutting_down.
	Refused map[string]uint64

	// Freshness is the time from a change to the write to the socket. See Publication.Since.
	Freshness Histogram
}

// Histogram counts durations. Counts[i] are the durations of at most Bounds[i] seconds that are
// longer than the bound before. The last count has no bound.
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

var reasonNames = [...]string{
	"client_gone", "too_slow", "token_expired", "forbidden", "replaced", "signed_out", "shutdown",
}

// The results of a stream whose client named an event id.
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

// freshnessBounds cover everything from an immediate publication to the end of a long window.
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
	age         atomic.Int64 // the sum of all that freshness counts, in nanoseconds
}

// delivered counts n deliveries of news of that age.
func (c *counts) delivered(n int64, age time.Duration) {
	i := 0
	for i < len(freshnessBounds) && age > freshnessBounds[i] {
		i++
	}
	c.deliveries.Add(n)
	c.freshness[i].Add(n)
	c.age.Add(n * int64(age))
}

// Stats returns the counts. Each count is exact, but they are read one after the other, so they may
// be a moment apart.
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
