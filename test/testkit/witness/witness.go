// Package witness stands outside of a service, writes points, and remembers what the service
// acknowledged. Afterwards it compares the database with that.
package witness

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"marcador/test/testkit"
)

// Users is how many users a witness writes for: u1 to u8. Enrol them first.
const Users = 8

// promise is an update that was sent, and what became of it.
type promise struct {
	key  string
	user string
	xp   int

	acknowledged bool
	xpAfter      int // as the acknowledgement said

	found bool // in the ledger
}

// Witness writes for users by several callers. A caller sends whatever was not acknowledged
// again, with the same key.
type Witness struct {
	Token        string       // an admin's
	Acknowledged atomic.Int64 // requests

	tb      testing.TB
	callers []*caller
	checked ledger
}

// caller belongs to one goroutine at a time.
type caller struct {
	n        int
	pending  []*promise // sent, not acknowledged
	promises []*promise
}

// New returns a witness with so many callers. The keys of one that has others before it begin
// where theirs end.
func New(tb testing.TB, callers int, before ...*Witness) *Witness {
	tb.Helper()
	w := &Witness{tb: tb, Token: testkit.Token(tb, "svc", "admin")}
	first := 0
	for _, other := range before {
		first += len(other.callers)
	}
	for n := range callers {
		w.callers = append(w.callers, &caller{n: first + n})
	}
	return w
}

// Load has all callers write until ctx is done or the service is gone.
func (w *Witness) Load(ctx context.Context, url string) {
	transport := &http.Transport{MaxIdleConnsPerHost: len(w.callers)}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	var wg sync.WaitGroup
	for _, c := range w.callers {
		wg.Go(func() {
			for ctx.Err() == nil && w.write(ctx, client, url, c) {
				w.Acknowledged.Add(1)
			}
		})
	}
	wg.Wait()
}

// Burst lets the callers write one after the other until n more requests are acknowledged. No
// request is under way when it returns.
func (w *Witness) Burst(url string, n int64) {
	w.tb.Helper()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	for goal := w.Acknowledged.Load() + n; w.Acknowledged.Load() < goal; {
		for _, c := range w.callers {
			if !w.write(w.tb.Context(), &http.Client{Transport: transport}, url, c) {
				w.tb.Fatal("a write was not acknowledged")
			}
			w.Acknowledged.Add(1)
		}
	}
}

// Write sends one request of the first caller, or its last one again, and reports whether it was
// acknowledged.
func (w *Witness) Write(url string) bool {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	return w.write(w.tb.Context(), client, url, w.callers[0])
}

// Repeat sends all requests again that were not acknowledged, and fails if one is not now.
func (w *Witness) Repeat(url string) {
	w.tb.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for _, c := range w.callers {
		if len(c.pending) > 0 && !w.write(w.tb.Context(), client, url, c) {
			w.tb.Errorf("a repetition was refused: %+v", *c.pending[0])
		}
	}
}

// Totals returns the points that each user has once all that was sent is acknowledged.
func (w *Witness) Totals() map[string]int {
	totals := map[string]int{}
	for _, c := range w.callers {
		for _, p := range c.promises {
			totals[p.user] += p.xp
		}
	}
	return totals
}

// AddUnacknowledged adds another witness's requests. They may be lost, but must be neither
// doubled nor wrong.
func (w *Witness) AddUnacknowledged(other *Witness) {
	for _, c := range other.callers {
		for _, p := range c.promises {
			p.acknowledged = false
		}
	}
	w.callers = append(w.callers, other.callers...)
}

// write sends a caller's next request, or its last one again, and reports whether it was
// acknowledged. Every second caller sends several updates at once.
func (w *Witness) write(ctx context.Context, client *http.Client, url string, c *caller) bool {
	req, err := w.request(ctx, url, c)
	if err != nil {
		w.tb.Error(err)
		return false
	}
	res, err := client.Do(req)
	if err != nil {
		return false // the service is gone, or its answer
	}
	answer, err := io.ReadAll(res.Body)
	_ = res.Body.Close() // read to the end
	switch {
	case res.StatusCode == http.StatusServiceUnavailable:
		return false // it is shutting down
	case res.StatusCode != http.StatusOK:
		w.tb.Errorf("%s = %d %s", req.URL.Path, res.StatusCode, answer)
		return false
	case err != nil:
		return false // cut off within an answer
	}
	return w.acknowledge(c, answer)
}

// request makes a caller's next request, or its last one again.
func (w *Witness) request(ctx context.Context, url string, c *caller) (*http.Request, error) {
	if len(c.pending) == 0 {
		for range 1 + c.n%2*4 {
			n := len(c.promises)
			p := &promise{key: fmt.Sprintf("%d-%d", c.n, n), user: fmt.Sprintf("u%d", (c.n+n)%Users+1), xp: n%7 + 1}
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
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+w.Token)
	req.Header.Set("Content-Type", "application/json")
	if len(c.pending) == 1 {
		req.Header.Set("Idempotency-Key", c.pending[0].key)
	}
	return req, nil
}

// acknowledge records what an answer acknowledges.
func (w *Witness) acknowledge(c *caller, answer []byte) bool {
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
