package api

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// lookFor is how long the database may take to be written when that is asked.
const lookFor = 10 * time.Second

// readiness remembers for a moment whether the database can be written, so that
// asking often does not write often. Safe for concurrent use.
type readiness struct {
	mu    sync.Mutex
	asked time.Time // guarded by mu
	err   error     // guarded by mu
}

// ask returns what check said within the last second, or asks it, however
// impatient who asks may be: the answer is for others too.
func (r *readiness) ask(ctx context.Context, check func(context.Context) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.asked) > time.Second {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookFor)
		defer cancel()
		r.err = check(ctx)
		r.asked = time.Now()
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

	ready := a.operation(http.MethodGet, "/readyz", "getReady", "Health", "Whether it can serve: boards loaded, database writable, keys for tokens there, not shutting down", open)
	ready.Security, ready.Errors = nil, []int{http.StatusServiceUnavailable}
	huma.Register(a.huma, ready, func(ctx context.Context, _ *struct{}) (*healthOutput, error) {
		if a.Streams.Draining() {
			return nil, unavailable("shutting_down", "the service is shutting down")
		}
		if a.Verifier.Ready() != nil {
			return nil, huma.ErrorWithHeaders(noKeys(), http.Header{"Retry-After": {keysAgain}})
		}
		if err := a.ready.ask(ctx, a.Live.Ready); err != nil {
			return nil, a.fail(ctx, err)
		}
		return ok(), nil
	})
}
