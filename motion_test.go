package main

import (
	"testing"

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
