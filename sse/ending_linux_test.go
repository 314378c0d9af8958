package sse_test

import (
	"bytes"
	"testing"

	"golang.org/x/sys/unix"

	"marcador/sse"
)

// The end of the connection arrives together with the last chunk. A client that got the chunk
// sooner could send its next request on the connection.
func TestServer_endComesWithLastChunk(t *testing.T) {
	const streams = 300 // without TCP_CORK, the two come apart on some of them
	s := newTestServer(t, sse.Options{})
	for range streams {
		conn := s.dial("GET /?user=u&session=7 HTTP/1.1\r\nHost: x\r\n\r\n")
		var got []byte
		until := func(part string) {
			buf := make([]byte, 4096)
			for !bytes.Contains(got, []byte(part)) {
				n, err := conn.Read(buf)
				if err != nil {
					t.Fatalf("%v after %q", err, got)
				}
				got = append(got, buf[:n]...)
			}
		}
		until("id: e-1.")
		s.streams.EndSession("u", 7)
		until("\r\n0\r\n\r\n")
		control, err := conn.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		err = control.Control(func(fd uintptr) {
			n, _, err := unix.Recvfrom(int(fd), make([]byte, 1), unix.MSG_DONTWAIT)
			if n != 0 || err != nil {
				t.Fatalf("after the last chunk: %d bytes, %v; want the end", n, err)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Close() // the server has ended it
	}
}
