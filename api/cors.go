package api

import (
	"net/http"
	"strings"
	"time"

	"github.com/rs/cors"
)

// remembered is how long a browser need not ask again. No browser keeps it for longer.
const remembered = 2 * time.Hour

// newCORS returns what lets pages of these origins call the API, or nil for none.
//
// Without credentials: a page elsewhere shows its token in the Authorization header,
// which no other page can make a browser send. To let the session cookie cross sites
// would undo what SameSite and the check of the origin of writes are for.
func newCORS(origins []string) *cors.Cors {
	if len(origins) == 0 {
		return nil // to cors that would be all
	}
	return cors.New(cors.Options{
		AllowedOrigins: origins,
		AllowedMethods: []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete},
		AllowedHeaders: []string{"Authorization", "Content-Type", "Accept", "Idempotency-Key", "Last-Event-ID", "Cache-Control"},
		ExposedHeaders: []string{"Retry-After", "WWW-Authenticate", "Allow"},
		MaxAge:         int(remembered.Seconds()),
	})
}

// shared reports whether pages of other sites may call a path at all. The page, the
// client and the documents have headers of their own.
func shared(path string) bool {
	return strings.HasPrefix(path, "/v1/") || path == "/healthz" || path == "/readyz" || strings.HasPrefix(path, "/openapi.")
}

// preflighted says in the answer's headers what the origin of the request may do, before
// anything else is found out about it: else a page could not read what is wrong. It
// reports whether that is all that was asked for. A stream's head has the same
// headers, whoever writes it.
func (a *api) preflighted(w http.ResponseWriter, r *http.Request) bool {
	if a.cors == nil || !shared(r.URL.Path) {
		return false
	}
	a.cors.HandlerFunc(w, r)
	return r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" // it is answered
}
