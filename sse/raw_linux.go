package sse

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// raw is one stream on a socket. It belongs to its shard's goroutine.
//
//	serveRaw ──add──▶ ready ──write: the socket took a part──▶ blocked (unsent)
//	                  │   ▲                                      │       │
//	                  │   └────────the socket took all───────────┘       │ the last event is
//	  the last event  │                                                  ▼ put behind unsent
//	  was written     │                                          blocked (unsent, closing)
//	                  ▼                                                  │
//	               lingering (ended) ◀────────the socket took all────────┘
//	                  │ the client closes its side, or 500 ms pass
//	                  ▼
//	               hung up: the socket is closed
//
// A stream is cut off, that is, hung up without lingering, when the client has gone or has been
// blocked for WriteTimeout, and when the server stops waiting.
type raw struct {
	subscriber

	shard      *shard
	added      bool // add was called
	fd         int32
	generation int32         // differs from earlier streams with the same descriptor
	alarmIndex int           // in the shard's alarms
	alarmAt    time.Duration // when the alarm rings, on the server's clock
	wroteAt    time.Duration // when it was last written to, on the server's clock
	blockedAt  time.Duration // since when unsent waits, on the server's clock
	unsent     [][]byte      // what the socket has not taken; nil if the stream is not blocked
	closing    bool          // the last event is sent, or in unsent; the end is counted
	ended      bool          // nothing is left of it, except that the socket may linger
	resets     bool          // closing the socket resets the connection
	why        reason        // of the end
}

// shards are the goroutines that write to sockets, one per CPU core.
type shards struct {
	list []*shard
	next atomic.Uint32
	done sync.WaitGroup
	once sync.Once
}

// serveRaw takes the connection over, begins the stream and hands it to a shard. Then it panics
// with http.ErrAbortHandler; see Start. If it can't take the connection over, it returns and has
// done nothing.
func (s *Server) serveRaw(w http.ResponseWriter, r *http.Request, stream Stream, addr *address) {
	conn, bare := r.Context().Value(connKey{}).(*net.TCPConn)
	// A request whose body has not arrived is left alone: net/http would go on reading the body,
	// and would keep the connection open when the stream has ended.
	if !bare || r.TLS != nil || r.ProtoMajor != 1 || r.Body != http.NoBody {
		return
	}
	sh, err := s.shard()
	if err != nil {
		return // most likely no descriptor is left; the standard transport needs none
	}
	fd, err := duplicate(conn)
	if err != nil {
		return // likewise
	}
	st := &raw{shard: sh, fd: fd, generation: sh.generation.Add(1)}
	st.transport, st.address = st, addr
	s.counts.streams[transportRaw].Add(1)
	if st.chunked = r.ProtoAtLeast(1, 1); !st.chunked {
		st.reset(true)
	}
	begin := st.open(s, stream)
	if st.over {
		st.startClosing(forbidden)
	}
	// The first write happens here rather than in the shard, so that a crowd of new streams does
	// not hold up the shard.
	n, unsent, err := send(st.fd, append([][]byte{rawHead(w.Header(), st.chunked)}, begin...))
	s.counts.bytes.Add(n)
	if len(unsent) > 0 {
		st.unsent = unsent
	}
	if err != nil {
		st.release(clientGone)
		st.hangUp()
	} else if !sh.post(func() { sh.add(st) }) {
		st.release(shutdown)
		st.hangUp()
	}
	panic(http.ErrAbortHandler)
}

// poke implements transport.
func (s *raw) poke() { s.shard.post(s.checkInbox) }

// checkInbox reads the inbox. It does nothing if the stream is ending, or if the shard does not
// have the stream yet; add calls it again.
func (s *raw) checkInbox() {
	if s.added && !s.ended && !s.closing {
		s.readInbox()
	}
}

// sendBatch implements transport.
func (s *raw) sendBatch(batch [][]byte) {
	s.releaseEnded(s.shard.detach)
	if s.ended || s.closing {
		return
	}
	if s.over {
		s.startClosing(forbidden)
	}
	if s.unsent != nil {
		s.unsent = append(s.unsent, batch...)
		return
	}
	s.shard.write(s, batch)
}

// finish implements transport.
func (s *raw) finish(why reason, end []byte) {
	if s.ended {
		return
	}
	if why == replaced && s.unsent != nil { // the client is not reading, so it need not be told
		s.reset(true)
		s.shard.cutOff(s, replaced)
		return
	}
	s.shard.sendLast(s, why, end)
}

// duplicate returns a new descriptor of the connection's socket, which Go's poller does not know.
func duplicate(conn *net.TCPConn) (fd int32, err error) {
	control, err := conn.SyscallConn()
	if err != nil {
		return 0, fmt.Errorf("sse: take the connection over: %w", err)
	}
	var own int
	var failure error
	err = control.Control(func(of uintptr) {
		own, failure = unix.FcntlInt(of, unix.F_DUPFD_CLOEXEC, 0)
	})
	if err = errors.Join(err, failure); err != nil {
		return 0, fmt.Errorf("sse: take the connection over: %w", err)
	}
	return int32(own), nil
}

// rawHead returns the head of the response. HTTP/1.0 knows no chunks, so the end of the connection
// ends the body. A connection with chunks also ends with the stream, but the head does not say so:
// after `Connection: close`, Node's fetch would take any end of the connection for a regular end of
// the body.
func rawHead(h http.Header, chunked bool) []byte {
	var b bytes.Buffer
	b.Grow(512)
	b.WriteString("HTTP/1.1 200 OK\r\nDate: ")
	b.WriteString(time.Now().UTC().Format(http.TimeFormat))
	if chunked {
		b.WriteString("\r\nTransfer-Encoding: chunked\r\n")
	} else {
		b.WriteString("\r\nConnection: close\r\n")
	}
	_ = h.Write(&b) // writes to a bytes.Buffer don't fail
	b.WriteString("\r\n")
	return b.Bytes()
}

// startClosing ends the stream as soon as the socket has taken all bytes. The caller sends the last
// ones afterwards. The end is counted now, before the client can see it.
//
// TCP_CORK makes the kernel send the last bytes together with the end of the connection. If they
// came apart, a client could send its next request on the connection, and nobody would answer it.
// The error is ignored: the stream ends all the same.
func (s *raw) startClosing(why reason) {
	s.closing, s.why = true, why
	s.server.counts.disconnects[why].Add(1)
	_ = unix.SetsockoptInt(int(s.fd), unix.IPPROTO_TCP, unix.TCP_CORK, 1)
}

// release gives up everything that the stream has, except for the socket.
func (s *raw) release(why reason) {
	s.server.counts.streams[transportRaw].Add(-1)
	if !s.closing {
		s.server.counts.disconnects[why].Add(1)
	}
	if why == tooSlow { // otherwise the kernel could keep the queue of a closed socket for minutes
		s.reset(true)
	}
	s.close()
}

// reset says whether closing the socket resets the connection, also when the process dies. A client
// without chunks can only tell by a reset that its stream was cut off.
func (s *raw) reset(on bool) {
	if on == s.resets {
		return
	}
	linger := unix.Linger{}
	if s.resets = on; on {
		linger.Onoff = 1
	}
	// If this fails, the end looks regular to the client.
	_ = unix.SetsockoptLinger(int(s.fd), unix.SOL_SOCKET, unix.SO_LINGER, &linger)
}

// halfClose tells the client that nothing more comes, and leaves the socket open for bytes that the
// client may still send. Closing a socket that has unread bytes, or that gets some afterwards,
// resets the connection, and the client may lose the last bytes that it was sent.
func (s *raw) halfClose() {
	s.reset(false)
	_ = unix.Shutdown(int(s.fd), unix.SHUT_WR) // the client may have gone
	discard(s.fd)
}

// hangUp closes the socket. Unless that resets the connection, all sent bytes still arrive.
func (s *raw) hangUp() {
	if !s.resets {
		discard(s.fd)
	}
	_ = unix.Close(int(s.fd))
}

// shard returns the shard for the next stream. The first call starts all of them.
func (s *Server) shard() (*shard, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shards == nil && s.isDraining() {
		return nil, ErrDraining
	}
	if s.shards == nil {
		all := &shards{}
		for range runtime.GOMAXPROCS(0) {
			sh, err := newShard(s)
			if err != nil {
				for _, sh := range all.list {
					_ = sh.epoll.Close()
				}
				return nil, err
			}
			all.list = append(all.list, sh)
		}
		for _, sh := range all.list {
			all.done.Go(sh.run)
			all.done.Go(sh.poll)
		}
		s.shards = all
	}
	return s.shards.list[s.shards.next.Add(1)%uint32(len(s.shards.list))], nil
}

// drain tells the clients of all streams goodbye. It does not wait.
func (a *shards) drain() {
	for _, sh := range a.list {
		sh.post(sh.drain)
	}
}

// stop cuts off the streams that are left and waits for the goroutines.
func (a *shards) stop() {
	a.once.Do(func() {
		for _, sh := range a.list {
			sh.post(sh.stop)
		}
		a.done.Wait()
	})
}
