package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"marcador/live"
)

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
		text, _ := json.Marshal(map[string]any{"users": users}) // it can be
		p.call(admin, http.MethodPost, "/v1/users", string(text), nil)
		text, _ = json.Marshal(map[string]any{"updates": updates}) // it can be
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

// longAvatar makes addresses of pictures as long as they may be.
const longAvatar = 2048 - len("https://x.example/")

// attack is a real service of a thousand people that is attacked.
type attack struct {
	*program

	t      *testing.T
	pid    int
	usual  time.Duration // that a page of all takes
	memory *weight
	stop   func() (pages int, wrong []string)
}

// newAttack starts a service on which people have avatars of that length.
func newAttack(t *testing.T, avatar int, flags ...string) *attack {
	t.Helper()
	p, cmd := spawn(t, build(t), filepath.Join(t.TempDir(), "m.db"), flags...)
	p.people(1000, avatar)
	a := &attack{program: p, t: t, pid: cmd.Process.Pid}
	var took []time.Duration
	for range 9 {
		took = append(took, a.page())
	}
	slices.Sort(took)
	a.usual = took[len(took)/2]
	return a
}

// page reads a page of all, and returns how long that took.
func (a *attack) page() time.Duration {
	a.t.Helper()
	began := time.Now()
	a.call(tokenFor(a.t, "v501", "", time.Hour), http.MethodGet, "/v1/leaderboards/global?limit=1000", "", nil)
	return time.Since(began)
}

// begin begins to watch the memory, and to read pages as somebody else.
func (a *attack) begin() {
	a.t.Helper()
	a.memory = watchMemory(a.t, a.pid)
	a.stop = a.reader("v500")
}

// send sends something on a connection of its own, on which little is taken.
func (a *attack) send(text string) net.Conn {
	a.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(a.url, "http://"))
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() { _ = conn.Close() })                        // the service may have
	if err := conn.(*net.TCPConn).SetReadBuffer(4096); err != nil { //nolint:errcheck,forcetypeassert // it is one
		a.t.Fatal(err)
	}
	_, _ = io.WriteString(conn, text) // it may be refused meanwhile
	return conn
}

// end waits until the service answers others as before, and has no more memory than so many MiB
// above what it had; at last no more than 100.
func (a *attack) end(above int) {
	a.t.Helper()
	a.quiet()
	pages, wrong := a.stop()
	m := a.memory
	peak := m.peak()
	a.t.Logf("%d MiB at the start, %d at the most; a reader had %d pages", m.before, peak, pages)
	if peak > m.before+above {
		a.t.Errorf("%d MiB at the start became %d, want no more than %d above", m.before, peak, above)
	}
	if pages == 0 || len(wrong) > 0 {
		a.t.Errorf("somebody else had %d pages, of which went wrong %q", pages, wrong)
	}
	m.settles(100)
}

// quiet waits until what was asked for is under way: until pages take about as long as before.
func (a *attack) quiet() {
	a.t.Helper()
	const slower = 20 // the machine does something else as well
	late := time.Now().Add(2 * patient)
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

// Answers over HTTP/2 that are asked for by the thousand and never read take no more memory than
// there is for them, with a token and without, and not for long; somebody else is answered
// meanwhile. What a short answer takes is bounded, too.
func TestAttack_unread(t *testing.T) {
	conns, above := 4, 160 // MiB; all the pages would be 400
	if *full {
		conns, above = 100, 300-50
	}
	const page = "/v1/leaderboards/global?limit=1000"
	for name, c := range map[string]struct {
		path, user string
		avatar     int
		headers    []string
	}{
		"pages":               {page, "v0", 250, nil},
		"pages by anybody":    {page, "", 250, nil},
		"pages, MessagePack":  {page, "v0", 250, []string{"accept", "application/msgpack"}},
		"pages, long avatars": {page, "v0", longAvatar, nil},
		"health":              {"/healthz", "", 0, nil},
		"files":               {"/static/vendor/uPlot.esm.js", "", 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAttack(t, c.avatar, "--public")
			a.begin()
			token := ""
			if c.user != "" {
				token = tokenFor(t, c.user, "", time.Hour)
			}
			var asking sync.WaitGroup
			for range conns {
				f := dialFramer(t, a.url, 0)
				asking.Go(func() {
					for range 250 {
						if !f.get(c.path, token, c.headers...) {
							return
						}
					}
				})
			}
			asking.Wait()
			a.end(above)
		})
	}
}

// Answers that are read a little at a time, but steadily, take no more than a share from others.
func TestAttack_trickle(t *testing.T) {
	streams, conns := 20, 1
	if *full {
		streams, conns = 100, 20
	}
	a := newAttack(t, longAvatar)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var taking sync.WaitGroup
	token, answers := tokenFor(t, "v0", "", time.Hour), 0
	var all []*framer
	for range conns {
		f := dialFramer(t, a.url, 16<<10)
		all = append(all, f)
		for range streams {
			f.get("/v1/leaderboards/global?limit=1000", token)
		}
		taking.Go(func() {
			tick := time.NewTicker(200 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
					if !f.take(16 << 10) {
						return
					}
				}
			}
		})
	}
	for late := time.Now().Add(patient); answers < 5; time.Sleep(10 * time.Millisecond) { // a real process
		answers = 0
		for _, f := range all {
			answers += f.answers()
		}
		if time.Now().After(late) {
			t.Fatalf("of %d answers %d have begun", conns*streams, answers)
		}
	}
	a.begin() // all the room is taken now
	a.end(160)
	cancel()
	taking.Wait()
}

// Pages that thousands of connections ask for and do not read take no more than there is for them.
func TestAttack_connections(t *testing.T) {
	conns, above := 200, 160
	if *full {
		conns, above = 8000, 450-50
	}
	a := newAttack(t, 250)
	a.begin()
	token := tokenFor(t, "v0", "", time.Hour)
	for range conns {
		a.send("GET /v1/leaderboards/global?limit=1000 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token + "\r\n\r\n")
	}
	a.end(above)
}

// Bodies of rubbish take a few times their length, whoever sends them.
func TestAttack_bodies(t *testing.T) {
	members, writers, above := 200, 8, 160 // MiB; values of all of them would be 500
	if *full {
		members, writers = 2000, 60
	}
	rubbish := func(size int) string { return `{"zz":[` + strings.Repeat(`{"a":1},`, size/8) + `{"a":1}]}` }
	for name, c := range map[string]struct {
		n                 int
		path, scope, body string
	}{
		"members": {members, "/v1/events/ABC/token", "", rubbish(32<<10 - 100)},
		"writers": {writers, "/v1/xp", "xp:write", rubbish(1<<20 - 100)},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAttack(t, 0)
			a.begin()
			token := tokenFor(t, "v0", c.scope, time.Hour)
			var conns []net.Conn
			for range c.n {
				conns = append(conns, a.send(fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n",
					c.path, token, len(c.body), c.body)))
			}
			for _, conn := range conns {
				_, _ = io.WriteString(conn, "0\r\n\r\n") // it may have been refused by now
			}
			a.end(above)
		})
	}
}

// Who steps through a long board fills no more than there is for pages, however long its rows are.
func TestAttack_stepping(t *testing.T) {
	pages, above := 50, 120 // of 2 MB each
	if *full {
		pages, above = 900, 160
	}
	a := newAttack(t, longAvatar)
	a.begin()
	token := tokenFor(t, "v0", "", time.Hour)
	for offset := range pages {
		a.call(token, http.MethodGet, fmt.Sprintf("/v1/leaderboards/global?limit=900&offset=%d", offset), "", nil)
	}
	a.end(above)
}

// yesterday makes a database of two classes that had points yesterday: one of so many and a small one.
func yesterday(t *testing.T, db string, large int) {
	t.Helper()
	s, err := live.Open(t.Context(), db, live.Options{
		Schema: schema,
		Now:    func() time.Time { return time.Now().AddDate(0, 0, -1) }, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	for first := 0; first < large+30; first += 500 {
		var people []live.Profile
		var points live.Write
		for i := first; i < min(first+500, large+30); i++ {
			class := "large"
			if i >= large {
				class = "small"
			}
			id := fmt.Sprint("v", i)
			people = append(people, live.Profile{ID: id, Username: "Name " + id, Groups: map[string][]string{"classroom": {class}}})
			points.Updates = append(points.Updates, live.Update{UserID: id, XP: int64(i + 1)})
		}
		if _, err = s.PutProfiles(t.Context(), people); err == nil {
			_, err = s.AddPoints(t.Context(), []live.Write{points})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// Who asks for closed periods of their class on many connections leaves the pages of another class
// about as quick as before, or as if these were pages as well.
func TestAttack_archives(t *testing.T) {
	large, conns, pages := 2000, 8, 40
	if *full {
		large, conns, pages = 20_000, 64, 500
	}
	db := filepath.Join(t.TempDir(), "m.db")
	yesterday(t, db, large)
	p, _ := spawn(t, build(t), db)
	one, many := tokenFor(t, fmt.Sprint("v", large), "", time.Hour), tokenFor(t, "v0", "", time.Hour)
	var list struct{ Periods []struct{ Start string } }
	for late := time.Now().Add(patient); len(list.Periods) == 0; time.Sleep(10 * time.Millisecond) { // a real process closes it
		p.call(many, http.MethodGet, "/v1/leaderboards/classroom:large/archive", "", &list)
		if time.Now().After(late) {
			t.Fatal("yesterday is not closed")
		}
	}
	median := func() time.Duration {
		var took []time.Duration
		for range pages {
			began := time.Now()
			p.call(one, http.MethodGet, "/v1/leaderboards/classroom:small", "", nil)
			took = append(took, time.Since(began))
		}
		slices.Sort(took)
		return took[len(took)/2]
	}
	var asked atomic.Int64
	beside := func(path string) time.Duration {
		ctx, cancel := context.WithCancel(t.Context())
		var asking sync.WaitGroup
		for i := range conns {
			asking.Go(func() {
				for k := i; ctx.Err() == nil; k += conns {
					p.try(many, http.MethodGet, fmt.Sprintf(path, k%1000), "")
					asked.Add(1)
				}
			})
		}
		defer asking.Wait()
		defer cancel()
		return median()
	}
	before := median()
	besidePages := beside("/v1/leaderboards/classroom:large?limit=900&offset=%d")
	asked.Store(0)
	// No two of them are alike, so that none is kept.
	besideArchives := beside("/v1/leaderboards/classroom:large/archive?limit=900&offset=%d&start=" + list.Periods[0].Start)
	t.Logf("a page took %s, beside as many pages of another class %s, beside %d of its closed periods %s", before, besidePages, asked.Load(), besideArchives)
	if besideArchives > 3*besidePages && besideArchives > 10*before {
		t.Error("closed periods hold pages up")
	}
}
