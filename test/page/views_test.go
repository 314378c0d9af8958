package page_test

import (
	"fmt"
	"strings"
	"testing"

	"marcador/test/testkit"
	"marcador/test/testkit/browser"
	"marcador/test/testkit/site"
)

// openAs opens the page with the cookie of a user.
func openAs(window *browser.Window, p *testkit.Program, user string) {
	window.Visit(p.URL)
	window.SignIn(user)
	window.Visit(p.URL, site.Live)
}

// boardTabs are the texts of the links to boards.
const boardTabs = `[...document.querySelectorAll("#boards a")].map((a) => a.textContent).join()`

// pageTitle is the text of the page's heading.
const pageTitle = `document.querySelector("h1").textContent.replace(/\s+/g, " ").trim()`

// The links choose the board and the period, the address follows, and "back" goes back.
func TestPage_tabs(t *testing.T) {
	p := site.School(t, 24, true)
	window := browser.Open(t, 1280, 900, "es-MX")
	site.VisitAtNoon(window, p.URL, site.Live)
	student := browser.Eval[string](window, site.Rows+`[5].dataset.userId`)
	window.Visit(p.URL+"/?student="+student, site.Live, boardTabs+` === "Global,Mi escuela,Mi grupo,Amigos"`)

	showsBoard(t, window, "null", "null", "Global Siempre", "Global,Siempre", false)
	pressTab(t, window, "Mi grupo")
	group := browser.Eval[string](window, `JSON.stringify(new URLSearchParams(location.search).get("board"))`)
	if !strings.HasPrefix(group, `"classroom:`) {
		t.Errorf("the address says %s", group)
	}
	named := browser.Eval[string](window, `fetch("/demo/students").then((r) => r.json()).then(({ boards }) => boards[`+group+`])`)
	showsBoard(t, window, group, "null", named+" Siempre", "Mi grupo,Siempre", true)
	pressTab(t, window, "Semana")
	showsBoard(t, window, group, `"weekly"`, named+" Semana", "Mi grupo,Semana", true)
	if !browser.Eval[bool](window, `new URLSearchParams(location.search).get("student") === `+fmt.Sprintf("%q", student)) {
		t.Error("the address has forgotten the student")
	}
	window.Script(`history.back()`)
	showsBoard(t, window, group, "null", named+" Siempre", "Mi grupo,Siempre", true)
	window.Reload()
	window.Until(boardTabs + ` === "Global,Mi escuela,Mi grupo,Amigos"`)
	showsBoard(t, window, group, "null", named+" Siempre", "Mi grupo,Siempre", true)
	window.Script(`history.back()`)
	showsBoard(t, window, "null", "null", "Global Siempre", "Global,Siempre", false)

	// An unknown period stands for all time, and a board of others has a tab while it is shown.
	window.Visit(p.URL+"/?board=school:nowhere&period=yearly", site.NoticeOn)
	if got := browser.Eval[string](window, pageTitle); got != "Escuela nowhere Siempre" {
		t.Errorf("the heading of a board of others is %q", got)
	}
}

// pressTab presses the link with that text, after which the same boards have to be offered.
func pressTab(t *testing.T, window *browser.Window, text string) {
	t.Helper()
	before := browser.Eval[string](window, boardTabs)
	window.Script(fmt.Sprintf(`[...document.querySelectorAll(".tabs a")].find((a) => a.textContent === %q).click()`, text))
	if got := browser.Eval[string](window, boardTabs); got != before {
		t.Errorf("with the press of %q the boards offered become %q", text, got)
	}
}

// showsBoard waits until the address names the board and the period, in JSON, and the page is live
// with all 24 rows or fewer. Then it checks the heading and the links that are marked as current.
func showsBoard(t *testing.T, window *browser.Window, board, period, heading, current string, fewer bool) {
	t.Helper()
	window.Until(fmt.Sprintf(`new URLSearchParams(location.search).get("board") == %s && new URLSearchParams(location.search).get("period") == %s`, board, period))
	window.Until(site.Live + fmt.Sprintf(` && document.querySelector("#table").getAttribute("aria-busy") === "false" && (%s.length < 24) === %t`, site.Rows, fewer))
	if got := browser.Eval[string](window, pageTitle); got != heading {
		t.Errorf("the heading says %q, want %q", got, heading)
	}
	if got := browser.Eval[string](window, `[...document.querySelectorAll("nav [aria-current]")].map((a) => a.textContent).join()`); got != current {
		t.Errorf("marked as chosen: %q, want %q", got, current)
	}
}

// The first three stand 2 · 1 · 3, with medals, and a row that climbs onto the podium is the same
// element.
func TestPage_podium(t *testing.T) {
	p := testkit.Serve(t, "--public")
	p.Enrol(6)
	p.GiveAll(6)
	window := browser.Open(t, 390, 844, "en-US")
	window.Visit(p.URL, site.Live)
	stand := `["u2", "u1", "u3"].every((id, i) => {
		const {left, bottom} = document.querySelector("tr[data-user-id=" + id + "]").getBoundingClientRect();
		const first = document.querySelector("tr[data-step='1']").getBoundingClientRect();
		return Math.abs(bottom - first.bottom) < 2 && Math.sign(left - first.left) === i - 1;
	}) && ` + site.Row("u4") + `.getBoundingClientRect().top > ` + site.Row("u1") + `.getBoundingClientRect().bottom`
	if !browser.Eval[bool](window, stand) {
		t.Error("the first three do not stand 2 · 1 · 3")
	}
	medals := `[...document.querySelectorAll(".medal")].map((m) => m.closest("tr").dataset.userId + m.classList[1]).join()`
	if got := browser.Eval[string](window, medals); got != "u1m1,u2m2,u3m3" {
		t.Errorf("medals: %s", got)
	}
	window.Script(`
		window.climber = ` + site.Row("u5") + `;
		window.glided = [];
		const animate = Element.prototype.animate;
		Element.prototype.animate = function (frames, ...rest) {
			if (frames[0]?.transform !== undefined) glided.push(this.closest("tr").dataset.userId);
			return animate.call(this, frames, ...rest);
		}`)
	p.Give("u5", 1000)
	window.Until(medals + ` === "u5m1,u1m2,u2m3" && ` + site.Row("u5") + ` === climber && climber.dataset.step === "1" && !("step" in ` + site.Row("u3") + `.dataset)`)
	if got := browser.Eval[string](window, `glided.join()`); got != "u5,u1,u2,u3,u4" {
		t.Errorf("gliding: %s, want all that moved", got)
	}
}

// Below the top the page shows the places around the reader's own, the way to the next place, and a
// chart of the last days.
func TestPage_around(t *testing.T) {
	p := testkit.Serve(t, "--top", "5")
	p.Enrol(40)
	p.GiveAll(40)
	p.Give("u30", 7)
	window := browser.Open(t, 1280, 700, "es-MX")
	openAs(window, p, "u30")
	window.Until(site.Rows + `.length === 5 + 11`)
	if got := browser.Eval[string](window, `document.querySelector("#gap-text").textContent`); got != "19 lugares más" {
		t.Errorf("between them it says %q", got)
	}
	window.Until(site.DockOn + ` && document.querySelector("#me-next").textContent === "Te faltan 94 puntos para el siguiente lugar"`)
	for id, want := range map[string]string{
		"card-rank": "30", "card-badge": "Ajaw", "card-line": "Por delante del 25%", "card-way-text": "Te faltan 3,893 puntos para ser Nacom",
	} {
		window.Until(fmt.Sprintf(`document.querySelector("#%s").textContent === %q`, id, want))
	}
	window.Click("me-show")
	window.Until(`document.querySelector("#me").hidden && ` + site.Row("u30") + `.classList.contains("own") && ` + site.Row("u30") + `.closest("tbody").id === "around"`)
	window.Until(`document.querySelectorAll("#own-chart canvas").length > 0`)
	// A reader among the top needs no second table.
	p.Give("u30", 9000)
	window.Until(site.Rows + `.length === 5 && document.querySelector("#gap").hidden && ` + site.Row("u30") + `.dataset.step === "1"`)
}

// The page tells readers of their own moves, and celebrates a new badge.
func TestPage_told(t *testing.T) {
	p := testkit.Serve(t)
	p.Enrol(8)
	p.GiveAll(8)
	window := browser.Open(t, 390, 844, "es-MX")
	openAs(window, p, "u7")
	toast := `document.querySelector("#toast").classList.contains("shown") && document.querySelector("#toast").textContent`
	p.Give("u7", 450)
	window.Until(toast + ` === "Subiste al 3.er lugar"`)
	if browser.Eval[int](window, `document.querySelector("#won").childElementCount`) != 0 {
		t.Error("a badge is celebrated that was not won")
	}
	p.Give("u8", 5000)
	window.Until(toast + ` === "Bajaste al 4.º lugar"`)
	p.Give("u7", 30000)
	window.Until(`document.querySelector("#won").textContent.includes("Ah K'in") && document.querySelectorAll("#won path").length === 3`)
	if got := browser.Eval[string](window, `document.querySelector("#won p").textContent`); !strings.HasPrefix(got, "Nueva insignia") {
		t.Errorf("it says %q", got)
	}
}

// On a wall there is nothing to press, and the screen stays on.
func TestPage_kiosk(t *testing.T) {
	p := testkit.Serve(t, "--public")
	p.Enrol(30)
	p.GiveAll(30)
	window := browser.Open(t, 1920, 1080, "es-MX")
	window.Beforehand(`window.locks = 0; Object.defineProperty(navigator, "wakeLock", { value: { request: async (type) => { locks += type === "screen"; } } });`)
	window.Visit(p.URL+"/?kiosk", site.Live)
	if got := browser.Eval[int](window, `[...document.querySelectorAll("a, button, select, input")].filter((e) => e.checkVisibility()).length`); got != 0 {
		t.Errorf("%d things to press", got)
	}
	if got := browser.Eval[string](window, `getComputedStyle(document.querySelector("main")).cursor`); got != "none" {
		t.Errorf("the cursor is %q", got)
	}
	if !browser.Eval[bool](window, site.Row("u4")+`.getBoundingClientRect().left > `+site.Row("u3")+`.getBoundingClientRect().right`) {
		t.Error("the table is not beside the podium")
	}
	if !browser.Eval[bool](window, `document.documentElement.scrollHeight <= innerHeight`) {
		t.Error("the wall scrolls")
	}
	window.Script(`document.dispatchEvent(new Event("visibilitychange"))`)
	if got := browser.Eval[int](window, `locks`); got != 2 {
		t.Errorf("the screen was asked to stay on %d times, want at the start and when seen again", got)
	}
}

// Beside the board the page draws the race of the first ten, and the reader's own days.
func TestPage_charts(t *testing.T) {
	p := site.School(t, 24, true)
	window := browser.Open(t, 1440, 1000, "es-MX")
	site.VisitAtNoon(window, p.URL, site.Live)
	names := `[...document.querySelectorAll("#race-names bdi")].map((e) => e.textContent).join()`
	window.Until(names + ` === [...document.querySelectorAll("tr[data-user-id] .name")].slice(0, 10).map((e) => e.textContent).join()`)
	drawn := func(selector string) string {
		return fmt.Sprintf(`[...document.querySelectorAll(%q)].map((c) => new Set(new Uint32Array(
			c.getContext("2d").getImageData(0, 0, c.width, c.height).data.buffer)).size).every((colours) => colours > 5)`, selector+" canvas")
	}
	if !browser.Eval[bool](window, drawn("#race")) {
		t.Error("the race is blank")
	}
	if browser.Eval[bool](window, `document.querySelector("#card").checkVisibility()`) {
		t.Error("a reader without a user has a card")
	}
	student := browser.Eval[string](window, site.Rows+`[5].dataset.userId`)
	window.Visit(p.URL+"/?student="+student, `document.querySelectorAll("#own-chart canvas").length === 2 && `+drawn("#own-chart"))
	labels := browser.Eval[string](window, `[...document.querySelectorAll("#own-chart [role=img]")].map((e) => e.getAttribute("aria-label")).join()`)
	if !strings.HasPrefix(labels, "Puntos: ") || !strings.HasSuffix(labels, " → 6") {
		t.Errorf("the charts are called %q", labels)
	}
	window.Until(`document.querySelector("#race-names .own bdi").textContent === document.querySelector("tr.own .name").textContent`)
	// Hour by hour on the day's board.
	window.Script(`document.querySelectorAll("#periods a")[1].click()`)
	window.Until(`document.querySelector("#race-title").textContent === "Los diez primeros, hora por hora"`)
}

// A row that arrives with an update shows at once, even while a long board is still being filled.
func TestPage_arrives(t *testing.T) {
	p := testkit.Serve(t, "--public", "--top", "100", "--throttle", "0")
	p.Enrol(60)
	p.GiveAll(60)
	window := browser.Open(t, 1280, 900, "en-US")
	// Only the first rows are drawn until the test lets the others follow.
	window.Beforehand(`
		const [later, never] = [setTimeout, clearTimeout];
		window.postponed = new Map();
		window.holding = true;
		setTimeout = (call, wait, ...rest) => {
			const timer = later(holding && wait === undefined ? () => {} : call, wait, ...rest);
			if (holding && wait === undefined) postponed.set(timer, call);
			return timer;
		};
		clearTimeout = (timer) => { postponed.delete(timer); never(timer) };`)
	window.Visit(p.URL+"/?rows=50", site.Live+` && postponed.size > 0`)
	if n := browser.Eval[int](window, site.Rows+`.length`); n >= 50 || n < 10 {
		t.Errorf("%d rows come at first, want some of 50", n)
	}
	p.Give("u60", 20000)
	window.Until(site.Leads("u60", 20100))
	window.Script(`holding = false; for (const call of postponed.values()) call()`)
	window.Until(site.Rows + `.length === 50`)
	p.Give("u59", 30000)
	window.Until(site.Leads("u59", 30200))
	window.Settle()
	order := `[...` + site.Rows + `].map((row) => row.dataset.userId).slice(0, 4).join() + [...` + site.Rows + `].at(-1).dataset.userId`
	if got := browser.Eval[string](window, order); got != "u59,u60,u1,u2u48" {
		t.Errorf("the rows are %s", got)
	}
	if unseen := browser.Eval[[]string](window, `[...`+site.Rows+`].filter((row) => getComputedStyle(row).opacity !== "1").map((row) => row.dataset.userId)`); len(unseen) > 0 {
		t.Errorf("never seen: %q", unseen)
	}
}

// The page says at once that a board does not exist, and does not blame the connection.
func TestPage_absent(t *testing.T) {
	p := testkit.Serve(t, "--public")
	window := browser.Open(t, 800, 600, "es-MX")
	window.Visit(p.URL+"/?board=GLOBAL", `document.querySelector("#notice-title").textContent === "No existe este marcador." && document.querySelector("#notice").checkVisibility()`)
}
