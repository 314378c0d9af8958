package live

import (
	"context"
	"fmt"
	"sync"
	"time"

	"marcador/sse"
)

// retryAfter is how long a publisher waits after a failure, at least.
const retryAfter = time.Second

// publisher publishes a board's first page to those who follow it: at once
// after a quiet spell, then at most once a window, and only if something that
// can be seen has changed. Safe for concurrent use.
type publisher struct {
	b *board

	mu        sync.Mutex
	followers int         // guarded by mu
	dirty     bool        // guarded by mu: something may have changed since the last broadcast
	scheduled bool        // guarded by mu: timer runs, or publish does
	timer     *time.Timer // guarded by mu
	last      time.Time   // guarded by mu: when the last broadcast was
	published *page       // guarded by mu: what all followers have, nil where they may differ
	closed    bool        // guarded by mu

	running sync.WaitGroup // scheduled publishes
}

// touch says that something which a broadcast shows may have changed.
func (p *publisher) touch() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dirty = true
	p.schedule(0)
}

// schedule has publish run when the window is over, and not before delay is. It
// is called with mu held.
func (p *publisher) schedule(delay time.Duration) {
	if p.closed || p.scheduled || p.followers == 0 {
		return
	}
	p.scheduled = true
	p.running.Add(1)
	p.timer = time.AfterFunc(max(delay, time.Until(p.last.Add(p.window()))), p.publish)
}

// window is the least time between two broadcasts. It grows with what a fan-out
// takes, so that fan-out never takes more than a tenth of the time.
func (p *publisher) window() time.Duration {
	if p.b.s.opts.Throttle < 0 {
		return 0
	}
	return max(p.b.s.opts.Throttle, 10*p.b.topic.Fanout())
}

// publish makes a broadcast, if it is still wanted.
func (p *publisher) publish() {
	defer p.running.Done()
	p.mu.Lock()
	wanted := p.followers > 0 && !p.closed
	if wanted {
		p.dirty = false
	}
	p.mu.Unlock()

	var state *sse.State
	var shown *page
	var err error
	if wanted {
		state, shown, err = p.b.snapshot(p.b.s.ctx)
	}
	if err != nil {
		p.b.s.logged("broadcast skipped", err)
	} else if wanted && p.news(shown) {
		p.b.topic.Publish(state) // without mu, for which a write may wait
	}

	p.mu.Lock()
	defer p.mu.Unlock()
	p.scheduled = false
	if err != nil {
		p.dirty = true
		p.schedule(retryAfter)
	} else if p.dirty {
		p.schedule(0)
	}
}

// news reports whether followers lack what shown shows, and notes that they are
// told now.
func (p *publisher) news(shown *page) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if shown.sameAs(p.published) {
		return false
	}
	p.published, p.last = shown, time.Now()
	return true
}

// follow returns the topic with the state that a new follower begins with. What
// happens from now on is published, until the follower leaves.
func (p *publisher) follow(ctx context.Context) (sse.Follow, error) {
	p.mu.Lock()
	p.followers++
	p.mu.Unlock()
	state, shown, err := p.b.snapshot(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.followers--
		return sse.Follow{}, err
	}
	if !shown.sameAs(p.published) {
		p.published = nil
		if p.followers == 1 {
			p.published = shown
		}
	}
	return sse.Follow{Topic: &p.b.topic, From: state, Leave: p.leave}, nil
}

func (p *publisher) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.followers--
}

// close publishes nothing more, and waits for what is under way.
func (p *publisher) close() {
	p.mu.Lock()
	p.closed = true
	if p.timer != nil && p.timer.Stop() {
		p.running.Done()
	}
	p.mu.Unlock()
	p.running.Wait()
}

// snapshot returns the board's first page, and as a state of its topic.
func (b *board) snapshot(ctx context.Context) (*sse.State, *page, error) {
	v, err := b.view(ctx, 1, b.s.opts.Top, "")
	if err != nil {
		return nil, nil, fmt.Errorf("make snapshot: %w", err)
	}
	state := v.state.Load()
	if state == nil {
		data := append(v.appendEntries([]byte(`{"leaderboard":`), 0), `,"timestamp":`...)
		data = append(append(appendTime(data, time.Now()), ','), b.names...)
		data = appendField(data, "totalEntries", int64(v.total))
		data = append(appendField(data, "version", v.version), '}')
		state = sse.NewState(b.s.Epoch(), v.version, "leaderboard:updated", data)
		v.state.Store(state)
	}
	return state, v.page, nil
}
