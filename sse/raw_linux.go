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

// raw is one subscriber's stream on a socket. It belongs to its shard's goroutine.
type raw struct {
	subscriber

	shard      *shard
	added      bool // the shard knows it
	fd         int32
	generation int32         // tells it from another stream that had the descriptor before
	alarmIndex int           // its place in the shard's alarms
	alarmAt    time.Duration // when that rings, on the server's clock
	wroteAt    time.Duration // when it was last written to
	blockedAt  time.Duration // since when rest waits
	unsent     [][]byte      // of the last batch, what the client has not taken yet; nil if it takes more
	closing    bool          // after rest the stream ends; it is counted by then
	ended      bool          // only the socket is left, if that
	resets     bool          // however the socket is closed, the client sees a reset
	why        reason        // it ends
}

// shards are the goroutines that write to sockets, one a core.
type shards struct {
	list []*shard
	next atomic.Uint32
	done sync.WaitGroup
	once sync.Once
}

// serveRaw takes the connection over, begins the stream, and leaves it to a
// shard. Then it does not return: see Serve. It returns, and has done nothing,
// where the connection is not a bare one.
func (s *Server) serveRaw(w http.ResponseWriter, r *http.Request, stream Stream, addr *address) {
	conn, bare := r.Context().Value(connKey{}).(*net.TCPConn)
	// Of a body that has not come yet net/http would go on reading, on its own
	// descriptor, and keep the connection open when the stream has ended.
	if !bare || r.TLS != nil || r.ProtoMajor != 1 || r.Body != http.NoBody {
		return
	}
	sh, err := s.shard()
	if err != nil {
		return // no descriptors are left, most likely: the other way needs none
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
	// The first words are written here, so that connecting costs the shard little.
	n, rest, err := send(st.fd, append([][]byte{rawHead(w.Header(), st.chunked)}, begin...))
	s.counts.bytes.Add(n)
	if len(rest) > 0 {
		st.unsent = rest
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

// checkInbox does the stream's errands, once the shard has it.
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
	if why == replaced && s.unsent != nil {
		s.reset(true) // nobody reads it
		s.shard.cutOff(s, replaced)
		return
	}
	s.shard.sendLast(s, why, end)
}

// duplicate returns another descriptor of the connection's socket, one that is not
// known to Go's poller.
func duplicate(conn *net.TCPConn) (fd int32, err error) {
	control, err := conn.SyscallConn()
	if err != nil {
		return 0, fmt.Errorf("sse: take over: %w", err)
	}
	var own int
	var failure error
	err = control.Control(func(of uintptr) {
		own, failure = unix.FcntlInt(of, unix.F_DUPFD_CLOEXEC, 0)
	})
	if err = errors.Join(err, failure); err != nil {
		return 0, fmt.Errorf("sse: take over: %w", err)
	}
	return int32(own), nil
}

// rawHead returns the head of the response. HTTP/1.0 knows no chunks, so the body ends with
// the connection. The connection, which is not net/http's any more, ends with chunks as well,
// but the head does not say so: Node's fetch would take any end of it for that of the body.
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
	_ = h.Write(&b) // a buffer takes all
	b.WriteString("\r\n")
	return b.Bytes()
}

// ends has the stream end when its client has taken all it is sent. It is counted before the
// client can see that. What is sent from here on leaves with the end of the connection: a client
// that saw the last chunk sooner might send its next request on the connection, for nobody.
func (s *raw) startClosing(why reason) {
	s.closing, s.why = true, why
	s.server.counts.disconnects[why].Add(1)
	_ = unix.SetsockoptInt(int(s.fd), unix.IPPROTO_TCP, unix.TCP_CORK, 1) // else the two may be apart
}

// leave gives back what the stream holds but for the socket.
func (s *raw) release(why reason) {
	s.server.counts.streams[transportRaw].Add(-1)
	if !s.closing {
		s.server.counts.disconnects[why].Add(1)
	}
	if why == tooSlow { // the kernel would keep what it does not take, for as long as it likes
		s.reset(true)
	}
	s.close()
}

// reset has the kernel reset the connection when the socket is closed, also by the end of
// the process, or not. Without chunks a client can't tell otherwise that a stream was cut off.
func (s *raw) reset(on bool) {
	if on == s.resets {
		return
	}
	linger := unix.Linger{}
	if s.resets = on; on {
		linger.Onoff = 1
	}
	_ = unix.SetsockoptLinger(int(s.fd), unix.SOL_SOCKET, unix.SO_LINGER, &linger) // else the end looks regular
}

// farewell tells the client that nothing more comes, and leaves the socket open for what may
// still come from it: to close a socket that has bytes to read, or is sent some afterwards,
// resets the connection, and the client may lose the last it was sent.
func (s *raw) halfClose() {
	s.reset(false)
	_ = unix.Shutdown(int(s.fd), unix.SHUT_WR) // it may have gone meanwhile
	discard(s.fd)
}

// hangUp closes the socket. What was sent still arrives, unless it resets.
func (s *raw) hangUp() {
	if !s.resets {
		discard(s.fd)
	}
	_ = unix.Close(int(s.fd))
}

// shard returns the one that the next stream goes to.
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

// drain has all streams end.
func (a *shards) drain() {
	for _, sh := range a.list {
		sh.post(sh.drain)
	}
}

// stop cuts off what streams are left and waits for the goroutines.
func (a *shards) stop() {
	a.once.Do(func() {
		for _, sh := range a.list {
			sh.post(sh.stop)
		}
		a.done.Wait()
	})
}
