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

// publisher publishes a ranking's first page to those who follow it, and to each
// user among them their own moves: at once after a quiet spell, then at most once
// a window, and only what has changed. Safe for concurrent use.
type publisher struct {
	r       *ranking
	topic   *sse.Topic
	viewers *viewers
	history rankHistory

	mu        sync.Mutex
	followers int       // guarded by mu
	dirty     bool      // guarded by mu: something may have changed since the last broadcast
	since     time.Time // guarded by mu: since when it is dirty
	scheduled bool      // guarded by mu: a timer runs, or it is due, or being published
	last      time.Time // guarded by mu: when the last broadcast was
	idle      time.Time // guarded by mu: until when it does nothing, having looked for news in vain
	published *page     // guarded by mu: what all followers have, nil where they may differ
}

func newPublisher(r *ranking) *publisher {
	return &publisher{r: r, topic: r.s.hub.NewTopic(r.b.name), viewers: newViewers(r), history: rankHistory{r: r}}
}

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

// schedule has the publisher be due when the window is over, and not before delay is.
// It is called with mu held.
func (p *publisher) schedule(delay time.Duration) {
	if p.scheduled || p.followers == 0 {
		return
	}
	p.scheduled = true
	wait := max(delay, time.Until(p.last.Add(p.window())), time.Until(p.idle))
	if wait <= 0 {
		p.r.s.broadcaster.add(p)
		return
	}
	p.r.s.broadcaster.after(wait, p)
}

// window is the least time between two broadcasts. It grows with what a fan-out
// takes, so that fan-out never takes more than a tenth of the time.
func (p *publisher) window() time.Duration {
	if p.r.s.opts.Throttle < 0 {
		return 0
	}
	return max(p.r.s.opts.Throttle, 10*p.topic.Fanout())
}

// attempt is a broadcast under way.
type attempt struct {
	p       *publisher
	began   time.Time
	since   time.Time
	news    sse.Publication
	told    notes
	version int64
	is      bool // there is news
	err     error
}

// begin makes what is to be published, if that is still wanted. It holds no lock for
// which a write waits longer than to read the ranks.
func (p *publisher) begin(ctx context.Context) *attempt {
	p.mu.Lock()
	a := &attempt{p: p, began: time.Now(), since: p.since}
	wanted := p.followers > 0
	if wanted {
		p.dirty = false
	}
	p.mu.Unlock()
	if !wanted {
		return a
	}
	var shown *page
	shown, a.err = p.r.snapshot(ctx, func() { a.told = p.viewers.notes() })
	if a.err != nil {
		return a
	}
	a.version = shown.version
	a.news = sse.Publication{Topic: p.topic, Since: a.since}
	if p.tell(shown) {
		a.news.State = shown.asState()
	}
	if a.told.places != nil {
		a.news.Notes, a.news.Version = a.told, a.told.seen
	}
	a.is = a.news.State != nil || a.told.moved
	return a
}

// end notes what became of the attempt, and has the publisher be due again where more
// has happened.
func (a *attempt) end() {
	p := a.p
	p.mu.Lock()
	defer p.mu.Unlock()
	p.scheduled = false
	if now := time.Now(); a.news.State != nil || a.told.openly {
		p.last = now
	} else if p.r.s.opts.Throttle > 0 {
		// A change that is news must not wait a window for one that was not, or that only a
		// hidden user was told of: others would know by the wait. But to look must not take
		// more than a tenth of the time, either.
		p.idle = now.Add(10 * now.Sub(a.began))
	}
	if a.err != nil {
		p.dirty, p.since = true, a.since
		p.schedule(retryAfter)
	} else if p.dirty {
		p.schedule(0)
	}
}

// tell notes that followers are told what shown shows, and reports whether they lack it.
func (p *publisher) tell(shown *page) bool {
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
func (p *publisher) follow(ctx context.Context, to Follow) (sse.Follow, error) {
	p.mu.Lock()
	p.followers++
	p.mu.Unlock()
	f := &follower{r: p.r, viewers: p.viewers, asMember: to.AsMember && to.User != ""}
	if to.User != "" {
		f.viewer = p.viewers.join(to.User)
		f.slot = f.viewer.slot
	}
	shown, err := p.firstPage(ctx, f, to)
	if err == nil && f.asMember && !f.told.member {
		err = fmt.Errorf("%w of %q", ErrNotMember, p.r.b.name)
	}
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
	state := p.topic.Retain(shown.asState())
	shown = state.Content().(*page) //nolint:errcheck // a board's are pages
	switch newer := p.published == nil || p.published.version < shown.version; {
	case p.followers == 1 && newer:
		p.published = shown
	case !shown.sameAs(p.published):
		p.published = nil
	}
	follow := sse.Follow{Topic: p.topic, From: state, Leave: func() { p.leave(f.viewer) }}
	if f.viewer != nil {
		follow.Own = f
	}
	return follow, nil
}

// look returns the page that the follower begins with, and finds out where its user
// stood by what the client has seen.
func (p *publisher) firstPage(ctx context.Context, f *follower, to Follow) (*page, error) {
	shown, err := p.r.snapshot(ctx, f.begin)
	if err != nil || f.viewer == nil || to.Seen < 0 {
		return shown, err
	}
	if f.before = toldPlace(to.Told); f.before == nil { // another process has told it, which may be this one's predecessor
		f.before, err = p.history.placeAt(ctx, f.viewer.user, to.Seen)
	}
	return shown, err
}

func (p *publisher) leave(one *viewer) {
	p.viewers.leave(one)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.followers--
}

// snapshot returns the ranking's first page. For meanwhile see view.
func (r *ranking) snapshot(ctx context.Context, meanwhile func()) (*page, error) {
	v, err := r.view(ctx, &Query{Limit: r.s.opts.Top}, meanwhile)
	if err != nil {
		return nil, fmt.Errorf("make snapshot: %w", err)
	}
	return v.page, nil
}
