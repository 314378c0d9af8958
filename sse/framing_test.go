package sse_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"marcador/sse"
)

// formats are queries for all formats in which a client may take its events.
var formats = []string{"", "gzip", "diff", "diff&gzip", "msgpack", "msgpack&gzip"}

// Each event comes whole in a chunk of its own. So a reader that waits for chunks sees each event
// as soon as it was sent.
func TestServer_oneChunkPerEvent(t *testing.T) {
	onBothTransports(t, sse.Options{}, func(t *testing.T, s *testServer) {
		if !s.raw {
			t.Skip("net/http makes the chunks")
		}
		for _, format := range formats {
			c := s.connect(format)
			if !slices.Equal(c.coding, []string{"chunked"}) || c.closes {
				t.Errorf("%s: Transfer-Encoding = %v, header = %v", format, c.coding, c.header)
			}
			_ = c.conn.Close()
			<-s.left
		}
		s.publish(2, 3, 4)
		conn := s.dial("GET /?diff HTTP/1.1\r\nHost: x\r\n\r\n")
		in := bufio.NewReader(conn)
		if _, err := http.ReadResponse(in, nil); err != nil { // it reads no further than the head
			t.Fatal(err)
		}
		for _, want := range []string{"authenticated", "news"} {
			if e := parse(t, chunk(t, in)); len(e) != 1 || e[0].name != want {
				t.Fatalf("a chunk of %+v, want one event %s", e, want)
			}
		}
		for v := int64(5); v < 10; v++ {
			s.publish(v)
			if e := parse(t, chunk(t, in)); len(e) != 1 || e[0].id != fmt.Sprintf("e-%d", v) {
				t.Fatalf("a chunk of %+v, want the event of version %d", e, v)
			}
		}
	})
}

// chunk reads a chunk, and checks that its framing is exactly that of RFC 9112.
func chunk(t *testing.T, in *bufio.Reader) []byte {
	t.Helper()
	line, err := in.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	var size int
	if _, err := fmt.Sscanf(line, "%x\r\n", &size); err != nil || line != fmt.Sprintf("%x\r\n", size) {
		t.Fatalf("a chunk begins with %q (%v)", line, err)
	}
	data := make([]byte, size+2)
	if _, err := io.ReadFull(in, data); err != nil || string(data[size:]) != "\r\n" {
		t.Fatalf("a chunk ends with %q (%v)", data, err)
	}
	return data[:size]
}

// dial connects and sends the request as it is.
func (s *testServer) dial(request string) *net.TCPConn {
	s.tb.Helper()
	conn, err := new(net.Dialer).DialContext(s.tb.Context(), "tcp", s.addr)
	if err != nil {
		s.tb.Fatal(err)
	}
	s.tb.Cleanup(func() { _ = conn.Close() }) // the test may have closed it
	if err := conn.SetDeadline(time.Now().Add(patient)); err != nil {
		s.tb.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		s.tb.Fatal(err)
	}
	return conn.(*net.TCPConn) //nolint:errcheck // by "tcp" it is one
}

// A stream that the server ends is complete: its client gets the last chunk, and with gzip the
// right checksum.
func TestServer_endIsComplete(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, s *testServer){
		"goodbye": func(t *testing.T, s *testServer) {
			if err := s.streams.Drain(t.Context()); err != nil {
				t.Error(err)
			}
		},
		"forbidden": func(_ *testing.T, s *testServer) {
			s.tell(9, map[string]int{"u": -1})
		},
		"token_expired": func(*testing.T, *testServer) {}, // it ends by itself
	} {
		t.Run(name, func(t *testing.T) {
			onBothTransports(t, sse.Options{Heartbeat: 20 * time.Millisecond}, func(t *testing.T, s *testServer) {
				other := s.next
				s.next = func(r *http.Request) sse.Stream {
					stream := other(r)
					stream.Follows[0].Own = &own{user: "u"}
					if name == "token_expired" {
						stream.Expires = time.Now().Add(2 * time.Second)
					}
					return stream
				}
				var all []*client
				for _, format := range formats {
					all = append(all, s.connect(format))
				}
				s.hub.Publish(sse.Publication{
					Topic: s.topic, State: sse.NewState(2, heavy(2)),
					Notes: map[string]int{"u": 7}, Version: 2,
				})
				s.publish(3)
				for _, c := range all { // until each has a ping and the event
					for seen := map[string]bool{}; !seen["ping"] || !seen["e-3"]; {
						e := c.read()
						if e.name == "" {
							t.Fatal("the stream has ended")
						}
						seen[e.name], seen[e.id] = true, true
					}
				}
				end(t, s)
				for i, c := range all {
					rest, err := io.ReadAll(c.body)
					told := bytes.Contains(rest, []byte("event: goodbye")) ||
						bytes.Contains(rest, []byte("event: error"))
					if err != nil || !told {
						t.Errorf("%s: %q, %v", formats[i], rest, err)
					}
					if !s.raw {
						continue // net/http leaves the connection open
					}
					if n, err := c.conn.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
						t.Errorf("%s: after the end %d bytes, %v", formats[i], n, err)
					}
				}
			})
		})
	}
}

// A stream that was cut off does not look like one that has ended, in any version and format.
func TestServer_cutOff(t *testing.T) {
	onBothTransports(t, sse.Options{WriteTimeout: 200 * time.Millisecond}, func(t *testing.T, s *testServer) {
		noise := make([]byte, 200<<10)
		_, _ = rand.Read(noise) // it never fails
		big := literal(fmt.Appendf(nil, "%q", hex.EncodeToString(noise)))
		for _, version := range []string{"1.1", "1.0"} {
			if version == "1.0" && !s.raw {
				continue // net/http closes it like any other connection
			}
			for _, format := range []string{"", "gzip"} {
				conn := s.dial("GET /?" + format + " HTTP/" + version + "\r\nHost: x\r\n\r\n")
				res, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err = errors.Join(err, conn.SetReadBuffer(4<<10)); err != nil {
					t.Fatal(err)
				}
				s.hub.Publish(sse.Publication{Topic: s.topic, State: sse.NewState(time.Now().UnixNano(), big)})
				<-s.left // the client was too slow
				_, err = io.Copy(io.Discard, res.Body)
				if !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("HTTP/%s %s: the end is %v, want an error", version, format, err)
				}
			}
		}
	})
}

// The bytes that a slow client has not taken stay intact while other clients are written to.
func TestServer_unsentStaysIntact(t *testing.T) {
	for _, format := range []string{"", "gzip"} {
		onBothTransports(t, sse.Options{WriteTimeout: patient}, func(t *testing.T, s *testServer) {
			slow := s.connect(format).begins()
			if err := slow.conn.SetReadBuffer(16 << 10); err != nil {
				t.Fatal(err)
			}
			var others []*client
			for range 2 * runtime.GOMAXPROCS(0) { // some of them are in the shard of the slow one
				others = append(others, s.connect(format).begins())
			}
			noise := make([]byte, 60<<10)
			_, _ = rand.Read(noise) // it never fails
			big := literal(fmt.Appendf(nil, "%q", hex.EncodeToString(noise)))
			s.hub.Publish(sse.Publication{Topic: s.topic, State: sse.NewState(2, big)})
			for _, c := range others {
				if e := c.read(); e.id != "e-2" {
					t.Fatalf("id = %s", e.id)
				}
			}
			s.publish(3)
			for _, c := range others {
				c.want(`news {"v":3} e-3`)
			}
			if e := slow.read(); e.id != "e-2" || len(e.data) < 2*len(noise) {
				t.Errorf("id = %s, with %d bytes", e.id, len(e.data))
			}
			slow.want(`news {"v":3} e-3`)
		})
	}
}

// A client may send further requests on the connection of a stream. They are not read, and the
// stream still reaches its end.
func TestServer_ignoresPipelinedRequests(t *testing.T) {
	for _, version := range []string{"1.1", "1.0"} {
		onBothTransports(t, sse.Options{}, func(t *testing.T, s *testServer) {
			const another = "GET /?second HTTP/1.1\r\nHost: x\r\n\r\n"
			conn := s.dial("GET / HTTP/" + version + "\r\nHost: x\r\nConnection: keep-alive\r\n\r\n" + another)
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			if res.Close != (version == "1.0") {
				t.Errorf("HTTP/%s: the head says that the connection ends: %v", version, res.Close)
			}
			if _, err := io.WriteString(conn, strings.Repeat(another, 1000)); err != nil {
				t.Fatal(err)
			}
			if !s.raw {
				return // net/http answers the next request
			}
			ctx, cancel := context.WithTimeout(t.Context(), patient)
			defer cancel()
			drained := make(chan error, 1)
			go func() { drained <- s.streams.Drain(ctx) }()
			<-s.left
			if _, err := io.WriteString(conn, another); err != nil { // after the end
				t.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			if err != nil || !bytes.Contains(body, []byte("event: goodbye")) {
				t.Errorf("HTTP/%s: %q, %v", version, body, err)
			}
			if err := conn.Close(); err != nil {
				t.Error(err)
			}
			if err := <-drained; err != nil {
				t.Error(err)
			}
		})
	}
}

// The answer to HEAD is only the head, and the connection serves the next request.
func TestServer_headKeepsConnection(t *testing.T) {
	onBothTransports(t, sse.Options{}, func(t *testing.T, s *testServer) {
		conn := s.dial("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
		in := bufio.NewReader(conn)
		for range 2 {
			res, err := http.ReadResponse(in, &http.Request{Method: http.MethodHead})
			if err != nil {
				t.Fatal(err)
			}
			kind := res.Header.Get("Content-Type")
			if res.StatusCode != http.StatusOK || kind != "text/event-stream" || res.Close {
				t.Fatalf("response = %+v", res)
			}
			if _, err := io.WriteString(conn, "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// Lines are short enough for clients that read at most 64 KB of a line. The line ends in the data
// do not change the JSON value.
func TestEncode_shortLines(t *testing.T) {
	worst := strings.Repeat("&", 2048) // JSON escapes each with six bytes
	for name, rows := range map[string]int{"one row": 1, "a page": 100, "many rows": 300} {
		type row struct {
			Rank             int
			Username, Avatar string
		}
		page := struct{ Leaderboard []row }{}
		for i := range rows {
			name := `},{"a":"\` + strings.Repeat("ñ\"", 49)
			page.Leaderboard = append(page.Leaderboard, row{i, name, "data:image/png," + worst[:2033]})
		}
		data, err := json.Marshal(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, format := range []sse.Format{0, sse.MsgPack} {
			wire := sse.Encode(format, sse.Event{Name: "news", Data: data}, "e-1")
			for line := range bytes.Lines(wire) {
				if len(line) > 16<<10 {
					t.Fatalf("%s: a line of %d bytes", name, len(line))
				}
			}
			got := parse(t, wire)[0].data
			if format == sse.MsgPack {
				for line := range strings.Lines(got) {
					if len(strings.TrimSpace(line))%4 != 0 {
						t.Errorf("%s: a line of %d characters of base64", name, len(line))
					}
				}
				continue
			}
			var again bytes.Buffer
			if err := json.Compact(&again, []byte(got)); err != nil || !bytes.Equal(again.Bytes(), data) {
				t.Errorf("%s: the data has changed (%v)", name, err)
			}
			if between := strings.Count(got, "},\n{"); between != strings.Count(got, "\n") {
				t.Errorf("%s: of %d line ends %d are between rows", name, strings.Count(got, "\n"), between)
			}
		}
	}
}
