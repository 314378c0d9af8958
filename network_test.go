package main

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// few is a service with four people, u1 to u4, in this order.
func few(tb testing.TB) (p *program, give func(user string, xp int)) {
	tb.Helper()
	p = serveOn(tb, "127.0.0.1:0", filepath.Join(tb.TempDir(), "m.db"), "--public")
	p.enrol(4)
	service := tokenFor(tb, "svc", "xp:write", time.Hour)
	give = func(user string, xp int) {
		tb.Helper()
		p.call(service, http.MethodPost, "/v1/users/"+user+"/xp", fmt.Sprintf(`{"xp":%d}`, xp), nil)
	}
	for i := range 4 {
		give(fmt.Sprintf("u%d", i+1), 400-100*i)
	}
	return p, give
}

// leads is the condition that somebody's row is the first, with these points.
func leads(user string, points int) string {
	return fmt.Sprintf(`(() => {
		const row = %s;
		return row !== null && Number(row.querySelector(".rank").textContent) === 1 && row.querySelector(".points").textContent.replace(/\D/g, "") === "%d";
	})()`, rowOf(user), points)
}

// connected switches a window's network on or off.
func connected(tb testing.TB, ctx context.Context, on bool) {
	tb.Helper()
	conditions := &network.Conditions{Offline: !on, DownloadThroughput: -1, UploadThroughput: -1}
	send(tb, ctx, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{MatchedNetworkConditions: []*network.Conditions{conditions}})
	send(tb, ctx, network.OverrideNetworkState, network.OverrideNetworkStateParams{Offline: !on, DownloadThroughput: -1, UploadThroughput: -1})
}

// The network goes and comes back: what was there stays, and what was missed shows.
func TestPage_offline(t *testing.T) {
	p, give := few(t)
	g := before(t, p)
	ctx := browser(t)(800, 600, "es-MX")
	must(t, ctx, chromedp.Navigate(g.url))
	until(t, ctx, isLive)
	until(t, ctx, leads("u1", 400))
	connected(t, ctx, false)
	g.cut()
	until(t, ctx, `!navigator.onLine && !(`+statusIs("live")+`)`)
	give("u4", 900)
	if n := eval[int](t, ctx, rowsOf+`.length`); n != 4 {
		t.Errorf("%d rows without a network, want those that were there", n)
	}
	connected(t, ctx, true)
	until(t, ctx, isLive)
	until(t, ctx, leads("u4", 1000))
}

// After five failures in a row the page stops asking and says so; a press on its
// button is another try.
func TestPage_retry(t *testing.T) {
	p, give := few(t)
	g := before(t, p)
	ctx := browser(t)(800, 600, "es-MX")
	hurry(t, ctx)
	must(t, ctx, chromedp.Navigate(g.url))
	until(t, ctx, isLive)
	g.refusing.Store(true)
	asked := g.streamed.Load()
	g.cut()
	until(t, ctx, statusIs("offline"))
	if tries := g.streamed.Load() - asked; tries != 5 {
		t.Errorf("it tried %d times, want 5", tries)
	}
	if got := eval[string](t, ctx, `document.querySelector("#status").innerText`); got != "Sin conexión\nReintentar" {
		t.Errorf("the mark says %q", got)
	}
	if n := eval[int](t, ctx, rowsOf+`.length`); n != 4 {
		t.Errorf("%d rows while offline, want those that were there", n)
	}
	must(t, ctx, chromedp.Click(chromedp.ID("retry")))
	until(t, ctx, statusIs("offline")) // five tries more
	if tries := g.streamed.Load() - asked; tries <= 5 {
		t.Error("the button tries nothing")
	}
	give("u3", 700)
	g.refusing.Store(false)
	must(t, ctx, chromedp.Click(chromedp.ID("retry")))
	until(t, ctx, isLive)
	until(t, ctx, leads("u3", 900))
}

// The reader's boards are offered for as long as it is them who reads, and are asked
// for again where they could not be had.
func TestPage_reader(t *testing.T) {
	p, _ := few(t)
	g := before(t, p)
	ctx := browser(t)(800, 600, "es-MX")
	hurry(t, ctx)
	boards := `[...document.querySelectorAll("#boards a")].map((a) => a.textContent).join()`
	must(t, ctx, chromedp.Navigate(g.url))
	until(t, ctx, isLive)
	signIn(t, ctx, "u1")
	g.faceless.Store(true)
	beforehand(t, ctx, `
		window.warnings = 0;
		console.warn = () => { warnings += 1 };`)
	must(t, ctx, chromedp.Navigate(g.url))
	until(t, ctx, isLive+` && warnings > 1`) // the first time, and once later
	if got := eval[string](t, ctx, boards); got != "Global" {
		t.Errorf("before they are known there are the boards %q", got)
	}
	g.faceless.Store(false)
	until(t, ctx, boards+` === "Global,Amigos"`)

	g.cutAndAwait(t)
	until(t, ctx, isLive)
	if got := eval[string](t, ctx, boards); got != "Global,Amigos" {
		t.Errorf("after an interruption there are the boards %q", got)
	}
	send(t, ctx, network.ClearBrowserCookies, cdp.Empty{})
	g.cut()
	until(t, ctx, boards+` === "Global"`)
}

// An event that is no event is passed over: nothing breaks, nothing is shown of it,
// and the stream goes on.
func TestPage_malformed(t *testing.T) {
	p, give := few(t)
	g := before(t, p)
	ctx := browser(t)(800, 600, "es-MX")
	beforehand(t, ctx, `
		window.failures = [];
		addEventListener("error", (e) => failures.push(e.message));
		addEventListener("unhandledrejection", (e) => failures.push(String(e.reason)));
		window.warnings = 0;
		console.warn = () => { warnings += 1 };`)
	must(t, ctx, chromedp.Navigate(g.url))
	until(t, ctx, isLive)
	asked := g.streamed.Load()
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
		g.say(t, event)
	}
	give("u2", 800)
	until(t, ctx, leads("u2", 1100))
	if n := eval[int](t, ctx, rowsOf+`.length`); n != 4 {
		t.Errorf("%d rows are shown, want 4", n)
	}
	if warnings := eval[int](t, ctx, `warnings`); warnings < 5 {
		t.Errorf("%d warnings in the console, want one for each event that is malformed", warnings)
	}
	if failures := eval[[]string](t, ctx, `failures`); len(failures) > 0 {
		t.Errorf("the page fails: %q", failures)
	}
	if again := g.streamed.Load() - asked; again != 0 {
		t.Errorf("the stream was opened %d times again", again)
	}
}
