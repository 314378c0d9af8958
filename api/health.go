package api

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// checkTime is how long the readiness check may take to write to the database.
const checkTime = 10 * time.Second

// readiness remembers for a second whether the database can be written, so that frequent requests
// do not cause frequent writes. It is safe for concurrent use.
type readiness struct {
	mu      sync.Mutex
	checked time.Time // guarded by mu
	err     error     // guarded by mu
}

// get returns the result of check, which may be up to a second old. The check goes on when ctx
// ends, because its result is for other requests too.
func (r *readiness) get(ctx context.Context, check func(context.Context) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.checked) > time.Second {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkTime)
		defer cancel()
		r.err = check(ctx)
		r.checked = time.Now()
	}
	return r.err
}

type healthOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         health
}

type health struct {
	Status string `json:"status" example:"ok"`
}

func ok() *healthOutput { return &healthOutput{"no-store", health{"ok"}} }

func (a *api) healthRoutes() {
	open := access{open: true}
	alive := a.operation(http.MethodGet, "/healthz", "getHealth", "Health", "Whether the process is alive", open)
	alive.Security, alive.Errors = nil, nil
	huma.Register(a.huma, alive, func(context.Context, *struct{}) (*healthOutput, error) { return ok(), nil })

	ready := a.operation(http.MethodGet, "/readyz", "getReady", "Health", "Whether the service can serve: boards are loaded, the database is writable, the keys that verify tokens are there, and it is not shutting down", open)
	ready.Security, ready.Errors = nil, []int{http.StatusServiceUnavailable}
	huma.Register(a.huma, ready, func(ctx context.Context, _ *struct{}) (*healthOutput, error) {
		if a.Streams.Draining() {
			return nil, unavailable("shutting_down", "the service is shutting down")
		}
		if a.Verifier.Ready() != nil {
			return nil, huma.ErrorWithHeaders(noKeys(), http.Header{"Retry-After": {keysRetryAfter}})
		}
		if err := a.ready.get(ctx, a.Live.Ready); err != nil {
			return nil, a.fail(ctx, err)
		}
		return ok(), nil
	})
}
