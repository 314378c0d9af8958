package sse

import (
	"sync"
	"time"
)

// fanout measures how long a topic's news take to half of its subscribers. Safe
// for concurrent use.
type fanout struct {
	mu          sync.Mutex
	subscribers int           // guarded by mu
	publication int64         // guarded by mu: which news
	began       time.Time     // guarded by mu: when they were published
	half        int           // guarded by mu: subscribers still to be written to until half of them were
	took        time.Duration // guarded by mu: how long the last news took that got there, for all
}

func (f *fanout) begin(publication int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.publication, f.began = publication, time.Now()
	f.half = (f.subscribers + 1) / 2
}

// wrote counts n subscribers that have been written the news.
func (f *fanout) wrote(publication int64, n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if publication != f.publication || f.half <= 0 {
		return
	}
	if f.half -= n; f.half <= 0 {
		f.took = 2 * time.Since(f.began)
	}
}

// count counts subscribers that come, or go.
func (f *fanout) count(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.subscribers += n
}
