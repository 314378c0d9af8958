package page_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"marcador/test/testkit"
	"marcador/test/testkit/browser"
	"marcador/test/testkit/site"
)

// An exercise that is completed in one window moves the row in another.
func TestPage_twoWindows(t *testing.T) {
	t.Parallel()
	p := testkit.Start(t, "demo", "--addr", testkit.AnyPort, "--throttle", "1s")
	one, two := browser.Open(t, 1280, 900, "es-MX"), browser.Open(t, 1280, 900, "en-US")

	two.Visit(p.URL, site.Live+` && `+site.Rows+`.length > 40`)
	// A student in the lower half can climb.
	student := browser.Eval[string](two, `[...document.querySelectorAll("tr[data-user-id]")][40].dataset.userId`)
	one.Visit(p.URL+"/?student="+student, site.Live)
	if got := browser.Eval[string](one, `document.querySelector("#status-text").textContent`); got != "En vivo" {
		t.Errorf("the status says %q, want En vivo", got)
	}
	if got := browser.Eval[string](two, `document.querySelector("#status-text").textContent`); got != "Live" {
		t.Errorf("the status says %q, want Live", got)
	}
	if got := browser.Eval[string](two, `document.documentElement.lang`); got != "en" {
		t.Errorf("lang = %q, want en", got)
	}
	row := fmt.Sprintf(`document.querySelector('tr[data-user-id=%q]')`, student)
	position := `[...document.querySelectorAll("tr[data-user-id]")].indexOf(` + row + `)`
	before := browser.Eval[int](two, position)
	two.Script(`window.seen = ` + row)
	for i := 0; browser.Eval[int](two, position) >= before; i++ {
		if i == 30 {
			t.Fatal("thirty exercises moved nothing")
		}
		one.Do(chromedp.Click(chromedp.ID("exercise")), chromedp.WaitEnabled(chromedp.ID("exercise")))
		if i%5 == 4 { // wait for a broadcast in the other window
			version := browser.Eval[string](two, `document.querySelector("#time").dateTime`)
			two.Until(fmt.Sprintf(`document.querySelector("#time").dateTime !== %q`, version))
		}
	}
	if !browser.Eval[bool](two, `window.seen === `+row) {
		t.Error("the row was made anew instead of moved")
	}

	// The reader's own row is marked, and the rank is in view in any case.
	one.Until(row + `.classList.contains("own")`)
	if browser.Eval[bool](two, `document.querySelector("tr.own") !== null`) {
		t.Error("a row is marked for a reader without a user")
	}
	one.Script(`window.scrollTo(0, 0)`)
	one.Resize(1280, 400)
	one.Until(`!document.querySelector("#me").hidden && /\d/.test(document.querySelector("#me-rank").textContent)`)

	if browser.Eval[string](one, `document.querySelector("#updated time").dateTime`) == "" {
		t.Error("the time of the last update is not shown")
	}
	if got := browser.Eval[int](one, `performance.getEntriesByType("resource").filter((r) => !r.name.startsWith(location.origin)).length`); got != 0 {
		t.Errorf("the page asked %d things of other hosts", got)
	}
}

// The banner shows at an update and goes away after three seconds.
func TestPage_banner(t *testing.T) {
	t.Parallel()
	p := testkit.Serve(t, "--public")
	p.Enrol(3)
	window := browser.Open(t, 800, 600, "es-MX")
	window.Visit(p.URL, site.Live)
	if browser.Eval[bool](window, site.BannerOn) {
		t.Error("the banner shows before an update")
	}
	window.Script(`
		window.banner = document.querySelector("#banner");
		window.times = [];
		new MutationObserver(() => times.push(performance.now())).observe(banner, { attributeFilter: ["class"] });
		window.layout = document.querySelector("tr[data-user-id]").getBoundingClientRect().top`)
	p.Give("u3", 5)
	window.Until(site.BannerOn)
	if got := browser.Eval[string](window, `banner.textContent`); got != "Actualizado en tiempo real" {
		t.Errorf("the banner says %q", got)
	}
	if moved := browser.Eval[bool](window, `document.querySelector("tr[data-user-id]:first-child").getBoundingClientRect().top !== layout && !document.getAnimations().length`); moved {
		t.Error("the banner moves the rows")
	}
	window.Until(`!(` + site.BannerOn + `)`)
	if took := browser.Eval[float64](window, `times.at(-1) - times[0]`); took < 2900 {
		t.Errorf("the banner was there for only %.0f ms, want 3 s", took)
	}
	window.Until(`getComputedStyle(banner).visibility === "hidden" || getComputedStyle(banner).opacity === "0"`)
}

// The page keeps its rows while the service is restarted, and then goes on by itself.
func TestPage_restart(t *testing.T) {
	t.Parallel()
	db := testkit.Database(t)
	addr := testkit.FreeAddress(t)
	p := testkit.ServeOn(t, addr, db, "--public")
	p.Enrol(2)
	window := browser.Open(t, 390, 844, "es-MX")
	window.Visit(p.URL, site.Live)
	p.Stop()
	window.Until(`document.querySelector("#status").dataset.status === "stale"`)
	if n := browser.Eval[int](window, `document.querySelectorAll("tr[data-user-id]").length`); n != 2 {
		t.Errorf("%d rows while the server is away, want those that were there", n)
	}
	p = testkit.ServeOn(t, addr, db, "--public")
	p.Give("u2", 77)
	window.Until(site.Live)
	window.Until(`document.querySelector("tr[data-user-id]").dataset.userId === "u2"`)
	window.Until(`document.querySelector('tr[data-user-id="u2"] .points').textContent === "77"`)
}

// Without a token there is no stream, but the page can be refreshed.
func TestPage_withoutToken(t *testing.T) {
	t.Parallel()
	p := testkit.Start(t, "demo", "--addr", testkit.AnyPort, "--students", "500", "--throttle", "0")
	window := browser.Open(t, 800, 600, "es-MX")
	window.Visit(p.URL+"/?student=-", `document.querySelector("#status").dataset.status === "readonly" && document.querySelectorAll("tr[data-user-id]").length === 100`)
	if got := browser.Eval[string](window, `document.querySelector("#status-text").textContent`); got != "Modo lectura" {
		t.Errorf("the status says %q", got)
	}
	if !browser.Eval[bool](window, `document.querySelector("#exercise").disabled`) {
		t.Error("an exercise can be completed without a student")
	}
	// The school's students gain points all the while.
	total := `[...document.querySelectorAll(".points")].map((e) => e.textContent).join()`
	before := browser.Eval[string](window, total)
	for deadline := time.Now().Add(testkit.Patience); browser.Eval[string](window, total) == before; {
		if time.Now().After(deadline) {
			t.Fatal("refreshing shows nothing new")
		}
		window.Do(chromedp.Click(chromedp.ID("refresh")), chromedp.Sleep(100*time.Millisecond))
	}
	if streams := browser.Eval[int](window, `performance.getEntriesByType("resource").filter((r) => r.name.includes("/v1/events")).length`); streams != 0 {
		t.Errorf("%d streams were asked for without a token", streams)
	}

	// If the service serves nobody without a token, the page says so.
	closed := testkit.Serve(t)
	window.Visit(closed.URL, `!document.querySelector("#notice").hidden`)
}
