package api

import (
	"net/http"
	"path"
	"strings"
)

// cleaned redirects a request whose path has empty or dot segments to the path without them, and
// reports whether it did. http.ServeMux would redirect to an absolute path. Behind a proxy that
// removes a path prefix, an absolute path would lead out of the prefix.
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

// redirect sends the client to another path of the service, which is escaped. The address is
// relative to the one that was asked for, since only the client knows the prefix. The client
// repeats the request with the same method.
func redirect(w http.ResponseWriter, r *http.Request, to string) {
	asked := strings.Split(r.URL.EscapedPath(), "/")
	depth := 0 // of the folder that the client resolves the address in
	for _, segment := range asked[1 : len(asked)-1] {
		switch segment {
		case ".":
		case "..":
			depth = max(depth-1, 0)
		default: // an empty segment counts too
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
