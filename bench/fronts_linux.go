package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// front is a way to the service: direct, or through a proxy.
type front struct {
	name    string
	program string // the proxy; empty if there is none
	ahead   string // the protocol of the client: a key of transports
	delays  bool   // the proxy is known to delay events
	// config is the configuration of the proxy, with %[1]s for its folder, %[2]s for its address
	// and %[3]s for the address of the service.
	config string
}

// fronts are the ways that are measured. nginx has its default configuration, except for what the
// name says. HAProxy has the option that the documentation asks for, except in the last three.
var fronts = []front{
	{name: "HTTP/1.1", ahead: "1.1"},
	{name: "HTTP/1.0", ahead: "1.0"},
	{name: "HTTP/2 without TLS", ahead: "2"},
	{name: "nginx, 1.0 behind", program: "nginx", ahead: "1.1", config: nginxWith("")},
	{name: "nginx, 1.1 behind", program: "nginx", ahead: "1.1", config: nginxWith("proxy_http_version 1.1;")},
	{name: "HAProxy: h1, h1 behind", program: "haproxy", ahead: "1.1", config: haproxyWith("", "", noDelay)},
	{name: "HAProxy: h1, h2 behind", program: "haproxy", ahead: "1.1", config: haproxyWith("", "proto h2", noDelay)},
	{name: "HAProxy: h2, h1 behind", program: "haproxy", ahead: "2", config: haproxyWith("proto h2", "", noDelay)},
	{name: "HAProxy as it comes: h1, h1 behind", program: "haproxy", ahead: "1.1", config: haproxyWith("", "", ""), delays: true},
	{name: "HAProxy as it comes: h1, h2 behind", program: "haproxy", ahead: "1.1", config: haproxyWith("", "proto h2", ""), delays: true},
	{name: "HAProxy as it comes: h2, h1 behind", program: "haproxy", ahead: "2", config: haproxyWith("proto h2", "", ""), delays: true},
}

const noDelay = "option http-no-delay"

func nginxWith(directives string) string {
	return `
daemon off; master_process off; pid %[1]s/pid; error_log stderr;
events { }
http {
	access_log off;
	client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
	server { listen %[2]s; location / { proxy_pass http://%[3]s; ` + directives + ` } }
}
`
}

func haproxyWith(bind, server, option string) string {
	return `
# %[1]s
global
	maxconn 100
defaults
	mode http
	timeout connect 5s
	timeout client 1m
	timeout server 1m
	` + option + `
frontend all
	bind %[2]s ` + bind + `
	default_backend service
backend service
	server one %[3]s ` + server + `
`
}

// installed returns the path of the proxy, or an empty one if it is not installed. It also looks in
// /usr/sbin, which only root has on PATH.
func (f front) installed() string {
	for _, name := range []string{f.program, "/usr/sbin/" + f.program} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// open starts the proxy for the service. It returns the address for clients, and a function that
// ends the proxy.
func (f front) open(ctx context.Context, folder, service string) (addr string, stop func() error, err error) {
	if f.program == "" {
		return service, func() error { return nil }, nil
	}
	if folder, err = os.MkdirTemp(folder, "front-"); err != nil {
		return "", nil, err
	}
	if addr, err = freeAddress(ctx); err != nil {
		return "", nil, err
	}
	config := filepath.Join(folder, "config")
	if err := os.WriteFile(config, fmt.Appendf(nil, f.config, folder, addr, service), 0o600); err != nil {
		return "", nil, err
	}
	args := []string{"-db", "-f", config}
	if f.program == "nginx" {
		args = []string{"-p", folder, "-e", "stderr", "-c", config}
	}
	c := newChild(f.installed(), args, nil)
	stderr, err := c.cmd.StderrPipe()
	if err != nil {
		return "", nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return "", nil, fmt.Errorf("start %s: %w", f.program, err)
	}
	var output sync.WaitGroup
	output.Go(func() {
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			c.said.add(lines.Text())
		}
	})
	c.wait(&output)
	if err := answers(ctx, c, addr); err != nil {
		return "", nil, errors.Join(fmt.Errorf("start %s: %w", f.program, err), c.stop())
	}
	return addr, c.stop, nil
}

// freeAddress returns a loopback address on which nobody listens.
func freeAddress(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// answers waits until the process listens at the address.
func answers(ctx context.Context, c *child, addr string) error {
	for began := time.Now(); ; {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-c.exited:
			return fmt.Errorf("it ended: %s", c.said.String())
		default:
		}
		if time.Since(began) > 10*time.Second {
			return fmt.Errorf("it does not listen: %w", err)
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
}

// transports are the protocols of clients. Each request gets a connection of its own.
var transports = map[string]func() http.RoundTripper{
	"1.0": func() http.RoundTripper { return http10{} },
	"1.1": func() http.RoundTripper {
		return &http.Transport{DisableCompression: true, DisableKeepAlives: true}
	},
	"2": func() http.RoundTripper {
		t := &http.Transport{DisableCompression: true, Protocols: new(http.Protocols)}
		t.Protocols.SetUnencryptedHTTP2(true)
		return t
	},
}

// body10 is the body of an HTTP/1.0 response, which ends with its connection.
type body10 struct {
	io.Reader

	conn io.Closer
}

// Close implements io.Closer.
func (b body10) Close() error { return b.conn.Close() }

// http10 sends HTTP/1.0 requests. Responses end with their connections.
type http10 struct{}

// RoundTrip implements http.RoundTripper.
func (http10) RoundTrip(r *http.Request) (*http.Response, error) {
	conn, err := new(net.Dialer).DialContext(r.Context(), "tcp", r.URL.Host)
	if err != nil {
		return nil, err
	}
	var head strings.Builder
	fmt.Fprintf(&head, "GET %s HTTP/1.0\r\n", r.URL.RequestURI())
	_ = r.Header.Write(&head) // a strings.Builder never fails
	if _, err := conn.Write([]byte(head.String() + "\r\n")); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), r)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	res.Body = body10{res.Body, conn}
	return res, nil
}
