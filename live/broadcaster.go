package live

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"marcador/sse"
)

// broadcaster publishes what the due publishers have. One goroutine does it, which exists only
// while a publisher is due, and which takes all that are due together. So the changes that a commit
// made to several boards reach a client of these boards at one moment, with one event id. Versions
// are published in their order. Safe for concurrent use.
type broadcaster struct {
	s *Service

	mu      sync.Mutex
	due     []*publisher               // guarded by mu: each publisher at most once
	timers  map[*publisher]*time.Timer // guarded by mu: of the publishers that will be due
	running bool                       // guarded by mu: the goroutine exists
	closed  bool                       // guarded by mu

	done sync.WaitGroup // the goroutine
}

// enqueue makes the publisher due. It does not start the goroutine: the caller must call start
// after its last call of enqueue.
func (b *broadcaster) enqueue(p *publisher) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.due = append(b.due, p)
}

// enqueueAfter makes the publisher due after a time, and starts the goroutine then.
func (b *broadcaster) enqueueAfter(wait time.Duration, p *publisher) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	b.timers[p] = time.AfterFunc(wait, func() {
		b.mu.Lock()
		delete(b.timers, p)
		b.due = append(b.due, p)
		b.mu.Unlock()
		b.start()
	})
}

// start starts the goroutine, if a publisher is due and the goroutine does not exist.
func (b *broadcaster) start() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.running || len(b.due) == 0 {
		return
	}
	b.running = true
	b.done.Go(b.run)
}

// run is the goroutine.
func (b *broadcaster) run() {
	for {
		b.mu.Lock()
		due := b.due
		b.due = nil
		if len(due) == 0 || b.closed {
			b.running = false
			b.mu.Unlock()
			return
		}
		b.mu.Unlock()
		b.broadcast(due)
	}
}

// close stops all broadcasts, and waits for the one in progress.
func (b *broadcaster) close() {
	b.mu.Lock()
	b.closed = true
	for _, t := range b.timers {
		t.Stop()
	}
	b.mu.Unlock()
	b.done.Wait()
}

// publish tells the publishers of the rankings that have changed.
func (s *Service) publish(changes []change) {
	for _, c := range changes {
		if p := c.r.publisher.Load(); p != nil {
			p.touch(c.broadcast)
		}
	}
	s.broadcaster.start()
}

// broadcast publishes what the publishers have, all at one moment.
func (b *broadcaster) broadcast(due []*publisher) {
	s := b.s
	attempts := make([]*attempt, len(due))
	var news []*attempt
	for i, p := range due {
		a := p.begin(s.ctx)
		attempts[i] = a
		s.logError("broadcast skipped", a.err)
		if a.hasNews {
			news = append(news, a)
		}
	}
	slices.SortStableFunc(news, func(a, b *attempt) int { return cmp.Compare(a.version, b.version) })
	publications := make([]sse.Publication, len(news))
	for i, a := range news {
		publications[i] = a.publication
		r := a.p.r
		s.log.DebugContext(s.ctx, "broadcast",
			"board", r.b.name, "period", r.period.String(), "version", a.version, "rows", a.publication.State != nil)
		a.p.viewers.published(a.notes)
	}
	if len(publications) > 0 {
		s.hub.Publish(publications...)
	}
	for _, a := range attempts {
		a.end()
	}
}
