package live

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"marcador/sse"
)

// due are the publishers whose time has come. One goroutine, which is there while
// there are any, publishes them together: so what a commit has done to several boards
// reaches a client who follows them at one moment, with one id, and versions are
// published in their order. Safe for concurrent use.
type due struct {
	s *Service

	mu     sync.Mutex
	list   []*publisher               // guarded by mu: each publisher once at most
	timers map[*publisher]*time.Timer // guarded by mu: of those whose time is to come
	runs   bool                       // guarded by mu: there is the goroutine
	closed bool                       // guarded by mu

	running sync.WaitGroup // the goroutine
}

// add says that the publisher is due. publish must be called after it.
func (d *due) add(p *publisher) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.list = append(d.list, p)
}

// after says that the publisher will be due.
func (d *due) after(wait time.Duration, p *publisher) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return
	}
	d.timers[p] = time.AfterFunc(wait, func() {
		d.mu.Lock()
		delete(d.timers, p)
		d.list = append(d.list, p)
		d.mu.Unlock()
		d.publish()
	})
}

// publish has those published that are due.
func (d *due) publish() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || d.runs || len(d.list) == 0 {
		return
	}
	d.runs = true
	d.running.Go(d.run)
}

func (d *due) run() {
	for {
		d.mu.Lock()
		list := d.list
		d.list = nil
		if len(list) == 0 || d.closed {
			d.runs = false
			d.mu.Unlock()
			return
		}
		d.mu.Unlock()
		d.s.broadcast(list)
	}
}

// close publishes nothing more, and waits for what is under way.
func (d *due) close() {
	d.mu.Lock()
	d.closed = true
	for _, t := range d.timers {
		t.Stop()
	}
	d.mu.Unlock()
	d.running.Wait()
}

// publish has the rankings published that have changed, when their time has come.
func (s *Service) publish(news []change) {
	for _, c := range news {
		if p := c.r.publisher.Load(); p != nil {
			p.touch(c.shows)
		}
	}
	s.due.publish()
}

// broadcast publishes what the publishers have, all at one moment.
func (s *Service) broadcast(list []*publisher) {
	attempts := make([]*attempt, len(list))
	var told []*attempt
	for i, p := range list {
		a := p.begin(s.ctx)
		attempts[i] = a
		s.logged("broadcast skipped", a.err)
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
