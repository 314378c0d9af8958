package sse

import (
	"sync"
	"time"
)

// fanout measures how long a topic's news take to half of its followers. Safe for concurrent use.
type fanout struct {
	mu          sync.Mutex
	followers   int           // guarded by mu
	publication int64         // guarded by mu: the number of the publication that is measured
	began       time.Time     // guarded by mu: when it was published
	untilHalf   int           // guarded by mu: how many followers must still be written until half have it
	took        time.Duration // guarded by mu: twice the last measured time to half of them
}

func (f *fanout) begin(publication int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.publication, f.began = publication, time.Now()
	f.untilHalf = (f.followers + 1) / 2
}

// wrote counts n followers that were written the publication.
func (f *fanout) wrote(publication int64, n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if publication != f.publication || f.untilHalf <= 0 {
		return
	}
	if f.untilHalf -= n; f.untilHalf <= 0 {
		f.took = 2 * time.Since(f.began)
	}
}

// count adds n followers; n may be negative.
func (f *fanout) count(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.followers += n
}
