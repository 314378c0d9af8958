package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

var kills = flag.Int("kills", 200, "how often the crash test kills the service")

// promise is an update that was asked for, and what became of it outside of the
// service.
type promise struct {
	key  string
	user string
	xp   int

	acknowledged bool
	xpAfter      int // as the acknowledgement said

	found bool // in the ledger
}

// witness writes on behalf of users and keeps what it was promised. Each of its
// callers sends what was not acknowledged again, with the same key.
type witness struct {
	tb      testing.TB
	token   string
	callers []*caller
	checked ledgered
}

// caller belongs to one goroutine at a time.
type caller struct {
	n        int
	pending  []*promise // sent, not acknowledged
	promises []*promise
}

const witnessUsers = 8

func newWitness(tb testing.TB, callers int) *witness {
	tb.Helper()
	w := &witness{tb: tb, token: tokenFor(tb, "svc", "admin", time.Hour)}
	for n := range callers {
		w.callers = append(w.callers, &caller{n: n})
	}
	return w
}

// load has all callers write until ctx is done or the service is gone, and counts
// what is acknowledged.
func (w *witness) load(ctx context.Context, url string, acknowledged *atomic.Int64) {
	transport := &http.Transport{MaxIdleConnsPerHost: len(w.callers)}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	var wg sync.WaitGroup
	for _, c := range w.callers {
		wg.Go(func() {
			for ctx.Err() == nil && w.write(ctx, client, url, c) {
				acknowledged.Add(1)
			}
		})
	}
	wg.Wait()
}

// write sends a caller's next request, or its last one again, and reports whether it
// was acknowledged. Every second caller sends several updates at once.
func (w *witness) write(ctx context.Context, client *http.Client, url string, c *caller) bool {
	if len(c.pending) == 0 {
		for range 1 + c.n%2*4 {
			n := len(c.promises)
			p := &promise{key: fmt.Sprintf("%d-%d", c.n, n), user: fmt.Sprintf("u%d", (c.n+n)%witnessUsers+1), xp: n%7 + 1}
			c.pending, c.promises = append(c.pending, p), append(c.promises, p)
		}
	}
	path, body := "/v1/users/"+c.pending[0].user+"/xp", fmt.Sprintf(`{"xp":%d}`, c.pending[0].xp)
	if len(c.pending) > 1 {
		var updates []string
		for _, p := range c.pending {
			updates = append(updates, fmt.Sprintf(`{"userId":%q,"xp":%d,"key":%q}`, p.user, p.xp, p.key))
		}
		path, body = "/v1/xp", `{"updates":[`+strings.Join(updates, ",")+`]}`
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+path, strings.NewReader(body))
	if err != nil {
		w.tb.Error(err)
		return false
	}
	req.Header.Set("Authorization", "Bearer "+w.token)
	req.Header.Set("Content-Type", "application/json")
	if len(c.pending) == 1 {
		req.Header.Set("Idempotency-Key", c.pending[0].key)
	}
	res, err := client.Do(req)
	if err != nil {
		return false // it is gone, or what it was to answer
	}
	answer, err := io.ReadAll(res.Body)
	_ = res.Body.Close() // read to the end
	switch {
	case res.StatusCode == http.StatusServiceUnavailable:
		return false // it is shutting down
	case res.StatusCode != http.StatusOK:
		w.tb.Errorf("%s = %d %s", path, res.StatusCode, answer)
		return false
	case err != nil:
		return false // cut off within an answer
	}
	return w.note(c, answer)
}

// note keeps what was acknowledged.
func (w *witness) note(c *caller, answer []byte) bool {
	var one struct{ XP int }
	var all struct{ Results []struct{ XP int } }
	err := json.Unmarshal(answer, &one)
	if len(c.pending) > 1 {
		err = json.Unmarshal(answer, &all)
	} else {
		all.Results = append(all.Results, one)
	}
	if err != nil || len(all.Results) != len(c.pending) {
		w.tb.Errorf("answer = %s (%v)", answer, err)
		return false
	}
	for i, p := range c.pending {
		p.acknowledged, p.xpAfter = true, all.Results[i].XP
	}
	c.pending = nil
	return true
}

// check holds the database against what was promised: whatever was acknowledged is
// in the ledger, nothing is in it twice or that nobody sent, the totals are the sums of
// it, and the file is whole. A service may be running on it.
func (w *witness) check(path string) {
	w.tb.Helper()
	w.checked = ledgered{}
	w.checkOn(path)
}

// ledgered is how many rows of the ledger were looked at one by one.
type ledgered struct{ rows, xp, seq int64 }

// checkOn is check, where what was in the ledger when it was checked before is only
// counted and added up.
func (w *witness) checkOn(path string) {
	w.tb.Helper()
	printed(w.tb, "verify", "--db", path)
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)&_pragma=query_only(1)")
	if err != nil {
		w.tb.Fatal(err)
	}
	defer func() { _ = db.Close() }() // it was only read
	var before ledgered
	err = db.QueryRowContext(w.tb.Context(), `SELECT count(*), coalesce(sum(xp), 0), coalesce(max(seq), 0) FROM ledger WHERE seq <= ?`, w.checked.seq).
		Scan(&before.rows, &before.xp, &before.seq)
	if err != nil || before != w.checked {
		w.tb.Fatalf("the ledger has %+v, had %+v (%v)", before, w.checked, err)
	}
	sent := map[string]*promise{}
	for _, c := range w.callers {
		for _, p := range c.promises {
			if p.found = p.found && before.seq > 0; !p.found {
				sent[p.key] = p
			}
		}
	}
	rows, err := db.QueryContext(w.tb.Context(), `
		SELECT coalesce(k.key, ''), u.id, l.xp, l.xp_after, l.seq
		FROM ledger l JOIN users u ON u.number = l.user LEFT JOIN keys k ON k.seq = l.seq WHERE l.seq > ?`, before.seq)
	if err != nil {
		w.tb.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var row promise
		if err := rows.Scan(&row.key, &row.user, &row.xp, &row.xpAfter, &w.checked.seq); err != nil {
			w.tb.Fatal(err)
		}
		p := sent[row.key]
		if p == nil || p.user != row.user || p.xp != row.xp || p.acknowledged && p.xpAfter != row.xpAfter {
			w.tb.Fatalf("the ledger has %+v; sent, and not found before, was %+v", row, p)
		}
		p.found = true
		delete(sent, row.key) // so that it is not found twice
		w.checked.rows++
		w.checked.xp += int64(row.xp)
	}
	if err := rows.Err(); err != nil {
		w.tb.Fatal(err)
	}
	for _, p := range sent {
		if p.acknowledged {
			w.tb.Fatalf("lost: %+v was acknowledged", *p)
		}
	}
}

// A killed process has lost nothing that it had acknowledged, and counts nothing
// twice when what it had not is repeated: at any instant of its life, starts among them.
func TestProcess_killed(t *testing.T) {
	binary := build(t)
	db := filepath.Join(t.TempDir(), "m.db")
	w := newWitness(t, 8)
	p, cmd := spawn(t, binary, db)
	p.enrol(witnessUsers)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	chance := rand.New(rand.NewPCG(seed, 0))
	var acknowledged atomic.Int64
	for range *kills {
		writing, stop := context.WithCancel(t.Context())
		var loading sync.WaitGroup
		var given atomic.Bool // nobody writes any more
		loading.Go(func() {
			defer given.Store(true)
			w.load(writing, p.url, &acknowledged)
		})
		for goal := acknowledged.Load() + chance.Int64N(40); acknowledged.Load() < goal; {
			if given.Load() {
				t.Fatalf("it takes no writes:\n%s", p.log)
			}
			time.Sleep(100 * time.Microsecond) // a process at work
		}
		time.Sleep(time.Duration(chance.Int64N(int64(2 * time.Millisecond)))) // at any instant
		kill(t, cmd)
		loading.Wait()
		stop()
		for chance.IntN(8) == 0 { // while it starts, too
			cmd := serviceOf(binary, db)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Duration(chance.Int64N(int64(60 * time.Millisecond)))) // at any instant
			kill(t, cmd)
		}
		p, cmd = spawn(t, binary, db)
		w.checkOn(db)
	}
	// What was never acknowledged is, once it is repeated; all of it shows.
	want := map[string]int{}
	for _, c := range w.callers {
		if len(c.pending) > 0 && !w.write(t.Context(), &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, p.url, c) {
			t.Errorf("a repetition was refused: %+v", *c.pending[0])
		}
		for _, p := range c.promises {
			want[p.user] += p.xp
		}
	}
	w.check(db)
	for user, xp := range want {
		var got struct{ XP int }
		p.call(w.token, http.MethodGet, "/v1/users/"+user, "", &got)
		if got.XP != xp {
			t.Errorf("%s has %d, want %d", user, got.XP, xp)
		}
	}
	if acknowledged.Load() < int64(*kills) {
		t.Errorf("only %d requests were acknowledged in %d lives", acknowledged.Load(), *kills)
	}
	t.Logf("%d lives, %d requests acknowledged", *kills, acknowledged.Load())
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, p.log)
	}
}

func kill(tb testing.TB, cmd *exec.Cmd) {
	tb.Helper()
	if err := cmd.Process.Kill(); err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != -1 {
		tb.Fatalf("it was not killed but ended: %v", err)
	}
}

// A power cut leaves what was synced and, of what was written since, anything. That
// is lost, and nothing else.
func TestProcess_tornLog(t *testing.T) {
	binary := build(t)
	folder := t.TempDir()
	db := filepath.Join(folder, "m.db")
	w := newWitness(t, 4)
	p, cmd := spawn(t, binary, db)
	p.enrol(witnessUsers)
	var acknowledged atomic.Int64
	burst(t, w, p.url, &acknowledged, 50)
	synced := sizeOf(t, db+"-wal")
	later := newWitness(t, 4)
	for _, c := range later.callers {
		c.n += len(w.callers) // keys of its own
	}
	burst(t, later, p.url, &acknowledged, 100)
	log, file := readFile(t, db+"-wal"), readFile(t, db)
	kill(t, cmd)
	if frame := 24 + int64(binary32(log[8:])); int64(len(log)) < synced+10*frame || synced < 10*frame {
		t.Fatalf("the log has %d bytes, of which %d were synced before: too few, or it began anew", len(log), synced)
	}
	for _, c := range later.callers { // it may be lost, but neither doubled nor wrong
		for _, p := range c.promises {
			p.acknowledged = false
		}
	}
	w.callers = append(w.callers, later.callers...)
	for round := range 12 {
		torn := slices.Clone(log)
		cut := synced + rand.Int64N(int64(len(torn))-synced+1)
		switch round % 3 {
		case 0:
			torn = torn[:cut]
		case 1: // sectors that were never written
			clear(torn[cut:])
		case 2:
			for i := cut; i < int64(len(torn)); i++ {
				torn[i] = byte(rand.Int())
			}
		}
		path := filepath.Join(folder, fmt.Sprintf("torn%d.db", round))
		write(t, path, file)
		write(t, path+"-wal", torn)
		p, cmd := spawn(t, binary, path)
		w.check(path)
		if status, answer := p.try(w.token, http.MethodPost, "/v1/users/u1/xp", `{"xp":1}`); status != http.StatusOK {
			t.Errorf("cut at %d: %d %s", cut, status, answer)
		}
		kill(t, cmd)
	}
}

// burst has a witness write until so many requests more are acknowledged and nothing is
// under way.
func burst(tb testing.TB, w *witness, url string, acknowledged *atomic.Int64, n int64) {
	tb.Helper()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	for goal := acknowledged.Load() + n; acknowledged.Load() < goal; {
		for _, c := range w.callers {
			if !w.write(tb.Context(), &http.Client{Transport: transport}, url, c) {
				tb.Fatal("a write was not acknowledged")
			}
			acknowledged.Add(1)
		}
	}
}

func binary32(b []byte) uint32 { return binary.BigEndian.Uint32(b) }

func sizeOf(tb testing.TB, path string) int64 {
	tb.Helper()
	info, err := os.Stat(path)
	if err != nil {
		tb.Fatal(err)
	}
	return info.Size()
}

func readFile(tb testing.TB, path string) []byte {
	tb.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// What the process asked the kernel for, as strace writes it.
var (
	answered = regexp.MustCompile(`write\(\d+<(?:TCP|socket)[^>]*>*[^"]*"HTTP/1\.1 200`)
	syncing  = regexp.MustCompile(`f(?:data)?sync\(\d+<[^>]*-wal>`)
	unusual  = regexp.MustCompile(`f(?:data)?sync\(.*= -1`)
)

// Each acknowledgement comes after a sync of the log that came after the one before.
func TestProcess_synced(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not here; make test installs it")
	}
	binary := build(t)
	trace := filepath.Join(t.TempDir(), "trace")
	db := filepath.Join(t.TempDir(), "m.db")
	cmd := commandOf([]string{strace, "-D", "-f", "-y", "-s", "16", "-e", "trace=write,fsync,fdatasync", "-o", trace, binary}, db)
	p := await(t, cmd)
	p.enrol(witnessUsers)
	before := len(readFile(t, trace))
	w := newWitness(t, 1)
	const writes = 25
	var acknowledged atomic.Int64
	burst(t, w, p.url, &acknowledged, writes)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil { // until strace has gone, too: it has the same output
		t.Error(err)
	}
	answers, synced := 0, false
	for line := range bytes.Lines(readFile(t, trace)[before:]) {
		switch {
		case unusual.Match(line):
			t.Errorf("a sync failed: %s", line)
		case syncing.Match(line):
			synced = true
		case answered.Match(line):
			if !synced && answers < writes {
				t.Errorf("answer %d before a sync: %s", answers, line)
			}
			answers, synced = answers+1, false
		}
	}
	if answers < writes {
		t.Errorf("the trace has %d answers, want %d:\n%s", answers, writes, readFile(t, trace)[before:])
	}
}
