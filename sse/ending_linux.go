package sse

import "time"

// lingering is how long the socket of a stream that has ended well waits for the client to
// close its side.
const lingering = 500 * time.Millisecond

// stop cuts off the streams that are left, and has run end when none lingers any more.
func (sh *shard) stop() {
	sh.stopped = true
	for _, st := range sh.streams {
		sh.cutOff(st, shutdown)
	}
}

// finish ends a stream whose client has been sent all, its end included. The socket lingers.
func (sh *shard) finish(st *raw) {
	if st.ended {
		return
	}
	sh.release(st, st.why)
	st.halfClose()
	sh.alarms.hurry(st, sh.due(st))
}

// end cuts a stream off that has not ended.
func (sh *shard) cutOff(st *raw, why reason) {
	if st.ended {
		return
	}
	sh.release(st, why)
	sh.hangUp(st)
}

// hangUp closes the socket of a stream that has ended.
func (sh *shard) hangUp(st *raw) {
	delete(sh.streams, st.fd)
	sh.alarms.remove(st)
	st.hangUp()
}

// leave takes a stream that ends out of the lists of followers.
func (sh *shard) release(st *raw, why reason) {
	st.ended, st.unsent = true, nil
	for i := range st.follows {
		if f := &st.follows[i]; f.stage == following {
			sh.detach(f)
		}
	}
	st.release(why)
}

// detach takes the stream's follow out of its topic's followers.
func (sh *shard) detach(f *follow) {
	v := sh.views[f.topic]
	tail := len(v.followers) - 1
	moved := v.followers[tail]
	v.followers[f.index] = moved
	v.followers[tail] = nil
	v.followers = v.followers[:tail]
	for i := range moved.follows {
		if moved.follows[i].topic == f.topic {
			moved.follows[i].index = f.index
		}
	}
	if tail == 0 {
		delete(sh.views, f.topic)
		f.topic.unlisten(v)
	}
}
