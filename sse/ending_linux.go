package sse

import "time"

// lingering is how long the socket of a stream that has ended well waits for the client to close
// its side.
const lingering = 500 * time.Millisecond

// drain tells the clients of all streams goodbye, and from now on the clients of new ones.
func (sh *shard) drain() {
	sh.draining = true
	for _, st := range sh.streams {
		sh.sendLast(st, shutdown, st.goodbye())
	}
}

// stop cuts off the streams that have not ended. run returns when the lingering ones have hung up.
func (sh *shard) stop() {
	sh.stopped = true
	for _, st := range sh.streams {
		sh.cutOff(st, shutdown)
	}
}

// sendLast sends the last event of a stream. A blocked stream sends it behind unsent.
func (sh *shard) sendLast(st *raw, why reason, event []byte) {
	if st.closing {
		return
	}
	st.startClosing(why)
	if st.unsent != nil {
		st.unsent = append(st.unsent, event)
		return
	}
	sh.write(st, [][]byte{event})
}

// finish ends a stream whose client was sent everything, including the end. The socket lingers.
func (sh *shard) finish(st *raw) {
	if st.ended {
		return
	}
	sh.release(st, st.why)
	st.halfClose()
	sh.alarms.hurry(st, sh.alarmAt(st))
}

// cutOff ends a stream at once, unless it has ended. The socket does not linger.
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

// release takes an ending stream out of the lists of followers, and releases what it has.
func (sh *shard) release(st *raw, why reason) {
	st.ended, st.unsent = true, nil
	for i := range st.follows {
		if f := &st.follows[i]; f.stage == following {
			sh.detach(f)
		}
	}
	st.release(why)
}

// detach takes a stream out of the list of its topic's followers. The last follower of the list
// moves to its index.
func (sh *shard) detach(f *follow) {
	v := sh.editions[f.topic]
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
		delete(sh.editions, f.topic)
		f.topic.unlisten(v)
	}
}
