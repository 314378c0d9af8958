package attack_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"marcador/test/testkit"
)

// A client that asks for thousands of answers over HTTP/2 and never reads them takes no more memory
// than there is for answers, and not for long. Another user is answered meanwhile. This holds with
// a token and without, and for short answers, too.
func TestAttack_unread(t *testing.T) {
	conns, above := 4, 160 // MiB; all the pages would be 400
	if *full {
		conns, above = 100, 300-50
	}
	const page = "/v1/leaderboards/global?limit=1000"
	for name, c := range map[string]struct {
		path, user string
		avatar     int
		headers    []string
	}{
		"pages":               {page, "v0", 250, nil},
		"pages by anybody":    {page, "", 250, nil},
		"pages, MessagePack":  {page, "v0", 250, []string{"accept", "application/msgpack"}},
		"pages, long avatars": {page, "v0", longAvatar, nil},
		"health":              {"/healthz", "", 0, nil},
		"files":               {"/static/vendor/uPlot.esm.js", "", 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAttack(t, c.avatar, "--public")
			a.begin()
			token := ""
			if c.user != "" {
				token = testkit.Token(t, c.user, "")
			}
			var asking sync.WaitGroup
			for range conns {
				f := dialFramer(t, a.Host(), 0)
				asking.Go(func() {
					for range 250 {
						if !f.get(c.path, token, c.headers...) {
							return
						}
					}
				})
			}
			asking.Wait()
			a.end(above)
		})
	}
}

// A client that reads its answers slowly but steadily takes only its share of the memory for
// answers, and others get theirs.
func TestAttack_trickle(t *testing.T) {
	streams, conns := 20, 1
	if *full {
		streams, conns = 100, 20
	}
	a := newAttack(t, longAvatar)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var taking sync.WaitGroup
	token, answers := testkit.Token(t, "v0", ""), 0
	var all []*framer
	for range conns {
		f := dialFramer(t, a.Host(), 16<<10)
		all = append(all, f)
		for range streams {
			f.get("/v1/leaderboards/global?limit=1000", token)
		}
		taking.Go(func() {
			tick := time.NewTicker(200 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
					if !f.take(16 << 10) {
						return
					}
				}
			}
		})
	}
	for late := time.Now().Add(testkit.Patience); answers < 5; time.Sleep(10 * time.Millisecond) { // a real process
		answers = 0
		for _, f := range all {
			answers += f.answers()
		}
		if time.Now().After(late) {
			t.Fatalf("of %d answers %d have begun", conns*streams, answers)
		}
	}
	a.begin() // all the memory for answers is taken now
	a.end(160)
	cancel()
	taking.Wait()
}

// Thousands of connections that ask for pages and do not read them take no more memory than there
// is for answers.
func TestAttack_connections(t *testing.T) {
	conns, above := 200, 160
	if *full {
		conns, above = 8000, 450-50
	}
	a := newAttack(t, 250)
	a.begin()
	token := testkit.Token(t, "v0", "")
	for range conns {
		a.send("GET /v1/leaderboards/global?limit=1000 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token + "\r\n\r\n")
	}
	a.end(above)
}
