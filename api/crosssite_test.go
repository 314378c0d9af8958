package api_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
)

// A write with the cookie is refused if a page of another site made the browser send it. Reads, and
// writes with a token that the page knows, are not affected.
func TestCrossSite_writesByCookieAreRefused(t *testing.T) {
	f := newFixture(t, nil)
	f.put("u1")
	cookie := "marcador_token=" + f.admin
	host := strings.TrimPrefix(f.url, "http://")
	for name, c := range map[string]struct {
		headers []string
		refused bool
	}{
		"by a program":                  {nil, false},
		"own page":                      {[]string{"Sec-Fetch-Site", "same-origin", "Origin", f.url}, false},
		"typed":                         {[]string{"Sec-Fetch-Site", "none"}, false},
		"other site":                    {[]string{"Sec-Fetch-Site", "cross-site"}, true},
		"other host of the site":        {[]string{"Sec-Fetch-Site", "same-site"}, true},
		"unknown relation":              {[]string{"Sec-Fetch-Site", "friendly"}, true},
		"other site, own origin":        {[]string{"Sec-Fetch-Site", "cross-site", "Origin", f.url}, true},
		"old browser, own page":         {[]string{"Origin", f.url}, false},
		"old browser, other site":       {[]string{"Origin", "https://evil.example"}, true},
		"old browser, other port":       {[]string{"Origin", "http://127.0.0.1:1"}, true},
		"old browser, name as a prefix": {[]string{"Origin", f.url + ".evil.example"}, true},
		"old browser, host in path":     {[]string{"Origin", "https://evil.example/" + host}, true},
		"old browser, no origin":        {[]string{"Origin", "null"}, true},
		"old browser, not an origin":    {[]string{"Origin", "%%%"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			for _, op := range f.operations() {
				if op.method == http.MethodDelete && op.name == "DELETE /v1/users/{id}" {
					continue // the user would not exist for the next operations
				}
				reads := op.method == http.MethodGet || op.method == http.MethodHead
				a := f.do("", op.method, op.path, op.body, append([]string{"Cookie", cookie}, c.headers...)...)
				if refused := bytes.Contains(a.body, []byte(`"cross_origin"`)); refused != (c.refused && !reads) {
					t.Errorf("%s by cookie = %d %s, want refused %t", op.name, a.status, a.body, c.refused && !reads)
				}
				if op.name != "POST /v1/xp" {
					continue
				}
				if a := f.do(f.admin, op.method, op.path, op.body, append([]string{"Cookie", cookie}, c.headers...)...); bytes.Contains(a.body, []byte(`"cross_origin"`)) {
					t.Errorf("%s by header = %d %s", op.name, a.status, a.body)
				}
			}
		})
	}
}
