package page_test

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"marcador/test/testkit"
	"marcador/test/testkit/browser"
	"marcador/test/testkit/site"
)

// watched runs before a page's own scripts and records what the tests ask for.
const watched = `
	window.told = [], window.warned = [], window.glides = [];
	for (const type of ["marcador-update", "marcador-status", "marcador-rank"]) {
		addEventListener(type, (event) => told.push({ type, ...event.detail }));
	}
	addEventListener("marcador-status", () => window.below ??= document.querySelector("#after").offsetTop);
	const { warn } = console;
	console.warn = (...text) => { warned.push(text.join(" ")); warn(...text) };
	const { animate } = Element.prototype;
	Element.prototype.animate = function (frames, options) {
		if (options.id === "glide") glides.push({ who: this.querySelector(".name").textContent, ms: options.duration });
		return animate.call(this, frames, options);
	};`

// One script and one tag make a live board on any site, and the board follows its attributes.
func TestElement(t *testing.T) {
	s := site.OpenElement(t, "", "--public")
	p := s.Service
	p.Crowd(12)
	window := browser.Open(t, 800, 900, "es-MX")
	window.Beforehand(watched)
	window.Visit(s.URL, site.ElementLive)
	browser.Expect(window, "rows", site.ElementRows+`.length`, 10)
	browser.Expect(window, "caption", site.Inside+`.querySelector("table > caption").textContent`, "Global, Siempre")
	browser.Expect(window, "status", site.Inside+`.querySelector("[role=status]").textContent`, "En vivo")
	browser.Expect(window, "first row", site.ElementRows+`[0].innerText.replace(/\s+/g, " ")`, "1 nuevo U1 User 1 Ajaw 120")
	browser.Expect(window, "scopes", site.Inside+`.querySelectorAll("thead th[scope=col], tbody th[scope=row]").length`, 15)
	browser.Expect(window, "top of the text below, at first and now", `below === document.querySelector("#after").offsetTop`, true)
	checkNews(window, p)
	checkAttributes(t, window, s)
	checkLook(t, window)
	checkWrongAttributes(t, window, s)

	// A second copy of the script changes nothing, and an element that is removed has no stream.
	window.Script(`import("` + s.Front + `/marcador/element.js?again").then(() => { window.again = true }, (e) => { window.again = String(e) })`)
	window.Until(`window.again !== undefined`)
	browser.Expect(window, "a second copy", `again`, true)
	window.Script(`window.board = ` + site.Element + `; board.remove()`)
	s.Streams.Await(t, 0)
	window.Script(`document.querySelector("main").append(board)`)
	window.Until(site.ElementLive)
	s.Streams.Await(t, 1)
}

// checkNews checks that the rows of an update are the same elements, and that they glide.
func checkNews(window *browser.Window, p *testkit.Program) {
	window.Script(`window.row = ` + site.ElementRows + `[4]`)
	p.Give("u5", 200)
	window.Until(site.ElementRows + `[0].querySelector(".points").textContent === "280"`)
	browser.Expect(window, "the same row", `row === `+site.ElementRows+`[0]`, true)
	browser.Expect(window, "what glides", `JSON.stringify(glides.map((g) => g.who + " " + g.ms).sort())`,
		`["User 1 450","User 2 450","User 3 450","User 4 450","User 5 450"]`)
	browser.Expect(window, "events", `told.filter(({ type }) => type === "marcador-update").map(({ snapshot }) => snapshot.entries[0].userId).join()`, "u1,u5")
	window.Prefer("prefers-reduced-motion", "reduce")
	p.Give("u6", 500)
	window.Until(site.ElementRows + `[0].querySelector(".points").textContent === "570"`)
	browser.Expect(window, "what glides with reduced motion", `glides.length`, 5)
}

// checkAttributes changes attributes and properties, of which several at once are one change.
func checkAttributes(t *testing.T, window *browser.Window, s *site.Site) {
	t.Helper()
	window.Script(site.Element + `.setAttribute("period", "weekly"); Object.assign(` + site.Element + `, { rows: 3, label: "Los mejores" })`)
	window.Until(site.ElementRows + `.length === 3`)
	browser.Expect(window, "heading", site.Inside+`.querySelector(".heading").innerText.replace(/\s+/g, " ")`, "Los mejores Semana")
	window.Script(site.Element + `.lang = "en"`)
	window.Until(site.ElementLive + ` && ` + site.ElementText + `.includes("Live")`)
	window.Script(site.Element + `.removeAttribute("lang"); document.documentElement.lang = "en-GB"`)
	window.Until(site.ElementLive + ` && ` + site.ElementText + `.includes("Week")`)
	window.Script(`document.querySelector("main").prepend(` + site.Element + `)`) // a move changes nothing
	browser.Expect(window, "after a move", site.ElementLive, true)
	if got := s.Streams.Asked(); got != 2 {
		t.Errorf("%d streams were asked for, want one at the start and one for the attributes", got)
	}
}

// checkLook checks that a site can style the element from outside.
func checkLook(t *testing.T, window *browser.Window) {
	t.Helper()
	before := `getComputedStyle(` + site.Inside + `.querySelector("[role=status]")).color`
	plain := browser.Eval[string](window, before)
	window.Script(site.Element + `.className = "own-look"`)
	if got := browser.Eval[string](window, before); got != "rgb(1, 2, 3)" || got == plain {
		t.Errorf("with --marcador-accent the status is %s, was %s", got, plain)
	}
	browser.Expect(window, "points by ::part", `getComputedStyle(`+site.Inside+`.querySelector("tbody .points")).color`, "rgb(4, 5, 6)")
	browser.Expect(window, "height of a row", site.ElementRows+`[1].offsetHeight`, 40)
}

// checkWrongAttributes checks that a wrong attribute is named, and that nothing is asked for.
func checkWrongAttributes(t *testing.T, window *browser.Window, s *site.Site) {
	t.Helper()
	window.Script(site.Element + `.setAttribute("board", "Escuela 7")`)
	window.Until(site.ElementText + `.includes("The attribute board can't be “Escuela 7”. Write global, or a kind and an id, such as school:42.")`)
	browser.Expect(window, "warnings", `warned.join()`, `<marcador-board> board="Escuela 7" can't be followed: write "global", or a kind and an id such as "school:42"`)
	s.Streams.Await(t, 0)
	if got := s.Streams.Asked(); got != 2 {
		t.Errorf("%d streams were asked for, want none for what is wrong", got)
	}
	window.Axe("a wrong attribute")
	window.Script(site.Element + `.setAttribute("rows", "0"); ` + site.Element + `.removeAttribute("board")`)
	window.Until(site.ElementLive + ` && ` + site.ElementText + `.includes("Write a whole number from 1 to 1000.")`)
	browser.Expect(window, "rows with a wrong number", site.ElementRows+`.length`, 10)
}

// A reader with a token sees their own place. The element says why it shows nothing: no token, no
// connection, or nobody on the board. The keyboard can go on from each state.
func TestElement_states(t *testing.T) {
	s := site.OpenElement(t, `rows="9"`)
	p := s.Service
	p.Crowd(12)
	window := browser.Open(t, 390, 900, "es-MX")
	window.Beforehand(watched + `
		new MutationObserver((_, observer) => {
			const board = document.querySelector("marcador-board");
			if (board === null) return;
			observer.disconnect();
			if (!board.shadowRoot) board.rows = 4;
		}).observe(document, { childList: true, subtree: true })`)
	window.Visit(s.URL, site.ElementShown+` && `+site.ElementText+`.includes("Este marcador pide iniciar sesión.")`)
	browser.Expect(window, "a property that was set before the script came", site.Element+`.getAttribute("rows")`, "4")
	browser.Expect(window, "button", site.Inside+`.querySelector("button").innerText`, "Actualizar")
	window.Axe("closed")

	window.Script(site.Element + `.setAttribute("gettoken", "() => token")`) // as Vue sets it on a tag that it does not know
	window.Until(site.ElementText + `.includes("Dalo como propiedad, desde un script.")`)
	window.Script(site.Element + `.removeAttribute("gettoken"); ` + site.Element + `.getToken = async () => "` + testkit.Token(t, "u9", "") + `"; window.below = undefined`)
	window.Until(site.ElementLive + ` && ` + site.Inside + `.querySelector(".me") !== null`)
	browser.Expect(window, "own place", site.Inside+`.querySelector(".me").innerText.replace(/\s+/g, " ")`, "9 User 9 tú 40 Te faltan 11 puntos para el siguiente lugar")
	browser.Expect(window, "top of the text below, at first and now", `below === document.querySelector("#after").offsetTop`, true)
	for _, width := range []int{390, 240, 1200} {
		window.Resize(width, 900)
		for _, scheme := range []string{"light", "dark"} {
			window.Prefer("prefers-color-scheme", scheme)
			window.Axe(fmt.Sprintf("own place, %d px, %s", width, scheme))
			browser.Expect(window, "wider than the window", `document.documentElement.scrollWidth > innerWidth`, false)
		}
	}
	p.Give("u9", 75)
	window.Until(site.ElementRows + `[1]?.classList.contains("own")`)
	window.Until(`told.some(({ type, userId, oldRank, newRank }) => type === "marcador-rank" && userId === "u9" && oldRank === 9 && newRank === 2)`)
	browser.Expect(window, "own row", site.ElementRows+`[1].getAttribute("part") + " " + `+site.ElementRows+`[1].ariaCurrent`, "row own true")
	window.Until(site.Inside + `.querySelector(".me").innerText.startsWith("Te faltan 6 puntos para el siguiente lugar")`)
	window.Axe("own row")

	// With a height of its own the element lets the rows scroll, also by keyboard.
	window.Script(site.Element + `.style.height = "260px"`)
	window.Until(site.Inside + `.querySelector(".scroller").tabIndex === 0`)
	window.Axe("scrolling")

	// Away, and back by keyboard alone.
	s.Away.Store(true)
	s.Cut()
	window.Until(site.ElementText + `.includes("Sin conexión")`)
	browser.Expect(window, "rows while away", site.ElementRows+`.length`, 4)
	window.Axe("offline")
	s.Away.Store(false)
	window.Press(kb.Tab)
	browser.Expect(window, "focus", site.Inside+`.activeElement.innerText`, "Reintentar")
	window.Press(kb.Enter)
	window.Until(site.ElementLive)

	window.Script(site.Element + `.getToken = async () => "` + testkit.Token(t, "svc", "admin") + `"; ` + site.Element + `.setAttribute("board", "school:none")`)
	window.Until(site.ElementText + `.includes("Todavía nadie tiene puntos en este marcador.")`)
	window.Axe("empty")
}
