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

// A caller may write a second's worth of updates at once. After that they have to wait, and after a
// batch as long as all its updates take. Other callers do not wait for them.
func TestRateLimit_waits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := api.NewRateLimit(10)
		for range 10 {
			if wait := l.Write("a", 1); wait != 0 {
				t.Fatalf("an update of the first second's worth waits for %s", wait)
			}
		}
		if wait := l.Write("a", 1); wait != 100*time.Millisecond {
			t.Errorf("the eleventh update waits for %s, want 100ms", wait)
		}
		if wait := l.Write("b", 1); wait != 0 {
			t.Errorf("another caller waits for %s", wait)
		}
		time.Sleep(100 * time.Millisecond)
		if wait := l.Write("a", 1000); wait != 0 {
			t.Errorf("a batch larger than a bucket waits for %s", wait)
		}
		if wait := l.Write("a", 1); wait != 100*time.Second {
			t.Errorf("after a batch of 1000 the next update waits for %s, want 100s", wait)
		}
		time.Sleep(100*time.Second - time.Millisecond)
		if l.Write("a", 1) == 0 {
			t.Error("the debt is paid too early")
		}
		time.Sleep(2 * time.Millisecond)
		if wait := l.Write("a", 1); wait != 0 {
			t.Errorf("after the debt is paid the next update waits for %s", wait)
		}
		if wait := api.NewRateLimit(0).Write("a", 1000); wait != 0 {
			t.Errorf("without a limit a write waits for %s", wait)
		}
	})
}

// In the long run a caller writes as many updates as the rate allows, whatever the size of batches.
func TestRateLimit_sameRateForBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := api.NewRateLimit(10)
		for _, size := range []int{1, 3, 10, 77} {
			caller, written := fmt.Sprint("in ", size), 0
			for began := time.Now(); time.Since(began) < time.Minute; {
				if wait := l.Write(caller, size); wait != 0 {
					time.Sleep(wait + time.Microsecond)
					continue
				}
				written += size
			}
			if written < 595 || written > 610+size {
				t.Errorf("in batches of %d a minute took %d updates, want 600", size, written)
			}
		}
	})
}

// Callers are forgotten when there are too many, and a caller who goes on writing is not.
func TestRateLimit_remembersWhoWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := api.NewRateLimit(10)
		l.Write("debtor", 1000)
		for i := range 3 * api.MaxCallers {
			l.Write(strconv.Itoa(i), 1)
			if i%1000 == 0 && l.Write("debtor", 1) == 0 {
				t.Fatal("a caller who goes on writing is forgotten")
			}
		}
	})
}

// Every call that changes something is refused to a caller who has written too much, and changes
// nothing. Other calls are answered.
func TestRateLimit_refusesEveryWrite(t *testing.T) {
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
		if op.noRateLimit {
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
		t.Errorf("refused writes changed the board: %s, was %s", after, before)
	}
	// A caller who may not write is told that first, and another caller may write.
	f.do(f.token("svc", ""), http.MethodPost, "/v1/xp", `{}`).wantProblem(t, 403, "insufficient_scope", "")
	if a := f.do(f.token("other", "users:write"), http.MethodPost, "/v1/users", `{"users":[{"id":"u1","username":"x"},{"id":"u3","username":"y"}]}`); a.status != 200 {
		t.Errorf("another caller = %d %s", a.status, a.body)
	}
}
