package api

import (
	"net/http"
	"path"
	"strings"
)

// cleaned redirects a request whose path has empty or dot segments to the path
// without them, and reports whether it did. The mux would do the same with an absolute
// path, which leads out of the path prefix that a proxy has taken away.
func cleaned(w http.ResponseWriter, r *http.Request) bool {
	asked := r.URL.EscapedPath()
	if !strings.HasPrefix(asked, "/") || r.Method == http.MethodConnect {
		return false
	}
	clean := path.Clean(asked)
	if clean != "/" && strings.HasSuffix(asked, "/") {
		clean += "/"
	}
	if clean == asked {
		return false
	}
	redirect(w, r, clean)
	return true
}

// redirect sends the client to another path of the service, as it is escaped. The
// address is relative to the one that was asked for, since only the client knows the
// prefix. The method stays.
func redirect(w http.ResponseWriter, r *http.Request, to string) {
	asked := strings.Split(r.URL.EscapedPath(), "/")
	depth := 0 // of the folder that the client resolves the answer in
	for _, segment := range asked[1 : len(asked)-1] {
		switch segment {
		case ".":
		case "..":
			depth = max(depth-1, 0)
		default: // an empty one counts
			depth++
		}
	}
	target := "./" + strings.Repeat("../", depth) + strings.TrimPrefix(to, "/")
	if r.URL.RawQuery != "" {
		target += "?" + r.URL.RawQuery
	}
	w.Header().Set("Location", target)
	w.WriteHeader(http.StatusPermanentRedirect)
}
