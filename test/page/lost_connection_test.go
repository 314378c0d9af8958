package page_test

import (
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"

	"marcador/test/testkit"
	"marcador/test/testkit/browser"
	"marcador/test/testkit/proxy"
	"marcador/test/testkit/site"
)

// few starts a service with four people, u1 to u4, in this order.
func few(tb testing.TB) *testkit.Program {
	tb.Helper()
	p := testkit.Serve(tb, "--public")
	p.Enrol(4)
	p.GiveAll(4)
	return p
}

// connected switches a window's network on or off.
func connected(window *browser.Window, on bool) {
	conditions := &network.Conditions{Offline: !on, DownloadThroughput: -1, UploadThroughput: -1}
	browser.Send(window, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{MatchedNetworkConditions: []*network.Conditions{conditions}})
	browser.Send(window, network.OverrideNetworkState, network.OverrideNetworkStateParams{Offline: !on, DownloadThroughput: -1, UploadThroughput: -1})
}

// When the network goes, the rows stay. When it comes back, the page shows what it missed.
func TestPage_offline(t *testing.T) {
	p := few(t)
	g := proxy.NewUnreliable(t, p)
	window := browser.Open(t, 800, 600, "es-MX")
	window.Visit(g.URL, site.Live)
	window.Until(site.Leads("u1", 400))
	connected(window, false)
	g.Cut()
	window.Until(`!navigator.onLine && !(` + site.Status("live") + `)`)
	p.Give("u4", 900)
	if n := browser.Eval[int](window, site.Rows+`.length`); n != 4 {
		t.Errorf("%d rows without a network, want those that were there", n)
	}
	connected(window, true)
	window.Until(site.Live)
	window.Until(site.Leads("u4", 1000))
}

// After five failures in a row the page stops asking and says so. Its button starts another try.
func TestPage_retry(t *testing.T) {
	p := few(t)
	g := proxy.NewUnreliable(t, p)
	window := browser.Open(t, 800, 600, "es-MX")
	window.Hurry()
	window.Visit(g.URL, site.Live)
	g.Refusing.Store(true)
	asked := g.Streams.Load()
	g.Cut()
	window.Until(site.Status("offline"))
	if tries := g.Streams.Load() - asked; tries != 5 {
		t.Errorf("it tried %d times, want 5", tries)
	}
	if got := browser.Eval[string](window, `document.querySelector("#status").innerText`); got != "Sin conexión\nReintentar" {
		t.Errorf("the status says %q", got)
	}
	if n := browser.Eval[int](window, site.Rows+`.length`); n != 4 {
		t.Errorf("%d rows while offline, want those that were there", n)
	}
	window.Click("retry")
	window.Until(site.Status("offline")) // five tries more
	if tries := g.Streams.Load() - asked; tries <= 5 {
		t.Error("the button tries nothing")
	}
	p.Give("u3", 700)
	g.Refusing.Store(false)
	window.Click("retry")
	window.Until(site.Live)
	window.Until(site.Leads("u3", 900))
}

// The reader's boards are offered for as long as the reader is signed in. The page asks for them
// again if it could not get them.
func TestPage_reader(t *testing.T) {
	p := few(t)
	g := proxy.NewUnreliable(t, p)
	window := browser.Open(t, 800, 600, "es-MX")
	window.Hurry()
	boards := `[...document.querySelectorAll("#boards a")].map((a) => a.textContent).join()`
	window.Visit(g.URL, site.Live)
	window.SignIn("u1")
	g.HidingProfiles.Store(true)
	window.Beforehand(`
		window.warnings = 0;
		console.warn = () => { warnings += 1 };`)
	window.Visit(g.URL)
	window.Until(site.Live + ` && warnings > 1`) // the first time, and once later
	if got := browser.Eval[string](window, boards); got != "Global" {
		t.Errorf("before they are known there are the boards %q", got)
	}
	g.HidingProfiles.Store(false)
	window.Until(boards + ` === "Global,Amigos"`)

	g.CutAndAwait(t)
	window.Until(site.Live)
	if got := browser.Eval[string](window, boards); got != "Global,Amigos" {
		t.Errorf("after an interruption there are the boards %q", got)
	}
	browser.Send(window, network.ClearBrowserCookies, cdp.Empty{})
	g.Cut()
	window.Until(boards + ` === "Global"`)
}

// The page passes over malformed events: it shows nothing of them, does not break, and keeps its
// stream.
func TestPage_malformed(t *testing.T) {
	p := few(t)
	g := proxy.NewUnreliable(t, p)
	window := browser.Open(t, 800, 600, "es-MX")
	window.Beforehand(`
		window.failures = [];
		addEventListener("error", (e) => failures.push(e.message));
		addEventListener("unhandledrejection", (e) => failures.push(String(e.reason)));
		window.warnings = 0;
		console.warn = () => { warnings += 1 };`)
	window.Visit(g.URL, site.Live)
	asked := g.Streams.Load()
	entry := `{"rank":1,"userId":"u9","username":"Nobody","avatar":null,"rankBadge":"Ajaw","score":9,"xp":9,"mlCoins":0,"change":0,"changeType":"same","isCurrentUser":false}`
	for _, event := range []string{
		"event: leaderboard:updated\ndata: {\"leaderboard\": [\n\n",
		"event: leaderboard:updated\ndata: null\n\n",
		"event: leaderboard:updated\ndata: {\"board\":\"global\",\"period\":\"all-time\",\"version\":99,\"leaderboard\":[{\"rank\":\"first\"}]}\n\n",
		"event: leaderboard:updated\ndata: {\"board\":\"global\",\"period\":\"all-time\",\"version\":-1,\"timestamp\":\"soon\",\"totalEntries\":1,\"leaderboard\":[" + entry + "]}\n\n",
		"event: position_change\ndata: {\"type\":\"position_change\",\"board\":\"global\",\"period\":\"all-time\",\"from\":\"x\",\"version\":99,\"changes\":[null]}\n\n",
		"event: rank_changed\ndata: []\n\n",
		"event: authenticated\ndata: 1\n\n",
		"data: a message without a name\n\n",
		"event: something_new\ndata: {}\n\n",
		"\x00\xff\xfe: \n\n",
	} {
		g.WriteIntoStreams(t, event)
	}
	p.Give("u2", 800)
	window.Until(site.Leads("u2", 1100))
	if n := browser.Eval[int](window, site.Rows+`.length`); n != 4 {
		t.Errorf("%d rows are shown, want 4", n)
	}
	if warnings := browser.Eval[int](window, `warnings`); warnings < 5 {
		t.Errorf("%d warnings in the console, want one for each event that is malformed", warnings)
	}
	if failures := browser.Eval[[]string](window, `failures`); len(failures) > 0 {
		t.Errorf("the page fails: %q", failures)
	}
	if again := g.Streams.Load() - asked; again != 0 {
		t.Errorf("the stream was opened %d times again", again)
	}
}
