package attack_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"marcador/test/testkit"
)

// enrol creates users v0 to vn and gives them points. The addresses of their avatars have a few
// bytes more than that length.
func (a *attack) enrol(n, avatar int) {
	a.t.Helper()
	admin := testkit.Token(a.t, "svc", "admin")
	for first := 0; first < n; first += 100 {
		var users, updates []map[string]any
		for i := first; i < min(first+100, n); i++ {
			id := fmt.Sprintf("v%d", i)
			users = append(users, map[string]any{"id": id, "username": "Name " + id, "avatar": "https://x.example/" + strings.Repeat("a", avatar)})
			updates = append(updates, map[string]any{"userId": id, "xp": i + 1})
		}
		text, _ := json.Marshal(map[string]any{"users": users}) // it can be
		a.Call(admin, http.MethodPost, "/v1/users", string(text), nil)
		text, _ = json.Marshal(map[string]any{"updates": updates}) // it can be
		a.Call(admin, http.MethodPost, "/v1/xp", string(text), nil)
	}
}

// read reads pages of a hundred rows, one after the other, until stop is called. stop returns how
// many pages came, and the answers that were none.
func (a *attack) read(user string) (stop func() (pages int, wrong []string)) {
	token := testkit.Token(a.t, user, "")
	ctx, cancel := context.WithCancel(a.t.Context())
	var reading sync.WaitGroup
	pages, wrong := 0, []string(nil)
	reading.Go(func() {
		for ctx.Err() == nil && !a.t.Failed() {
			status, body := a.Try(token, http.MethodGet, "/v1/leaderboards/global?limit=100", "")
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

// longAvatar makes the addresses of avatars as long as they may be.
const longAvatar = 2048 - len("https://x.example/")

// attack is an attack on a service with a thousand users.
type attack struct {
	*testkit.Process

	t       *testing.T
	usual   time.Duration // that a page of all users takes
	memory  *memory
	reading func() (pages int, wrong []string) // stops the reader
}

// newAttack starts a service whose users have avatars of that length.
func newAttack(t *testing.T, avatar int, flags ...string) *attack {
	t.Helper()
	p := testkit.Spawn(t, testkit.Database(t), flags...)
	a := &attack{Process: p, t: t}
	a.enrol(1000, avatar)
	var took []time.Duration
	for range 9 {
		took = append(took, a.page())
	}
	slices.Sort(took)
	a.usual = took[len(took)/2]
	return a
}

// page reads a page of all users, and returns how long that took.
func (a *attack) page() time.Duration {
	a.t.Helper()
	began := time.Now()
	a.Call(testkit.Token(a.t, "v501", ""), http.MethodGet, "/v1/leaderboards/global?limit=1000", "", nil)
	return time.Since(began)
}

// begin begins to measure the memory, and to read pages as another user.
func (a *attack) begin() {
	a.t.Helper()
	a.memory = measure(a.t, a.PID())
	a.reading = a.read("v500")
}

// send sends a text on a connection of its own, which has a small buffer for answers.
func (a *attack) send(text string) net.Conn {
	a.t.Helper()
	conn, err := net.Dial("tcp", a.Host())
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() { _ = conn.Close() })                        // the service may have
	if err := conn.(*net.TCPConn).SetReadBuffer(4096); err != nil { //nolint:errcheck,forcetypeassert // it is one
		a.t.Fatal(err)
	}
	_, _ = io.WriteString(conn, text) // it may be refused before its end
	return conn
}

// end waits until the service answers others as quickly as before. It fails if the service has had
// more memory than so many MiB above what it had when the attack began, or if it does not give back
// all but 100 MiB.
func (a *attack) end(above int) {
	a.t.Helper()
	a.quiet()
	pages, wrong := a.reading()
	m := a.memory
	peak := m.peak()
	a.t.Logf("%d MiB at the start, %d at the most; a reader had %d pages", m.before, peak, pages)
	if peak > m.before+above {
		a.t.Errorf("%d MiB at the start became %d, want no more than %d above", m.before, peak, above)
	}
	if pages == 0 || len(wrong) > 0 {
		a.t.Errorf("another user had %d pages, and these answers: %q", pages, wrong)
	}
	m.settles(100)
}

// quiet waits until pages take about as long as before.
func (a *attack) quiet() {
	a.t.Helper()
	const slower = 20 // the machine has other work, too
	late := time.Now().Add(2 * testkit.Patience)
	for quick := 0; quick < 20; quick++ {
		if took := a.page(); took > slower*a.usual {
			quick = 0
			if time.Now().After(late) {
				a.t.Errorf("a page takes %s, before the attack it was %s", took, a.usual)
				return
			}
		}
	}
}

// rss returns how many MiB of memory a process has.
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

// memory measures the memory of a process until peak is called, in MiB.
type memory struct {
	tb       testing.TB
	pid      int
	before   int
	most     atomic.Int64
	stop     context.CancelFunc
	watching sync.WaitGroup
}

func measure(tb testing.TB, pid int) *memory {
	tb.Helper()
	ctx, stop := context.WithCancel(tb.Context())
	m := &memory{tb: tb, pid: pid, before: rss(tb, pid), stop: stop}
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

// peak stops measuring and returns the most memory that there was.
func (m *memory) peak() int {
	m.stop()
	m.watching.Wait()
	return max(int(m.most.Load()), rss(m.tb, m.pid))
}

// settles waits until the process has at most so much more memory than at the start.
func (m *memory) settles(above int) {
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
