package attack_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"

	frames "golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// framer is a connection of HTTP/2 whose frames the test writes itself.
type framer struct {
	*frames.Framer

	conn    net.Conn
	mu      sync.Mutex // guards writing, and the fields below
	fields  bytes.Buffer
	hpack   *hpack.Encoder
	last    uint32              // id of the last stream
	begun   map[uint32]struct{} // streams that some data came of
	reading sync.WaitGroup
}

// dialFramer opens one, whose window for each stream is so many bytes.
func dialFramer(tb testing.TB, host string, window uint32) *framer {
	tb.Helper()
	conn, err := net.Dial("tcp", host)
	if err != nil {
		tb.Fatal(err)
	}
	f := &framer{Framer: frames.NewFramer(conn, conn), conn: conn, last: ^uint32(0), begun: map[uint32]struct{}{}}
	tb.Cleanup(func() {
		_ = conn.Close() // the service may have
		f.reading.Wait()
	})
	f.hpack = hpack.NewEncoder(&f.fields)
	_, err = io.WriteString(conn, frames.ClientPreface)
	if err == nil {
		err = f.WriteSettings(frames.Setting{ID: frames.SettingInitialWindowSize, Val: window})
	}
	if err != nil {
		tb.Fatal(err)
	}
	f.reading.Go(f.read) // until the connection is closed, by the test or by the service
	return f
}

// read acknowledges settings and pings, and opens no window for more data.
func (f *framer) read() {
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return
		}
		f.mu.Lock()
		switch frame := frame.(type) {
		case *frames.SettingsFrame:
			if !frame.IsAck() {
				err = f.WriteSettingsAck()
			}
		case *frames.DataFrame:
			f.begun[frame.StreamID] = struct{}{}
		case *frames.PingFrame:
			if !frame.IsAck() {
				err = f.WritePing(true, frame.Data)
			}
		}
		f.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// get begins a stream. It reports whether the connection is still there.
func (f *framer) get(path, token string, headers ...string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fields.Reset()
	all := append([]string{":method", http.MethodGet, ":scheme", "http", ":authority", "x", ":path", path}, headers...)
	if token != "" {
		all = append(all, "authorization", "Bearer "+token)
	}
	for pair := range slices.Chunk(all, 2) {
		if err := f.hpack.WriteField(hpack.HeaderField{Name: pair[0], Value: pair[1]}); err != nil {
			return false
		}
	}
	f.last += 2
	return f.WriteHeaders(frames.HeadersFrameParam{StreamID: f.last, BlockFragment: f.fields.Bytes(), EndHeaders: true, EndStream: true}) == nil
}

// take opens the window of each answer for so many bytes more. It reports whether the connection is
// still there.
func (f *framer) take(n uint32) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id := uint32(1); id <= f.last && f.last != ^uint32(0); id += 2 {
		if f.WriteWindowUpdate(id, n) != nil || f.WriteWindowUpdate(0, n) != nil {
			return false
		}
	}
	return true
}

// answers returns how many streams some data came of.
func (f *framer) answers() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.begun)
}
