package api

import (
	"context"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/rs/cors"

	"marcador/auth"
	"marcador/internal/forwarded"
	"marcador/internal/membudget"
	"marcador/live"
	"marcador/sse"
	"marcador/static"
)

// Options says how the API works. Live, Streams, Verifier and Log must be set.
type Options struct {
	Live     *live.Service
	Streams  *sse.Server
	Verifier *auth.Verifier
	Log      *slog.Logger // gets the errors whose details callers must not see

	Version         string            // of the program, for the OpenAPI document
	Public          bool              // anyone may read and follow the global board
	AllowQueryToken bool              // streams may carry their token in access_token
	Proxies         forwarded.Proxies // the proxies whose headers are believed
	Origins         []string          // sites whose pages may call the API, as in an Origin header
	Demo            http.Handler      // serves /demo/; nil for none
	Limits          Limits
}

type api struct {
	Options

	mux         *http.ServeMux
	huma        huma.API
	crossOrigin *http.CrossOriginProtection
	cors        *cors.Cors // nil if no other site may call the API
	ready       readiness
	rate        *rateLimit

	answers              *membudget.Budget // see Limits.Answers
	bodies, memberBodies *membudget.Budget // see Limits.Bodies
}

// New returns the handler of everything that is served over HTTP.
func New(opts Options) http.Handler { return http.HandlerFunc(newAPI(opts).serve) }

func newAPI(opts Options) *api {
	opts.Limits = opts.Limits.withDefaults()
	a := &api{
		Options: opts, mux: http.NewServeMux(), crossOrigin: http.NewCrossOriginProtection(),
		rate: newRateLimit(opts.Limits.WriteRate), cors: newCORS(opts.Origins),
	}
	a.newBudgets()
	check := &bodyChecker{}
	a.huma = humago.New(a.mux, config(opts.Version, check))
	a.huma.UseMiddleware(negotiate, a.authorize, a.limitWrites, a.limitRequest)
	a.usersRoutes()
	a.pointsRoutes()
	a.pageRoute()
	a.boardLimitRoutes()
	a.archiveRoutes()
	a.trendRoutes()
	a.friendRoutes()
	a.badgeRoutes()
	a.historyRoutes()
	a.eventRoutes()
	a.sessionRoutes()
	a.healthRoutes()
	offerMessagePack(a.huma.OpenAPI())
	check.learn(a.huma.OpenAPI())
	for _, path := range []string{"/v1/", "/healthz", "/readyz", "/docs", "/openapi.json", "/openapi.yaml"} {
		a.mux.HandleFunc(path, a.notFound)
	}
	a.mux.Handle("GET /docs", a.docs())
	a.mux.HandleFunc("GET /docs/{$}", func(w http.ResponseWriter, r *http.Request) { redirect(w, r, "/docs") })
	a.mux.Handle("/", static.Handler(opts.Demo != nil))
	if opts.Demo != nil {
		a.mux.Handle("/demo/", opts.Demo)
	}
	return a
}

// newBudgets makes the budgets of memory for answers and for bodies.
func (a *api) newBudgets() {
	tuner, cores := membudget.NewGCTuner(), runtime.GOMAXPROCS(0)
	a.answers = membudget.New(membudget.Options{
		Bytes: a.Limits.Answers, PageSlots: 2 * cores, QuerySlots: max(min(cores/2, 2), 1), Tuner: tuner,
	})
	// The bytes of a body are reserved within the budget. The values in it are only known while it
	// is read, and may go beyond the budget by half (Reservation.Grow), up to the limit.
	a.bodies = membudget.New(membudget.Options{Bytes: a.Limits.Bodies * 2 / 3, Tuner: tuner})
	a.memberBodies = membudget.New(membudget.Options{Bytes: a.Limits.Bodies / 4, Tuner: tuner})
}

// serve handles every request. The package comment lists its steps. A stream sets deadlines of its
// own.
func (a *api) serve(w http.ResponseWriter, r *http.Request) {
	defer func() {
		reason := recover()
		if reason == http.ErrAbortHandler { //nolint:errorlint // net/http compares it so
			panic(reason) // sse has taken over the connection
		}
		if reason != nil {
			a.Log.ErrorContext(r.Context(), "panic", "reason", reason, "path", r.URL.Path, "stack", string(debug.Stack()))
			a.write(w, internalError())
		}
	}()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	req := &request{memory: a.reserve(w, r, cancel)}
	defer req.memory.Release()
	answer := &answerWriter{ResponseWriter: w, memory: req.memory, piece: pieceOfConn}
	req.answer = answer
	if r.ProtoMajor > 1 {
		answer.piece = pieceOfStream
	}
	defer answer.finish(r)
	w = answer
	a.setDeadlines(w, r)
	setSafe(w, r)
	if strings.HasPrefix(r.URL.Path, "/v1/") {
		w.Header().Set("Cache-Control", "no-store")
	}
	if a.preflighted(w, r) {
		return
	}
	if kind := r.Header.Get("Content-Type"); kind != "" {
		r.Header.Set("Content-Type", readAs(r.Method, strings.ToLower(kind))) // as huma has it
	}
	if emptySegment(r.URL.EscapedPath()) {
		a.write(w, invalid("path", "the path has an empty part where an id should be; give the id"))
		return
	}
	if cleaned(w, r) {
		return
	}
	ctx = context.WithValue(context.WithValue(ctx, requestKey{}, req), serviceKey{}, a.Live)
	a.mux.ServeHTTP(w, r.WithContext(ctx))
	if req.run != nil {
		req.memory.Release() // sse limits streams by itself
		req.run()            // all calls above have returned, so it needs only a small stack
	}
}

type requestKey struct{}

// request is what the steps of one request share.
type request struct {
	memory *membudget.Reservation
	answer *answerWriter
	run    func() // runs the stream once the handler has returned; nil if this is no stream
}

// requestOf returns the request that is being answered.
func requestOf(ctx context.Context) *request {
	r, _ := ctx.Value(requestKey{}).(*request)
	return r
}

// emptySegment reports whether a path of the API has nothing between two slashes, or ends in one.
func emptySegment(path string) bool {
	return strings.HasPrefix(path, "/v1/") && (strings.Contains(path, "//") || strings.HasSuffix(path, "/"))
}

func config(version string, check *bodyChecker) huma.Config {
	c := huma.DefaultConfig("Marcador", version)
	c.Info.Description = "A leaderboard that pushes itself. Errors are application/problem+json with a stable `code`."
	for _, tag := range []string{"Points", "Users", "Boards", "Session", "Health"} {
		c.Tags = append(c.Tags, &huma.Tag{Name: tag})
	}
	c.Servers = []*huma.Server{{URL: ".", Description: "The service that serves this document"}}
	c.CreateHooks = nil // no $schema in answers
	c.DocsPath = ""     // docs.go has a page that loads nothing from other hosts
	c.SchemasPath = ""
	c.Formats = formats(check)
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"bearer": {Type: "http", Scheme: "bearer", BearerFormat: "JWT"},
		"cookie": {Type: "apiKey", In: "cookie", Name: auth.Cookie},
	}
	return c
}

// operation describes an operation. The function authorize enforces may.
func (a *api) operation(method, path, id, tag, summary string, may access) huma.Operation {
	op := huma.Operation{
		Method: method, Path: path, OperationID: id, Tags: []string{tag}, Summary: summary,
		Metadata: map[string]any{accessKey: may},
		Errors:   []int{http.StatusUnauthorized, http.StatusForbidden},
		Security: []map[string][]string{{"bearer": {}}, {"cookie": {}}},

		BodyReadTimeout:  a.Limits.Receive,
		SkipValidateBody: true, // bodyChecker validates it
	}
	if may.scope == "" {
		op.MaxBodyBytes = memberBody
	} else {
		op.Description = "Needs the scope `" + may.scope + "`."
	}
	if strings.Contains(path, "{") {
		op.Errors = append(op.Errors, http.StatusNotFound)
	}
	if method != http.MethodGet {
		op.Errors = append(op.Errors, http.StatusUnprocessableEntity, http.StatusServiceUnavailable)
		if !may.noRateLimit {
			op.Errors = append(op.Errors, http.StatusTooManyRequests)
		}
	}
	return op
}

// notFound answers for paths of the API that do not exist, or not with this method.
func (a *api) notFound(w http.ResponseWriter, r *http.Request) {
	p := problemOf(http.StatusNotFound, "not_found", "there is nothing at this path; see /docs")
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		other := r.Clone(context.WithoutCancel(r.Context()))
		other.Method = method
		if _, pattern := a.mux.Handler(other); pattern != r.Pattern {
			w.Header().Add("Allow", method)
			p = problemOf(http.StatusMethodNotAllowed, "method_not_allowed", "this path does not take "+r.Method+"; see the Allow header")
		}
	}
	a.write(w, p)
}
