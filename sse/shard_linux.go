package sse

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// shard writes to the sockets of its streams. The goroutine of run owns every field whose comment
// names no other owner. The goroutine of poll only waits for the kernel.
type shard struct {
	server     *Server
	generation atomic.Int32 // of the newest stream

	epfd  int
	epoll *os.File               // of epfd; run closes it when it ends, which ends poll
	ready chan []unix.EpollEvent // from poll to run: what the kernel reports
	heard chan []unix.EpollEvent // back to poll: the same slice, to be filled again
	done  chan struct{}          // closed when run ends

	woken  chan struct{} // capacity 1: one signal stands for all that came before it is read
	mu     sync.Mutex
	dirty  []*shardEdition // guarded by mu: the editions with news, each once
	tasks  []func()        // guarded by mu: for run; at most a few per stream
	closed bool            // guarded by mu: run has ended

	editions map[*Topic]*shardEdition
	streams  map[int32]*raw // by descriptor, with the lingering ones
	alarms   alarms
	draining bool
	stopped  bool

	batch   [][]byte      // empty; its memory is used again
	scratch scratch       // for the batch
	fresh   []*raw        // streams that began in this round
	now     time.Duration // on the server's clock, updated at least every stride streams
	bytes   int64         // written, but not yet in the server's counts
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
		// The descriptor of epoll waits in Go's own poller. A goroutine that blocks in epoll_wait
		// would give its thread away, and would wait long to get one again.
		epfd: fd, epoll: os.NewFile(uintptr(fd), "epoll"),
		ready:    make(chan []unix.EpollEvent),
		heard:    make(chan []unix.EpollEvent, 1),
		done:     make(chan struct{}),
		woken:    make(chan struct{}, 1),
		editions: map[*Topic]*shardEdition{}, streams: map[int32]*raw{},
	}
	sh.heard <- make([]unix.EpollEvent, 256)
	return sh, nil
}

// poll hands run what the kernel reports about the sockets.
func (sh *shard) poll() {
	conn, err := sh.epoll.SyscallConn()
	if err != nil {
		panic(err) // the file is open
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

// run writes until the shard is stopped and no stream lingers.
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
		sh.countBytes()
		timer.Reset(sh.alarms.next() - sh.server.now())
	}
	sh.mu.Lock()
	sh.closed = true
	tasks := sh.tasks
	sh.mu.Unlock()
	for _, task := range tasks { // some may have added a stream
		task()
	}
	for _, st := range sh.streams {
		if !st.ended {
			sh.release(st, shutdown)
		}
		sh.hangUp(st)
	}
}

// post has run do the task. It returns false if run has ended. Any goroutine may call it.
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

// add takes in a new stream.
func (sh *shard) add(st *raw) {
	st.blockedAt, st.wroteAt = sh.now, sh.now
	if st.unsent != nil {
		st.stalled.Store(int64(sh.now))
	}
	for i := range st.follows {
		if f := &st.follows[i]; f.stage == following {
			sh.attach(st, f)
		}
	}
	sh.streams[st.fd], st.added = st, true
	sh.alarms.add(st, sh.alarmAt(st))
	err := unix.EpollCtl(sh.epfd, unix.EPOLL_CTL_ADD, int(st.fd), &unix.EpollEvent{
		Events: unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET, Fd: st.fd, Pad: st.generation,
	})
	switch {
	case err != nil:
		sh.cutOff(st, clientGone)
	case st.closing && st.unsent == nil:
		sh.finish(st)
	case st.closing: // it finishes when the socket has taken unsent
	case sh.draining:
		sh.sendLast(st, shutdown, st.goodbye())
	default:
		sh.fresh = append(sh.fresh, st)
	}
	st.checkInbox()
}

// attach puts a stream on the list of its topic's followers.
func (sh *shard) attach(st *raw, f *follow) {
	v := sh.editions[f.topic]
	if v == nil {
		v = &shardEdition{shard: sh, topic: f.topic}
		sh.editions[f.topic] = v
		f.topic.listen(v)
		v.wake(f.topic)
	}
	f.edition, f.index = &v.edition, int32(len(v.followers))
	v.followers = append(v.followers, st)
}

// handle reacts to the kernel's report about a socket.
func (sh *shard) handle(e *unix.EpollEvent) {
	st := sh.streams[e.Fd]
	switch {
	case st == nil || st.generation != e.Pad: // the stream has ended meanwhile
	case e.Events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 && st.ended:
		sh.hangUp(st)
	case e.Events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0:
		sh.cutOff(st, clientGone)
	case st.unsent != nil:
		if sh.write(st, st.unsent); st.unsent != nil || st.ended {
			return
		}
		// A blocked stream must not outlive its token.
		if _, is := st.expired(sh.now); is {
			sh.sendLast(st, tokenExpired, st.tokenExpired())
		} else if sh.sendNews(st) {
			sh.countDelivered(st)
		}
	}
}

// alarmAt returns when the stream needs something next: to hang up, to be cut off for being
// blocked, a ping, or its end.
func (sh *shard) alarmAt(st *raw) time.Duration {
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

// ring serves the streams whose alarms ring now.
func (sh *shard) ring() {
	for sh.alarms.next() <= sh.now {
		st := sh.alarms.first()
		if at := sh.alarmAt(st); at > sh.now { // the stream was written to since the alarm was set
			sh.alarms.delay(st, at)
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
