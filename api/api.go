// Package api is the HTTP surface: routes, the shapes of requests and answers,
// problems, sessions and the OpenAPI document.
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
	"marcador/live"
	"marcador/sse"
	"marcador/static"
)

// Options says how the API works.
type Options struct {
	Live     *live.Service
	Streams  *sse.Server
	Verifier *auth.Verifier
	Log      *slog.Logger // told of errors that callers are not shown

	Version         string            // the program's, for the OpenAPI document
	Public          bool              // anyone may read and follow the global board
	AllowQueryToken bool              // streams may carry their token in access_token
	Proxies         forwarded.Proxies // whose word on where a request comes from counts
	Origins         []string          // of other sites' pages that may call the API, as browsers write them
	Demo            http.Handler      // serves /demo/, where there is one
	Limits          Limits
}

type api struct {
	Options

	mux         *http.ServeMux
	huma        huma.API
	crossOrigin *http.CrossOriginProtection
	cors        *cors.Cors // nil for none
	ready       readiness
	pace        *pace
	room        *room
	calm        *calm

	bodies, memberBodies *room // see Limits.Bodies
}

// New returns the whole of HTTP: the API, its documents and the page. Live,
// Streams, Verifier and Log must be set.
func New(opts Options) http.Handler { return http.HandlerFunc(newAPI(opts).serve) }

func newAPI(opts Options) *api {
	opts.Limits = opts.Limits.withDefaults()
	a := &api{Options: opts, mux: http.NewServeMux(), crossOrigin: http.NewCrossOriginProtection(), pace: newPace(opts.Limits.WriteRate), calm: newCalm(), cors: newCORS(opts.Origins)}
	a.room = newRoom(opts.Limits.Answers, 2*runtime.GOMAXPROCS(0), max(min(runtime.GOMAXPROCS(0)/2, 2), 1), a.calm)
	// A body costs more than its bytes where it has many values, for which half as much may be taken.
	a.bodies = newRoom(opts.Limits.Bodies*2/3, 0, 0, a.calm)
	a.memberBodies = newRoom(opts.Limits.Bodies/4, 0, 0, a.calm)
	check := &checker{}
	a.huma = humago.New(a.mux, config(opts.Version, check))
	a.huma.UseMiddleware(negotiate, a.authorize, a.keepPace, a.hurry)
	a.usersRoutes()
	a.pointsRoutes()
	a.boardRoutes()
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

// serve looks at what the mux would word poorly, bounds how long sending and
// reading may take, and answers for what panics. A stream sets bounds of its own.
func (a *api) serve(w http.ResponseWriter, r *http.Request) {
	defer func() {
		reason := recover()
		if reason == http.ErrAbortHandler { //nolint:errorlint // net/http compares it so
			panic(reason) // a stream that was taken over
		}
		if reason != nil {
			a.Log.ErrorContext(r.Context(), "panic", "reason", reason, "path", r.URL.Path, "stack", string(debug.Stack()))
			a.write(w, problemOf(http.StatusInternalServerError, "internal", "something went wrong here; it was logged"))
		}
	}()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	req := &request{hold: a.enter(w, r, cancel)}
	defer req.hold.leave()
	answer := &answerWriter{ResponseWriter: w, hold: req.hold, piece: pieceOfConn}
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
		r.Header.Set("Content-Type", readAs(r.Method, strings.ToLower(kind))) // huma minds case
	}
	if emptySegment(r.URL.EscapedPath()) {
		a.write(w, invalid("path", "the path has an empty part where an id should be; give the id"))
		return
	}
	if cleaned(w, r) {
		return
	}
	ctx = context.WithValue(context.WithValue(ctx, requestKey{}, req), dataKey{}, a.Live)
	a.mux.ServeHTTP(w, r.WithContext(ctx))
	if req.run != nil {
		req.hold.leave() // it is a stream, which has a bound of its own
		req.run()        // here, where little is on the stack
	}
}

type requestKey struct{}

// request is one that is being answered.
type request struct {
	hold   *hold
	answer *answerWriter
	run    func() // what is to be done of it when all that came before has returned; nil for nothing
}

// requestOf returns the request that is being answered.
func requestOf(ctx context.Context) *request {
	r, _ := ctx.Value(requestKey{}).(*request)
	return r
}

// emptySegment reports whether a path of the API has nothing between two
// slashes, or ends in one.
func emptySegment(path string) bool {
	return strings.HasPrefix(path, "/v1/") && (strings.Contains(path, "//") || strings.HasSuffix(path, "/"))
}

func config(version string, check *checker) huma.Config {
	c := huma.DefaultConfig("Marcador", version)
	c.Info.Description = "A leaderboard that pushes itself. Errors are application/problem+json with a stable `code`."
	for _, tag := range []string{"Points", "Users", "Boards", "Session", "Health"} {
		c.Tags = append(c.Tags, &huma.Tag{Name: tag})
	}
	c.Servers = []*huma.Server{{URL: ".", Description: "The service that this document is read from"}}
	c.CreateHooks = nil // no $schema in answers
	c.DocsPath = ""     // ours asks no other host
	c.SchemasPath = ""
	c.Formats = formats(check)
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"bearer": {Type: "http", Scheme: "bearer", BearerFormat: "JWT"},
		"cookie": {Type: "apiKey", In: "cookie", Name: auth.Cookie},
	}
	return c
}

// operation describes a route. Who may call it is checked by authorize.
func (a *api) operation(method, path, id, tag, summary string, may access) huma.Operation {
	op := huma.Operation{
		Method: method, Path: path, OperationID: id, Tags: []string{tag}, Summary: summary,
		Metadata: map[string]any{accessKey: may},
		Errors:   []int{http.StatusUnauthorized, http.StatusForbidden},
		Security: []map[string][]string{{"bearer": {}}, {"cookie": {}}},

		BodyReadTimeout:  a.Limits.Receive,
		SkipValidateBody: true, // the checker does it
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
		if !may.unpaced {
			op.Errors = append(op.Errors, http.StatusTooManyRequests)
		}
	}
	return op
}

// notFound answers for paths of the API that are nothing, or not with this method.
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
