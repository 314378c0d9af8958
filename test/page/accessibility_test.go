package page_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"marcador/test/testkit/browser"
)

// axe-core finds nothing wrong with any state of the page: light on a phone and dark on a desk, in
// Spanish and in English.
func TestPage_axe(t *testing.T) {
	for i, s := range states(t) {
		t.Run(s.name, func(t *testing.T) {
			language := []string{"es-MX", "en-US"}[i%2]
			window := browser.Open(t, 390, 900, language)
			window.Prefer("prefers-color-scheme", "light")
			s.open(t, window)
			window.Settle()
			window.Axe(fmt.Sprintf("%s, %s, light, 390 px", s.name, language))
			window.Resize(1440, 900)
			window.Prefer("prefers-color-scheme", "dark")
			window.Settle()
			window.Axe(fmt.Sprintf("%s, %s, dark, 1440 px", s.name, language))
		})
	}
}

// stop is an element that the Tab key has led to.
type stop struct {
	ID       string  `json:"id"` // the element's, else its text
	Outlined bool    `json:"outlined"`
	InView   bool    `json:"inView"`
	Top      float64 `json:"top"`
}

// tabStops presses Tab until it leads to no new element, and returns all of them.
func tabStops(tb testing.TB, window *browser.Window) []stop {
	tb.Helper()
	var stops []stop
	for range 60 {
		window.Press(kb.Tab)
		at := browser.Eval[stop](window, `(() => {
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

// The keyboard alone reaches everything that the page offers, and the focus can be seen.
func TestPage_keyboard(t *testing.T) {
	var page state
	for _, s := range states(t) {
		switch s.name {
		case "demo":
			page = s
		case "offline":
			window := browser.Open(t, 1440, 900, "es-MX")
			s.open(t, window)
			checkStops(t, window, "retry", "refresh")
		}
	}
	window := browser.Open(t, 1440, 900, "es-MX")
	page.open(t, window)
	checkStops(t, window, "student", "exercise", "refresh")

	// The focused button does what it says.
	window.Script(`document.querySelector("#exercise").focus()`)
	window.Press(kb.Enter)
	window.Until(`/\d/.test(document.querySelector("#toast").textContent)`)
	window.Until(`document.activeElement.id === "exercise"`)
}

// checkStops goes through the page by the Tab key, and fails unless it comes by these elements.
func checkStops(t *testing.T, window *browser.Window, want ...string) {
	t.Helper()
	stops := tabStops(t, window)
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
