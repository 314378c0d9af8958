package site

import (
	"fmt"
	"io"
	stdlog "log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"marcador/auth"
	"marcador/test/testkit"
)

// clientPage follows the global board by the client alone: as the user that its address names,
// or else as nobody. It records each status and, by version, all rows.
const clientPage = `<!doctype html><html lang="es"><title>client</title><script type="module">
import { connect } from "/marcador.js";
const user = new URLSearchParams(location.search).get("user");
window.tokens = 0;
const getToken = user === null ? undefined : async () => {
	tokens += 1;
	return (await fetch("/token?user=" + user)).text();
};
window.statuses = [];
window.rows = {};
window.board = connect({ getToken, rows: 8 });
const record = () => {
	const { status, version, entries } = board.getSnapshot();
	if (statuses.at(-1) !== status) statuses.push(status);
	if (version !== null) rows[version] = entries.map((one) => ({ ...one, isCurrentUser: false }));
};
board.subscribe(record);
record();
</script></html>`

// teacherPage has a tag for each of seven classes, each with a getToken of its own.
const teacherPage = `<!doctype html><html lang="es"><title>classes</title>
<script type="module" src="/marcador/element.js"></script>
<main></main>
<script>
const getToken = async () => (await fetch("/token?user=teacher")).text();
const told = [];
addEventListener("marcador-status", ({ detail }) => told.push(detail.status));
for (let i = 0; i < 7; i++) {
	const one = document.createElement("marcador-board");
	one.setAttribute("board", "classroom:c" + i);
	one.getToken = async () => getToken();
	document.querySelector("main").append(one);
}
</script></html>`

// Client is a service, and pages of the client at the same address: /client and /classes.
type Client struct {
	*httptest.Server

	Service  *testkit.Program
	Streams  Streams
	Extended atomic.Int32 // tokens that live streams were given
	Away     atomic.Bool  // the API answers 502

	// Delayed makes streams wait until the channel is closed, as behind a proxy that buffers
	// them. Nil delays none.
	Delayed atomic.Pointer[chan struct{}]
}

// OpenClient starts a service with these flags, and the pages. Their tokens are good for as long
// as ttl says.
func OpenClient(tb testing.TB, ttl time.Duration, flags ...string) *Client {
	tb.Helper()
	c := &Client{Service: testkit.Serve(tb, flags...)}
	onward, closeIdle := c.proxy(tb)
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if c.Away.Load() && strings.HasPrefix(r.URL.Path, "/v1/") {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		onward.ServeHTTP(w, r)
	})
	mux.HandleFunc("GET /v1/events", func(w http.ResponseWriter, r *http.Request) {
		defer c.Streams.count(r)()
		if delayed := c.Delayed.Load(); delayed != nil {
			select {
			case <-*delayed:
			case <-r.Context().Done():
			}
		}
		if c.Away.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		onward.ServeHTTP(w, r)
	})
	mux.HandleFunc("POST /v1/events/{socketId}/token", func(w http.ResponseWriter, r *http.Request) {
		c.Extended.Add(1)
		onward.ServeHTTP(w, r)
	})
	addPages(tb, mux, ttl)
	c.Server = httptest.NewServer(mux)
	tb.Cleanup(func() {
		c.CloseClientConnections()
		c.Close()
		closeIdle()
	})
	return c
}

// proxy returns the way to the service.
func (c *Client) proxy(tb testing.TB) (onward http.Handler, closeIdle func()) {
	tb.Helper()
	to, err := url.Parse(c.Service.URL)
	if err != nil {
		tb.Fatal(err)
	}
	transport := &http.Transport{}
	return &httputil.ReverseProxy{
		Transport:     transport,
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(to) },
		FlushInterval: -1,
		ErrorLog:      stdlog.New(io.Discard, "", 0), // streams are cut on purpose
		ErrorHandler:  func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}, transport.CloseIdleConnections
}

// addPages adds the pages, and what they get their tokens from.
func addPages(tb testing.TB, mux *http.ServeMux, ttl time.Duration) {
	tb.Helper()
	for path, content := range map[string]string{"GET /client": clientPage, "GET /classes": teacherPage} {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			fmt.Fprint(w, content)
		})
	}
	signer, err := auth.NewVerifier(auth.Options{Secret: []byte(testkit.Secret)})
	if err != nil {
		tb.Fatal(err)
	}
	mux.HandleFunc("GET /token", func(w http.ResponseWriter, r *http.Request) {
		token, err := signer.Sign(auth.Caller{UserID: r.FormValue("user")}, ttl)
		if err != nil {
			tb.Error(err)
		}
		fmt.Fprint(w, token)
	})
}
