package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// ErrUnavailable is what Verify and Ready return while it can't be known which keys
// are good: the JWKS has never come, or did not come when a token named a key that
// it may have by now. The token may be good; its bearer should try again.
var ErrUnavailable = errors.New("the keys to verify tokens with can't be fetched now")

const (
	maxSet     = 1 << 20          // bytes of a JWKS
	maxHeaders = 64 << 10         // bytes of its headers
	fetchTime  = 10 * time.Second // how long fetching it may take

	// renewEvery is the least time between the beginning of a fetch and one that a
	// token causes, so that forged ones don't burden who serves the keys.
	renewEvery = 30 * time.Second

	// waitTime and maxWaiting bound the requests that wait for such a fetch. The
	// others, and those that wait for longer, are told to try again.
	waitTime   = 5 * time.Second
	maxWaiting = 256

	// A fetch that failed is tried again after the first of these, then after twice
	// as long each time, up to the last.
	firstRetry = time.Second
	lastRetry  = time.Minute
)

// remote is the JWKS of an address, kept fresh by run. Safe for concurrent use.
type remote struct {
	address string
	client  *http.Client
	log     *slog.Logger

	keys    atomic.Pointer[[]key] // nil until there has been a set
	waiting atomic.Int32          // requests that wait for a fetch
	asked   chan struct{}         // of one: a token has caused newest

	mu     sync.Mutex
	newest *attempt // guarded by mu: nil before the first
}

// attempt is a fetch.
type attempt struct {
	begun time.Time
	done  chan struct{} // closed when it is over
	err   error         // of it, once done is closed
}

// newRemote returns a set that has not been fetched yet. A nil transport stands for
// one of its own.
func newRemote(address string, transport http.RoundTripper, log *slog.Logger) (*remote, error) {
	if err := CheckJWKS(address); err != nil {
		return nil, fmt.Errorf("the JWKS address can't be used: %w", err)
	}
	if transport == nil {
		transport = &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			TLSHandshakeTimeout:    fetchTime,
			MaxResponseHeaderBytes: maxHeaders,
			DisableKeepAlives:      true, // the next fetch is far away
			ForceAttemptHTTP2:      true,
		}
	}
	return &remote{
		address: address,
		client:  &http.Client{Transport: transport, CheckRedirect: follow},
		log:     log,
		asked:   make(chan struct{}, 1),
	}, nil
}

// keysOf returns the keys of a set that may not be there yet.
func keysOf(set *[]key) []key {
	if set == nil {
		return nil
	}
	return *set
}

// misses reports whether a token may be signed with a key that a newer set has.
func misses(set *[]key, h header) bool {
	switch {
	case h.Algorithm != "RS256" && h.Algorithm != "ES256" && h.Algorithm != "EdDSA":
		return false
	case set == nil:
		return true
	}
	return h.KeyID != "" && !slices.ContainsFunc(*set, func(k key) bool { return k.id == h.KeyID })
}

// begin returns the fetch that is under way, or a new one; but for a token the
// newest, which is over, if that began less than renewEvery ago. A new one of a
// token is run's to do.
func (r *remote) begin(token bool) *attempt {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if !token {
		select {
		case <-r.asked: // for what is begun here
		default:
		}
	}
	if a := r.newest; a != nil && (!a.over() || token && now.Sub(a.begun) < renewEvery) {
		return a
	}
	r.newest = &attempt{begun: now, done: make(chan struct{})}
	if token {
		r.asked <- struct{}{} // there is room: the one before is over
	}
	return r.newest
}

func (a *attempt) over() bool {
	select {
	case <-a.done:
		return true
	default:
		return false
	}
}

// renew returns nil where the newest fetch, which it may cause and wait for, has
// brought a set, and ErrUnavailable otherwise.
func (r *remote) renew(ctx context.Context) error {
	a := r.begin(true)
	if a.over() {
		return a.err
	}
	if r.waiting.Add(1) > maxWaiting {
		r.waiting.Add(-1)
		return ErrUnavailable
	}
	defer r.waiting.Add(-1)
	ctx, cancel := context.WithTimeout(ctx, waitTime)
	defer cancel()
	select {
	case <-a.done:
		return a.err
	case <-ctx.Done():
		return ErrUnavailable
	}
}

// run keeps the set fresh until ctx is done. A set that can't be fetched leaves the
// one before.
func (r *remote) run(ctx context.Context) {
	retry := firstRetry
	for ctx.Err() == nil {
		a := r.begin(false)
		keys, next, err := r.fetch(ctx)
		switch {
		case err == nil:
			r.take(keys)
			retry = firstRetry
		case ctx.Err() != nil:
			a.err = ErrUnavailable
		default:
			a.err = ErrUnavailable
			r.log.Warn("the JWKS can't be fetched; what it last was stays good", "jwks", r.address, "keys", len(keysOf(r.keys.Load())), "retry", retry, "error", err)
			next, retry = retry, min(2*retry, lastRetry)
		}
		close(a.done)
		timer := time.NewTimer(next)
		select {
		case <-timer.C:
		case <-r.asked:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// take makes the keys those of the set. Tokens of others are refused from now on.
func (r *remote) take(keys []key) {
	if before := r.keys.Load(); before != nil && same(*before, keys) {
		return // so that tokens that were good with it still are
	}
	r.keys.Store(&keys)
	r.log.Info("new keys to verify tokens with", "jwks", r.address, "keys", len(keys))
}

// fetch returns the keys of the set and how long it is good.
func (r *remote) fetch(ctx context.Context) ([]key, time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.address, nil)
	if err != nil {
		return nil, 0, err
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	req.Header.Set("User-Agent", "marcador")
	res, err := r.client.Do(req)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = res.Body.Close() }() // all that is wanted has been read
	if res.StatusCode != http.StatusOK {
		return nil, 0, fmt.Errorf("the answer is %s", res.Status)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxSet+1))
	switch {
	case err != nil:
		return nil, 0, fmt.Errorf("read the answer: %w", err)
	case len(body) > maxSet:
		return nil, 0, fmt.Errorf("the answer is longer than %d bytes", maxSet)
	}
	keys, out, err := parseSet(body)
	if err != nil {
		return nil, 0, err
	}
	for _, why := range out {
		r.log.Info("a key of the JWKS is left out", "jwks", r.address, "reason", why)
	}
	if len(keys) == 0 {
		r.log.Warn("the JWKS has no key that can be used; tokens of its keys are refused", "jwks", r.address)
	}
	return keys, ageOf(res.Header), nil
}
