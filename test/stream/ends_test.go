package stream_test

import (
	"net/http"
	"testing"

	"marcador/test/testkit"
	"marcador/test/testkit/route"
)

// direct are the routes without a proxy. test/peers has the routes through proxies.
var direct = []route.Route{
	{Name: "HTTP/1.1", Open: func(_ *testing.T, p *testkit.Program) (*testkit.Program, http.RoundTripper) {
		return p, testkit.HTTP1()
	}},
	{Name: "HTTP/1.0", Open: func(_ *testing.T, p *testkit.Program) (*testkit.Program, http.RoundTripper) {
		return p, testkit.HTTP10{}
	}},
	{Name: "HTTP/2", Open: func(_ *testing.T, p *testkit.Program) (*testkit.Program, http.RoundTripper) {
		return p, testkit.HTTP2()
	}},
}

// Over every protocol a client sees each event at once, and the end of a killed server is an error
// to it.
func TestStream_killed(t *testing.T) {
	for _, r := range direct {
		r.CheckKilled(t)
	}
}

// Over every protocol a goodbye is a regular end.
func TestStream_goodbye(t *testing.T) {
	for _, r := range direct {
		r.CheckGoodbye(t)
	}
}
