package api_test

import (
	"bytes"
	"encoding/json"
	"html"
	"net/http"
	"strings"
	"testing"
)

// The OpenAPI document and /docs describe every operation, and /docs loads nothing from elsewhere.
func TestDocs(t *testing.T) {
	f := newFixture(t, nil)
	a := f.do("", http.MethodGet, "/openapi.json", "")
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]struct{ Summary string }
	}
	if err := json.Unmarshal(a.body, &doc); err != nil || !strings.HasPrefix(doc.OpenAPI, "3.1") {
		t.Fatalf("openapi.json: %v, version %s", err, doc.OpenAPI)
	}
	page := f.do("", http.MethodGet, "/docs", "")
	for path, methods := range doc.Paths {
		for method, op := range methods {
			if !bytes.Contains(page.body, []byte(strings.ToUpper(method)+" "+path)) || !bytes.Contains(page.body, []byte(html.EscapeString(op.Summary))) {
				t.Errorf("/docs lacks %s %s", method, path)
			}
		}
	}
	for _, want := range []string{"/v1/users/{id}", "/v1/users", "/v1/users/{id}/xp", "/v1/xp", "/v1/leaderboards/{board}", "/v1/events", "/v1/session", "/healthz", "/readyz"} {
		if doc.Paths[want] == nil {
			t.Errorf("openapi.json lacks %s", want)
		}
	}
	for _, outside := range []string{"http://", "https://", "<script"} {
		if bytes.Contains(bytes.ReplaceAll(page.body, []byte("https: or"), nil), []byte(outside)) {
			t.Errorf("/docs has %s in it", outside)
		}
	}
}
