package main

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// stop is where a press of the Tab key has led.
type stop struct {
	ID       string  `json:"id"` // the element's, else its text
	Outlined bool    `json:"outlined"`
	InView   bool    `json:"inView"`
	Top      float64 `json:"top"`
}

// tabStops presses Tab until it leads nowhere new, and returns each place.
func tabStops(tb testing.TB, ctx context.Context) []stop {
	tb.Helper()
	var stops []stop
	for range 60 {
		must(tb, ctx, chromedp.KeyEvent(kb.Tab))
		at := eval[stop](tb, ctx, `(() => {
			const one = document.activeElement;
			const box = one.getBoundingClientRect();
			const style = getComputedStyle(one);
			return {
				id: one === document.body ? "" : one.id || one.textContent.trim(),
				outlined: one.matches(":focus-visible") && (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 || style.boxShadow !== "none"),
				inView: box.width > 0 && box.height > 0 && box.bottom > 0 && box.right > 0 && box.top < innerHeight && box.left < innerWidth,
				top: box.top + scrollY,
			};
		})()`)
		if at.ID == "" || slices.ContainsFunc(stops, func(one stop) bool { return one.ID == at.ID }) {
			return stops
		}
		stops = append(stops, at)
	}
	return stops
}

// Everything can be done by keyboard alone, and one sees where one is.
func TestPage_keyboard(t *testing.T) {
	var page state
	for _, s := range states(t) {
		switch s.name {
		case "demo":
			page = s
		case "offline":
			ctx := browser(t)(1440, 900, "es-MX")
			s.open(t, ctx)
			checkStops(t, ctx, "retry", "refresh")
		}
	}
	ctx := browser(t)(1440, 900, "es-MX")
	page.open(t, ctx)
	checkStops(t, ctx, "student", "exercise", "refresh")

	// What has the focus does what it says.
	script(t, ctx, `document.querySelector("#exercise").focus()`)
	must(t, ctx, chromedp.KeyEvent(kb.Enter))
	until(t, ctx, `/\d/.test(document.querySelector("#toast").textContent)`)
	until(t, ctx, `document.activeElement.id === "exercise"`)
}

// checkStops goes through the page by the Tab key, and wants to come by these.
func checkStops(t *testing.T, ctx context.Context, want ...string) {
	t.Helper()
	stops := tabStops(t, ctx)
	var ids []string
	for _, one := range stops {
		ids = append(ids, one.ID)
		if !one.Outlined {
			t.Errorf("the focus on %q can't be seen", one.ID)
		}
		if !one.InView {
			t.Errorf("%q has the focus and is not in view", one.ID)
		}
	}
	for _, id := range want {
		if !slices.Contains(ids, id) {
			t.Errorf("the Tab key does not lead to #%s, only to %s", id, strings.Join(ids, ", "))
		}
	}
}
