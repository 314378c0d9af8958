package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/security"
	"github.com/chromedp/chromedp"

	"marcador/auth"
	"marcador/test/testkit/certs"
)

// holdStream asks for a stream over the client and holds it until the test ends. It returns the
// status, or 0 if there is none in time.
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

// One client that asks for streams without a token over many HTTP/2 connections gets a tenth,
// all such clients half, and members always find room.
func TestAttack_anonymousStreams(t *testing.T) {
	conns, each, most := 4, 60, 200
	if *full {
		conns, each, most = 20, 250, 5000
	}
	p := serveOn(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "m.db"), "--public", "--max-streams", fmt.Sprint(most))
	p.enrol(10)
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
					if holdStream(ctx, client, p.url, "", from(c*each+i)) == http.StatusOK {
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
		t.Errorf("others have %d streams more of %d, want up to a half together", open, most)
	}
	member := connect()
	for i := range 10 {
		token := tokenFor(t, fmt.Sprint("u", 1+i), "", time.Hour)
		for range 5 {
			if status := holdStream(ctx, member, p.url, token, ""); status != http.StatusOK {
				t.Fatalf("a member is answered with %d", status)
			}
		}
	}
}

// Nine devices of one account: the newest gets a stream, the oldest is told so, waits when it
// comes back by itself, and disturbs no other.
func TestPeers_nineDevices(t *testing.T) {
	bothWays(t, func(t *testing.T, p, way *program) {
		token := tokenFor(t, "u1", "", time.Hour)
		var heard []chan heardEvent
		for range 9 {
			heard = append(heard, device(t, way, token, ""))
			if e := <-heard[len(heard)-1]; e.name != "authenticated" {
				t.Fatalf("event = %+v", e)
			}
		}
		var id string
		for e := range heard[0] {
			if e.name == "error" {
				id = e.id
			}
		}
		if !strings.HasSuffix(id, "!replaced") {
			t.Errorf("the oldest was told the id %q", id)
		}
		for range 3 { // it comes back, as often as it likes
			if e := <-device(t, way, token, id); e.name != "error" || !strings.HasSuffix(e.id, "!replaced") {
				t.Errorf("event = %+v", e)
			}
		}
		p.call(tokenFor(t, "svc", "xp:write", time.Hour), http.MethodPost, "/v1/users/u2/xp", `{"xp":7}`, nil)
		for _, one := range heard[1:] {
			for e := range one {
				if e.name == "error" {
					t.Fatal("another device was told that it was replaced")
				}
				if strings.Contains(e.data, `"version":4`) {
					break
				}
			}
		}
	})
}

// heardEvent is an event as it came.
type heardEvent struct{ name, data, id string }

// device follows the global board until the test ends, and sends what it hears.
func device(t *testing.T, p *program, token, id string) chan heardEvent {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if id != "" {
		req.Header.Set("Last-Event-ID", id)
	}
	req.Close = true
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK {
		t.Fatalf("a device is answered with %d", res.StatusCode)
	}
	heard := make(chan heardEvent, 100)
	done := make(chan struct{})
	t.Cleanup(func() { _ = res.Body.Close(); <-done })
	go func() {
		defer close(done)
		defer close(heard)
		var e heardEvent
		for lines := bufio.NewScanner(res.Body); lines.Scan(); {
			switch field, value, _ := strings.Cut(lines.Text(), ": "); field {
			case "event":
				e.name = value
			case "data":
				e.data += value
			case "id":
				e.id = value
			case "":
				heard <- e
				e = heardEvent{}
			}
		}
	}()
	return heard
}

// An EventSource that was replaced is told so, and goes on trying: it is not closed for good.
func TestPeers_eventSourceReplaced(t *testing.T) {
	p := serveOn(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "m.db"), "--max-streams-per-user", "1")
	p.enrol(1)
	ctx := browser(t)(800, 600, "en-US")
	must(t, ctx, chromedp.Navigate(p.url+"/"))
	begin := `fetch("/v1/session", { method: "POST", headers: { Authorization: "Bearer ` + tokenFor(t, "u1", "", time.Hour) + `" } }).then((r) => r.status)`
	if status := eval[int](t, ctx, begin); status != http.StatusOK {
		t.Fatalf("POST /v1/session = %d", status)
	}
	script(t, ctx, `
		window.told = [];
		window.first = new EventSource("/v1/events");
		first.addEventListener("error", (e) => { if (e.data) told.push(JSON.parse(e.data).code + " " + e.lastEventId) });
		first.addEventListener("leaderboard:updated", () => { window.second ??= new EventSource("/v1/events") })`)
	until(t, ctx, `told.length === 1 && told[0].startsWith("replaced ") && told[0].endsWith("!replaced")`)
	until(t, ctx, `first.readyState === EventSource.CONNECTING && second.readyState === EventSource.OPEN`)
}

// Behind nginx as it comes, which names its own upstream as the host, the cookie of a page by
// HTTPS is Secure, the page writes with it, and nobody else's page does.
func TestPeers_cookieBehindTLS(t *testing.T) {
	a := certs.New(t)
	certFile, keyFile := a.Pair(t.TempDir(), "school")
	const forwards = `proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme;`
	for name, c := range map[string]struct {
		tls bool
		set string
	}{
		"as it comes":            {false, ""},
		"as it comes, with TLS":  {true, ""},
		"forwarding, with TLS":   {true, forwards},
		"host alone, with TLS":   {true, `proxy_set_header X-Forwarded-Host $http_host;`},
		"the standard, with TLS": {true, `proxy_set_header Forwarded "for=$remote_addr;proto=$scheme;host=\"$http_host\"";`},
	} {
		t.Run(name, func(t *testing.T) {
			p := serveOn(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "m.db"))
			p.enrol(2)
			addr, listen, url := freeAddress(t), "", "http://"
			if c.tls {
				listen, url = fmt.Sprintf(" ssl; ssl_certificate %s; ssl_certificate_key %s", certFile, keyFile), "https://"
			}
			server := fmt.Sprintf("listen %s%s; location / { proxy_pass %s; %s }", addr, listen, p.url, c.set)
			way := behindNginx(p, url+addr, &http.Client{Transport: a.Transport(http1)}, server)
			token := tokenFor(t, "u1", "", time.Hour)
			res := way.ask(t, http.MethodPost, "/v1/session", "Authorization", "Bearer "+token, "Origin", way.url)
			var pairs []string
			for _, set := range res.Cookies() {
				pairs = append(pairs, set.Name+"="+set.Value)
				if set.Secure != c.tls {
					t.Errorf("the cookie %s: Secure = %t", set.Name, set.Secure)
				}
			}
			jar := strings.Join(pairs, "; ")
			for what, headers := range map[string][]string{
				"its page":              {"Origin", way.url, "Sec-Fetch-Site", "same-origin"},
				"its page, old browser": {"Origin", way.url},
			} {
				if res := way.ask(t, http.MethodPut, "/v1/users/u1/friends/u2", append(headers, "Cookie", jar)...); res.StatusCode >= 300 {
					t.Errorf("%s: %d", what, res.StatusCode)
				}
			}
			for what, headers := range map[string][]string{
				"another site":              {"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"},
				"another site, old browser": {"Origin", "https://evil.example"},
				"another port":              {"Origin", "https://127.0.0.1:1", "Sec-Fetch-Site", "same-site"},
				"another port, old browser": {"Origin", "https://127.0.0.1:1"},
			} {
				if res := way.ask(t, http.MethodPut, "/v1/users/u1/friends/u2", append(headers, "Cookie", jar)...); res.StatusCode != http.StatusForbidden {
					t.Errorf("%s: %d, want 403", what, res.StatusCode)
				}
			}
			if c.tls && c.set == "" {
				writesWithCookie(t, way, token)
			}
		})
	}
}

// writesWithCookie has a page in Chromium begin a session and write with its cookie.
func writesWithCookie(t *testing.T, way *program, token string) {
	t.Helper()
	ctx := browser(t)(800, 600, "en-US")
	send(t, ctx, security.SetIgnoreCertificateErrors, security.SetIgnoreCertificateErrorsParams{Ignore: true})
	must(t, ctx, chromedp.Navigate(way.url+"/"))
	got := eval[string](t, ctx, `(async () => {
		const session = await fetch("/v1/session", { method: "POST", headers: { Authorization: "Bearer `+token+`" } });
		const write = await fetch("/v1/users/u1/friends/u2", { method: "PUT" });
		return session.status + " " + write.status;
	})()`)
	if got != "200 204" {
		t.Errorf("Chromium begins a session and writes: %s", got)
	}
	for _, one := range send(t, ctx, network.GetCookies, network.GetCookiesParams{}).Cookies {
		if one.Name == auth.Cookie && (!one.Secure || !one.HTTPOnly) {
			t.Errorf("Chromium keeps %+v", one)
		}
	}
}

// ask sends a request with headers in pairs, and returns the answer without its body.
func (p *program) ask(t *testing.T, method, path string, headers ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, p.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	req.Close = true
	res, err := p.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, res.Body)
	if err := res.Body.Close(); err != nil {
		t.Error(err)
	}
	return res
}

// The flag names whose word counts, and a name that is none is refused with the remedy.
func TestTrustProxy(t *testing.T) {
	for list, secure := range map[string]bool{"": true, "loopback": true, "127.0.0.1,10.0.0.0/8": true, "none": false, "10.0.0.7": false} {
		var flags []string
		if list != "" {
			flags = []string{"--trust-proxy", list}
		}
		p := serveOn(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "m.db"), flags...)
		p.client = http.DefaultClient
		res := p.ask(t, http.MethodPost, "/v1/session", "Authorization", "Bearer "+tokenFor(t, "u1", "", time.Hour), "X-Forwarded-Proto", "https")
		if got := res.Cookies(); len(got) != 1 || got[0].Secure != secure {
			t.Errorf("--trust-proxy %q: cookies = %v, want Secure %t", list, got, secure)
		}
	}
}
