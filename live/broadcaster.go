package live

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"marcador/sse"
)

// broadcaster holds the publishers whose time has come. One goroutine, which is there while
// there are any, publishes them together: so what a commit has done to several boards
// reaches a client who follows them at one moment, with one id, and versions are
// published in their order. Safe for concurrent use.
type broadcaster struct {
	s *Service

	mu     sync.Mutex
	list   []*publisher               // guarded by mu: each publisher once at most
	timers map[*publisher]*time.Timer // guarded by mu: of those whose time is to come
	runs   bool                       // guarded by mu: there is the goroutine
	closed bool                       // guarded by mu

	running sync.WaitGroup // the goroutine
}

// enqueue says that the publisher is due. publish must be called after it.
func (b *broadcaster) enqueue(p *publisher) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.list = append(b.list, p)
}

// enqueueAfter says that the publisher will be due.
func (b *broadcaster) enqueueAfter(wait time.Duration, p *publisher) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	b.timers[p] = time.AfterFunc(wait, func() {
		b.mu.Lock()
		delete(b.timers, p)
		b.list = append(b.list, p)
		b.mu.Unlock()
		b.start()
	})
}

// start has those published that are due.
func (b *broadcaster) start() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.runs || len(b.list) == 0 {
		return
	}
	b.runs = true
	b.running.Go(b.run)
}

func (b *broadcaster) run() {
	for {
		b.mu.Lock()
		list := b.list
		b.list = nil
		if len(list) == 0 || b.closed {
			b.runs = false
			b.mu.Unlock()
			return
		}
		b.mu.Unlock()
		b.broadcast(list)
	}
}

// close publishes nothing more, and waits for what is under way.
func (b *broadcaster) close() {
	b.mu.Lock()
	b.closed = true
	for _, t := range b.timers {
		t.Stop()
	}
	b.mu.Unlock()
	b.running.Wait()
}

// publish has the rankings published that have changed, when their time has come.
func (s *Service) publish(news []change) {
	for _, c := range news {
		if p := c.r.publisher.Load(); p != nil {
			p.touch(c.shows)
		}
	}
	s.broadcaster.start()
}

// broadcast publishes what the publishers have, all at one moment.
func (b *broadcaster) broadcast(list []*publisher) {
	s := b.s
	attempts := make([]*attempt, len(list))
	var told []*attempt
	for i, p := range list {
		a := p.begin(s.ctx)
		attempts[i] = a
		s.logError("broadcast skipped", a.err)
		if a.is {
			told = append(told, a)
		}
	}
	slices.SortStableFunc(told, func(a, b *attempt) int { return cmp.Compare(a.version, b.version) })
	news := make([]sse.Publication, len(told))
	for i, a := range told {
		news[i] = a.news
		s.log.DebugContext(s.ctx, "broadcast", "board", a.p.r.b.name, "period", a.p.r.period.String(), "version", a.version, "rows", a.news.State != nil)
		a.p.viewers.published(a.told)
	}
	if len(news) > 0 {
		s.hub.Publish(news...)
	}
	for _, a := range attempts {
		a.end()
	}
}
