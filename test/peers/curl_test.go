package peers_test

import (
	"fmt"
	"strings"
	"testing"

	"marcador/test/testkit"
	"marcador/test/testkit/proxy"
)

// directAndProxied runs a test twice with a program, and with the program as its clients reach it:
// directly, and through nginx.
func directAndProxied(t *testing.T, test func(t *testing.T, p, through *testkit.Program)) {
	t.Helper()
	for _, name := range []string{"direct", "nginx"} {
		t.Run(name, func(t *testing.T) {
			p := testkit.Serve(t, "--public")
			p.Enrol(3)
			through := p
			if name == "nginx" {
				through = proxy.Nginx(t, p)
			}
			test(t, p, through)
		})
	}
}

// curl -N prints each event at once, compressed or not, over each protocol.
func TestCurl(t *testing.T) {
	directAndProxied(t, func(t *testing.T, p, through *testkit.Program) {
		var curls []*testkit.Curl
		for _, args := range [][]string{{}, {"--compressed"}, {"--http1.0"}, {"--http2-prior-knowledge"}} {
			if len(args) > 0 && args[0] == "--http2-prior-knowledge" && through != p {
				continue // nginx does not take HTTP/2 without TLS
			}
			c := testkit.StartCurl(t, append(args, through.URL+"/v1/events?mode=diff")...)
			head := strings.ToLower(strings.Join(c.Until("event: authenticated"), "\n"))
			if got, want := strings.Contains(head, "content-encoding: gzip"), strings.Contains(strings.Join(args, ""), "compressed"); got != want {
				t.Errorf("%v: gzip %v: %s", args, got, head)
			}
			c.Until("event: leaderboard:updated")
			curls = append(curls, c)
		}
		for i := range 5 {
			p.Give("u2", 7)
			for _, c := range curls {
				c.Until("event: position_change")
				c.Until(fmt.Sprintf(`data: {"type":"position_change","board":"global","period":"all-time","from":%d,"version":%d,`, 3+i, 4+i))
			}
		}
		p.Stop()
		for _, c := range curls {
			c.Until("event: goodbye")
			c.End()
		}
	})
}
