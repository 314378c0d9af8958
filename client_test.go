package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	stdlog "log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"marcador/auth"
)

// ofClient is a page that follows the global board by the client alone: as the user
// that its address names, or else as nobody. It notes each status and, by version,
// all rows.
const ofClient = `<!doctype html><html lang="es"><title>client</title><script type="module">
import { connect } from "/marcador.js";
const user = new URLSearchParams(location.search).get("user");
window.tokens = 0;
const getToken = user === null ? undefined : async () => {
	tokens += 1;
	return (await fetch("/token?user=" + user)).text();
};
window.stood = [];
window.held = {};
window.board = connect({ getToken, rows: 8 });
const note = () => {
	const { status, version, entries } = board.getSnapshot();
	if (stood.at(-1) !== status) stood.push(status);
	if (version !== null) held[version] = entries.map((one) => ({ ...one, isCurrentUser: false }));
};
board.subscribe(note);
note();
</script></html>`

// ofClasses is a teacher's page: a tag for each of seven classes, each with a getToken of its own.
const ofClasses = `<!doctype html><html lang="es"><title>classes</title>
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

// ofReaders is a service with such a page, at one address with it.
type ofReaders struct {
	*httptest.Server
	p        *program
	streams  atomic.Int32                  // open now
	asked    atomic.Int32                  // streams asked for so far
	extended atomic.Int32                  // tokens handed to live streams
	away     atomic.Bool                   // the API answers 502
	held     atomic.Pointer[chan struct{}] // streams wait until it is closed, as behind something that keeps them back
}

func openReaders(tb testing.TB, ttl time.Duration, flags ...string) *ofReaders {
	tb.Helper()
	p := serveOn(tb, "127.0.0.1:0", filepath.Join(tb.TempDir(), "m.db"), flags...)
	s := &ofReaders{p: p}
	to, err := url.Parse(p.url)
	if err != nil {
		tb.Fatal(err)
	}
	signer, err := auth.NewVerifier(auth.Options{Secret: []byte(secret)})
	if err != nil {
		tb.Fatal(err)
	}
	transport := &http.Transport{}
	proxy := &httputil.ReverseProxy{
		Transport:     transport,
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(to) },
		FlushInterval: -1,
		ErrorLog:      stdlog.New(io.Discard, "", 0), // streams are cut on purpose
		ErrorHandler:  func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if s.away.Load() && strings.HasPrefix(r.URL.Path, "/v1/") {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		proxy.ServeHTTP(w, r)
	})
	mux.HandleFunc("GET /v1/events", func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		s.streams.Add(1)
		defer s.streams.Add(-1)
		if held := s.held.Load(); held != nil {
			select {
			case <-*held:
			case <-r.Context().Done():
			}
		}
		if s.away.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		proxy.ServeHTTP(w, r)
	})
	mux.HandleFunc("POST /v1/events/{socketId}/token", func(w http.ResponseWriter, r *http.Request) {
		s.extended.Add(1)
		proxy.ServeHTTP(w, r)
	})
	mux.HandleFunc("GET /client", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, ofClient)
	})
	mux.HandleFunc("GET /classes", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, ofClasses)
	})
	mux.HandleFunc("GET /token", func(w http.ResponseWriter, r *http.Request) {
		token, err := signer.Sign(auth.Caller{UserID: r.FormValue("user")}, ttl)
		if err != nil {
			tb.Error(err)
		}
		fmt.Fprint(w, token)
	})
	s.Server = httptest.NewServer(mux)
	tb.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
		transport.CloseIdleConnections()
	})
	return s
}

// visit opens the page as a user and waits until it is live.
func (s *ofReaders) visit(tb testing.TB, ctx context.Context, query string) {
	tb.Helper()
	must(tb, ctx, chromedp.Navigate(s.URL+"/client"+query))
	until(tb, ctx, clientLive)
}

const (
	clientLive  = `board.getSnapshot().status === "live" && board.getSnapshot().version !== null`
	clientStood = `stood.join()`
)

// tops is the condition that somebody is first, with these points.
func tops(user string, points int) string {
	return fmt.Sprintf(`board.getSnapshot().entries[0].userId === %q && board.getSnapshot().entries[0].score === %d`, user, points)
}

// Tabs of one person share a stream, which passes on when the tab that has it is
// closed or frozen; nobody notices.
func TestClient_tabs(t *testing.T) {
	s := openReaders(t, time.Hour)
	s.p.crowd(4)
	one := browser(t)(800, 600, "es-MX")
	s.visit(t, one, "?user=u2")
	two, three := tab(t, one), tab(t, one)
	s.visit(t, two, "?user=u2")
	s.visit(t, three, "?user=u2")
	if got := s.asked.Load(); got != 1 {
		t.Errorf("three tabs have asked for %d streams, want 1", got)
	}
	expect(t, three, "the user of a tab that follows", `board.getSnapshot().userId`, "u2")
	s.p.points("u4", 90)
	for _, ctx := range []context.Context{one, two, three} {
		until(t, ctx, tops("u4", 100))
	}
	// Another person in the same browser has another stream.
	other := tab(t, one)
	s.visit(t, other, "?user=u3")
	untilStreams(t, &s.streams, 2)
	must(t, other, chromedp.Navigate("about:blank"))
	untilStreams(t, &s.streams, 1)

	must(t, one, chromedp.Navigate("about:blank"))
	s.p.points("u3", 180)
	for _, ctx := range []context.Context{two, three} {
		until(t, ctx, tops("u3", 200))
		until(t, ctx, clientLive)
		expect(t, ctx, "what a tab was while the stream passed on", clientStood, "connecting,live")
	}
	untilStreams(t, &s.streams, 1)

	send(t, two, page.SetWebLifecycleState, page.SetWebLifecycleStateParams{State: page.SetWebLifecycleStateStateFrozen})
	s.p.points("u1", 260)
	until(t, three, tops("u1", 300))
	until(t, three, clientLive)
	untilStreams(t, &s.streams, 1)
	send(t, two, page.SetWebLifecycleState, page.SetWebLifecycleStateParams{State: page.SetWebLifecycleStateStateActive})
	until(t, two, tops("u1", 300))
	until(t, two, clientLive)
	untilStreams(t, &s.streams, 1)
}

// A leader that does not answer is replaced by a tab that comes, and follows once it
// can again.
func TestClient_stuckLeader(t *testing.T) {
	s := openReaders(t, time.Hour)
	s.p.crowd(2)
	one := browser(t)(800, 600, "es-MX")
	two := tab(t, one)
	s.visit(t, one, "?user=u2")
	script(t, one, `setTimeout(() => { for (const end = Date.now() + 5_000; Date.now() < end; ); })`)
	s.visit(t, two, "?user=u2")
	if got := s.asked.Load(); got != 2 {
		t.Errorf("%d streams were asked for, want a second one", got)
	}
	s.p.points("u2", 90)
	until(t, two, tops("u2", 100))
	until(t, one, tops("u2", 100))
	untilStreams(t, &s.streams, 1)
	s.p.points("u1", 180)
	until(t, two, tops("u1", 200))
	until(t, one, tops("u1", 200))
}

// With a cookie, the tab that comes last leads: it knows whose the cookie is by now.
func TestClient_cookie(t *testing.T) {
	s := openReaders(t, time.Hour, "--public")
	s.p.crowd(3)
	one := browser(t)(800, 600, "es-MX")
	s.visit(t, one, "")
	expect(t, one, "who nobody is", `board.getSnapshot().userId`, (*string)(nil))
	signIn(t, one, "u2")
	two := tab(t, one)
	s.visit(t, two, "")
	for _, ctx := range []context.Context{two, one} {
		until(t, ctx, `board.getSnapshot().userId === "u2" && board.getSnapshot().me.rank === 2`)
	}
	untilStreams(t, &s.streams, 1)
}

// A stream whose token runs out goes on with the next one.
func TestClient_expiry(t *testing.T) {
	s := openReaders(t, 5*time.Second)
	s.p.crowd(2)
	ctx := browser(t)(800, 600, "es-MX")
	s.visit(t, ctx, "?user=u2")
	began := time.Now()
	for late := began.Add(patient); s.extended.Load() < 2; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(late) {
			t.Fatalf("%d tokens were handed on; the client asked for %d", s.extended.Load(), eval[int](t, ctx, `tokens`))
		}
	}
	if took := time.Since(began); took < 5*time.Second {
		t.Errorf("two tokens of 5 s were replaced within %s", took)
	}
	s.p.points("u2", 90)
	until(t, ctx, tops("u2", 100))
	expect(t, ctx, "what it was", clientStood, "connecting,live")
	if got := s.asked.Load(); got != 1 {
		t.Errorf("%d streams were asked for, want 1", got)
	}
}

// Whatever is written, and however often streams break, the client holds the
// service's page: with differences over fetch and EventSource, and by another tab.
func TestClient_differences(t *testing.T) {
	s := openReaders(t, time.Hour, "--public", "--top", "8")
	s.p.crowd(12)
	window := browser(t)
	fetching, sourcing := window(800, 600, "es-MX"), window(800, 600, "es-MX")
	for _, ctx := range []context.Context{fetching, sourcing} {
		beforehand(t, ctx, `Math.random = () => 0.01`) // tries come soon
	}
	s.visit(t, fetching, "?user=u5")
	s.visit(t, sourcing, "")
	following := tab(t, fetching)
	s.visit(t, following, "?user=u5")

	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	admin := tokenFor(t, "svc", "admin", time.Hour)
	pages := map[int][]map[string]any{}
	read := func() (version int) {
		var page struct {
			Version int
			Entries []map[string]any
		}
		s.p.call(admin, http.MethodGet, "/v1/leaderboards/global?limit=8", "", &page)
		pages[page.Version] = page.Entries
		return page.Version
	}
	read()
	for step := range 150 {
		user := fmt.Sprintf("/v1/users/u%d", 1+random.IntN(12))
		switch dice := random.IntN(20); {
		case dice == 0:
			s.p.try(admin, http.MethodDelete, user, "")
		case dice < 3:
			s.p.try(admin, http.MethodPut, user, fmt.Sprintf(`{"username":"Name %d"}`, step))
		default:
			s.p.try(admin, http.MethodPost, user+"/xp", fmt.Sprintf(`{"xp":%d}`, random.IntN(60)-20))
		}
		read()
		if step%50 == 25 {
			s.CloseClientConnections()
		}
	}
	s.p.call(admin, http.MethodPut, "/v1/users/u99", `{"username":"The last"}`, nil)
	s.p.call(admin, http.MethodPost, "/v1/users/u99/xp", `{"xp":9999}`, nil)
	last := read()
	if got := s.asked.Load(); got < 4 {
		t.Errorf("%d streams were asked for; none broke", got)
	}
	for name, ctx := range map[string]context.Context{"fetch": fetching, "EventSource": sourcing, "another tab": following} {
		until(t, ctx, fmt.Sprintf(`board.getSnapshot().version >= %d`, last))
		var held map[int][]map[string]any
		if err := json.Unmarshal([]byte(eval[string](t, ctx, `JSON.stringify(held)`)), &held); err != nil {
			t.Fatal(err)
		}
		compared := 0
		for version, rows := range held {
			if want, known := pages[version]; known {
				compared++
				if !reflect.DeepEqual(rows, want) {
					t.Fatalf("%s held of version %d\n%v, the page was\n%v", name, version, rows, want)
				}
			}
		}
		if compared < 20 {
			t.Errorf("%s: only %d versions were seen", name, compared)
		}
	}
}
