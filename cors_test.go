package main

import (
	"bytes"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

func TestRun_corsOrigins(t *testing.T) {
	t.Setenv("MARCADOR_JWT_SECRET", secret)
	for origins, want := range map[string]string{
		"*":                                    "name each origin",
		"https://*.school.example":             "name each origin",
		"null":                                 "sandboxed",
		"https://school.example/":              "leave out everything after the host: https://school.example",
		"https://school.example/page":          "leave out everything after the host: https://school.example",
		"https://school.example?a=b":           "leave out everything after the host",
		"https://school.example#top":           "leave out everything after the host",
		"school.example":                       "such as https://school.example",
		"localhost:5173":                       "such as https://school.example",
		"//school.example":                     "such as https://school.example",
		"https://":                             "such as https://school.example",
		"https://:8443":                        "no host",
		"https://school.example:":              "no port",
		"https://school.example:99999":         "1 to 65535",
		"https://me@school.example":            "in front of the host",
		"https://School.Example":               "give https://school.example",
		"https://escuela.ñandú.example":        "xn--",
		"https://school.example:443":           "give https://school.example",
		"http://school.example:80":             "give http://school.example",
		"https://a.example,,https://b.example": "is empty",
		"https://a.example,*":                  `"*" is refused`,
	} {
		err := run(t.Context(), []string{"serve", "--addr", "127.0.0.1:0", "--db", filepath.Join(t.TempDir(), "m.db"), "--cors-origins", origins}, &bytes.Buffer{}, &bytes.Buffer{})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "--cors-origins ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want one line with %q", origins, err, want)
		}
	}
}

func TestServe_corsOrigins(t *testing.T) {
	t.Setenv("MARCADOR_CORS_ORIGINS", "https://school.example, http://localhost:5173,http://[::1]:8080,capacitor://localhost")
	p := serveOn(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "m.db"))
	for _, origin := range []string{"https://school.example", "http://localhost:5173", "http://[::1]:8080", "capacitor://localhost"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/v1/leaderboards/global", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Origin", origin)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if err := res.Body.Close(); err != nil {
			t.Error(err)
		}
		if got := res.Header.Get("Access-Control-Allow-Origin"); got != origin {
			t.Errorf("Access-Control-Allow-Origin = %q, want %q", got, origin)
		}
	}
}
