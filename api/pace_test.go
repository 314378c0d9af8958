package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"marcador/api"
)

// What a caller may write in a time is its rate times that, whatever the batches;
// what one may is another's to write too.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := api.NewPace(10)
		for range 10 {
			if wait := p.Write("a", 1); wait != 0 {
				t.Fatalf("of the first second's worth one waits for %s", wait)
			}
		}
		if wait := p.Write("a", 1); wait != 100*time.Millisecond {
			t.Errorf("the eleventh waits for %s, want 100ms", wait)
		}
		if wait := p.Write("b", 1); wait != 0 {
			t.Errorf("another waits for %s", wait)
		}
		time.Sleep(100 * time.Millisecond)
		if wait := p.Write("a", 1000); wait != 0 {
			t.Errorf("a batch larger than a bucket waits for %s", wait)
		}
		if wait := p.Write("a", 1); wait != 100*time.Second {
			t.Errorf("after a batch of 1000 the next waits for %s, want 100s", wait)
		}
		time.Sleep(100*time.Second - time.Millisecond)
		if p.Write("a", 1) == 0 {
			t.Error("the debt is paid too early")
		}
		time.Sleep(2 * time.Millisecond)
		if wait := p.Write("a", 1); wait != 0 {
			t.Errorf("with the debt paid the next waits for %s", wait)
		}
		for _, size := range []int{1, 3, 10, 77} { // in the long run it is the rate
			caller, written := fmt.Sprint("in ", size), 0
			for began := time.Now(); time.Since(began) < time.Minute; {
				if wait := p.Write(caller, size); wait != 0 {
					time.Sleep(wait + time.Microsecond)
					continue
				}
				written += size
			}
			if written < 595 || written > 610+size {
				t.Errorf("in batches of %d a minute took %d updates, want 600", size, written)
			}
		}
		// Callers without number are forgotten, those who write least first.
		p.Write("debtor", 1000)
		for i := range 3 * api.MaxPaces {
			p.Write(strconv.Itoa(i), 1)
			if i%1000 == 0 && p.Write("debtor", 1) == 0 {
				t.Fatal("who writes is forgotten")
			}
		}
		if wait := api.NewPace(0).Write("a", 1000); wait != 0 {
			t.Errorf("without a limit one waits for %s", wait)
		}
	})
}

// Each call that changes something is refused to who has written too much, and
// changes nothing; all else is answered.
func TestPace_http(t *testing.T) {
	f := newFixture(t, func(o *api.Options) { o.Limits.WriteRate = 10 })
	f.put("u1", "u2")
	f.must(nil, http.MethodPost, "/v1/users/u1/xp", `{"xp":1}`, "Idempotency-Key", "k")
	updates := strings.TrimSuffix(strings.Repeat(`{"userId":"u1","xp":1},`, 1000), ",")
	f.must(nil, http.MethodPost, "/v1/xp", `{"updates":[`+updates+`]}`)
	var before, after json.RawMessage
	f.must(&before, http.MethodGet, "/v1/leaderboards/global", "")
	for _, op := range f.operations() {
		if op.method == http.MethodGet || op.method == http.MethodHead {
			continue
		}
		a := f.do(f.admin, op.method, op.path, op.body, "Idempotency-Key", "k")
		if op.unpaced {
			if a.status == http.StatusTooManyRequests {
				t.Errorf("%s %s = %d %s", op.method, op.path, a.status, a.body)
			}
			continue
		}
		a.wantProblem(t, 429, "too_many_writes", "")
		if n, err := strconv.Atoi(a.header.Get("Retry-After")); err != nil || n < 90 || n > 101 {
			t.Errorf("%s %s: Retry-After = %q, want 100 or a little less", op.method, op.path, a.header.Get("Retry-After"))
		}
	}
	f.must(&after, http.MethodGet, "/v1/leaderboards/global", "")
	if string(before) != string(after) {
		t.Errorf("what was refused changed the board: %s, was %s", after, before)
	}
	// Who may not write is told that first, and another caller may.
	f.do(f.token("svc", ""), http.MethodPost, "/v1/xp", `{}`).wantProblem(t, 403, "insufficient_scope", "")
	if a := f.do(f.token("other", "users:write"), http.MethodPost, "/v1/users", `{"users":[{"id":"u1","username":"x"},{"id":"u3","username":"y"}]}`); a.status != 200 {
		t.Errorf("another caller = %d %s", a.status, a.body)
	}
}
