package live

import (
	"context"
	"fmt"
	"sync"
	"time"

	"marcador/sse"
)

// retryAfter is the least time that a publisher waits after a failure.
const retryAfter = time.Second

// publisher publishes a ranking's first page to its followers, and to each user among them the
// moves of their own rank. Safe for concurrent use.
//
//	clean ──touch──▶ dirty ──window over──▶ due ──broadcaster──▶ publishing
//	  ▲                ▲    (a timer runs)     (in the queue)         │
//	  │                ├───── touched again meanwhile ────────────────┤
//	  │                ├───── failed: waits for retryAfter ───────────┤
//	  └────────────────┼───── published, or nothing was news ─────────┘
//
// The window is Options.Throttle, counted from the last broadcast. After a quiet time it is over
// already, so a change is published at once. A window is never shorter than ten times the last
// fan-out, so fan-out takes a tenth of the time at most.
//
// While nobody follows, touch starts no timer, and a publisher that is due publishes nothing. The
// first follower begins with a page that is made for it. A page that equals the published one is
// not published again.
type publisher struct {
	r       *ranking
	topic   *sse.Topic
	viewers *viewers
	history rankHistory

	mu        sync.Mutex
	followers int       // guarded by mu
	dirty     bool      // guarded by mu: something may have changed since the last broadcast
	since     time.Time // guarded by mu: when it became dirty
	scheduled bool      // guarded by mu: a timer runs, or it is due, or it is publishing
	last      time.Time // guarded by mu: the last broadcast
	idle      time.Time // guarded by mu: it does nothing before this time; see end
	published *page     // guarded by mu: the page that all followers have; nil if they may differ
}

func newPublisher(r *ranking) *publisher {
	return &publisher{
		r: r, topic: r.s.hub.NewTopic(r.b.name), viewers: newViewers(r), history: rankHistory{r: r},
	}
}

// touch says that something may have changed. broadcast says that it shows in a broadcast. If it
// does not, it can still be news for a user who follows: their own rank or points.
func (p *publisher) touch(broadcast bool) {
	if !broadcast && !p.viewers.any() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.dirty {
		p.dirty, p.since = true, time.Now()
	}
	p.schedule(0)
}

// schedule makes the publisher due when the window is over, and not before delay has passed. mu
// must be held.
func (p *publisher) schedule(delay time.Duration) {
	if p.scheduled || p.followers == 0 {
		return
	}
	p.scheduled = true
	wait := max(delay, time.Until(p.last.Add(p.window())), time.Until(p.idle))
	if wait <= 0 {
		p.r.s.broadcaster.enqueue(p)
		return
	}
	p.r.s.broadcaster.enqueueAfter(wait, p)
}

// window returns the least time between two broadcasts.
func (p *publisher) window() time.Duration {
	if p.r.s.opts.Throttle < 0 {
		return 0
	}
	return max(p.r.s.opts.Throttle, 10*p.topic.Fanout())
}

// attempt is a broadcast in progress.
type attempt struct {
	p           *publisher
	began       time.Time
	since       time.Time // publisher.since when it began
	publication sse.Publication
	notes       notes
	version     int64
	hasNews     bool
	err         error
}

// begin makes the publication, if anybody follows. It holds Service.mu only to read the entries and
// the viewers' ranks; a write waits no longer than that.
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
	shown, a.err = p.r.snapshot(ctx, func() { a.notes = p.viewers.notes() })
	if a.err != nil {
		return a
	}
	a.version = shown.version
	a.publication = sse.Publication{Topic: p.topic, Since: a.since}
	if p.setPublished(shown) {
		a.publication.State = shown.asState()
	}
	if a.notes.ranks != nil {
		a.publication.Notes, a.publication.Version = a.notes, a.notes.seen
	}
	a.hasNews = a.publication.State != nil || a.notes.moved
	return a
}

// end ends the attempt. It schedules another one if more has changed meanwhile or it has failed.
func (a *attempt) end() {
	p := a.p
	p.mu.Lock()
	defer p.mu.Unlock()
	p.scheduled = false
	if now := time.Now(); a.publication.State != nil || a.notes.openly {
		p.last = now
	} else if p.r.s.opts.Throttle > 0 {
		// Other users saw nothing of this attempt: there was no news, or only for a hidden user.
		// So it begins no window. If it did, the next change would be delayed, and the delay would
		// show that a hidden user was active. But looking for news must not take more than a tenth
		// of the time, either.
		p.idle = now.Add(10 * now.Sub(a.began))
	}
	if a.err != nil {
		p.dirty, p.since = true, a.since
		p.schedule(retryAfter)
	} else if p.dirty {
		p.schedule(0)
	}
}

// setPublished records that followers are sent the page. It returns false if they have it already.
func (p *publisher) setPublished(shown *page) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if shown.sameAs(p.published) {
		return false
	}
	p.published = shown
	return true
}

// follow adds a follower, and returns the topic with the state that the follower begins with.
//
// The follower is counted first, and the state is made afterwards. So no change is missed: a write
// before the state was made is in it, and a write after that is published to the follower.
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
		p.since = time.Now() // nobody lacked the earlier changes
	}
	state := p.topic.Retain(shown.asState())
	shown = state.Content().(*page) //nolint:errcheck // all contents of the topic are pages
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

// firstPage returns the page that the follower begins with. It also finds out which rank the
// client was told last, before it reconnected.
func (p *publisher) firstPage(ctx context.Context, f *follower, to Follow) (*page, error) {
	shown, err := p.r.snapshot(ctx, f.begin)
	if err != nil || f.viewer == nil || to.Seen < 0 {
		return shown, err
	}
	if f.before = toldRank(to.Told); f.before == nil { // the id is from another process
		f.before, err = p.history.rankAt(ctx, f.viewer.user, to.Seen)
	}
	return shown, err
}

// leave removes a follower.
func (p *publisher) leave(one *viewer) {
	p.viewers.leave(one)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.followers--
}

// snapshot returns the ranking's first page. See pageFor for underLock.
func (r *ranking) snapshot(ctx context.Context, underLock func()) (*page, error) {
	v, err := r.pageFor(ctx, &Query{Limit: r.s.opts.Top}, underLock)
	if err != nil {
		return nil, fmt.Errorf("make snapshot: %w", err)
	}
	return v.page, nil
}
