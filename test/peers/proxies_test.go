package peers_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"marcador/test/testkit"
	"marcador/test/testkit/proxy"
)

// route is how a stream comes to a client: through which proxy, and by which protocols.
type route struct {
	name string
	open func(t *testing.T, p *testkit.Program) (through *testkit.Program, over http.RoundTripper)
}

// To test another proxy, start it in testkit/proxy and add its routes here.
var routes = []route{
	{"HTTP/1.1", func(_ *testing.T, p *testkit.Program) (*testkit.Program, http.RoundTripper) {
		return p, testkit.HTTP1()
	}},
	{"HTTP/1.0", func(_ *testing.T, p *testkit.Program) (*testkit.Program, http.RoundTripper) {
		return p, testkit.HTTP10{}
	}},
	{"HTTP/2", func(_ *testing.T, p *testkit.Program) (*testkit.Program, http.RoundTripper) {
		return p, testkit.HTTP2()
	}},
	{"nginx as it comes", func(t *testing.T, p *testkit.Program) (*testkit.Program, http.RoundTripper) {
		t.Helper()
		return proxy.Nginx(t, p), testkit.HTTP1()
	}},
	{"nginx, HTTP/1.1 behind", func(t *testing.T, p *testkit.Program) (*testkit.Program, http.RoundTripper) {
		t.Helper()
		return proxy.Nginx(t, p, "proxy_http_version 1.1;"), testkit.HTTP1()
	}},
	{"HAProxy", func(t *testing.T, p *testkit.Program) (*testkit.Program, http.RoundTripper) {
		t.Helper()
		return proxy.HAProxy(t, p, "", ""), testkit.HTTP1()
	}},
	{"HAProxy, HTTP/2 behind", func(t *testing.T, p *testkit.Program) (*testkit.Program, http.RoundTripper) {
		t.Helper()
		return proxy.HAProxy(t, p, "", "proto h2"), testkit.HTTP1()
	}},
	{endsWell, func(t *testing.T, p *testkit.Program) (*testkit.Program, http.RoundTripper) {
		t.Helper()
		return proxy.HAProxy(t, p, "proto h2", ""), testkit.HTTP2()
	}},
}

// endsWell is the route on which the end of a killed server looks like a regular one, unless the
// stream is compressed: HAProxy 2.6 ends an HTTP/2 stream well whatever it got.
const endsWell = "HAProxy, HTTP/2 in front"

// boardSizes are the smallest and the largest boards: rows, and bytes of each avatar.
var boardSizes = map[string]struct{ rows, avatar int }{"small": {3, 0}, "large": {100, 2000}}

// openAll starts a service with a board of that size, and opens streams of each kind on the route.
// It returns them by name when each has got its first page.
func openAll(t *testing.T, r route, size string) (p *testkit.Process, streams map[string]*testkit.TextStream) {
	t.Helper()
	p = testkit.Spawn(t, testkit.Database(t), "--public", "--heartbeat", "30s")
	var users []string
	for i := range boardSizes[size].rows {
		users = append(users, fmt.Sprintf(`{"id":"u%d","username":"U","avatar":"data:image/png;base64,%s"}`, i, strings.Repeat("A", boardSizes[size].avatar)))
	}
	p.Call(testkit.Token(t, "svc", "admin"), http.MethodPost, "/v1/users", `{"users":[`+strings.Join(users, ",")+`]}`, nil)
	through, over := r.open(t, p.Program)
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

// On every route a client sees each event at once, and the end of a killed server is an error to
// it.
func TestProxies_killed(t *testing.T) {
	for _, r := range routes {
		for size := range boardSizes {
			t.Run(r.name+", "+size, func(t *testing.T) {
				p, streams := openAll(t, r, size)
				for range 3 {
					p.Give("u1", 5)
					for name, s := range streams {
						s.Until(map[bool]string{true: "position_change", false: "leaderboard:updated"}[strings.Contains(name, "diff")])
					}
				}
				p.Kill()
				for name, s := range streams {
					if err := s.End(); err == nil && (r.name != endsWell || strings.Contains(name, "gzip")) {
						t.Errorf("%s: the stream seems to have ended well", name)
					}
				}
			})
		}
	}
}

// On every route a goodbye is a regular end, in HTTP as in gzip.
func TestProxies_goodbye(t *testing.T) {
	for _, r := range routes {
		t.Run(r.name, func(t *testing.T) {
			p, streams := openAll(t, r, "large")
			p.Terminate()
			for name, s := range streams {
				s.Until("goodbye")
				if err := s.End(); err != nil {
					t.Errorf("%s: after the goodbye: %v", name, err)
				}
			}
		})
	}
}
