package attack_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"marcador/test/testkit"
)

// Bodies of rubbish take memory of a few times their length, whoever sends them.
func TestAttack_bodies(t *testing.T) {
	members, writers, above := 200, 8, 160 // MiB; the values in all of them would take 500
	if *full {
		members, writers = 2000, 60
	}
	rubbish := func(size int) string { return `{"zz":[` + strings.Repeat(`{"a":1},`, size/8) + `{"a":1}]}` }
	for name, c := range map[string]struct {
		n                 int
		path, scope, body string
	}{
		"members": {members, "/v1/events/ABC/token", "", rubbish(32<<10 - 100)},
		"writers": {writers, "/v1/xp", "xp:write", rubbish(1<<20 - 100)},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAttack(t, 0)
			a.begin()
			token := testkit.Token(t, "v0", c.scope)
			var conns []net.Conn
			for range c.n {
				conns = append(conns, a.send(fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n",
					c.path, token, len(c.body), c.body)))
			}
			for _, conn := range conns {
				_, _ = io.WriteString(conn, "0\r\n\r\n") // it may have been refused by now
			}
			a.end(above)
		})
	}
}

// A client that steps through a long board fills no more than the cache of pages may hold, however
// long the rows are.
func TestAttack_stepping(t *testing.T) {
	pages, above := 50, 120 // of 2 MB each
	if *full {
		pages, above = 900, 160
	}
	a := newAttack(t, longAvatar)
	a.begin()
	token := testkit.Token(t, "v0", "")
	for offset := range pages {
		a.Call(token, http.MethodGet, fmt.Sprintf("/v1/leaderboards/global?limit=900&offset=%d", offset), "", nil)
	}
	a.end(above)
}
