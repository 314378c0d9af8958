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

// ErrUnavailable is returned by Verify and Ready while it is not known which keys are good: the
// JWKS was never fetched, or could not be fetched when a token named a key that the set lacks. The
// token may be good, so its bearer should try again.
var ErrUnavailable = errors.New("the keys to verify tokens with can't be fetched now")

const (
	maxSetBytes    = 1 << 20          // of a JWKS
	maxHeaderBytes = 64 << 10         // of the answer that contains it
	fetchTimeout   = 10 * time.Second // of one fetch

	// renewEvery is how long after the beginning of one fetch a token may cause the next. It keeps
	// forged tokens from burdening the server of the JWKS.
	renewEvery = 30 * time.Second

	// waitTime bounds how long a request waits for a fetch, maxWaiting how many requests wait at
	// once. Others are told to try again.
	waitTime   = 5 * time.Second
	maxWaiting = 256

	// After a failed fetch the next one follows after firstRetry. The time doubles with each
	// failure, up to lastRetry.
	firstRetry = time.Second
	lastRetry  = time.Minute
)

// remoteKeys are the keys of a JWKS at an address. It is safe for concurrent use.
//
// The goroutine of run fetches the set, then waits until it is no longer fresh (or, after a
// failure, until the next retry), and so on. A token with an unknown key shortens the wait through
// requested; its request waits in renew until that fetch has finished.
type remoteKeys struct {
	address string
	client  *http.Client
	log     *slog.Logger

	keys      atomic.Pointer[[]key] // nil until a set was fetched
	waiting   atomic.Int32          // requests that wait for a fetch
	requested chan struct{}         // of capacity 1: a token wants newest to be done now

	mu     sync.Mutex
	newest *fetch // guarded by mu: nil before the first
}

// fetch is one attempt to get the set.
type fetch struct {
	begun time.Time
	done  chan struct{} // closed when it has finished
	err   error         // the result, once done is closed
}

// newRemoteKeys returns the keys of a set that was not fetched yet. A nil transport stands for a
// default one.
func newRemoteKeys(address string, transport http.RoundTripper, log *slog.Logger) (*remoteKeys, error) {
	if err := CheckJWKS(address); err != nil {
		return nil, fmt.Errorf("the JWKS address can't be used: %w", err)
	}
	if transport == nil {
		transport = &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			TLSHandshakeTimeout:    fetchTimeout,
			MaxResponseHeaderBytes: maxHeaderBytes,
			DisableKeepAlives:      true, // the next fetch is far away
			ForceAttemptHTTP2:      true,
		}
	}
	return &remoteKeys{
		address:   address,
		client:    &http.Client{Transport: transport, CheckRedirect: checkRedirect},
		log:       log,
		requested: make(chan struct{}, 1),
	}, nil
}

// keysOf returns the keys of a set, none for nil.
func keysOf(set *[]key) []key {
	if set == nil {
		return nil
	}
	return *set
}

// mayBeNewer reports whether the token may be signed with a key that only a newer set has.
func mayBeNewer(set *[]key, h header) bool {
	switch {
	case h.Algorithm != "RS256" && h.Algorithm != "ES256" && h.Algorithm != "EdDSA":
		return false
	case set == nil:
		return true
	}
	return h.KeyID != "" && !slices.ContainsFunc(*set, func(k key) bool { return k.id == h.KeyID })
}

// begin returns the fetch that is under way, or begins one. For a token it begins one only if the
// last one began at least renewEvery ago; otherwise it returns the last one, which has finished.
// The goroutine of run does all fetches, also those that a token causes.
func (r *remoteKeys) begin(forToken bool) *fetch {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if !forToken {
		select {
		case <-r.requested: // by this fetch
		default:
		}
	}
	if f := r.newest; f != nil && (!f.finished() || forToken && now.Sub(f.begun) < renewEvery) {
		return f
	}
	r.newest = &fetch{begun: now, done: make(chan struct{})}
	if forToken {
		r.requested <- struct{}{} // there is room, because the fetch before has finished
	}
	return r.newest
}

func (f *fetch) finished() bool {
	select {
	case <-f.done:
		return true
	default:
		return false
	}
}

// renew returns nil if the newest fetch has brought a set, and ErrUnavailable otherwise. It may
// cause that fetch, and wait for it.
func (r *remoteKeys) renew(ctx context.Context) error {
	f := r.begin(true)
	if f.finished() {
		return f.err
	}
	if r.waiting.Add(1) > maxWaiting {
		r.waiting.Add(-1)
		return ErrUnavailable
	}
	defer r.waiting.Add(-1)
	ctx, cancel := context.WithTimeout(ctx, waitTime)
	defer cancel()
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return ErrUnavailable
	}
}

// run keeps the set fresh until ctx ends. If it can't be fetched, the keys stay as they are.
func (r *remoteKeys) run(ctx context.Context) {
	retry := firstRetry
	for ctx.Err() == nil {
		f := r.begin(false)
		keys, next, err := r.get(ctx)
		switch {
		case err == nil:
			r.use(keys)
			retry = firstRetry
		case ctx.Err() != nil:
			f.err = ErrUnavailable
		default:
			f.err = ErrUnavailable
			r.log.Warn("the JWKS can't be fetched; the keys stay as they are", "jwks", r.address, "keys", len(keysOf(r.keys.Load())), "retry", retry, "error", err)
			next, retry = retry, min(2*retry, lastRetry)
		}
		close(f.done)
		timer := time.NewTimer(next)
		select {
		case <-timer.C:
		case <-r.requested:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// use replaces the keys of the set. Tokens of other keys are refused from now on.
func (r *remoteKeys) use(keys []key) {
	if before := r.keys.Load(); before != nil && same(*before, keys) {
		return // the pointer stays the same, so cached tokens stay good
	}
	r.keys.Store(&keys)
	r.log.Info("new keys to verify tokens with", "jwks", r.address, "keys", len(keys))
}

// get fetches the set. It returns its keys and how long they are fresh.
func (r *remoteKeys) get(ctx context.Context) ([]key, time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
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
	defer func() { _ = res.Body.Close() }() // everything that is needed has been read
	if res.StatusCode != http.StatusOK {
		return nil, 0, fmt.Errorf("the answer is %s", res.Status)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxSetBytes+1))
	switch {
	case err != nil:
		return nil, 0, fmt.Errorf("read the answer: %w", err)
	case len(body) > maxSetBytes:
		return nil, 0, fmt.Errorf("the answer is longer than %d bytes", maxSetBytes)
	}
	keys, unusable, err := parseSet(body)
	if err != nil {
		return nil, 0, err
	}
	for _, why := range unusable {
		r.log.Info("a key of the JWKS is left out", "jwks", r.address, "reason", why)
	}
	if len(keys) == 0 {
		r.log.Warn("the JWKS has no key that can be used; tokens of its keys are refused", "jwks", r.address)
	}
	return keys, freshFor(res.Header), nil
}
