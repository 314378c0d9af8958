package main

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// openAs opens the page as somebody whom the platform has given a cookie.
func openAs(tb testing.TB, ctx context.Context, p *program, user string) {
	tb.Helper()
	must(tb, ctx, chromedp.Navigate(p.url))
	signIn(tb, ctx, user)
	must(tb, ctx, chromedp.Navigate(p.url))
	until(tb, ctx, isLive)
}

// give gives users points, all in one write: the first of n the most.
func (p *program) give(n int) {
	p.tb.Helper()
	var updates []string
	for i := range n {
		updates = append(updates, fmt.Sprintf(`{"userId":"u%d","xp":%d}`, i+1, (n-i)*100))
	}
	p.call(tokenFor(p.tb, "svc", "xp:write", time.Hour), http.MethodPost, "/v1/xp", `{"updates":[`+strings.Join(updates, ",")+`]}`, nil)
}

// The links choose the board and the period, the address follows, and "back" goes back.
func TestPage_tabs(t *testing.T) {
	p := quietSchool(t, 24, true)
	ctx := browser(t)(1280, 900, "es-MX")
	atNoon(t, ctx)
	must(t, ctx, chromedp.Navigate(p.url))
	until(t, ctx, isLive)
	student := eval[string](t, ctx, rowsOf+`[5].dataset.userId`)
	must(t, ctx, chromedp.Navigate(p.url+"/?student="+student))
	until(t, ctx, isLive)
	tabs := `[...document.querySelectorAll("#boards a")].map((a) => a.textContent).join()`
	until(t, ctx, tabs+` === "Global,Mi escuela,Mi grupo,Amigos"`)

	title := `document.querySelector("h1").textContent.replace(/\s+/g, " ").trim()`
	current := `[...document.querySelectorAll("[aria-current]")].map((a) => a.textContent).join()`
	press := func(text string) {
		t.Helper()
		before := eval[string](t, ctx, tabs)
		script(t, ctx, fmt.Sprintf(`[...document.querySelectorAll(".tabs a")].find((a) => a.textContent === %q).click()`, text))
		if got := eval[string](t, ctx, tabs); got != before {
			t.Errorf("with the press of %q the boards offered become %q", text, got)
		}
	}
	shows := func(board, period, heading, marked string, fewer bool) {
		t.Helper()
		until(t, ctx, fmt.Sprintf(`new URLSearchParams(location.search).get("board") == %s && new URLSearchParams(location.search).get("period") == %s`, board, period))
		until(t, ctx, isLive+fmt.Sprintf(` && document.querySelector("#table").getAttribute("aria-busy") === "false" && (%s.length < 24) === %t`, rowsOf, fewer))
		if got := eval[string](t, ctx, title); got != heading {
			t.Errorf("the heading says %q, want %q", got, heading)
		}
		if got := eval[string](t, ctx, current); got != marked {
			t.Errorf("marked as chosen: %q, want %q", got, marked)
		}
	}
	shows("null", "null", "Global Siempre", "Global,Siempre", false)
	press("Mi grupo")
	group := eval[string](t, ctx, `JSON.stringify(new URLSearchParams(location.search).get("board"))`)
	if !strings.HasPrefix(group, `"classroom:`) {
		t.Errorf("the address says %s", group)
	}
	named := eval[string](t, ctx, `fetch("/demo/students").then((r) => r.json()).then(({ boards }) => boards[`+group+`])`)
	shows(group, "null", named+" Siempre", "Mi grupo,Siempre", true)
	press("Semana")
	shows(group, `"weekly"`, named+" Semana", "Mi grupo,Semana", true)
	if !eval[bool](t, ctx, `new URLSearchParams(location.search).get("student") === `+fmt.Sprintf("%q", student)) {
		t.Error("the address has forgotten the student")
	}
	script(t, ctx, `history.back()`)
	shows(group, "null", named+" Siempre", "Mi grupo,Siempre", true)
	must(t, ctx, chromedp.Reload())
	until(t, ctx, tabs+` === "Global,Mi escuela,Mi grupo,Amigos"`)
	shows(group, "null", named+" Siempre", "Mi grupo,Siempre", true)
	script(t, ctx, `history.back()`)
	shows("null", "null", "Global Siempre", "Global,Siempre", false)

	// A period that there is not is all time, and somebody else's board has a tab while it is shown.
	must(t, ctx, chromedp.Navigate(p.url+"/?board=school:nowhere&period=yearly"))
	until(t, ctx, noticeOn)
	if got := eval[string](t, ctx, title); got != "Escuela nowhere Siempre" {
		t.Errorf("the heading of a board of others is %q", got)
	}
}

// The first three stand 2 · 1 · 3, with medals, and who climbs up is the same row.
func TestPage_podium(t *testing.T) {
	p := serveOn(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "m.db"), "--public")
	p.enrol(6)
	p.give(6)
	ctx := browser(t)(390, 844, "en-US")
	must(t, ctx, chromedp.Navigate(p.url))
	until(t, ctx, isLive)
	stand := `["u2", "u1", "u3"].every((id, i) => {
		const {left, bottom} = document.querySelector("tr[data-user-id=" + id + "]").getBoundingClientRect();
		const first = document.querySelector("tr[data-step='1']").getBoundingClientRect();
		return Math.abs(bottom - first.bottom) < 2 && Math.sign(left - first.left) === i - 1;
	}) && ` + rowOf("u4") + `.getBoundingClientRect().top > ` + rowOf("u1") + `.getBoundingClientRect().bottom`
	if !eval[bool](t, ctx, stand) {
		t.Error("the first three do not stand 2 · 1 · 3")
	}
	medals := `[...document.querySelectorAll(".medal")].map((m) => m.closest("tr").dataset.userId + m.classList[1]).join()`
	if got := eval[string](t, ctx, medals); got != "u1m1,u2m2,u3m3" {
		t.Errorf("medals: %s", got)
	}
	script(t, ctx, `
		window.climber = `+rowOf("u5")+`;
		window.glided = [];
		const animate = Element.prototype.animate;
		Element.prototype.animate = function (frames, ...rest) {
			if (frames[0]?.transform !== undefined) glided.push(this.closest("tr").dataset.userId);
			return animate.call(this, frames, ...rest);
		}`)
	p.call(tokenFor(t, "svc", "xp:write", time.Hour), http.MethodPost, "/v1/users/u5/xp", `{"xp":1000}`, nil)
	until(t, ctx, medals+` === "u5m1,u1m2,u2m3" && `+rowOf("u5")+` === climber && climber.dataset.step === "1" && !("step" in `+rowOf("u3")+`.dataset)`)
	if got := eval[string](t, ctx, `glided.join()`); got != "u5,u1,u2,u3,u4" {
		t.Errorf("gliding: %s, want all that moved", got)
	}
}

// Below the top there are the places around one's own, the way to the next, and the
// line of the last days.
func TestPage_around(t *testing.T) {
	p := serveOn(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "m.db"), "--top", "5")
	p.enrol(40)
	p.give(40)
	p.call(tokenFor(t, "svc", "xp:write", time.Hour), http.MethodPost, "/v1/users/u30/xp", `{"xp":7}`, nil)
	ctx := browser(t)(1280, 700, "es-MX")
	openAs(t, ctx, p, "u30")
	until(t, ctx, rowsOf+`.length === 5 + 11`)
	if got := eval[string](t, ctx, `document.querySelector("#gap-text").textContent`); got != "19 lugares más" {
		t.Errorf("between them it says %q", got)
	}
	until(t, ctx, dockOn+` && document.querySelector("#me-next").textContent === "Te faltan 94 puntos para el siguiente lugar"`)
	for id, want := range map[string]string{
		"card-rank": "30", "card-badge": "Ajaw", "card-line": "Por delante del 25%", "card-way-text": "Te faltan 3,893 puntos para ser Nacom",
	} {
		until(t, ctx, fmt.Sprintf(`document.querySelector("#%s").textContent === %q`, id, want))
	}
	must(t, ctx, chromedp.Click(chromedp.ID("me-show")))
	until(t, ctx, `document.querySelector("#me").hidden && `+rowOf("u30")+`.classList.contains("own") && `+rowOf("u30")+`.closest("tbody").id === "around"`)
	until(t, ctx, `document.querySelectorAll("#own-chart canvas").length > 0`)
	// Among the top there is no need of it.
	p.call(tokenFor(t, "svc", "xp:write", time.Hour), http.MethodPost, "/v1/users/u30/xp", `{"xp":9000}`, nil)
	until(t, ctx, rowsOf+`.length === 5 && document.querySelector("#gap").hidden && `+rowOf("u30")+`.dataset.step === "1"`)
}

// One is told of one's own moves, and a new badge is celebrated.
func TestPage_told(t *testing.T) {
	p := serveOn(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "m.db"))
	p.enrol(8)
	p.give(8)
	ctx := browser(t)(390, 844, "es-MX")
	openAs(t, ctx, p, "u7")
	write := tokenFor(t, "svc", "xp:write", time.Hour)
	toast := `document.querySelector("#toast").classList.contains("shown") && document.querySelector("#toast").textContent`
	p.call(write, http.MethodPost, "/v1/users/u7/xp", `{"xp":450}`, nil)
	until(t, ctx, toast+` === "Subiste al 3.er lugar"`)
	if eval[int](t, ctx, `document.querySelector("#won").childElementCount`) != 0 {
		t.Error("a badge is celebrated that was not won")
	}
	p.call(write, http.MethodPost, "/v1/users/u8/xp", `{"xp":5000}`, nil)
	until(t, ctx, toast+` === "Bajaste al 4.º lugar"`)
	p.call(write, http.MethodPost, "/v1/users/u7/xp", `{"xp":30000}`, nil)
	until(t, ctx, `document.querySelector("#won").textContent.includes("Ah K'in") && document.querySelectorAll("#won path").length === 3`)
	if got := eval[string](t, ctx, `document.querySelector("#won p").textContent`); !strings.HasPrefix(got, "Nueva insignia") {
		t.Errorf("it says %q", got)
	}
}

// On a wall there is nothing to press, and the screen stays on.
func TestPage_kiosk(t *testing.T) {
	p := serveOn(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "m.db"), "--public")
	p.enrol(30)
	p.give(30)
	ctx := browser(t)(1920, 1080, "es-MX")
	beforehand(t, ctx, `window.locks = 0; Object.defineProperty(navigator, "wakeLock", { value: { request: async (type) => { locks += type === "screen"; } } });`)
	must(t, ctx, chromedp.Navigate(p.url+"/?kiosk"))
	until(t, ctx, isLive)
	if got := eval[int](t, ctx, `[...document.querySelectorAll("a, button, select, input")].filter((e) => e.checkVisibility()).length`); got != 0 {
		t.Errorf("%d things to press", got)
	}
	if got := eval[string](t, ctx, `getComputedStyle(document.querySelector("main")).cursor`); got != "none" {
		t.Errorf("the cursor is %q", got)
	}
	if !eval[bool](t, ctx, rowOf("u4")+`.getBoundingClientRect().left > `+rowOf("u3")+`.getBoundingClientRect().right`) {
		t.Error("the table is not beside the podium")
	}
	if !eval[bool](t, ctx, `document.documentElement.scrollHeight <= innerHeight`) {
		t.Error("the wall scrolls")
	}
	script(t, ctx, `document.dispatchEvent(new Event("visibilitychange"))`)
	if got := eval[int](t, ctx, `locks`); got != 2 {
		t.Errorf("the screen was asked to stay on %d times, want at the start and when seen again", got)
	}
}

// Beside the board there are the race of the first ten and one's own days.
func TestPage_charts(t *testing.T) {
	p := quietSchool(t, 24, true)
	ctx := browser(t)(1440, 1000, "es-MX")
	atNoon(t, ctx)
	must(t, ctx, chromedp.Navigate(p.url))
	until(t, ctx, isLive)
	names := `[...document.querySelectorAll("#race-names bdi")].map((e) => e.textContent).join()`
	until(t, ctx, names+` === [...document.querySelectorAll("tr[data-user-id] .name")].slice(0, 10).map((e) => e.textContent).join()`)
	drawn := func(selector string) string {
		return fmt.Sprintf(`[...document.querySelectorAll(%q)].map((c) => new Set(new Uint32Array(
			c.getContext("2d").getImageData(0, 0, c.width, c.height).data.buffer)).size).every((colours) => colours > 5)`, selector+" canvas")
	}
	if !eval[bool](t, ctx, drawn("#race")) {
		t.Error("the race is blank")
	}
	if eval[bool](t, ctx, `document.querySelector("#card").checkVisibility()`) {
		t.Error("who only watches has a card")
	}
	student := eval[string](t, ctx, rowsOf+`[5].dataset.userId`)
	must(t, ctx, chromedp.Navigate(p.url+"/?student="+student))
	until(t, ctx, `document.querySelectorAll("#own-chart canvas").length === 2 && `+drawn("#own-chart"))
	labels := eval[string](t, ctx, `[...document.querySelectorAll("#own-chart [role=img]")].map((e) => e.getAttribute("aria-label")).join()`)
	if !strings.HasPrefix(labels, "Puntos: ") || !strings.HasSuffix(labels, " → 6") {
		t.Errorf("the lines are called %q", labels)
	}
	until(t, ctx, `document.querySelector("#race-names .own bdi").textContent === document.querySelector("tr.own .name").textContent`)
	// Hour by hour on the day's board.
	script(t, ctx, `document.querySelectorAll("#periods a")[1].click()`)
	until(t, ctx, `document.querySelector("#race-title").textContent === "Los diez primeros, hora por hora"`)
}

// Who comes with an update is seen, whenever it comes: also while a long board fills.
func TestPage_arrives(t *testing.T) {
	p := serveOn(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "m.db"), "--public", "--top", "100", "--throttle", "0")
	p.enrol(60)
	p.give(60)
	ctx := browser(t)(1280, 900, "en-US")
	// The first portion alone comes until the test lets the others follow.
	beforehand(t, ctx, `
		const [later, never] = [setTimeout, clearTimeout];
		window.held = new Map();
		window.holding = true;
		setTimeout = (call, wait, ...rest) => {
			const timer = later(holding && wait === undefined ? () => {} : call, wait, ...rest);
			if (holding && wait === undefined) held.set(timer, call);
			return timer;
		};
		clearTimeout = (timer) => { held.delete(timer); never(timer) };`)
	must(t, ctx, chromedp.Navigate(p.url+"/?rows=50"))
	until(t, ctx, isLive+` && held.size > 0`)
	if n := eval[int](t, ctx, rowsOf+`.length`); n >= 50 || n < 10 {
		t.Errorf("%d rows come at first, want some of 50", n)
	}
	write := tokenFor(t, "svc", "xp:write", time.Hour)
	p.call(write, http.MethodPost, "/v1/users/u60/xp", `{"xp":20000}`, nil)
	until(t, ctx, leads("u60", 20100))
	script(t, ctx, `holding = false; for (const call of held.values()) call()`)
	until(t, ctx, rowsOf+`.length === 50`)
	p.call(write, http.MethodPost, "/v1/users/u59/xp", `{"xp":30000}`, nil)
	until(t, ctx, leads("u59", 30200))
	settle(t, ctx)
	order := `[...` + rowsOf + `].map((row) => row.dataset.userId).slice(0, 4).join() + [...` + rowsOf + `].at(-1).dataset.userId`
	if got := eval[string](t, ctx, order); got != "u59,u60,u1,u2u48" {
		t.Errorf("the rows are %s", got)
	}
	if unseen := eval[[]string](t, ctx, `[...`+rowsOf+`].filter((row) => getComputedStyle(row).opacity !== "1").map((row) => row.dataset.userId)`); len(unseen) > 0 {
		t.Errorf("never seen: %q", unseen)
	}
}

// A board that can't be is named at once, and not as a lost connection.
func TestPage_absent(t *testing.T) {
	p := serveOn(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "m.db"), "--public")
	ctx := browser(t)(800, 600, "es-MX")
	must(t, ctx, chromedp.Navigate(p.url+"/?board=GLOBAL"))
	until(t, ctx, `document.querySelector("#notice-title").textContent === "No existe este marcador." && document.querySelector("#notice").checkVisibility()`)
}
