package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// way is a protocol of idle streams.
type way struct {
	server string
	over   string
	tls    bool
	http2  bool
	each   int // streams on each connection; 0 means one
}

// idle opens streams on which nothing happens, and measures how much memory each takes.
func (b *bench) idle(ctx context.Context) ([]*table, error) {
	t := &table{
		title: "idle",
		intro: "Streams on which nothing happens after their first state. Each has its own user and, unless the table says otherwise, its own connection. " +
			"RSS is the growth of the server process for each stream, once it has stopped falling; kernel is the memory of the server's socket (`ss -tm`), the median of all.",
		head: []string{"server", "over", "streams", "RSS", "× bare", "kernel"},
	}
	ways := []way{
		{server: "bare", over: "HTTP/1.1"},
		{server: "marcador", over: "HTTP/1.1"},
		{server: "r3labs", over: "HTTP/1.1"},
	}
	if b.program.has("--tls-cert") && b.program.has("--tls-key") {
		ways = append(ways,
			way{server: "marcador", over: "TLS, HTTP/1.1", tls: true},
			way{server: "marcador", over: "TLS, HTTP/2", tls: true, http2: true},
			way{server: "marcador", over: "TLS, HTTP/2, 10 a connection", tls: true, http2: true, each: 10})
	} else {
		t.remark("marcador does not speak TLS yet, so HTTPS is left out.")
	}
	results := make([]series, len(ways))
	for run := range b.count {
		for i, w := range ways {
			streams := b.fits(t, b.idleStreams)
			if w.tls {
				streams = b.fits(t, b.idleTLS)
			}
			b.progress("idle %d/%d: %s, %d streams over %s", run+1, b.count, w.server, streams, w.over)
			rss, kernel, err := b.idleOf(ctx, w, streams)
			if err != nil {
				return nil, fmt.Errorf("idle, %s over %s: %w", w.server, w.over, err)
			}
			if results[i] == nil {
				results[i] = series{}
			}
			results[i].add("streams", float64(streams))
			results[i].add("rss", rss)
			results[i].add("ratio", rss/results[0]["rss"][run])
			if kernel >= 0 {
				results[i].add("kernel", float64(kernel))
			}
		}
	}
	for i, w := range ways {
		kernel := "–"
		if results[i].has("kernel") {
			kernel = kilobytes(results[i].median("kernel"))
		}
		t.add(w.server, w.over, fmt.Sprintf("%.0f", results[i].median("streams")), kilobytes(results[i].median("rss")), times(results[i].median("ratio")), kernel)
	}
	return []*table{t}, nil
}

// idleOf returns the bytes of RSS and the bytes in the kernel that each stream takes. kernel is -1
// if that is not known.
func (b *bench) idleOf(ctx context.Context, w way, streams int) (rss float64, kernel int64, err error) {
	const before = 20 // the first streams also pay for what all share
	var flags []string
	if w.tls {
		cert, key, err := certificate(b.folder)
		if err != nil {
			return 0, 0, fmt.Errorf("make a certificate: %w", err)
		}
		flags = []string{"--tls-cert", cert, "--tls-key", key}
	}
	srv, err := b.start(ctx, w.server, stream{}, flags...)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, srv.stop()) }()
	p, err := newPool(b.loops)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	open := b.clients(p, w.server, srv, stream{}).open
	if s, ok := srv.(*service); ok && w.tls {
		h := holder{service: s, http2: w.http2, each: max(w.each, 1)}
		defer h.close()
		open = h.open
	}
	if err := open(ctx, before); err != nil {
		return 0, 0, err
	}
	first, err := settledRSS(ctx, srv.pid())
	if err != nil {
		return 0, 0, err
	}
	if err := open(ctx, streams); err != nil {
		return 0, 0, err
	}
	last, err := settledRSS(ctx, srv.pid())
	if err != nil {
		return 0, 0, err
	}
	kernel = -1
	if all, ok := socketMemory(ctx, srv.addr().Port, 0); ok {
		kernel = quantile(all, 0.5)
	}
	return float64(last-first) / float64(streams), kernel, nil
}

// holder opens streams over TLS with net/http. Its own cost does not matter here.
type holder struct {
	service *service
	http2   bool
	each    int // streams on each connection

	mu     sync.Mutex
	opened int         // guarded by mu
	bodies []io.Closer // guarded by mu
	failed error       // guarded by mu
	read   sync.WaitGroup
}

// open opens n streams and returns when all have begun.
func (h *holder) open(ctx context.Context, n int) error {
	room := make(chan struct{}, 16) // most handshakes at the same time
	var opening sync.WaitGroup
	for ; n > 0; n -= h.each {
		share := min(n, h.each)
		room <- struct{}{}
		opening.Go(func() {
			defer func() { <-room }()
			transport := h.transport()
			for range share { // one after the other, so that they share a connection
				if err := h.one(ctx, transport); err != nil {
					h.mu.Lock()
					defer h.mu.Unlock()
					h.failed = errors.Join(h.failed, err)
					return
				}
			}
		})
	}
	opening.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.failed
}

// transport returns a transport for one connection.
func (h *holder) transport() *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP1(!h.http2)
	protocols.SetHTTP2(h.http2)
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}, Timeout: 10 * time.Second}
	return &http.Transport{
		DialContext: dialer.DialContext, TLSClientConfig: trusting(),
		Protocols: &protocols, DisableCompression: true,
	}
}

// one opens a stream.
func (h *holder) one(ctx context.Context, transport *http.Transport) error {
	h.mu.Lock()
	n := h.opened
	h.opened++
	h.mu.Unlock()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, h.service.url+"/v1/events?board=global", nil)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+h.service.program.tokens[n%len(h.service.program.tokens)])
	response, err := transport.RoundTrip(r)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return errors.Join(errors.New("the server answered with "+strconv.Itoa(response.StatusCode)), response.Body.Close())
	}
	first := make([]byte, 256)
	if _, err := response.Body.Read(first); err != nil {
		return errors.Join(err, response.Body.Close())
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.bodies = append(h.bodies, response.Body)
	h.read.Go(func() {
		_, _ = io.Copy(io.Discard, response.Body) // until it is closed
		transport.CloseIdleConnections()
	})
	return nil
}

func (h *holder) close() {
	h.mu.Lock()
	bodies := h.bodies
	h.mu.Unlock()
	for _, body := range bodies {
		_ = body.Close() // its data no longer matters
	}
	h.read.Wait()
}
