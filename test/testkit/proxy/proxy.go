// Package proxy puts something between a program and its clients: nginx, HAProxy, a relay whose
// connections a test can reset, or a proxy that refuses, waits and forges.
package proxy

import (
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

	"marcador/test/testkit"
)

// Nginx starts nginx in front of a program, as it comes: its configuration says where requests
// go, and no more than the directives. It returns the program as seen through it.
func Nginx(tb testing.TB, p *testkit.Program, directives ...string) *testkit.Program {
	tb.Helper()
	return NginxUnder(tb, p, "/", directives...)
}

// NginxUnder is Nginx with the program under a path, which ends with a slash.
func NginxUnder(tb testing.TB, p *testkit.Program, prefix string, directives ...string) *testkit.Program {
	tb.Helper()
	addr, to := testkit.FreeAddress(tb), p.URL
	if prefix != "/" {
		to += "/" // nginx then replaces the prefix with it
	}
	server := fmt.Sprintf("listen %s; location %s { proxy_pass %s; %s }", addr, prefix, to, strings.Join(directives, " "))
	return NginxServer(tb, p, "http://"+addr+strings.TrimSuffix(prefix, "/"), server)
}

// NginxServer starts nginx with the directives of one server. It returns the program as seen at
// the URL.
func NginxServer(tb testing.TB, p *testkit.Program, at, server string) *testkit.Program {
	tb.Helper()
	folder := tb.TempDir()
	config := filepath.Join(folder, "nginx.conf")
	testkit.Write(tb, config, fmt.Appendf(nil, `
daemon off; master_process off; pid %[1]s/pid; error_log stderr;
events { }
http {
	access_log off;
	client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi; uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
	server { %[2]s }
}`, folder, server))
	return inFront(tb, p, at, "nginx", "-p", folder, "-e", "stderr", "-c", config)
}

// HAProxy starts HAProxy in front of a program. front and behind are options of its bind and
// server lines.
func HAProxy(tb testing.TB, p *testkit.Program, front, behind string) *testkit.Program {
	tb.Helper()
	folder, addr := tb.TempDir(), testkit.FreeAddress(tb)
	config := filepath.Join(folder, "haproxy.cfg")
	testkit.Write(tb, config, fmt.Appendf(nil, `
global
	maxconn 100
defaults
	mode http
	option http-no-delay # else it waits 200 ms for more, in HTTP/1.1 without TLS
	timeout connect 5s
	timeout client 1m
	timeout server 1m
frontend all
	bind %s %s
	default_backend service
backend service
	server one %s %s
`, addr, front, p.Host(), behind))
	return inFront(tb, p, "http://"+addr, "haproxy", "-db", "-f", config)
}

// inFront starts a proxy that listens at the URL's address, and returns the program as seen
// there.
func inFront(tb testing.TB, p *testkit.Program, at, name string, args ...string) *testkit.Program {
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
	var out testkit.Log
	cmd.Stdout, cmd.Stderr = &out, &out
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
			through := testkit.At(tb, at)
			through.Log = p.Log
			return through
		}
		if time.Since(began) > testkit.Patience {
			tb.Fatalf("%s does not answer:\n%s", name, &out)
		}
	}
}

// unreachable answers for a program that does not answer.
func unreachable(w http.ResponseWriter, _ *http.Request, _ error) {
	w.WriteHeader(http.StatusBadGateway)
}
