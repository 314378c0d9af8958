package main

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// watchMotion counts what moves: frames that scripts ask for, and animations by
// what they animate.
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

// Rows glide and wash; where the reader wants no motion, the wash alone is left.
func TestPage_reducedMotion(t *testing.T) {
	p, give := few(t)
	window := browser(t)
	moving, still := window(800, 600, "es-MX"), window(800, 600, "es-MX")
	prefer(t, still, "prefers-reduced-motion", "reduce")
	beforehand(t, moving, watchMotion)
	beforehand(t, still, watchMotion)
	must(t, moving, chromedp.Navigate(p.url))
	must(t, still, chromedp.Navigate(p.url))
	until(t, moving, isLive)
	until(t, still, isLive)
	give("u4", 900)
	until(t, moving, leads("u4", 1000)+` && moved.glides > 0 && moved.washes > 0`)
	until(t, still, leads("u4", 1000)+` && moved.washes > 0`)
	if eval[int](t, still, `moved.glides`) > 0 {
		t.Error("rows glide where no motion is wanted")
	}
	if running := eval[[]string](t, still, `document.getAnimations()
		.filter((one) => one.effect.getKeyframes().some((frame) => "transform" in frame || "translate" in frame || "opacity" in frame) && one.effect.target.className !== "wash")
		.map((one) => one.effect.target.outerHTML.slice(0, 80))`); len(running) > 0 {
		t.Errorf("moving where no motion is wanted: %q", running)
	}
}

// A tab that nobody sees does no work for the eye, and is right when it is shown.
func TestPage_hidden(t *testing.T) {
	p, give := few(t)
	ctx := browser(t)(800, 600, "es-MX")
	beforehand(t, ctx, watchMotion)
	must(t, ctx, chromedp.Navigate(p.url))
	until(t, ctx, isLive)
	other := tab(t, ctx)
	until(t, ctx, `document.visibilityState === "hidden"`)
	give("u4", 900)
	give("u3", 950)
	until(t, ctx, leads("u3", 1150))
	if got := eval[string](t, ctx, `JSON.stringify(moved)`); got != `{"frames":0,"glides":0,"washes":0}` {
		t.Errorf("while it is hidden it moves: %s", got)
	}
	if err := chromedp.Cancel(other); err != nil {
		t.Fatal(err)
	}
	send(t, ctx, target.ActivateTarget, target.ActivateTargetParams{TargetID: chromedp.FromContext(ctx).Target.TargetID})
	until(t, ctx, `document.visibilityState === "visible"`)
	until(t, ctx, isLive)
	give("u1", 5000)
	until(t, ctx, leads("u1", 5400)+` && moved.glides > 0`)
}

// watchFrames notes, in each frame, how much wider than the window the page is, and what
// of the animated reaches out of the board.
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

// Whoever changes places between podium and row fades in; nobody sweeps over the others,
// no stone moves, and nothing makes the page wider than the window.
func TestPage_podiumSwap(t *testing.T) {
	for _, width := range []int{390, 1280} {
		t.Run(fmt.Sprint(width), func(t *testing.T) {
			p := serveOn(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "m.db"), "--public", "--throttle", "0")
			p.crowd(8)
			ctx := browser(t)(width, 844, "es-MX")
			must(t, ctx, chromedp.Navigate(p.url))
			until(t, ctx, isLive+` && `+rowsOf+`.length === 8`)
			script(t, ctx, watchFrames)
			p.points("u4", 15) // 65 over 60
			until(t, ctx, rowOf("u4")+`.dataset.step === "3" && `+rowOf("u3")+`.dataset.step === undefined && frames > 0 && document.getAnimations().every((one) => one.id === "")`)
			expect(t, ctx, "those that fade in", `entered.sort().join()`, "u3 TR enter,u4 SPAN enter")
			p.points("u3", 60) // 120, from the fourth place to the first
			until(t, ctx, leads("u3", 120)+` && document.getAnimations().every((one) => one.id !== "glide" && one.id !== "enter")`)
			expect(t, ctx, "wider than the window, px", `wider`, 0)
			expect(t, ctx, "what reaches out of the board", `[...new Set(outside)].join()`, "")
		})
	}
}

// The first three need no table: without a row below the podium no column is headed, and
// one or two stand in the middle.
func TestPage_fewPeople(t *testing.T) {
	p := serveOn(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "m.db"), "--public", "--throttle", "0")
	window := browser(t)
	sizes := map[string]context.Context{"": window(1280, 800, "es-MX"), "?kiosk": window(1920, 1080, "es-MX")}
	for n := 1; n <= 4; n++ {
		p.call(tokenFor(t, "svc", "admin", time.Hour), http.MethodPut, fmt.Sprintf("/v1/users/u%d", n), `{"username":"Ana"}`, nil)
		p.points(fmt.Sprintf("u%d", n), 100-n)
		for query, ctx := range sizes {
			must(t, ctx, chromedp.Navigate(p.url+"/"+query))
			until(t, ctx, isLive+fmt.Sprintf(` && %s.length === %d`, rowsOf, n))
			heads := `[...document.querySelectorAll("thead th")].filter((e) => e.checkVisibility() && getComputedStyle(e.parentElement).clipPath === "none").length > 0`
			expect(t, ctx, fmt.Sprintf("%d people %s: column heads", n, query), heads, n > 3)
			if n > 3 {
				continue
			}
			middle := `(() => {
				const all = [...document.querySelectorAll("tr[data-step]")].map((e) => e.getBoundingClientRect());
				const table = document.querySelector("#table").getBoundingClientRect();
				const off = Math.min(...all.map((e) => e.left)) + Math.max(...all.map((e) => e.right)) - table.left - table.right;
				return Math.abs(off) < 4;
			})()`
			expect(t, ctx, fmt.Sprintf("%d people %s: in the middle", n, query), middle, true)
		}
	}
}

// Scores of sixteen digits leave names their room, on the page, on a wall and in the element.
func TestPage_longScores(t *testing.T) {
	s := withElement(t, `rows="5"`, "--public", "--throttle", "0")
	p := s.service
	p.enrol(5)
	for i := range 5 {
		p.points(fmt.Sprintf("u%d", i+1), 9_007_199_254_740_991-i)
	}
	window := browser(t)
	for _, one := range []struct {
		width, height int
		url, rows     string
	}{
		{390, 844, p.url, rowsOf},
		{1280, 800, p.url, rowsOf},
		{1920, 1080, p.url + "/?kiosk", rowsOf},
		{390, 844, s.URL, elementRows},
	} {
		ctx := window(one.width, one.height, "es-MX")
		must(t, ctx, chromedp.Navigate(one.url))
		until(t, ctx, elementOrPage(one.rows)+`.length === 5`)
		what := fmt.Sprintf("%s at %d px", one.url, one.width)
		expect(t, ctx, what+": names that are cut", `[...`+one.rows+`].filter((e) => { const name = e.querySelector(".name"); return name.scrollWidth > name.clientWidth }).length`, 0)
		expect(t, ctx, what+": scores that reach out of their place", `[...`+one.rows+`].filter((e) => { const cell = e.querySelector(".points"); return cell.scrollWidth > cell.clientWidth }).length`, 0)
		expect(t, ctx, what+": the whole score", one.rows+`[0].querySelector(".points").innerText.replace(/\D/g, "")`, "9007199254740991")
		expect(t, ctx, what+": wider than the window", `document.documentElement.scrollWidth > innerWidth`, false)
	}
}

// elementOrPage is a list of rows that may not be there yet.
func elementOrPage(rows string) string {
	return `((() => { try { return ` + rows + ` } catch { return [] } })())`
}
