package command_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"marcador/test/testkit"
)

// An origin that no browser would send is refused in one line that says what to write instead.
func TestServe_corsOriginsErrors(t *testing.T) {
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
		err := testkit.RunTo(t, io.Discard, io.Discard, "serve", "--addr", testkit.AnyPort, "--db", testkit.Database(t), "--cors-origins", origins)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "--cors-origins ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want one line with %q", origins, err, want)
		}
	}
}

// Each origin of the list is allowed.
func TestServe_corsOrigins(t *testing.T) {
	t.Setenv("MARCADOR_CORS_ORIGINS", "https://school.example, http://localhost:5173,http://[::1]:8080,capacitor://localhost")
	p := testkit.Serve(t)
	for _, origin := range []string{"https://school.example", "http://localhost:5173", "http://[::1]:8080", "capacitor://localhost"} {
		res := p.Ask(http.MethodGet, "/v1/leaderboards/global", "Origin", origin)
		if got := res.Header.Get("Access-Control-Allow-Origin"); got != origin {
			t.Errorf("Access-Control-Allow-Origin = %q, want %q", got, origin)
		}
	}
}
