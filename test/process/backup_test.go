package process_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"marcador/test/testkit"
)

// backupUsers is how many users are written for while a copy is made.
const backupUsers = 4

// A copy that is made while writes go on has all that was acknowledged before it began. It can be
// restored once the service is down, and not before.
func TestProcess_backup(t *testing.T) {
	folder := t.TempDir()
	db, copied := filepath.Join(folder, "m.db"), filepath.Join(folder, "copy.db")
	p := testkit.Spawn(t, db)
	p.Enrol(backupUsers)
	w := startWriters(t, p.Program)
	w.awaitMore(100)
	before := w.counts()
	if got := testkit.Run(t, "backup", copied, "--db", db); !strings.HasPrefix(got, "copied and checked: 4 users, ") {
		t.Errorf("backup says %q", got)
	}
	testkit.Refuses(t, "there is a file", "backup", copied, "--db", db)
	testkit.Refuses(t, "stop it first", "restore", copied, "--db", db)
	testkit.Refuses(t, "stop it first", "import", copied, "--db", db)
	w.awaitMore(20) // it goes on as before
	w.stop()
	for u, n := range before {
		if got := testkit.PointsIn(t, copied, fmt.Sprintf("u%d", u+1)); got < n {
			t.Errorf("u%d has %d in the copy; %d were acknowledged before it", u+1, got, n)
		}
	}
	if got := testkit.Run(t, "verify", "--db", copied); !strings.HasSuffix(got, "\nno difference\n") {
		t.Errorf("verify says %q of the copy", got)
	}
	p.Terminate()
	checkRestore(t, copied, db)
}

// checkRestore restores a copy and compares a service on the restored database with the copy, and
// with the database that was there.
func checkRestore(t *testing.T, copied, db string) {
	t.Helper()
	was := testkit.PointsIn(t, db, "u1")
	if got := testkit.Run(t, "restore", copied, "--db", db); !strings.Contains(got, "the former database is now "+db+".replaced-") {
		t.Errorf("restore says %q", got)
	}
	replaced, err := filepath.Glob(db + ".replaced-*")
	if err != nil || len(replaced) != 1 || testkit.PointsIn(t, replaced[0], "u1") != was {
		t.Errorf("the replaced databases are %v (%v)", replaced, err)
	}
	p := testkit.Spawn(t, db)
	var user struct{ XP int64 }
	p.Call(testkit.Token(t, "svc", "admin"), http.MethodGet, "/v1/users/u1", "", &user)
	if want := testkit.PointsIn(t, copied, "u1"); user.XP != want {
		t.Errorf("u1 has %d, want %d as in the copy", user.XP, want)
	}
	restored := eventID(t, p.Program)
	q := testkit.Spawn(t, replaced[0])
	if old, _, _ := strings.Cut(eventID(t, q.Program), "-"); old == "" || strings.HasPrefix(restored, old+"-") {
		t.Errorf("ids are %q, and %q-… before: versions come again in the same epoch", restored, old)
	}
}

// eventID returns the id of a stream's first page.
func eventID(t *testing.T, p *testkit.Program) string {
	t.Helper()
	heard := p.Follow(testkit.Token(t, "u1", ""), "", "")
	testkit.Next(t, heard, "authenticated")
	return testkit.Next(t, heard, "leaderboard:updated").ID
}

// writers give users u1 to u4 a point at a time, all at once, and count the acknowledgements.
type writers struct {
	t            *testing.T
	acknowledged [backupUsers]atomic.Int64
	cancel       context.CancelFunc
	writing      sync.WaitGroup
}

func startWriters(t *testing.T, p *testkit.Program) *writers {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	w := &writers{t: t, cancel: cancel}
	t.Cleanup(w.stop)
	token := testkit.Token(t, "svc", "xp:write")
	for u := range w.acknowledged {
		w.writing.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			url := fmt.Sprintf("%s/v1/users/u%d/xp", p.URL, u+1)
			for ctx.Err() == nil {
				if givePoint(ctx, client, url, token) {
					w.acknowledged[u].Add(1)
				}
			}
		})
	}
	return w
}

// givePoint gives a point and reports whether it was acknowledged.
func givePoint(ctx context.Context, client *http.Client, url, token string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(`{"xp":1}`))
	if err != nil {
		return false
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	res, err := client.Do(req)
	if err != nil {
		return false // the test has stopped it
	}
	_, _ = io.Copy(io.Discard, res.Body) // so that the connection is used again
	_ = res.Body.Close()
	return res.StatusCode == http.StatusOK
}

func (w *writers) stop() {
	w.cancel()
	w.writing.Wait()
}

// counts returns how many writes were acknowledged for each user.
func (w *writers) counts() (n [backupUsers]int64) {
	for u := range n {
		n[u] = w.acknowledged[u].Load()
	}
	return n
}

// awaitMore waits until n more writes for u1 are acknowledged.
func (w *writers) awaitMore(n int64) {
	w.t.Helper()
	goal := w.acknowledged[0].Load() + n
	for late := time.Now().Add(testkit.Patience); w.acknowledged[0].Load() < goal; time.Sleep(time.Millisecond) { // a process under real load
		if time.Now().After(late) {
			w.t.Fatalf("%d writes were acknowledged within %v, want %d", w.acknowledged[0].Load(), testkit.Patience, goal)
		}
	}
}
