package peers_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"marcador/test/testkit"
)

// spy tells whether the transport inflated a response.
type spy struct {
	transport    *http.Transport
	uncompressed chan bool
}

func (s spy) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := s.transport.RoundTrip(r)
	if err == nil {
		s.uncompressed <- res.Uncompressed
	}
	return res, err
}

// CloseIdleConnections lets http.Client close them.
func (s spy) CloseIdleConnections() { s.transport.CloseIdleConnections() }

// r3labs' client follows a stream and goes on from an id. As all clients in Go do, it asks for gzip
// unless it is told not to.
func TestR3labs(t *testing.T) {
	directAndProxied(t, func(t *testing.T, p, through *testkit.Program) {
		for name, compressed := range map[string]bool{"gzip": true, "plain": false} {
			t.Run(name, func(t *testing.T) {
				transport := &http.Transport{DisableCompression: !compressed}
				spy := spy{transport, make(chan bool, 1)}
				heard := through.FollowOver(spy, "", "mode=diff&board=global", "")
				testkit.Next(t, heard, "authenticated")
				first := testkit.Next(t, heard, "leaderboard:updated")
				if got := <-spy.uncompressed; got != compressed {
					t.Errorf("inflated: %v", got)
				}
				for range 5 {
					p.Give("u2", 7)
					testkit.Next(t, heard, "position_change")
				}
				again := through.FollowOver(transport, "", "mode=diff&board=global", first.ID)
				if hello := testkit.Next(t, again, "authenticated"); !strings.Contains(hello.Data, `"recovered":true`) {
					t.Errorf("authenticated = %s", hello.Data)
				}
				if m := testkit.Next(t, again, "position_change"); !strings.Contains(m.Data, fmt.Sprintf(`"from":%s,`, first.ID[strings.LastIndex(first.ID, "-")+1:strings.Index(first.ID, ".")])) {
					t.Errorf("after %s: %s", first.ID, m.Data)
				}
			})
		}
	})
}
