// Package route checks how streams come to clients on a route: directly or through a proxy, and by
// which protocols.
package route

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"marcador/test/testkit"
)

// Route is how a stream comes to a client.
type Route struct {
	Name string

	// Open returns the program as its clients reach it, and the transport that they use.
	Open func(t *testing.T, p *testkit.Program) (through *testkit.Program, over http.RoundTripper)

	// EndsWell tells that the end of a killed server looks like a regular one on this route, unless
	// the stream is compressed.
	EndsWell bool
}

// sizes are the smallest and the largest boards: rows, and bytes of each avatar.
var sizes = map[string]struct{ rows, avatar int }{"small": {3, 0}, "large": {100, 2000}}

// openAll starts a service with a board of that size, and opens streams of each kind on the route.
// It returns them by name when each has got its first page.
func (r Route) openAll(t *testing.T, size string) (p *testkit.Process, streams map[string]*testkit.TextStream) {
	t.Helper()
	p = testkit.Spawn(t, testkit.Database(t), "--public", "--heartbeat", "30s")
	var users []string
	for i := range sizes[size].rows {
		users = append(users, fmt.Sprintf(`{"id":"u%d","username":"U","avatar":"data:image/png;base64,%s"}`, i, strings.Repeat("A", sizes[size].avatar)))
	}
	p.Call(testkit.Token(t, "svc", "admin"), http.MethodPost, "/v1/users", `{"users":[`+strings.Join(users, ",")+`]}`, nil)
	through, over := r.Open(t, p.Program)
	streams = map[string]*testkit.TextStream{}
	for _, query := range []string{"mode=snapshot", "mode=diff"} {
		for coding, compressed := range map[string]bool{"plain": false, "gzip": true} {
			s := testkit.OpenText(t, over, through.URL+"/v1/events?"+query, compressed)
			s.Until("leaderboard:updated")
			streams[query+" "+coding] = s
		}
	}
	return p, streams
}

// CheckKilled checks that a client sees each event at once, and that the end of a killed server is
// an error to it.
func (r Route) CheckKilled(t *testing.T) {
	t.Helper()
	for size := range sizes {
		t.Run(r.Name+", "+size, func(t *testing.T) {
			p, streams := r.openAll(t, size)
			for range 3 {
				p.Give("u1", 5)
				for name, s := range streams {
					s.Until(map[bool]string{true: "position_change", false: "leaderboard:updated"}[strings.Contains(name, "diff")])
				}
			}
			p.Kill()
			for name, s := range streams {
				if err := s.End(); err == nil && (!r.EndsWell || strings.Contains(name, "gzip")) {
					t.Errorf("%s: the stream seems to have ended well", name)
				}
			}
		})
	}
}

// CheckGoodbye checks that a goodbye is a regular end, in HTTP as in gzip.
func (r Route) CheckGoodbye(t *testing.T) {
	t.Helper()
	t.Run(r.Name, func(t *testing.T) {
		p, streams := r.openAll(t, "large")
		p.Terminate()
		for name, s := range streams {
			s.Until("goodbye")
			if err := s.End(); err != nil {
				t.Errorf("%s: after the goodbye: %v", name, err)
			}
		}
	})
}
