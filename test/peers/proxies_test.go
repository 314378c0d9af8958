package peers_test

import (
	"net/http"
	"testing"

	"marcador/test/testkit"
	"marcador/test/testkit/proxy"
	"marcador/test/testkit/route"
)

// proxies are the routes through other projects' servers. To test another proxy, add a function
// that starts it to testkit/proxy, and its routes here. The direct routes are in test/stream.
var proxies = []route.Route{
	{Name: "nginx as it comes", Open: func(t *testing.T, p *testkit.Program) (*testkit.Program, http.RoundTripper) {
		t.Helper()
		return proxy.Nginx(t, p), testkit.HTTP1()
	}},
	{Name: "nginx, HTTP/1.1 behind", Open: func(t *testing.T, p *testkit.Program) (*testkit.Program, http.RoundTripper) {
		t.Helper()
		return proxy.Nginx(t, p, "proxy_http_version 1.1;"), testkit.HTTP1()
	}},
	{Name: "HAProxy", Open: func(t *testing.T, p *testkit.Program) (*testkit.Program, http.RoundTripper) {
		t.Helper()
		return proxy.HAProxy(t, p, "", ""), testkit.HTTP1()
	}},
	{Name: "HAProxy, HTTP/2 behind", Open: func(t *testing.T, p *testkit.Program) (*testkit.Program, http.RoundTripper) {
		t.Helper()
		return proxy.HAProxy(t, p, "", "proto h2"), testkit.HTTP1()
	}},
	// HAProxy 2.6 ends an HTTP/2 stream well whatever it got.
	{Name: "HAProxy, HTTP/2 in front", EndsWell: true, Open: func(t *testing.T, p *testkit.Program) (*testkit.Program, http.RoundTripper) {
		t.Helper()
		return proxy.HAProxy(t, p, "proto h2", ""), testkit.HTTP2()
	}},
}

// Through every proxy a client sees each event at once, and the end of a killed server is an error
// to it.
func TestProxies_killed(t *testing.T) {
	for _, r := range proxies {
		r.CheckKilled(t)
	}
}

// Through every proxy a goodbye is a regular end.
func TestProxies_goodbye(t *testing.T) {
	for _, r := range proxies {
		r.CheckGoodbye(t)
	}
}
