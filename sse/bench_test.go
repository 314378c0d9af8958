package sse_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"marcador/sse"
)

const subscribers = 1000

// BenchmarkFanout is one event to 1,000 subscribers over TCP, until the last has
// read it: through the server, and, to compare, through a bare loop that writes
// the same bytes to as many sockets. Writers and readers share the machine.
func BenchmarkFanout(b *testing.B) {
	for _, size := range []int{300, 18_000} {
		data := bytes.Repeat([]byte("x"), size)
		frame := sse.NewState("e", 1, "news", data)
		b.Run(fmt.Sprintf("bytes=%d/through=server", size), func(b *testing.B) {
			topic := &sse.Topic{}
			server := sse.NewServer(sse.Options{})
			web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_ = server.Serve(w, r, sse.Stream{Greeting: []byte("{}"), Follows: []sse.Follow{{Topic: topic}}}) // it does not drain
			}))
			b.Cleanup(func() { web.CloseClientConnections(); web.Close() })
			read := newReaders(b, web.Listener.Addr().String(), func(conn net.Conn) io.Reader {
				if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
					b.Error(err)
				}
				return conn
			})
			for topic.Len() < subscribers {
				time.Sleep(time.Millisecond) // the server takes its connections
			}
			b.ReportAllocs()
			version := int64(1)
			for b.Loop() {
				read.wg.Add(subscribers)
				version++
				topic.Publish(sse.NewState("e", version, "news", data))
				read.wg.Wait()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*subscribers), "ns/delivery")
		})
		b.Run(fmt.Sprintf("bytes=%d/through=bare-loop", size), func(b *testing.B) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			accepted := make(chan net.Conn, subscribers)
			go func() {
				for range subscribers {
					if conn, err := listener.Accept(); err == nil {
						accepted <- conn
					}
				}
			}()
			read := newReaders(b, listener.Addr().String(), func(conn net.Conn) io.Reader { return conn })
			conns := make([]net.Conn, subscribers)
			for i := range conns {
				conns[i] = <-accepted
			}
			b.Cleanup(func() {
				for _, c := range conns {
					_ = c.Close()
				}
				_ = listener.Close()
			})
			event := sse.Frame(frame)
			b.ReportAllocs()
			for b.Loop() {
				read.wg.Add(subscribers)
				for _, c := range conns {
					if _, err := c.Write(event); err != nil {
						b.Fatal(err)
					}
				}
				read.wg.Wait()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*subscribers), "ns/delivery")
		})
	}
}

// readers are clients that count the events they read, by the blank line at the
// end of each.
type readers struct {
	wg sync.WaitGroup // an event to each is awaited
}

func newReaders(b *testing.B, addr string, begin func(net.Conn) io.Reader) *readers {
	b.Helper()
	r := &readers{}
	for range subscribers {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = conn.Close() })
		in := begin(conn)
		go func() {
			buf := make([]byte, 64<<10)
			tail := make([]byte, 0, 64)
			for {
				n, err := in.Read(buf)
				if err != nil {
					return
				}
				// "id: e-<n>" and the blank line end an event that is counted.
				tail = append(tail, buf[:n]...)
				for range bytes.Count(tail, []byte("\nid: e-")) {
					r.wg.Done()
				}
				tail = append(tail[:0], tail[max(0, len(tail)-6):]...)
			}
		}()
	}
	return r
}
