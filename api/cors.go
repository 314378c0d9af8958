package api

import (
	"net/http"
	"strings"
	"time"

	"github.com/rs/cors"
)

// preflightAge is how long a browser need not ask again. Browsers keep an answer no longer than
// that.
const preflightAge = 2 * time.Hour

// newCORS returns a handler that lets pages of these origins call the API, or nil without origins.
//
// It does not allow credentials. A page of another site shows its token in the Authorization
// header, which no other page can make a browser send. If the session cookie were sent across
// sites, SameSite and sameOrigin would protect nothing.
func newCORS(origins []string) *cors.Cors {
	if len(origins) == 0 {
		return nil // cors would allow all origins
	}
	return cors.New(cors.Options{
		AllowedOrigins: origins,
		AllowedMethods: []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete},
		AllowedHeaders: []string{"Authorization", "Content-Type", "Accept", "Idempotency-Key", "Last-Event-ID", "Cache-Control"},
		ExposedHeaders: []string{"Retry-After", "WWW-Authenticate", "Allow"},
		MaxAge:         int(preflightAge.Seconds()),
	})
}

// shared reports whether the path is one that pages of other sites may call. The web page, the
// browser client and /docs have headers of their own.
func shared(path string) bool {
	return strings.HasPrefix(path, "/v1/") || path == "/healthz" || path == "/readyz" || strings.HasPrefix(path, "/openapi.")
}

// preflighted sets the headers that say what the origin of the request may do. It does so before
// anything can be refused, since otherwise a page could not read the refusal. It reports whether
// the request asked for nothing else. The header of a stream contains them too.
func (a *api) preflighted(w http.ResponseWriter, r *http.Request) bool {
	if a.cors == nil || !shared(r.URL.Path) {
		return false
	}
	a.cors.HandlerFunc(w, r) // answers a preflight
	return r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
}
