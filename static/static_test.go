package static_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strings"
	"testing"

	"marcador/static"
)

func do(tb testing.TB, h http.Handler, method, path, ifNoneMatch string) *http.Response {
	tb.Helper()
	r := httptest.NewRequestWithContext(tb.Context(), method, path, nil)
	if ifNoneMatch != "" {
		r.Header.Set("If-None-Match", ifNoneMatch)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(tb testing.TB, res *http.Response) string {
	tb.Helper()
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

func TestHandler_Files(t *testing.T) {
	h := static.Handler(false)
	for _, tc := range []struct{ path, contentType, has string }{
		{"/", "text/html; charset=utf-8", "<!doctype html>"},
		{"/marcador.js", "text/javascript; charset=utf-8", "export { connect }"},
		{"/marcador.d.ts", "text/plain; charset=utf-8", "export function connect"},
		{"/marcador/client/sse.js", "text/javascript; charset=utf-8", "export class EventParser"},
		{"/marcador/marcador.js", "text/javascript; charset=utf-8", "export { connect }"},
		{"/marcador/element.js", "text/javascript; charset=utf-8", "customElements"},
		{"/marcador/element.d.ts", "text/plain; charset=utf-8", "HTMLElementTagNameMap"},
		{"/static/page/page.js", "text/javascript; charset=utf-8", "chunk.js"},
		{"/static/page/page.css", "text/css; charset=utf-8", ":root"},
		{"/static/favicon.svg", "image/svg+xml", "<svg"},
		{"/favicon.ico", "image/svg+xml", "<svg"},
	} {
		t.Run(tc.path, func(t *testing.T) {
			res := do(t, h, http.MethodGet, tc.path, "")
			if got, want := res.StatusCode, http.StatusOK; got != want {
				t.Fatalf("status: got %d, want %d", got, want)
			}
			if got := res.Header.Get("Content-Type"); got != tc.contentType {
				t.Errorf("Content-Type: got %q, want %q", got, tc.contentType)
			}
			if got, want := res.Header.Get("Cache-Control"), "no-cache"; got != want {
				t.Errorf("Cache-Control: got %q, want %q", got, want)
			}
			text := body(t, res)
			if !strings.Contains(text, tc.has) {
				t.Errorf("body lacks %q", tc.has)
			}

			etag := res.Header.Get("ETag")
			again := do(t, h, http.MethodGet, tc.path, etag)
			if got, want := again.StatusCode, http.StatusNotModified; got != want {
				t.Errorf("with its ETag: got %d, want %d", got, want)
			}
			if got := body(t, again); got != "" {
				t.Errorf("304 with a body of %d bytes", len(got))
			}

			head := do(t, h, http.MethodHead, tc.path, "")
			if got, want := head.ContentLength, int64(len(text)); got != want {
				t.Errorf("HEAD Content-Length: got %d, want %d", got, want)
			}
			if got := body(t, head); got != "" {
				t.Errorf("HEAD with a body of %d bytes", len(got))
			}
			if got := head.Header.Get("ETag"); got != etag || etag == "" {
				t.Errorf("HEAD ETag: got %q, want %q", got, etag)
			}
		})
	}
}

func TestHandler_Demo(t *testing.T) {
	tag := regexp.MustCompile(`<html [^>]*\bdata-demo\b[^>]*>`)
	demo := do(t, static.Handler(true), http.MethodGet, "/", "")
	plain := do(t, static.Handler(false), http.MethodGet, "/", "")
	if got := body(t, demo); !tag.MatchString(got) {
		t.Error("demo: the html tag lacks data-demo")
	}
	if got := body(t, plain); tag.MatchString(got) {
		t.Error("not demo: the html tag has data-demo")
	}
	if demo.Header.Get("ETag") == plain.Header.Get("ETag") {
		t.Error("both pages have the same ETag")
	}
}

func TestHandler_Refuses(t *testing.T) {
	h := static.Handler(false)
	for _, tc := range []struct {
		method, path string
		want         int
	}{
		{http.MethodGet, "/nothing", http.StatusNotFound},
		{http.MethodGet, "/static/", http.StatusNotFound},
		{http.MethodGet, "/static/static.go", http.StatusNotFound},
		{http.MethodGet, "/static/package.json", http.StatusNotFound},
		{http.MethodGet, "/static/README.md", http.StatusNotFound},
		{http.MethodGet, "/static/test/service.js", http.StatusNotFound},
		{http.MethodGet, "/static/../static.go", http.StatusNotFound},
		{http.MethodPost, "/", http.StatusMethodNotAllowed},
	} {
		t.Run(tc.method+" "+tc.path, func(t *testing.T) {
			res := do(t, h, tc.method, tc.path, "")
			defer res.Body.Close()
			if got := res.StatusCode; got != tc.want {
				t.Errorf("got %d, want %d", got, tc.want)
			}
		})
	}
}

// Every file that the page names is served by this service, and the page has no inline script or
// style.
func TestHandler_Page(t *testing.T) {
	h := static.Handler(false)
	page := body(t, do(t, h, http.MethodGet, "/", ""))
	for _, m := range regexp.MustCompile(`(?:src|href)="([^"#]+)"`).FindAllStringSubmatch(page, -1) {
		if path.IsAbs(m[1]) {
			t.Errorf("%s is absolute, so it fails under a proxy's path", m[1])
		}
		res := do(t, h, http.MethodGet, path.Join("/", m[1]), "")
		if res.StatusCode != http.StatusOK {
			t.Errorf("%s: got %d, want 200", m[1], res.StatusCode)
		}
		res.Body.Close()
	}
	if m := regexp.MustCompile(`<style|\sstyle=|\son[a-z]+=|<script(?:>| type="module">)`).FindString(page); m != "" {
		t.Errorf("inline: %s", m)
	}
}

// Every import of a served module is served, and so is every import of a type declaration.
func TestHandler_Imports(t *testing.T) {
	h := static.Handler(false)
	imports := regexp.MustCompile(`(?m)\b(?:from|import\()\s*"(\.[^"]+)"`)
	comments := regexp.MustCompile(`(?m)^ *(?:/?\*|//).*$`)
	seen := map[string]bool{}
	queue := []string{
		"/marcador.js", "/marcador/marcador.js", "/marcador/element.js", "/static/page/page.js",
		"/marcador.d.ts", "/marcador/marcador.d.ts", "/marcador/element.d.ts",
	}
	for ; len(queue) > 0; queue = queue[1:] {
		module := queue[0]
		if seen[module] {
			continue
		}
		seen[module] = true
		res := do(t, h, http.MethodGet, module, "")
		text := comments.ReplaceAllString(body(t, res), "")
		if res.StatusCode != http.StatusOK {
			t.Errorf("%s is imported: got %d, want 200", module, res.StatusCode)
		}
		for _, m := range imports.FindAllStringSubmatch(text, -1) {
			name := path.Join(path.Dir(module), m[1])
			if strings.HasSuffix(module, ".d.ts") {
				name = strings.TrimSuffix(name, ".js") + ".d.ts"
			}
			queue = append(queue, name)
		}
	}
	for _, want := range []string{"/marcador/client/connect.js", "/marcador/view/words.js", "/marcador/element/frameworks.d.ts"} {
		if !seen[want] {
			t.Errorf("nothing imports %s", want)
		}
	}
	if seen["/client/connect.js"] || seen["/element.js"] {
		t.Error("/marcador.js imports from outside of /marcador/")
	}
}

// The page names all modules that it begins with, so that browsers load them together. A module
// that only another module names would be found late.
func TestIndex_Preload(t *testing.T) {
	h := static.Handler(false)
	index := body(t, do(t, h, http.MethodGet, "/", ""))
	asked := map[string]bool{}
	for _, m := range regexp.MustCompile(`<(?:link rel="modulepreload" href|script type="module" src)="([^"]+)"`).FindAllStringSubmatch(index, -1) {
		asked["/"+m[1]] = true
	}
	imports := regexp.MustCompile(`\b(?:import|from)\s*"(\.[^"]+)"`)
	needed := map[string]bool{"/static/page/page.js": true}
	for queue := []string{"/static/page/page.js"}; len(queue) > 0; queue = queue[1:] {
		for _, m := range imports.FindAllStringSubmatch(body(t, do(t, h, http.MethodGet, queue[0], "")), -1) {
			if name := path.Join(path.Dir(queue[0]), m[1]); !needed[name] {
				needed[name] = true
				queue = append(queue, name)
			}
		}
	}
	if len(needed) > 2 {
		t.Errorf("the page begins with %d modules, want one and the part that it shares: %v", len(needed), needed)
	}
	for _, style := range []string{"/static/page/page.css", "/static/docs.css"} {
		if text := body(t, do(t, h, http.MethodGet, style, "")); strings.Contains(text, "@import") || !strings.Contains(text, "--paper:") {
			t.Errorf("%s is not the whole style", style)
		}
	}
	for name := range needed {
		if !asked[name] {
			t.Errorf("index.html does not preload %s", name)
		}
		delete(asked, name)
	}
	for name := range asked {
		t.Errorf("index.html names %s, which the page does not begin with", name)
	}
}
