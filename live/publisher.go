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

// publisher publishes a board's first page to those who follow it, and to each
// user among them their own moves: at once after a quiet spell, then at most once
// a window, and only what has changed. Safe for concurrent use.
type publisher struct {
	b       *board
	viewers *viewers

	mu        sync.Mutex
	followers int         // guarded by mu
	dirty     bool        // guarded by mu: something may have changed since the last broadcast
	since     time.Time   // guarded by mu: since when it is dirty
	scheduled bool        // guarded by mu: timer runs, or publish does
	timer     *time.Timer // guarded by mu
	last      time.Time   // guarded by mu: when the last broadcast was
	idle      time.Time   // guarded by mu: until when it does nothing, having looked for news in vain
	published *page       // guarded by mu: what all followers have, nil where they may differ
	closed    bool        // guarded by mu

	running sync.WaitGroup // scheduled publishes
}

func newPublisher(b *board) *publisher { return &publisher{b: b, viewers: newViewers(b)} }

// touch says that something may have changed which followers are told: which
// shows in a broadcast, or else only somebody's own rank or points.
func (p *publisher) touch(shows bool) {
	if !shows && !p.viewers.any() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.dirty {
		p.dirty, p.since = true, time.Now()
	}
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
	p.timer = time.AfterFunc(max(delay, time.Until(p.last.Add(p.window())), time.Until(p.idle)), p.publish)
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
	wanted, since := p.followers > 0 && !p.closed, p.since
	if wanted {
		p.dirty = false
	}
	p.mu.Unlock()

	var err error
	began, published := time.Now(), false
	if wanted {
		published, err = p.broadcast(p.b.s.ctx, since)
	}
	p.b.s.logged("broadcast skipped", err)

	p.mu.Lock()
	defer p.mu.Unlock()
	p.scheduled = false
	if now := time.Now(); published {
		p.last = now
	} else if p.b.s.opts.Throttle > 0 {
		// A change that is news must not wait a window for one that was not; but to
		// look must not take more than a tenth of the time, either.
		p.idle = now.Add(10 * now.Sub(began))
	}
	if err != nil {
		p.dirty, p.since = true, since
		p.schedule(retryAfter)
	} else if p.dirty {
		p.schedule(0)
	}
}

// broadcast publishes what has changed, of which the oldest is that old, and
// reports whether anything has. It holds no lock for which a write waits longer
// than to read the ranks.
func (p *publisher) broadcast(ctx context.Context, since time.Time) (published bool, err error) {
	s := p.b.s
	s.publishing.Lock()
	defer s.publishing.Unlock()
	var told notes
	shown, err := p.b.snapshot(ctx, func() { told = p.viewers.notes() })
	if err != nil {
		return false, err
	}
	publication := sse.Publication{Topic: p.b.topic, Since: since}
	if p.news(shown) {
		publication.State = shown.asState()
	}
	if told.places != nil {
		publication.Notes, publication.Version = told, told.version
	}
	published = publication.State != nil || told.moved
	if published {
		s.log.DebugContext(ctx, "broadcast", "board", p.b.name, "version", shown.version, "rows", publication.State != nil)
		p.viewers.published(told)
		s.hub.Publish(publication)
	}
	return published, nil
}

// news reports whether followers lack what shown shows, and notes that they are
// told now.
func (p *publisher) news(shown *page) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if shown.sameAs(p.published) {
		return false
	}
	p.published = shown
	return true
}

// follow returns the topic with the state that a new follower begins with. What
// happens from now on is published, until the follower leaves.
func (p *publisher) follow(ctx context.Context, user string, seen int64) (sse.Follow, error) {
	p.mu.Lock()
	p.followers++
	p.mu.Unlock()
	f := &follower{b: p.b}
	if user != "" {
		f.viewer = p.viewers.join(user)
		f.slot = f.viewer.slot
	}
	shown, err := p.begin(ctx, f, seen)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.followers--
		p.viewers.leave(f.viewer)
		return sse.Follow{}, err
	}
	if p.followers == 1 {
		p.since = time.Now() // nobody was behind
	}
	state := p.b.topic.Keep(shown.asState())
	shown = state.Content().(*page) //nolint:errcheck // a board's are pages
	switch newer := p.published == nil || p.published.version < shown.version; {
	case p.followers == 1 && newer:
		p.published = shown
	case !shown.sameAs(p.published):
		p.published = nil
	}
	follow := sse.Follow{Topic: p.b.topic, From: state, Leave: func() { p.leave(f.viewer) }}
	if f.viewer != nil {
		follow.Own = f
	}
	return follow, nil
}

// begin returns the page that the follower begins with, and finds out where its
// user stood at the version seen.
func (p *publisher) begin(ctx context.Context, f *follower, seen int64) (*page, error) {
	if f.viewer == nil || seen < 0 {
		return p.b.snapshot(ctx, f.look)
	}
	rank, known := p.viewers.rankAt(f.viewer, seen)
	shown, err := p.b.snapshot(ctx, f.look)
	switch {
	case err != nil:
		return nil, err
	case !known:
		f.before, err = p.b.standAt(ctx, f.viewer.user, seen)
	case rank != f.told.rank:
		var score int64
		score, err = p.b.s.store.XPAt(ctx, f.viewer.user, seen)
		f.before = &place{rank, score}
	}
	return shown, err
}

func (p *publisher) leave(one *viewer) {
	p.viewers.leave(one)
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

// snapshot returns the board's first page. For meanwhile see view.
func (b *board) snapshot(ctx context.Context, meanwhile func()) (*page, error) {
	v, err := b.view(ctx, 1, b.s.opts.Top, "", meanwhile)
	if err != nil {
		return nil, fmt.Errorf("make snapshot: %w", err)
	}
	return v.page, nil
}
