package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// proxied starts nginx in front of the program, as it comes: nothing is said but where to
// pass requests on to, and the further directives. It returns the program as seen through it.
func proxied(p *program, directives ...string) *program { return proxiedUnder(p, "/", directives...) }

// proxiedUnder is proxied where the program lies under a path that ends with a slash.
func proxiedUnder(p *program, prefix string, directives ...string) *program {
	p.tb.Helper()
	addr, to := freeAddress(p.tb), p.url
	if prefix != "/" {
		to += "/" // nginx then puts it in the prefix's place
	}
	server := fmt.Sprintf("listen %s; location %s { proxy_pass %s; %s }", addr, prefix, to, strings.Join(directives, " "))
	return behindNginx(p, "http://"+addr+strings.TrimSuffix(prefix, "/"), nil, server)
}

// behindNginx starts nginx with that server, and returns the program as seen at the url.
func behindNginx(p *program, url string, client *http.Client, server string) *program {
	p.tb.Helper()
	folder := p.tb.TempDir()
	config := filepath.Join(folder, "nginx.conf")
	write(p.tb, config, fmt.Appendf(nil, `
daemon off; master_process off; pid %[1]s/pid; error_log stderr;
events { }
http {
	access_log off;
	client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi; uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
	server { %[2]s }
}`, folder, server))
	through := inFront(p, url, "nginx", "-p", folder, "-e", "stderr", "-c", config)
	through.client = client
	return through
}

// inFront starts a proxy that listens at the url's address, and returns the program as seen
// at the url.
func inFront(p *program, at, name string, args ...string) *program {
	tb := p.tb
	tb.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if path, err = exec.LookPath("/usr/sbin/" + name); err != nil {
			tb.Fatalf("streams are tested through %s: install it (%v)", name, err)
		}
	}
	to, err := url.Parse(at)
	if err != nil {
		tb.Fatal(err)
	}
	cmd := exec.CommandContext(context.Background(), path, args...)
	out := &log{opened: make(chan string, 1)}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // at once
		_ = cmd.Wait()                          // it was told to end
	})
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		if conn, err := new(net.Dialer).DialContext(tb.Context(), "tcp", to.Host); err == nil {
			_ = conn.Close() // it listens
			return &program{tb: tb, url: at, log: p.log}
		}
		if time.Since(began) > patient {
			tb.Fatalf("%s does not answer:\n%s", name, out)
		}
	}
}

// bothWays runs a test with a program, and the way to it: direct, or through nginx.
func bothWays(t *testing.T, test func(t *testing.T, p, way *program)) {
	t.Helper()
	for _, name := range []string{"direct", "nginx"} {
		t.Run(name, func(t *testing.T) {
			p := serveOn(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "m.db"), "--public")
			p.enrol(3)
			way := p
			if name == "nginx" {
				way = proxied(p)
			}
			test(t, p, way)
		})
	}
}

// curl -N, with --compressed and without, sees what comes when it comes.
func TestPeers_curl(t *testing.T) {
	bothWays(t, func(t *testing.T, p, way *program) {
		service := tokenFor(t, "svc", "xp:write", time.Hour)
		var curls []*curl
		for _, args := range [][]string{{}, {"--compressed"}, {"--http1.0"}, {"--http2-prior-knowledge"}} {
			if len(args) > 0 && args[0] == "--http2-prior-knowledge" && way != p {
				continue // nginx does not take it for a server's without TLS
			}
			c := startCurl(t, append(args, way.url+"/v1/events?mode=diff")...)
			head := strings.ToLower(strings.Join(c.until("event: authenticated"), "\n"))
			if got, want := strings.Contains(head, "content-encoding: gzip"), strings.Contains(strings.Join(args, ""), "compressed"); got != want {
				t.Errorf("%v: gzip %v: %s", args, got, head)
			}
			c.until("event: leaderboard:updated")
			curls = append(curls, c)
		}
		for i := range 5 {
			p.call(service, http.MethodPost, "/v1/users/u2/xp", `{"xp":7}`, nil)
			for _, c := range curls {
				c.until("event: position_change")
				c.until(fmt.Sprintf(`data: {"type":"position_change","board":"global","period":"all-time","from":%d,"version":%d,`, 3+i, 4+i))
			}
		}
		p.stop()
		for _, c := range curls {
			c.until("event: goodbye")
			for range c.lines { // to the end
			}
			if err := c.cmd.Wait(); err != nil {
				t.Errorf("%v: %v", c.cmd.Args, err)
			}
		}
	})
}

// curl is a running curl.
type curl struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines chan string
}

func startCurl(t *testing.T, args ...string) *curl {
	t.Helper()
	c := &curl{t: t, cmd: exec.CommandContext(t.Context(), "curl", append([]string{"-sNi"}, args...)...), lines: make(chan string, 1000)}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatalf("this test needs curl: %v", err)
	}
	go func() {
		defer close(c.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			c.lines <- s.Text()
		}
	}()
	return c
}

// until returns the lines up to one that begins so.
func (c *curl) until(want string) (seen []string) {
	c.t.Helper()
	for {
		select {
		case line, ok := <-c.lines:
			if !ok {
				c.t.Fatalf("%v ended before %q: %q", c.cmd.Args, want, seen)
			}
			seen = append(seen, line)
			if strings.HasPrefix(line, want) {
				return seen
			}
		case <-time.After(patient):
			c.t.Fatalf("%v: no %q in %q", c.cmd.Args, want, seen)
		}
	}
}

// spy notes whether a response was compressed, and inflated by the transport.
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

// CloseIdleConnections is what http.Client.CloseIdleConnections calls.
func (s spy) CloseIdleConnections() { s.transport.CloseIdleConnections() }

// r3labs' client asks for gzip without knowing, as all clients in Go do.
func TestPeers_r3labs(t *testing.T) {
	bothWays(t, func(t *testing.T, p, way *program) {
		service := tokenFor(t, "svc", "xp:write", time.Hour)
		for name, compressed := range map[string]bool{"gzip": true, "plain": false} {
			t.Run(name, func(t *testing.T) {
				transport := &http.Transport{DisableCompression: !compressed}
				spy := spy{transport, make(chan bool, 1)}
				heard := way.followOver(spy, "", "mode=diff&board=global", "")
				next(t, heard, "authenticated")
				first := next(t, heard, "leaderboard:updated")
				if got := <-spy.uncompressed; got != compressed {
					t.Errorf("inflated: %v", got)
				}
				for range 5 {
					p.call(service, http.MethodPost, "/v1/users/u2/xp", `{"xp":7}`, nil)
					next(t, heard, "position_change")
				}
				again := way.followOver(transport, "", "mode=diff&board=global", first.id)
				if hello := next(t, again, "authenticated"); !strings.Contains(hello.data, `"recovered":true`) {
					t.Errorf("authenticated = %s", hello.data)
				}
				if m := next(t, again, "position_change"); !strings.Contains(m.data, fmt.Sprintf(`"from":%s,`, first.id[strings.LastIndex(first.id, "-")+1:strings.Index(first.id, ".")])) {
					t.Errorf("after %s: %s", first.id, m.data)
				}
			})
		}
	})
}

// Chromium's own EventSource understands all of it, compressed, and goes on by
// itself from the last id when the server comes back.
func TestPeers_eventSource(t *testing.T) {
	for _, name := range []string{"direct", "nginx"} {
		t.Run(name, func(t *testing.T) {
			db, addr := filepath.Join(t.TempDir(), "m.db"), freeAddress(t)
			p := serveOn(t, addr, db, "--public")
			p.enrol(3)
			service := tokenFor(t, "svc", "xp:write", time.Hour)
			way := p
			if name == "nginx" {
				way = proxied(p)
			}
			ctx := browser(t)(800, 600, "en-US")
			// The page of the board: its policy lets a script connect to the service.
			must(t, ctx, chromedp.Navigate(way.url+"/"))
			script(t, ctx, `
				window.heard = [];
				const source = new EventSource("/v1/events?mode=diff");
				for (const type of ["authenticated", "leaderboard:updated", "position_change", "goodbye", "error"]) {
					source.addEventListener(type, (e) => { if (e.data) heard.push({ type, id: e.lastEventId, data: JSON.parse(e.data) }) });
				}
				fetch("/v1/events").then((r) => { window.coding = r.headers.get("Content-Encoding"); r.body.cancel() })`)
			until(t, ctx, `heard.length === 2 && heard[1].type === "leaderboard:updated" && heard[1].data.version === 3`)
			until(t, ctx, `window.coding === "gzip"`)
			for i := range 3 {
				p.call(service, http.MethodPost, "/v1/users/u2/xp", `{"xp":7}`, nil)
				until(t, ctx, fmt.Sprintf(`heard.length === %d && heard.at(-1).type === "position_change" && heard.at(-1).data.from === %d && heard.at(-1).id.includes("-%d.")`, 3+i, 3+i, 4+i))
			}
			p.stop()
			until(t, ctx, `heard.at(-1).type === "goodbye"`)
			p = serveOn(t, addr, db, "--public")
			p.call(service, http.MethodPost, "/v1/users/u3/xp", `{"xp":70}`, nil)
			until(t, ctx, `heard.at(-1).type === "leaderboard:updated" && heard.at(-1).data.leaderboard[0].userId === "u3" && heard.at(-2).data.recovered === false`)
			// The connection alone breaks: what was missed is a difference.
			p.call(service, http.MethodPost, "/v1/users/u3/xp", `{"xp":1}`, nil)
			until(t, ctx, `heard.at(-1).type === "position_change"`)
		})
	}
}
