package main

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// withElement opens a site whose page has one script of the service and one tag with these
// attributes, and a policy as strict as can be.
func withElement(tb testing.TB, attributes string, flags ...string) *site {
	tb.Helper()
	s := openSite(tb, flags...)
	s.mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src https: data:; connect-src "+s.front+"; script-src "+s.front+
			"; require-trusted-types-for 'script'; trusted-types 'none'")
		fmt.Fprintf(w, `<!doctype html><html lang="es"><head><title>Escuela</title><meta name="viewport" content="width=device-width">
<link rel="stylesheet" href="/site.css"><script type="module" src="%s/marcador/element.js"></script></head>
<body><main><h1>Escuela</h1><marcador-board %s></marcador-board><p id="after">Abajo</p></main></body></html>`, s.front, attributes)
	})
	s.mux.HandleFunc("/site.css", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/css")
		fmt.Fprint(w, `:root { color-scheme: light dark }
.own-look { --marcador-accent: rgb(1, 2, 3); --marcador-row: 40px } .own-look::part(points) { color: rgb(4, 5, 6) }`)
	})
	return s
}

const (
	element      = `document.querySelector("marcador-board")`
	inside       = element + `.shadowRoot`
	elementRows  = inside + `.querySelectorAll("tbody tr.row")`
	elementText  = inside + `.querySelector(".frame").innerText`
	elementLive  = element + `.snapshot?.status === "live" && ` + elementRows + `.length > 0`
	elementShown = `Boolean(` + element + `?.shadowRoot)`
)

// watched is run before a page's own scripts and remembers what the tests ask for.
const watched = `
	window.told = [], window.warned = [], window.glides = [];
	for (const type of ["marcador-update", "marcador-status", "marcador-rank"]) {
		addEventListener(type, (event) => told.push({ type, ...event.detail }));
	}
	addEventListener("marcador-status", () => window.place ??= document.querySelector("#after").offsetTop);
	const { warn } = console;
	console.warn = (...text) => { warned.push(text.join(" ")); warn(...text) };
	const { animate } = Element.prototype;
	Element.prototype.animate = function (frames, options) {
		if (options.id === "glide") glides.push({ who: this.querySelector(".name").textContent, ms: options.duration });
		return animate.call(this, frames, options);
	};`

// points gives points to a user.
func (p *program) points(user string, xp int) {
	p.tb.Helper()
	p.call(tokenFor(p.tb, "svc", "xp:write", time.Hour), http.MethodPost, "/v1/users/"+user+"/xp", fmt.Sprintf(`{"xp":%d}`, xp), nil)
}

// crowd creates users u1 to un, and gives each ten points more than the next.
func (p *program) crowd(n int) {
	p.tb.Helper()
	p.enrol(n)
	for i := range n {
		p.points(fmt.Sprintf("u%d", i+1), 10*(n-i))
	}
}

func expect[T comparable](tb testing.TB, ctx context.Context, what, expression string, want T) {
	tb.Helper()
	if got := eval[T](tb, ctx, expression); got != want {
		tb.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// One script and one tag are a live board on any site, which follows its attributes.
func TestElement(t *testing.T) {
	s := withElement(t, "", "--public")
	p := s.service
	p.crowd(12)
	ctx := browser(t)(800, 900, "es-MX")
	beforehand(t, ctx, watched)
	must(t, ctx, chromedp.Navigate(s.URL))
	until(t, ctx, elementLive)
	expect(t, ctx, "rows", elementRows+`.length`, 10)
	expect(t, ctx, "caption", inside+`.querySelector("table > caption").textContent`, "Global, Siempre")
	expect(t, ctx, "status", inside+`.querySelector("[role=status]").textContent`, "En vivo")
	expect(t, ctx, "first row", elementRows+`[0].innerText.replace(/\s+/g, " ")`, "1 nuevo U1 User 1 Ajaw 120")
	expect(t, ctx, "scopes", inside+`.querySelectorAll("thead th[scope=col], tbody th[scope=row]").length`, 15)
	expect(t, ctx, "place of what follows, at first and now", `place === document.querySelector("#after").offsetTop`, true)

	// News.
	script(t, ctx, `window.row = `+elementRows+`[4]`)
	p.points("u5", 200)
	until(t, ctx, elementRows+`[0].querySelector(".points").textContent === "280"`)
	expect(t, ctx, "the same row", `row === `+elementRows+`[0]`, true)
	expect(t, ctx, "what glides", `JSON.stringify(glides.map((g) => g.who + " " + g.ms).sort())`,
		`["User 1 450","User 2 450","User 3 450","User 4 450","User 5 450"]`)
	expect(t, ctx, "events", `told.filter(({ type }) => type === "marcador-update").map(({ snapshot }) => snapshot.entries[0].userId).join()`, "u1,u5")
	prefer(t, ctx, "prefers-reduced-motion", "reduce")
	p.points("u6", 500)
	until(t, ctx, elementRows+`[0].querySelector(".points").textContent === "570"`)
	expect(t, ctx, "what glides for who wants no motion", `glides.length`, 5)

	// Attributes: those of one moment are one change.
	script(t, ctx, element+`.setAttribute("period", "weekly"); Object.assign(`+element+`, { rows: 3, label: "Los mejores" })`)
	until(t, ctx, elementRows+`.length === 3`)
	expect(t, ctx, "heading", inside+`.querySelector(".heading").innerText.replace(/\s+/g, " ")`, "Los mejores Semana")
	script(t, ctx, element+`.lang = "en"`)
	until(t, ctx, elementLive+` && `+elementText+`.includes("Live")`)
	script(t, ctx, element+`.removeAttribute("lang"); document.documentElement.lang = "en-GB"`)
	until(t, ctx, elementLive+` && `+elementText+`.includes("Week")`)
	script(t, ctx, `document.querySelector("main").prepend(`+element+`)`) // a move is none
	expect(t, ctx, "after a move", elementLive, true)
	if got := s.asked.Load(); got != 2 {
		t.Errorf("%d streams were asked for, want that of the start and that of the attributes", got)
	}

	// Its look.
	before := `getComputedStyle(` + inside + `.querySelector("[role=status]")).color`
	plain := eval[string](t, ctx, before)
	script(t, ctx, element+`.className = "own-look"`)
	if got := eval[string](t, ctx, before); got != "rgb(1, 2, 3)" || got == plain {
		t.Errorf("with --marcador-accent the status is %s, was %s", got, plain)
	}
	expect(t, ctx, "points by ::part", `getComputedStyle(`+inside+`.querySelector("tbody .points")).color`, "rgb(4, 5, 6)")
	expect(t, ctx, "height of a row", elementRows+`[1].offsetHeight`, 40)

	// What can't be followed is said, and nothing is asked for.
	script(t, ctx, element+`.setAttribute("board", "Escuela 7")`)
	until(t, ctx, elementText+`.includes("The attribute board can't be “Escuela 7”. Write global, or a kind and an id, such as school:42.")`)
	expect(t, ctx, "warnings", `warned.join()`, `<marcador-board> board="Escuela 7" can't be followed: write "global", or a kind and an id such as "school:42"`)
	untilStreams(t, &s.streams, 0)
	if got := s.asked.Load(); got != 2 {
		t.Errorf("%d streams were asked for, want none for what is wrong", got)
	}
	axe(t, ctx, "a wrong attribute")
	script(t, ctx, element+`.setAttribute("rows", "0"); `+element+`.removeAttribute("board")`)
	until(t, ctx, elementLive+` && `+elementText+`.includes("Write a whole number from 1 to 1000.")`)
	expect(t, ctx, "rows where that can't be", elementRows+`.length`, 10)

	// A second copy of the script, and the end.
	script(t, ctx, `import("`+s.front+`/marcador/element.js?again").then(() => { window.again = true }, (e) => { window.again = String(e) })`)
	until(t, ctx, `window.again !== undefined`)
	expect(t, ctx, "a second copy", `again`, true)
	script(t, ctx, `window.board = `+element+`; board.remove()`)
	untilStreams(t, &s.streams, 0)
	script(t, ctx, `document.querySelector("main").append(board)`)
	until(t, ctx, elementLive)
	untilStreams(t, &s.streams, 1)
}

// A reader with a token sees their own place; who may not look, an empty board and a lost
// service are said, and the keyboard gets on from there.
func TestElement_states(t *testing.T) {
	s := withElement(t, `rows="9"`)
	p := s.service
	p.crowd(12)
	ctx := browser(t)(390, 900, "es-MX")
	beforehand(t, ctx, watched+`
		new MutationObserver((_, observer) => {
			const board = document.querySelector("marcador-board");
			if (board === null) return;
			observer.disconnect();
			if (!board.shadowRoot) board.rows = 4;
		}).observe(document, { childList: true, subtree: true })`)
	must(t, ctx, chromedp.Navigate(s.URL))
	until(t, ctx, elementShown+` && `+elementText+`.includes("Este marcador pide iniciar sesión.")`)
	expect(t, ctx, "a property that was set before the script came", element+`.getAttribute("rows")`, "4")
	expect(t, ctx, "button", inside+`.querySelector("button").innerText`, "Actualizar")
	axe(t, ctx, "closed")

	script(t, ctx, element+`.setAttribute("gettoken", "() => token")`) // as Vue does to a tag that it does not know
	until(t, ctx, elementText+`.includes("Dalo como propiedad, desde un script.")`)
	script(t, ctx, element+`.removeAttribute("gettoken"); `+element+`.getToken = async () => "`+tokenFor(t, "u9", "", time.Hour)+`"; window.place = undefined`)
	until(t, ctx, elementLive+` && `+inside+`.querySelector(".me") !== null`)
	expect(t, ctx, "own place", inside+`.querySelector(".me").innerText.replace(/\s+/g, " ")`, "9 User 9 tú 40 Te faltan 11 puntos para el siguiente lugar")
	expect(t, ctx, "place of what follows, at first and now", `place === document.querySelector("#after").offsetTop`, true)
	for _, width := range []int64{390, 240, 1200} {
		must(t, ctx, chromedp.EmulateViewport(width, 900))
		for _, scheme := range []string{"light", "dark"} {
			prefer(t, ctx, "prefers-color-scheme", scheme)
			axe(t, ctx, fmt.Sprintf("own place, %d px, %s", width, scheme))
			expect(t, ctx, "wider than its place", `document.documentElement.scrollWidth > innerWidth`, false)
		}
	}
	p.points("u9", 75)
	until(t, ctx, elementRows+`[1]?.classList.contains("own")`)
	until(t, ctx, `told.some(({ type, userId, oldRank, newRank }) => type === "marcador-rank" && userId === "u9" && oldRank === 9 && newRank === 2)`)
	expect(t, ctx, "own row", elementRows+`[1].getAttribute("part") + " " + `+elementRows+`[1].ariaCurrent`, "row own true")
	until(t, ctx, inside+`.querySelector(".me").innerText.startsWith("Te faltan 6 puntos para el siguiente lugar")`)
	axe(t, ctx, "own row")

	// In a place of its own height the rows scroll, also by keyboard.
	script(t, ctx, element+`.style.height = "260px"`)
	until(t, ctx, inside+`.querySelector(".scroller").tabIndex === 0`)
	axe(t, ctx, "scrolling")

	// Away, and back by keyboard alone.
	s.down.Store(true)
	s.cut()
	until(t, ctx, elementText+`.includes("Sin conexión")`)
	expect(t, ctx, "rows while away", elementRows+`.length`, 4)
	axe(t, ctx, "offline")
	s.down.Store(false)
	must(t, ctx, chromedp.KeyEvent(kb.Tab))
	expect(t, ctx, "focus", inside+`.activeElement.innerText`, "Reintentar")
	must(t, ctx, chromedp.KeyEvent(kb.Enter))
	until(t, ctx, elementLive)

	script(t, ctx, element+`.getToken = async () => "`+tokenFor(t, "svc", "admin", time.Hour)+`"; `+element+`.setAttribute("board", "school:none")`)
	until(t, ctx, elementText+`.includes("Todavía nadie tiene puntos en este marcador.")`)
	axe(t, ctx, "empty")
}
