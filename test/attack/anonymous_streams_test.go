package attack_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"marcador/test/testkit"
)

// holdStream asks for a stream and leaves it open until the test ends. It returns the status, or 0
// if there is none in time.
func holdStream(ctx context.Context, client *http.Client, url, token, from string) int {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/v1/events", nil)
	if err != nil {
		return 0
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if from != "" {
		req.Header.Set("X-Forwarded-For", from)
	}
	res, err := client.Do(req)
	if err != nil {
		return 0
	}
	if res.StatusCode != http.StatusOK { // else it stays open
		_ = res.Body.Close()
	}
	return res.StatusCode
}

// One client without a token gets a tenth of all streams, however many connections it uses. All
// clients without a token together get half, so members always find room.
func TestAttack_anonymousStreams(t *testing.T) {
	t.Parallel()
	conns, each, most := 4, 60, 200
	if *full {
		conns, each, most = 20, 250, 5000
	}
	p := testkit.Serve(t, "--public", "--max-streams", fmt.Sprint(most))
	p.Enrol(10)
	ctx, cancel := context.WithCancel(t.Context())
	var transports []*http.Transport
	defer func() {
		cancel()
		for _, transport := range transports {
			transport.CloseIdleConnections()
		}
	}()
	connect := func() *http.Client {
		transport := &http.Transport{Protocols: new(http.Protocols)}
		transport.Protocols.SetUnencryptedHTTP2(true)
		transports = append(transports, transport)
		return &http.Client{Transport: transport}
	}
	flood := func(from func(i int) string) (opened int64) {
		var open atomic.Int64
		var asking sync.WaitGroup
		for c := range conns {
			client := connect()
			for i := range each {
				asking.Go(func() {
					if holdStream(ctx, client, p.URL, "", from(c*each+i)) == http.StatusOK {
						open.Add(1)
					}
				})
			}
		}
		asking.Wait()
		return open.Load()
	}
	if open := flood(func(int) string { return "" }); open != int64(most/10) {
		t.Errorf("one address has %d streams of %d, want a tenth", open, most)
	}
	if open := flood(func(i int) string { return fmt.Sprintf("203.0.%d.%d", 113+i%30, i%256) }); open != int64(most/2-most/10) {
		t.Errorf("others have %d streams more of %d, want up to half together", open, most)
	}
	member := connect()
	for i := range 10 {
		token := testkit.Token(t, fmt.Sprint("u", 1+i), "")
		for range 5 {
			if status := holdStream(ctx, member, p.URL, token, ""); status != http.StatusOK {
				t.Fatalf("a member is answered with %d", status)
			}
		}
	}
}
