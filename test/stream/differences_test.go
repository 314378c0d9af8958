package stream_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"marcador/test/testkit"
)

const (
	differencesTop   = 8 // rows of a page
	differencesUsers = 12
	differencesSteps = 400
)

// A client that applies differences holds exactly the service's page after each event, and knows
// its own rank: whatever is written, however slowly it reads, and however often it or the service
// goes away and comes back.
func TestStream_differences(t *testing.T) {
	w := newDifferences(t)
	for step := range differencesSteps {
		w.step(step)
	}
	for i := range w.clients {
		w.setSlow(i, false)
	}
	// All come to hold the last page.
	w.put("u1", "the last")
	w.p.Give("u1", 1000)
	last := w.record.read(t, w.p, w.admin)
	all := map[string]int{}
	for _, c := range w.clients {
		w.awaitVersion(c, last)
		c.disconnect()
		for name, n := range c.counts {
			all[name] += n
		}
	}
	for _, name := range []string{"recovered", "authenticated", "position_change", "leaderboard:updated", "rank_changed"} {
		if all[name] == 0 {
			t.Errorf("there was no %s: %v", name, all)
		}
	}
	t.Logf("events: %v", all)
}

// differences is a service, clients of it, and what happens to them at random.
type differences struct {
	t       *testing.T
	random  *rand.Rand
	p       *testkit.Program
	db      string
	admin   string
	record  *record
	clients []*reference
	slow    map[int]bool
}

func newDifferences(t *testing.T) *differences {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	w := &differences{
		t: t, random: rand.New(rand.NewPCG(seed, 0)), db: testkit.Database(t), admin: testkit.Token(t, "svc", "admin"),
		record: newRecord(), slow: map[int]bool{},
	}
	w.open(testkit.AnyPort)
	for i := range differencesUsers {
		user := fmt.Sprintf("u%d", i+1)
		w.put(user, user)
	}
	for i, query := range []string{"", "&format=msgpack", "", "&format=msgpack", "", "", "", ""} {
		protocols := new(http.Protocols)
		protocols.SetHTTP1(i < 6)
		protocols.SetUnencryptedHTTP2(i >= 6) // through net/http
		user := w.anyUser()
		c := &reference{
			p: w.p, user: user, query: query, token: testkit.Token(t, user, ""), record: w.record, top: differencesTop, counts: map[string]int{},
			transport: &http.Transport{DialContext: narrow, DisableCompression: i%4 < 2, Protocols: protocols},
		}
		c.known.rank = unknown
		w.clients = append(w.clients, c)
		c.connect()
	}
	return w
}

func (w *differences) open(addr string) {
	w.t.Helper()
	w.p = testkit.ServeOn(w.t, addr, w.db, "--top", fmt.Sprint(differencesTop), "--max-streams-per-user", "100")
}

func (w *differences) anyUser() string { return fmt.Sprintf("u%d", 1+w.random.IntN(differencesUsers)) }

// step does one thing at random.
func (w *differences) step(n int) {
	w.t.Helper()
	i, user := w.random.IntN(len(w.clients)), w.anyUser()
	switch dice := w.random.IntN(100); {
	case dice < 60:
		w.give(user)
	case dice < 65:
		w.put(user, fmt.Sprintf("name%d", n))
	case dice < 67:
		w.erase(user)
	case dice < 82:
		w.setSlow(i, !w.slow[i])
	case dice < 99:
		if !w.slow[i] {
			w.clients[i].disconnect()
			w.clients[i].connect()
		}
	default:
		w.restart()
	}
}

// give gives a user points, or takes some.
func (w *differences) give(user string) {
	w.t.Helper()
	status, b := w.p.Try(w.admin, http.MethodPost, "/v1/users/"+user+"/xp", fmt.Sprintf(`{"xp":%d}`, w.random.IntN(9)-3))
	if status == http.StatusOK {
		w.record.read(w.t, w.p, w.admin)
	} else if status != 404 && status != 422 { // erased, none to take, or nothing to add
		w.t.Fatalf("%d %s", status, b)
	}
}

// put creates a user or changes the name.
func (w *differences) put(user, name string) {
	w.t.Helper()
	before := w.record.joins(math.MaxInt) // until the version is known
	status, b := w.p.Try(w.admin, http.MethodPut, "/v1/users/"+user, fmt.Sprintf(`{"username":%q,"avatar":"https://x/%s"}`, name, strings.Repeat(name, 100)))
	if status >= 300 {
		w.t.Fatalf("%d %s", status, b)
	}
	if version := w.record.read(w.t, w.p, w.admin); status == http.StatusCreated {
		before = version
	}
	w.record.joins(before)
}

// erase erases a user, if there is one.
func (w *differences) erase(user string) {
	w.t.Helper()
	before := w.record.joins(math.MaxInt) // until the version is known
	if status, _ := w.p.Try(w.admin, http.MethodDelete, "/v1/users/"+user, ""); status == http.StatusNoContent {
		before = w.record.read(w.t, w.p, w.admin)
	}
	w.record.joins(before)
}

// setSlow makes a client stop or start reading.
func (w *differences) setSlow(i int, slow bool) {
	if w.slow[i] == slow {
		return
	}
	if w.slow[i] = slow; slow {
		w.clients[i].reading.Lock()
	} else {
		w.clients[i].reading.Unlock()
	}
}

// restart stops the service and starts it again.
func (w *differences) restart() {
	w.t.Helper()
	for i := range w.clients {
		w.setSlow(i, false)
	}
	addr := w.p.Host()
	w.p.Stop()
	for _, c := range w.clients {
		<-c.stopped
	}
	w.open(addr)
	for _, c := range w.clients {
		c.p = w.p
		c.connect()
	}
}

// awaitVersion waits until a client holds the version.
func (w *differences) awaitVersion(c *reference, version int) {
	w.t.Helper()
	for late := time.Now().Add(testkit.Patience); ; time.Sleep(time.Millisecond) {
		c.mu.Lock()
		reached, err := c.reached, c.fault
		c.mu.Unlock()
		if err != nil {
			w.t.Fatal(err)
		}
		if reached == version {
			return
		}
		if time.Now().After(late) {
			w.t.Fatalf("%s of %s holds version %d, the page's is %d", c.query, c.user, reached, version)
		}
	}
}
