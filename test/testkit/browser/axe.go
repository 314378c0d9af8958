package browser

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/chromedp/chromedp"

	"marcador/test/testkit"
)

// axeSource is axe-core, as npm installed it.
var axeSource = sync.OnceValues(func() (string, error) {
	body, err := os.ReadFile(testkit.Path("node_modules/axe-core/axe.min.js"))
	if err != nil {
		return "", fmt.Errorf("axe-core is missing: run npm ci (%w)", err)
	}
	return string(body), nil
})

// Axe has axe-core check the document by every rule of WCAG 2.2 A and AA and by its best
// practices. The error for a violation names the state that the document is in.
func (w *Window) Axe(state string) {
	w.tb.Helper()
	source, err := axeSource()
	if err != nil {
		w.tb.Fatal(err)
	}
	if !Eval[bool](w, `typeof axe === "object"`) {
		w.Do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
			_, err := chromedp.Run(ctx, chromedp.Evaluate[any](source+"; true"))
			return err
		}))
	}
	found := Eval[[]string](w, `axe.run(document, {
		resultTypes: ["violations"],
		rules: { "target-size": { enabled: true } },
	}).then(({ violations }) => violations.map(({ id, help, nodes }) =>
		id + " (" + help + "): " + nodes.slice(0, 3).map((one) =>
			one.target.join(" ") + " " + one.html.slice(0, 160) + " " +
			[...one.any, ...one.all, ...one.none].map((check) => check.message).join("; ")).join(" | ") +
		(nodes.length > 3 ? " and " + (nodes.length - 3) + " more" : "")))`)
	if len(found) > 0 {
		w.tb.Errorf("%s: axe finds\n\t%s", state, strings.Join(found, "\n\t"))
	}
}
