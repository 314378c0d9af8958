package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
)

// axeSource is axe-core, which npm has installed.
var axeSource = sync.OnceValues(func() (string, error) {
	body, err := os.ReadFile("node_modules/axe-core/axe.min.js")
	if err != nil {
		return "", fmt.Errorf("axe-core is missing: run npm ci (%w)", err)
	}
	return string(body), nil
})

// axe has axe-core look at the document in a window: by every rule of WCAG 2.2 A
// and AA and its best practices. Each violation is an error of the test that names
// the state the document is in.
func axe(tb testing.TB, ctx context.Context, state string) {
	tb.Helper()
	source, err := axeSource()
	if err != nil {
		tb.Fatal(err)
	}
	if !eval[bool](tb, ctx, `typeof axe === "object"`) {
		must(tb, ctx, chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
			_, err := chromedp.Run(ctx, chromedp.Evaluate[any](source+"; true"))
			return err
		}))
	}
	found := eval[[]string](tb, ctx, `axe.run(document, {
		resultTypes: ["violations"],
		rules: { "target-size": { enabled: true } },
	}).then(({ violations }) => violations.map(({ id, help, nodes }) =>
		id + " (" + help + "): " + nodes.slice(0, 3).map((one) =>
			one.target.join(" ") + " " + one.html.slice(0, 160) + " " +
			[...one.any, ...one.all, ...one.none].map((check) => check.message).join("; ")).join(" | ") +
		(nodes.length > 3 ? " and " + (nodes.length - 3) + " more" : "")))`)
	if len(found) > 0 {
		tb.Errorf("%s: axe finds\n\t%s", state, strings.Join(found, "\n\t"))
	}
}

// Nobody is kept from reading the page, whatever state it is in: light on a phone, and
// dark on a desk; in one language or the other.
func TestPage_axe(t *testing.T) {
	for i, s := range states(t) {
		t.Run(s.name, func(t *testing.T) {
			language := []string{"es-MX", "en-US"}[i%2]
			ctx := browser(t)(390, 900, language)
			prefer(t, ctx, "prefers-color-scheme", "light")
			s.open(t, ctx)
			settle(t, ctx)
			axe(t, ctx, fmt.Sprintf("%s, %s, light, 390 px", s.name, language))
			must(t, ctx, chromedp.EmulateViewport(1440, 900))
			prefer(t, ctx, "prefers-color-scheme", "dark")
			settle(t, ctx)
			axe(t, ctx, fmt.Sprintf("%s, %s, dark, 1440 px", s.name, language))
		})
	}
}
