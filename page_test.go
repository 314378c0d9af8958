package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// Two windows: what is done in one moves the other.
func TestPage_twoWindows(t *testing.T) {
	p := start(t, "demo", "--addr", "127.0.0.1:0", "--throttle", "4s")
	window := browser(t)
	one, two := window(1280, 900, "es-MX"), window(1280, 900, "en-US")

	must(t, two, chromedp.Navigate(p.url))
	until(t, two, isLive+` && `+rowsOf+`.length > 40`)
	// Somebody in the lower half, so that there is a way up.
	student := eval[string](t, two, `[...document.querySelectorAll("tr[data-user-id]")][40].dataset.userId`)
	must(t, one, chromedp.Navigate(p.url+"/?student="+student))
	until(t, one, isLive)
	if got := eval[string](t, one, `document.querySelector("#status-text").textContent`); got != "En vivo" {
		t.Errorf("the mark says %q, want En vivo", got)
	}
	if got := eval[string](t, two, `document.querySelector("#status-text").textContent`); got != "Live" {
		t.Errorf("the mark says %q, want Live", got)
	}
	if got := eval[string](t, two, `document.documentElement.lang`); got != "en" {
		t.Errorf("lang = %q, want en", got)
	}
	row := fmt.Sprintf(`document.querySelector('tr[data-user-id=%q]')`, student)
	place := `[...document.querySelectorAll("tr[data-user-id]")].indexOf(` + row + `)`
	before := eval[int](t, two, place)
	script(t, two, `window.seen = `+row)
	for i := 0; eval[int](t, two, place) >= before; i++ {
		if i == 30 {
			t.Fatal("thirty exercises moved nothing")
		}
		must(t, one, chromedp.Click(chromedp.ID("exercise")), chromedp.WaitEnabled(chromedp.ID("exercise")))
		if i%5 == 4 { // wait for a broadcast in the other window
			version := eval[string](t, two, `document.querySelector("#time").dateTime`)
			until(t, two, fmt.Sprintf(`document.querySelector("#time").dateTime !== %q`, version))
		}
	}
	if !eval[bool](t, two, `window.seen === `+row) {
		t.Error("the row was made anew instead of moved")
	}

	// The own row is marked, and one's rank is in view in any case.
	until(t, one, row+`.classList.contains("own")`)
	if eval[bool](t, two, `document.querySelector("tr.own") !== null`) {
		t.Error("a row is marked for somebody who only watches")
	}
	script(t, one, `window.scrollTo(0, 0)`)
	must(t, one, chromedp.EmulateViewport(1280, 400))
	until(t, one, `!document.querySelector("#me").hidden && /\d/.test(document.querySelector("#me-rank").textContent)`)

	if eval[string](t, one, `document.querySelector("#updated time").dateTime`) == "" {
		t.Error("the time of the last update is not shown")
	}
	if got := eval[int](t, one, `performance.getEntriesByType("resource").filter((r) => !r.name.startsWith(location.origin)).length`); got != 0 {
		t.Errorf("the page asked %d things of other hosts", got)
	}
}

// The banner shows at an update and is gone after three seconds.
func TestPage_banner(t *testing.T) {
	p := serveOn(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "m.db"), "--public")
	p.enrol(3)
	ctx := browser(t)(800, 600, "es-MX")
	must(t, ctx, chromedp.Navigate(p.url))
	until(t, ctx, isLive)
	if eval[bool](t, ctx, bannerOn) {
		t.Error("the banner shows before an update")
	}
	script(t, ctx, `
		window.banner = document.querySelector("#banner");
		window.times = [];
		new MutationObserver(() => times.push(performance.now())).observe(banner, { attributeFilter: ["class"] });
		window.layout = document.querySelector("tr[data-user-id]").getBoundingClientRect().top`)
	p.call(tokenFor(t, "svc", "xp:write", time.Hour), http.MethodPost, "/v1/users/u3/xp", `{"xp":5}`, nil)
	until(t, ctx, bannerOn)
	if got := eval[string](t, ctx, `banner.textContent`); got != "Actualizado en tiempo real" {
		t.Errorf("the banner says %q", got)
	}
	if moved := eval[bool](t, ctx, `document.querySelector("tr[data-user-id]:first-child").getBoundingClientRect().top !== layout && !document.getAnimations().length`); moved {
		t.Error("the banner moves the rows")
	}
	until(t, ctx, `!(`+bannerOn+`)`)
	if took := eval[float64](t, ctx, `times.at(-1) - times[0]`); took < 2900 {
		t.Errorf("the banner was there for only %.0f ms, want 3 s", took)
	}
	until(t, ctx, `getComputedStyle(banner).visibility === "hidden" || getComputedStyle(banner).opacity === "0"`)
}

// The server is stopped and started again, and the page recovers by itself.
func TestPage_restart(t *testing.T) {
	db := filepath.Join(t.TempDir(), "m.db")
	addr := freeAddress(t)
	p := serveOn(t, addr, db, "--public")
	p.enrol(2)
	ctx := browser(t)(390, 844, "es-MX")
	must(t, ctx, chromedp.Navigate(p.url))
	until(t, ctx, isLive)
	p.stop()
	until(t, ctx, `document.querySelector("#status").dataset.status === "stale"`)
	if n := eval[int](t, ctx, `document.querySelectorAll("tr[data-user-id]").length`); n != 2 {
		t.Errorf("%d rows while the server is away, want those that were there", n)
	}
	p = serveOn(t, addr, db, "--public")
	p.call(tokenFor(t, "svc", "xp:write", time.Hour), http.MethodPost, "/v1/users/u2/xp", `{"xp":77}`, nil)
	until(t, ctx, isLive)
	until(t, ctx, `document.querySelector("tr[data-user-id]").dataset.userId === "u2"`)
	until(t, ctx, `document.querySelector('tr[data-user-id="u2"] .points').textContent === "77"`)
}

// freeAddress is one that nobody else takes while a server is away: its port is
// below those that the system gives out.
func freeAddress(tb testing.TB) string {
	tb.Helper()
	for {
		addr := fmt.Sprintf("127.0.0.1:%d", 20_000+rand.IntN(10_000))
		if l, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", addr); err == nil {
			if err := l.Close(); err != nil {
				tb.Fatal(err)
			}
			return addr
		}
	}
}

// Without a token there is no stream, but the page can be refreshed.
func TestPage_withoutToken(t *testing.T) {
	p := start(t, "demo", "--addr", "127.0.0.1:0", "--students", "500", "--throttle", "0")
	ctx := browser(t)(800, 600, "es-MX")
	must(t, ctx, chromedp.Navigate(p.url+"/?student=-"))
	until(t, ctx, `document.querySelector("#status").dataset.status === "readonly" && document.querySelectorAll("tr[data-user-id]").length === 100`)
	if got := eval[string](t, ctx, `document.querySelector("#status-text").textContent`); got != "Modo lectura" {
		t.Errorf("the mark says %q", got)
	}
	if !eval[bool](t, ctx, `document.querySelector("#exercise").disabled`) {
		t.Error("an exercise can be completed by nobody")
	}
	// The points of the school's students come in all the while.
	total := `[...document.querySelectorAll(".points")].map((e) => e.textContent).join()`
	before := eval[string](t, ctx, total)
	for deadline := time.Now().Add(patient); eval[string](t, ctx, total) == before; {
		if time.Now().After(deadline) {
			t.Fatal("refreshing shows nothing new")
		}
		must(t, ctx, chromedp.Click(chromedp.ID("refresh")), chromedp.Sleep(100*time.Millisecond))
	}
	if streams := eval[int](t, ctx, `performance.getEntriesByType("resource").filter((r) => r.name.includes("/v1/events")).length`); streams != 0 {
		t.Errorf("%d streams were asked for without a token", streams)
	}

	// Where nobody is served without a token, the page says so.
	closed := serveOn(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "m.db"))
	must(t, ctx, chromedp.Navigate(closed.url))
	until(t, ctx, `!document.querySelector("#notice").hidden`)
}
