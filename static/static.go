// Package static serves the page at /, the browser client and the types of the client. All files
// are embedded in the program.
//
//	client/   the client: connect, streams, tabs
//	view/     what shows a board; the page and the tag <marcador-board> mount it
//	page/     the page at /, with its podium, charts and kiosk
//	element/  the parts of <marcador-board>
//	bundle/   what the page loads, made from the folders above
//	test/     the client's tests, which run in Node
//	vendor/   uPlot, which draws the charts, as it was published
//
// marcador.js and element.js are the modules that other sites import. They are also the entries of
// the npm package, which package.json describes.
//
// After a change of a file that the page loads, `go generate ./static` makes bundle/ again. A test
// fails until then.
package static

//go:generate go run ./internal/bundle

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"
)

//go:embed marcador.js marcador.d.ts element.js element.d.ts client view element
//go:embed index.html favicon.svg bundle page/*.css page/*.svg vendor/*.js vendor/*.css vendor/*.LICENSE
var files embed.FS

// policy lets the page load its own files and people's avatars, and nothing else. No text can
// become markup or script. An <img> runs nothing from a data: address.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https: data:; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; " +
	"require-trusted-types-for 'script'; trusted-types 'none'"

// pageHeaders are the headers of the page.
var pageHeaders = http.Header{
	"Content-Security-Policy":    {policy},
	"Cross-Origin-Opener-Policy": {"same-origin"},
	"Permissions-Policy":         {"camera=(), geolocation=(), microphone=(), payment=(), usb=()"},
	"Referrer-Policy":            {"same-origin"},
	"X-Frame-Options":            {"SAMEORIGIN"},
}

// clientHeaders are the headers of the client and its types, which pages of other sites load.
var clientHeaders = http.Header{
	"Access-Control-Allow-Origin":  {"*"},
	"Cross-Origin-Resource-Policy": {"cross-origin"},
}

var contentTypes = map[string]string{
	".css":  "text/css; charset=utf-8",
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
	".ts":   "text/plain; charset=utf-8", // so that browsers show it
}

// bundles is the folder that `go generate` fills.
const bundles = "bundle/"

// icon is where browsers look for an icon if a document names none. openapi.json is an example.
const icon = "/favicon.ico"

// file is a file as it is served. It does not change.
type file struct {
	plain       form
	gzip        form // the body is nil if compression saves nothing
	contentType string
}

// form is a file in one coding.
type form struct {
	body []byte
	etag string
}

// loaded are the files, without the demo and with it. They are read and compressed once, when they
// are first needed.
var loaded = [2]func() (map[string]file, error){
	sync.OnceValues(func() (map[string]file, error) { return load(false) }),
	sync.OnceValues(func() (map[string]file, error) { return load(true) }),
}

// Handler serves the embedded files:
//
//	/                            the page; its <html> tag has data-demo if demo is true
//	/favicon.ico                 its icon
//	/static/                     what the page and /docs load
//	/marcador.js, .d.ts          the browser client and its types
//	/marcador/element.js, .d.ts  the tag <marcador-board> and its types
//	/marcador/                   the modules of both as they were written, which are the files of
//	                             the npm package
//
// Clients that accept gzip get it. Each answer has an ETag for its coding, and browsers must
// revalidate it. Any other path is a 404, any method but GET and HEAD a 405. The handler is safe
// for concurrent use.
func Handler(demo bool) http.Handler {
	which := loaded[0]
	if demo {
		which = loaded[1]
	}
	served, err := which()
	if err != nil {
		panic(fmt.Sprintf("static: %v", err)) // embedded files can always be read
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, ok := served[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		h := w.Header()
		h.Set("Cache-Control", "no-cache")
		h.Set("Content-Type", f.contentType)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Vary", "Accept-Encoding")
		switch {
		case r.URL.Path == "/":
			maps.Copy(h, pageHeaders)
		case r.URL.Path != icon && !strings.HasPrefix(r.URL.Path, "/static/"):
			maps.Copy(h, clientHeaders)
		}
		as := f.plain
		if f.gzip.body != nil && AcceptsGzip(r.Header.Values("Accept-Encoding")) {
			as = f.gzip
			h.Set("Content-Encoding", "gzip")
			// With a Content-Encoding, ServeContent does not set the length. It removes or changes
			// this one for a 304 and for a range.
			h.Set("Content-Length", strconv.Itoa(len(as.body)))
		}
		h.Set("ETag", as.etag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(as.body))
	})
}

// load reads the embedded files, by the paths that they are served under.
func load(demo bool) (map[string]file, error) {
	served := make(map[string]file)
	add := func(name, at string, body []byte) error {
		f, err := encode(name, body)
		served[at] = f
		return err
	}
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := files.ReadFile(name)
		if name == "index.html" && demo {
			body = bytes.Replace(body, []byte("<html "), []byte("<html data-demo "), 1)
		}
		for _, at := range paths(name) {
			err = errors.Join(err, add(name, at, body))
		}
		if name == "marcador.js" || name == "marcador.d.ts" {
			err = errors.Join(err, add(name, "/"+name, outward(body)))
		}
		return err
	})
	return served, err
}

// paths returns the paths that an embedded file is served under.
func paths(name string) []string {
	if bundled, ok := strings.CutPrefix(name, bundles); ok {
		return []string{"/static/" + bundled}
	}
	if _, err := fs.Stat(files, bundles+name); err == nil {
		return nil // the bundle of that name is served
	}
	folder, _, _ := strings.Cut(name, "/")
	switch folder {
	case "index.html":
		return []string{"/"}
	case "favicon.svg":
		return []string{icon, "/static/" + name}
	case "page", "vendor":
		return []string{"/static/" + name}
	default:
		return []string{"/marcador/" + name}
	}
}

// outward returns a file of /marcador/ as it has to be above that folder: what it imports from its
// own folder is in marcador/ from there.
func outward(body []byte) []byte {
	return bytes.ReplaceAll(body, []byte(`"./`), []byte(`"./marcador/`))
}

func encode(name string, body []byte) (file, error) {
	sum := sha256.Sum256(body)
	tag := base64.RawURLEncoding.EncodeToString(sum[:12])
	f := file{plain: form{body, `"` + tag + `"`}, gzip: form{etag: `"` + tag + `-gzip"`}, contentType: contentTypes[path.Ext(name)]}
	var err error
	f.gzip.body, err = zipped(body)
	return f, err
}
