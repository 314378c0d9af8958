package sse

import (
	"slices"
	"time"
)

// stride is how many streams a shard writes to before it looks at the clock again, and updates the
// counts that all goroutines share.
const stride = 64

// shardEdition is a topic as a shard's streams know it.
type shardEdition struct {
	edition

	shard     *shard
	topic     *Topic
	followers []*raw
	frames    memo // the edition's memo
	dirty     bool // guarded by shard.mu: the topic has news
}

// wake implements listener.
func (v *shardEdition) wake(*Topic) {
	v.shard.mu.Lock()
	if !v.dirty {
		v.dirty = true
		v.shard.dirty = append(v.shard.dirty, v)
	}
	v.shard.mu.Unlock()
	v.shard.poke()
}

// round does the posted tasks and sends the news to all followers.
func (sh *shard) round() {
	sh.now = sh.server.now()
	sh.mu.Lock()
	tasks := sh.tasks
	sh.tasks = nil
	sh.mu.Unlock()
	for _, task := range tasks {
		task()
	}
	for _, v := range sh.refresh() {
		sh.sendToFollowers(v)
	}
	for _, st := range sh.fresh {
		if sh.sendNews(st) {
			sh.countDelivered(st)
		}
	}
	clear(sh.fresh)
	sh.fresh = sh.fresh[:0]
}

// refresh updates the editions with news and returns them. It updates all of them at one moment.
// Otherwise a client could be sent the later of two states without the earlier one.
func (sh *shard) refresh() []*shardEdition {
	hub := sh.server.hub
	hub.mu.RLock()
	defer hub.mu.RUnlock()
	sh.mu.Lock()
	defer sh.mu.Unlock()
	dirty := sh.dirty
	sh.dirty = nil
	for _, v := range dirty {
		v.edition, v.dirty = v.topic.shown, false
		v.memo = &v.frames
		v.frames = memo{}
	}
	return dirty
}

// sendToFollowers sends all followers of the topic what they lack.
func (sh *shard) sendToFollowers(v *shardEdition) {
	n, delivered := 0, 0
	for _, st := range slices.Backward(v.followers) { // an ending stream leaves the list meanwhile
		if sh.sendNews(st) {
			delivered++
		}
		if n++; n == stride {
			sh.countWritten(v, n, delivered)
			n, delivered = 0, 0
		}
	}
	sh.countWritten(v, n, delivered)
}

// sendNews sends the stream what it lacks, and reports whether it lacked anything. A blocked stream
// is sent nothing: it gets its news when the socket has taken unsent.
func (sh *shard) sendNews(st *raw) bool {
	if st.unsent != nil || st.closing || st.ended {
		return false
	}
	sh.batch = st.news(sh.batch[:0], &sh.scratch)
	if st.hasEnding {
		st.releaseEnded(sh.detach)
	}
	if len(sh.batch) == 0 {
		return false
	}
	if st.over {
		st.startClosing(forbidden)
	}
	sh.write(st, sh.batch)
	return true
}

// write sends a batch: a new one, or the unsent one of a blocked stream. The bytes that the socket
// does not take become unsent.
func (sh *shard) write(st *raw, batch [][]byte) {
	n, unsent, err := send(st.fd, batch)
	sh.bytes += n
	if err != nil {
		sh.cutOff(st, clientGone)
		return
	}
	st.wroteAt = sh.now
	if len(unsent) == 0 {
		st.unsent = nil
		st.stalled.Store(0)
		if st.closing {
			sh.finish(st)
		}
		return
	}
	if st.unsent == nil {
		unsent = sh.scratch.stable(unsent)
		st.blockedAt = sh.now
		st.stalled.Store(int64(sh.now))
	}
	st.unsent = unsent
	sh.alarms.hurry(st, sh.alarmAt(st))
}

// countWritten counts n followers that have been considered, and the deliveries among them.
func (sh *shard) countWritten(v *shardEdition, n, delivered int) {
	sh.now = sh.server.now()
	v.topic.fanout.wrote(v.publication, n)
	if delivered > 0 {
		sh.server.counts.delivered(int64(delivered), time.Since(v.since))
	}
	sh.countBytes()
}

// countDelivered counts a delivery to one stream, outside sendToFollowers.
func (sh *shard) countDelivered(st *raw) {
	var since time.Time
	for i := range st.follows {
		f := &st.follows[i]
		if f.stage == following && f.edition.since.After(since) {
			since = f.edition.since
		}
	}
	if !since.IsZero() { // it is zero if the stream has ended meanwhile
		sh.server.counts.delivered(1, time.Since(since))
	}
}

// countBytes adds the bytes to the server's count.
func (sh *shard) countBytes() {
	if sh.bytes > 0 {
		sh.server.counts.bytes.Add(sh.bytes)
		sh.bytes = 0
	}
}
