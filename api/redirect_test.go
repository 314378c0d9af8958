package api_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
)

// A redirect is relative, so behind a proxy that removes a path prefix it stays under the prefix.
func TestRedirects_areRelative(t *testing.T) {
	f := newFixture(t, nil)
	for path, want := range map[string]string{
		"/docs/":                   "/docs",
		"/docs/?a=b%2F":            "/docs?a=b%2F",
		"//v1/badges":              "/v1/badges",
		"/v1/users/a%2Fb/../c%2Fd": "/v1/users/c%2Fd",
		"/static/./../":            "/",
		"/static/./page/../../":    "/",
		"//":                       "/",
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://x/", nil)
		u, err := url.Parse("http://x" + path)
		if err != nil {
			t.Fatal(err)
		}
		r.URL, r.Method = u, http.MethodGet
		f.handler.ServeHTTP(w, r)
		if w.Code != http.StatusPermanentRedirect {
			t.Errorf("%s: %d", path, w.Code)
		}
		under, err := url.Parse("http://x/points" + path)
		if err != nil {
			t.Fatal(err)
		}
		to, err := under.Parse(w.Header().Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		if got := to.RequestURI(); got != "/points"+want {
			t.Errorf("%s: %q leads to %s, want /points%s", path, w.Header().Get("Location"), got, want)
		}
	}
}
