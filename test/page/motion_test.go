package page_test

import (
	"fmt"
	"net/http"
	"testing"

	"marcador/test/testkit"
	"marcador/test/testkit/browser"
	"marcador/test/testkit/site"
)

// watchMotion counts the frames that scripts ask for, and animations by what they animate.
const watchMotion = `
	window.moved = { frames: 0, glides: 0, washes: 0 };
	const frame = requestAnimationFrame;
	requestAnimationFrame = (call) => { moved.frames += 1; return frame(call) };
	const animate = Element.prototype.animate;
	Element.prototype.animate = function (keyframes, options) {
		const text = JSON.stringify(keyframes);
		if (text.includes("translate")) moved.glides += 1;
		if (this.className === "wash") moved.washes += 1;
		return animate.call(this, keyframes, options);
	};`

// Rows glide and light up. A reader who prefers reduced motion sees them light up only.
func TestPage_reducedMotion(t *testing.T) {
	p := few(t)
	moving, still := browser.Open(t, 800, 600, "es-MX"), browser.Open(t, 800, 600, "es-MX")
	still.Prefer("prefers-reduced-motion", "reduce")
	moving.Beforehand(watchMotion)
	still.Beforehand(watchMotion)
	moving.Visit(p.URL)
	still.Visit(p.URL)
	moving.Until(site.Live)
	still.Until(site.Live)
	p.Give("u4", 900)
	moving.Until(site.Leads("u4", 1000) + ` && moved.glides > 0 && moved.washes > 0`)
	still.Until(site.Leads("u4", 1000) + ` && moved.washes > 0`)
	if browser.Eval[int](still, `moved.glides`) > 0 {
		t.Error("rows glide with reduced motion")
	}
	if running := browser.Eval[[]string](still, `document.getAnimations()
		.filter((one) => one.effect.getKeyframes().some((frame) => "transform" in frame || "translate" in frame || "opacity" in frame) && one.effect.target.className !== "wash")
		.map((one) => one.effect.target.outerHTML.slice(0, 80))`); len(running) > 0 {
		t.Errorf("moving with reduced motion: %q", running)
	}
}

// A hidden tab animates nothing, and is right when it is shown.
func TestPage_hidden(t *testing.T) {
	p := few(t)
	window := browser.Open(t, 800, 600, "es-MX")
	window.Beforehand(watchMotion)
	window.Visit(p.URL, site.Live)
	other := window.Tab()
	window.Until(`document.visibilityState === "hidden"`)
	p.Give("u4", 900)
	p.Give("u3", 950)
	window.Until(site.Leads("u3", 1150))
	if got := browser.Eval[string](window, `JSON.stringify(moved)`); got != `{"frames":0,"glides":0,"washes":0}` {
		t.Errorf("while it is hidden it moves: %s", got)
	}
	other.Close()
	window.Show()
	window.Until(`document.visibilityState === "visible"`)
	window.Until(site.Live)
	p.Give("u1", 5000)
	window.Until(site.Leads("u1", 5400) + ` && moved.glides > 0`)
}

// watchFrames records in each frame how much wider than the window the page is, and which animated
// elements reach out of the board.
const watchFrames = `
	window.frames = 0, window.wider = 0, window.outside = [], window.entered = [];
	const look = () => {
		const running = document.getAnimations().filter((one) => one.id === "glide" || one.id === "enter");
		if (running.length > 0) frames += 1;
		wider = Math.max(wider, document.documentElement.scrollWidth - innerWidth);
		const board = document.querySelector(".board").getBoundingClientRect();
		for (const { id, effect: { target } } of running) {
			const { left, right } = target.getBoundingClientRect();
			const name = (target.closest("tr").dataset.userId ?? "") + " " + target.tagName + " " + id;
			if (left < board.left - 17 || right > board.right + 17) outside.push(name);
			if (id === "enter" && !entered.includes(name)) entered.push(name);
			if (target.tagName === "TR" && target.dataset.step !== undefined) outside.push(name + " with its stone");
		}
		requestAnimationFrame(look);
	};
	look()`

// A row that enters or leaves the podium fades in instead of sweeping over the others. No stone
// moves, and the page never gets wider than the window.
func TestPage_podiumSwap(t *testing.T) {
	for _, width := range []int{390, 1280} {
		t.Run(fmt.Sprint(width), func(t *testing.T) {
			p := testkit.Serve(t, "--public", "--throttle", "0")
			p.Crowd(8)
			window := browser.Open(t, width, 844, "es-MX")
			window.Visit(p.URL, site.Live+` && `+site.Rows+`.length === 8`)
			window.Script(watchFrames)
			p.Give("u4", 15) // 65 over 60
			window.Until(site.Row("u4") + `.dataset.step === "3" && ` + site.Row("u3") + `.dataset.step === undefined && frames > 0 && document.getAnimations().every((one) => one.id === "")`)
			browser.Expect(window, "what fades in", `entered.sort().join()`, "u3 TR enter,u4 SPAN enter")
			p.Give("u3", 60) // 120, from the fourth place to the first
			window.Until(site.Leads("u3", 120) + ` && document.getAnimations().every((one) => one.id !== "glide" && one.id !== "enter")`)
			browser.Expect(window, "wider than the window, px", `wider`, 0)
			browser.Expect(window, "what reaches out of the board", `[...new Set(outside)].join()`, "")
		})
	}
}

// Three people or fewer stand on the podium alone: in the middle, and without column heads.
func TestPage_fewPeople(t *testing.T) {
	p := testkit.Serve(t, "--public", "--throttle", "0")
	sizes := map[string]*browser.Window{"": browser.Open(t, 1280, 800, "es-MX"), "?kiosk": browser.Open(t, 1920, 1080, "es-MX")}
	for n := 1; n <= 4; n++ {
		p.Call(testkit.Token(t, "svc", "admin"), http.MethodPut, fmt.Sprintf("/v1/users/u%d", n), `{"username":"Ana"}`, nil)
		p.Give(fmt.Sprintf("u%d", n), 100-n)
		for query, window := range sizes {
			window.Visit(p.URL+"/"+query, site.Live+fmt.Sprintf(` && %s.length === %d`, site.Rows, n))
			heads := `[...document.querySelectorAll("thead th")].filter((e) => e.checkVisibility() && getComputedStyle(e.parentElement).clipPath === "none").length > 0`
			browser.Expect(window, fmt.Sprintf("%d people %s: column heads", n, query), heads, n > 3)
			if n > 3 {
				continue
			}
			middle := `(() => {
				const all = [...document.querySelectorAll("tr[data-step]")].map((e) => e.getBoundingClientRect());
				const table = document.querySelector("#table").getBoundingClientRect();
				const off = Math.min(...all.map((e) => e.left)) + Math.max(...all.map((e) => e.right)) - table.left - table.right;
				return Math.abs(off) < 4;
			})()`
			browser.Expect(window, fmt.Sprintf("%d people %s: in the middle", n, query), middle, true)
		}
	}
}

// Scores of sixteen digits fit beside whole names on the page, on a wall and in the element.
func TestPage_longScores(t *testing.T) {
	s := site.OpenElement(t, `rows="5"`, "--public", "--throttle", "0")
	p := s.Service
	p.Enrol(5)
	for i := range 5 {
		p.Give(fmt.Sprintf("u%d", i+1), 9_007_199_254_740_991-i)
	}
	for _, one := range []struct {
		width, height int
		url, rows     string
	}{
		{390, 844, p.URL, site.Rows},
		{1280, 800, p.URL, site.Rows},
		{1920, 1080, p.URL + "/?kiosk", site.Rows},
		{390, 844, s.URL, site.ElementRows},
	} {
		window := browser.Open(t, one.width, one.height, "es-MX")
		window.Visit(one.url, elementOrPage(one.rows)+`.length === 5`)
		what := fmt.Sprintf("%s at %d px", one.url, one.width)
		browser.Expect(window, what+": names that are cut", `[...`+one.rows+`].filter((e) => { const name = e.querySelector(".name"); return name.scrollWidth > name.clientWidth }).length`, 0)
		browser.Expect(window, what+": scores that are cut", `[...`+one.rows+`].filter((e) => { const cell = e.querySelector(".points"); return cell.scrollWidth > cell.clientWidth }).length`, 0)
		browser.Expect(window, what+": the whole score", one.rows+`[0].querySelector(".points").innerText.replace(/\D/g, "")`, "9007199254740991")
		browser.Expect(window, what+": wider than the window", `document.documentElement.scrollWidth > innerWidth`, false)
	}
}

// elementOrPage is a list of rows that may not be there yet.
func elementOrPage(rows string) string {
	return `((() => { try { return ` + rows + ` } catch { return [] } })())`
}
