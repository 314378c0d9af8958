package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	frames "golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// rss is how many MiB of memory the process has.
func rss(tb testing.TB, pid int) int {
	tb.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		tb.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kilos, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		tb.Fatal(err)
	}
	return kilos >> 10
}

// weight watches the memory of a process until peak is called.
type weight struct {
	tb       testing.TB
	pid      int
	before   int
	most     atomic.Int64
	stop     context.CancelFunc
	watching sync.WaitGroup
}

func watchMemory(tb testing.TB, pid int) *weight {
	tb.Helper()
	ctx, stop := context.WithCancel(tb.Context())
	m := &weight{tb: tb, pid: pid, before: rss(tb, pid), stop: stop}
	m.watching.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				m.most.Store(max(m.most.Load(), int64(rss(tb, pid))))
			}
		}
	})
	return m
}

func (m *weight) peak() int {
	m.stop()
	m.watching.Wait()
	return max(int(m.most.Load()), rss(m.tb, m.pid))
}

// settles waits until the process has no more than so much above what it had at the start.
func (m *weight) settles(above int) {
	m.tb.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) { // real memory of a real process
		now := rss(m.tb, m.pid)
		if now <= m.before+above {
			m.tb.Logf("%d MiB at last", now)
			return
		}
		if time.Now().After(deadline) {
			m.tb.Errorf("a minute later it has %d MiB, %d at the start", now, m.before)
			return
		}
	}
}

// framer is a connection of HTTP/2 whose frames the test writes. Its window for each stream is so
// many bytes.
type framer struct {
	*frames.Framer

	conn   net.Conn
	mu     sync.Mutex // guards what is written
	fields bytes.Buffer
	hpack  *hpack.Encoder
	last   uint32 // id of the last stream
}

func dialFramer(tb testing.TB, url string, window uint32) *framer {
	tb.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close() })
	f := &framer{Framer: frames.NewFramer(conn, conn), conn: conn, last: ^uint32(0)}
	f.hpack = hpack.NewEncoder(&f.fields)
	_, err = io.WriteString(conn, frames.ClientPreface)
	if err == nil {
		err = f.WriteSettings(frames.Setting{ID: frames.SettingInitialWindowSize, Val: window})
	}
	if err != nil {
		tb.Fatal(err)
	}
	go f.read() // until the connection is closed, by the test or by the service
	return f
}

// read acknowledges what has to be, and takes no data.
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

// people enrols so many users with avatars of that length and gives them points.
func (p *program) people(n, avatar int) {
	p.tb.Helper()
	admin := tokenFor(p.tb, "svc", "admin", time.Hour)
	for first := 0; first < n; first += 100 {
		var users, updates []map[string]any
		for i := first; i < min(first+100, n); i++ {
			id := fmt.Sprintf("v%d", i)
			users = append(users, map[string]any{"id": id, "username": "Name " + id, "avatar": "https://x.example/" + strings.Repeat("a", avatar)})
			updates = append(updates, map[string]any{"userId": id, "xp": i + 1})
		}
		for path, body := range map[string]any{"/v1/users": map[string]any{"users": users}} {
			text, _ := json.Marshal(body) // it can be
			p.call(admin, http.MethodPost, path, string(text), nil)
		}
		text, _ := json.Marshal(map[string]any{"updates": updates}) // it can be
		p.call(admin, http.MethodPost, "/v1/xp", string(text), nil)
	}
}

// reader reads pages of a hundred rows, one after the other, until stop is called, which returns
// how many came and what went wrong.
func (p *program) reader(user string) (stop func() (pages int, wrong []string)) {
	token := tokenFor(p.tb, user, "", time.Hour)
	ctx, cancel := context.WithCancel(p.tb.Context())
	var reading sync.WaitGroup
	pages, wrong := 0, []string(nil)
	reading.Go(func() {
		for ctx.Err() == nil && !p.tb.Failed() {
			status, body := p.try(token, http.MethodGet, "/v1/leaderboards/global?limit=100", "")
			if pages++; status != http.StatusOK {
				wrong = append(wrong, fmt.Sprintf("%d %.100s", status, body))
			}
		}
	})
	return func() (int, []string) {
		cancel()
		reading.Wait()
		return pages, wrong
	}
}

// Answers over HTTP/2 that are asked for by the thousand and never read take no more memory than
// there is for them, with a token and without, and not for long; somebody else is answered
// meanwhile. What a short answer takes is bounded, too.
func TestAttack_unread(t *testing.T) {
	conns, above := 4, 160 // MiB; all the pages would be 400
	if *full {
		conns, above = 100, 300-50
	}
	for name, c := range map[string]struct {
		path, user string
		headers    []string
	}{
		"pages":              {"/v1/leaderboards/global?limit=1000", "v0", nil},
		"pages by anybody":   {"/v1/leaderboards/global?limit=1000", "", nil},
		"pages, MessagePack": {"/v1/leaderboards/global?limit=1000", "v0", []string{"accept", "application/msgpack"}},
		"health":             {"/healthz", "", nil},
		"files":              {"/static/vendor/uPlot.esm.js", "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			p, cmd := spawn(t, build(t), filepath.Join(t.TempDir(), "m.db"), "--public")
			avatar := 250
			if *full {
				avatar = 0
			}
			p.people(1000, avatar)
			token := ""
			if c.user != "" {
				token = tokenFor(t, c.user, "", time.Hour)
			}
			m := watchMemory(t, cmd.Process.Pid)
			stop := p.reader("v500")
			var asking sync.WaitGroup
			for range conns {
				f := dialFramer(t, p.url, 0)
				asking.Go(func() {
					for range 250 {
						if !f.get(c.path, token, c.headers...) {
							return
						}
					}
				})
			}
			asking.Wait()
			p.quiet(t)
			pages, wrong := stop()
			peak := m.peak()
			t.Logf("%d MiB at the start, %d at the most; a reader had %d pages", m.before, peak, pages)
			if peak > m.before+above {
				t.Errorf("%d MiB at the start became %d, want no more than %d above", m.before, peak, above)
			}
			if pages == 0 || len(wrong) > 0 {
				t.Errorf("somebody else had %d pages, of which went wrong %q", pages, wrong)
			}
			m.settles(100)
		})
	}
}

// quiet waits until what was asked for is under way: until the service answers at once.
func (p *program) quiet(t *testing.T) {
	t.Helper()
	token := tokenFor(t, "v501", "", time.Hour) // who attacks may have to wait
	for quick, deadline := 0, time.Now().Add(patient); quick < 20; {
		began := time.Now()
		if status, body := p.try(token, http.MethodGet, "/v1/leaderboards/global?limit=1000", ""); status != http.StatusOK {
			t.Fatalf("a page = %d %.200s", status, body)
		}
		if quick++; time.Since(began) > 200*time.Millisecond {
			quick = 0
		}
		if time.Now().After(deadline) {
			return
		}
	}
}
