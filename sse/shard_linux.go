package sse

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// stride is how many streams are written to between two looks at the clock, and
// two entries in the counts that all goroutines share.
const stride = 64

// shard writes to the sockets of its streams. The goroutine of run owns all that
// is not said to be guarded; that of poll only waits for the kernel.
type shard struct {
	server     *Server
	generation atomic.Int32

	epfd  int
	epoll *os.File               // of epfd; closed by run when it ends, which ends poll
	ready chan []unix.EpollEvent // what poll has heard
	heard chan []unix.EpollEvent // the same slice back, to be filled again
	done  chan struct{}          // closed when run has ended

	woken  chan struct{} // of capacity 1: a second wake before the first is seen adds nothing
	mu     sync.Mutex
	dirty  []*shardView // guarded by mu: with news, each once
	tasks  []func()     // guarded by mu: for run to do; one for each stream that begins, and a few
	closed bool         // guarded by mu: run has ended

	views    map[*Topic]*shardView
	streams  map[int32]*raw // by descriptor, those included that have ended and linger
	alarms   alarms
	draining bool
	stopped  bool

	batch   [][]byte      // kept for its room
	scratch scratch       // of the batch
	fresh   []*raw        // streams that began in this round
	now     time.Duration // on the server's clock, as of a moment ago
	bytes   int64         // written and not yet in the server's counts
}

// shardView is a topic as the streams of a shard know it.
type shardView struct {
	view

	shard     *shard
	topic     *Topic
	followers []*raw
	frames    memo
	dirty     bool // guarded by shard.mu
}

func newShard(s *Server) (*shard, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		return nil, fmt.Errorf("sse: epoll: %w", err)
	}
	sh := &shard{
		server: s,
		// It waits in Go's own poller: a goroutine that blocks in epoll_wait gives its
		// thread away, and is late to get one again.
		epfd: fd, epoll: os.NewFile(uintptr(fd), "epoll"),
		ready: make(chan []unix.EpollEvent),
		heard: make(chan []unix.EpollEvent, 1),
		done:  make(chan struct{}),
		woken: make(chan struct{}, 1),
		views: map[*Topic]*shardView{}, streams: map[int32]*raw{},
	}
	sh.heard <- make([]unix.EpollEvent, 256)
	return sh, nil
}

// poll hands on what the kernel says of the sockets.
func (sh *shard) poll() {
	conn, err := sh.epoll.SyscallConn()
	if err != nil {
		panic(err) // it is open
	}
	for {
		var events []unix.EpollEvent
		select {
		case events = <-sh.heard:
		case <-sh.done:
			return
		}
		n := 0
		closed := conn.Read(func(fd uintptr) bool {
			var err error
			for {
				if n, err = unix.EpollWait(int(fd), events, 0); !errors.Is(err, unix.EINTR) {
					return n > 0
				}
			}
		})
		if closed != nil {
			return
		}
		select {
		case sh.ready <- events[:n]:
		case <-sh.done:
			return
		}
	}
}

// run writes until the shard is stopped.
func (sh *shard) run() {
	defer func() { _ = sh.epoll.Close() }()
	defer close(sh.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for !sh.stopped || len(sh.streams) > 0 {
		select {
		case <-sh.woken:
			sh.round()
		case events := <-sh.ready:
			sh.now = sh.server.now()
			for i := range events {
				sh.handle(&events[i])
			}
			sh.heard <- events[:cap(events)]
		case <-timer.C:
			sh.now = sh.server.now()
			sh.ring()
		}
		sh.account()
		timer.Reset(sh.alarms.next() - sh.server.now())
	}
	sh.mu.Lock()
	sh.closed = true
	tasks := sh.tasks
	sh.mu.Unlock()
	for _, task := range tasks {
		task()
	}
	for _, st := range sh.streams {
		if !st.ended {
			sh.release(st, shutdown)
		}
		sh.hangUp(st)
	}
}

// post has run do something, or returns false when it has ended.
func (sh *shard) post(task func()) bool {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.closed {
		return false
	}
	sh.tasks = append(sh.tasks, task)
	sh.poke()
	return true
}

func (sh *shard) poke() {
	select {
	case sh.woken <- struct{}{}:
	default:
	}
}

// wake implements listener.
func (v *shardView) wake(*Topic) {
	v.shard.mu.Lock()
	if !v.dirty {
		v.dirty = true
		v.shard.dirty = append(v.shard.dirty, v)
	}
	v.shard.mu.Unlock()
	v.shard.poke()
}

// round does what was posted and tells followers the news.
func (sh *shard) round() {
	sh.now = sh.server.now()
	sh.mu.Lock()
	tasks := sh.tasks
	sh.tasks = nil
	sh.mu.Unlock()
	for _, task := range tasks {
		task()
	}

	// The views of all topics move at one moment, lest a client be sent the later
	// of two states without the earlier.
	hub := sh.server.hub
	hub.mu.RLock()
	sh.mu.Lock()
	dirty := sh.dirty
	sh.dirty = nil
	for _, v := range dirty {
		v.view, v.dirty = v.topic.shown, false
		v.memo = &v.frames
		v.frames = memo{}
	}
	sh.mu.Unlock()
	hub.mu.RUnlock()
	for _, v := range dirty {
		n, delivered := 0, 0
		for _, st := range slices.Backward(v.followers) { // one that ends leaves the list
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
	for _, st := range sh.fresh {
		if sh.sendNews(st) {
			sh.countDelivered(st)
		}
	}
	clear(sh.fresh)
	sh.fresh = sh.fresh[:0]
}

// told counts n followers that it was the turn of, and those among them that were
// written news.
func (sh *shard) countWritten(v *shardView, n, delivered int) {
	sh.now = sh.server.now()
	v.topic.fanout.wrote(v.publication, n)
	if delivered > 0 {
		sh.server.counts.delivered(int64(delivered), time.Since(v.since))
	}
	sh.account()
}

// late counts a stream that was told its news by itself.
func (sh *shard) countDelivered(st *raw) {
	var since time.Time
	for i := range st.follows {
		if f := &st.follows[i]; f.stage == following && f.view.since.After(since) {
			since = f.view.since
		}
	}
	if !since.IsZero() { // else it has ended meanwhile
		sh.server.counts.delivered(1, time.Since(since))
	}
}

// account brings the server's count of bytes up to date.
func (sh *shard) account() {
	if sh.bytes > 0 {
		sh.server.counts.bytes.Add(sh.bytes)
		sh.bytes = 0
	}
}

// add takes a new stream in.
func (sh *shard) add(st *raw) {
	st.blockedAt, st.wroteAt = sh.now, sh.now
	if st.unsent != nil {
		st.stalled.Store(int64(sh.now))
	}
	for i := range st.follows {
		f := &st.follows[i]
		if f.stage != following {
			continue
		}
		v := sh.views[f.topic]
		if v == nil {
			v = &shardView{shard: sh, topic: f.topic}
			sh.views[f.topic] = v
			f.topic.listen(v)
			v.wake(f.topic)
		}
		f.view, f.index = &v.view, int32(len(v.followers))
		v.followers = append(v.followers, st)
	}
	sh.streams[st.fd], st.added = st, true
	sh.alarms.add(st, sh.due(st))
	err := unix.EpollCtl(sh.epfd, unix.EPOLL_CTL_ADD, int(st.fd), &unix.EpollEvent{
		Events: unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET, Fd: st.fd, Pad: st.generation,
	})
	switch {
	case err != nil:
		sh.cutOff(st, clientGone)
	case st.closing && st.unsent == nil:
		sh.finish(st)
	case st.closing: // when it has taken what it was sent
	case sh.draining:
		sh.sendLast(st, shutdown, st.goodbye())
	default:
		sh.fresh = append(sh.fresh, st)
	}
	st.checkInbox()
}

// tell sends the stream what it lacks, unless it has not taken yet what it was
// sent last: then it is told when it has. It reports whether there was anything.
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

// write sends a batch to a stream that has none to take. What the socket does not
// take at once stays with the stream.
func (sh *shard) write(st *raw, batch [][]byte) {
	n, rest, err := send(st.fd, batch)
	sh.bytes += n
	if err != nil {
		sh.cutOff(st, clientGone)
		return
	}
	st.wroteAt = sh.now
	if len(rest) == 0 {
		st.unsent = nil
		st.stalled.Store(0)
		if st.closing {
			sh.finish(st)
		}
		return
	}
	if st.unsent == nil {
		rest = sh.scratch.stable(rest) // batch is used again
		st.blockedAt = sh.now
		st.stalled.Store(int64(sh.now))
	}
	st.unsent = rest
	sh.alarms.hurry(st, sh.due(st))
}

// last sends the last event of a stream, when it has taken what it was sent.
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

// handle takes in what the kernel says of a socket.
func (sh *shard) handle(e *unix.EpollEvent) {
	st := sh.streams[e.Fd]
	switch {
	case st == nil || st.generation != e.Pad: // it has ended meanwhile
	case e.Events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 && st.ended:
		sh.hangUp(st)
	case e.Events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0:
		sh.cutOff(st, clientGone)
	case st.unsent != nil:
		if sh.write(st, st.unsent); st.unsent != nil || st.ended {
			return
		}
		if _, is := st.expired(sh.now); is { // who takes its time may not outlive its token by it
			sh.sendLast(st, tokenExpired, st.tokenExpired())
		} else if sh.sendNews(st) {
			sh.countDelivered(st)
		}
	}
}

// due is when the stream needs something next: to be given up, if it does not
// take what it was sent, a ping, or its end.
func (sh *shard) due(st *raw) time.Duration {
	if st.ended {
		return st.wroteAt + lingering
	}
	if st.unsent != nil {
		return st.blockedAt + sh.server.opts.WriteTimeout
	}
	at := st.wroteAt + sh.server.opts.Heartbeat
	if expires := time.Duration(st.expires.Load()); expires != 0 {
		at = min(at, expires)
	}
	return at
}

// ring sees to the streams whose time has come.
func (sh *shard) ring() {
	for sh.alarms.next() <= sh.now {
		st := sh.alarms.first()
		if due := sh.due(st); due > sh.now { // it was written to since
			sh.alarms.delay(st, due)
			continue
		}
		if st.ended {
			sh.hangUp(st)
		} else if st.unsent != nil {
			sh.cutOff(st, tooSlow)
		} else if _, is := st.expired(sh.now); is {
			sh.sendLast(st, tokenExpired, st.tokenExpired())
		} else {
			sh.write(st, [][]byte{st.wire(st.format.ping())})
		}
	}
}

// drain tells all streams goodbye.
func (sh *shard) drain() {
	sh.draining = true
	for _, st := range sh.streams {
		sh.sendLast(st, shutdown, st.goodbye())
	}
}
