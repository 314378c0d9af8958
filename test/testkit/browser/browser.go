// Package browser opens windows in Chromium, and drives Firefox as well where a test compares
// the two.
//
// All tests of a package share one Chromium, which starts when it is first needed. Let TestMain
// give Close to testkit.Main, so that it ends after the tests.
package browser

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"

	"marcador/test/testkit"
)

// Chromium returns the path of the browser that pages are tested in: CHROMIUM, or chromium on
// the PATH.
func Chromium() (string, error) {
	if path := os.Getenv("CHROMIUM"); path != "" {
		return path, nil
	}
	path, err := exec.LookPath("chromium")
	if err != nil {
		return "", fmt.Errorf("the page is tested in Chromium: install it, or name it in CHROMIUM (%w)", err)
	}
	return path, nil
}

// shared is the one Chromium: the context of a window that stays blank.
var shared = sync.OnceValues(func() (context.Context, error) {
	path, err := Chromium()
	if err != nil {
		return nil, err
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox)
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	first, end := chromedp.NewContext(allocator)
	closing := func() error {
		err := chromedp.Cancel(first)
		end()
		stop()
		return err
	}
	closeShared.Store(&closing)
	return first, chromedp.Do(first)
})

// closeShared ends Chromium; nil if no test needed it.
var closeShared atomic.Pointer[func() error]

// Close ends Chromium, if it was started.
func Close() error {
	if closing := closeShared.Load(); closing != nil {
		if err := (*closing)(); err != nil {
			return fmt.Errorf("close Chromium: %w", err)
		}
	}
	return nil
}

// Window is a window or a tab of Chromium. What goes wrong in it fails its test.
type Window struct {
	tb  testing.TB
	ctx context.Context
}

// Open opens a window with a profile of its own, as another person's browser would. It is
// closed when the test is over.
func Open(tb testing.TB, width, height int, language string) *Window {
	tb.Helper()
	first, err := shared()
	if err != nil {
		tb.Fatal(err)
	}
	return open(tb, first, width, height, language, chromedp.WithNewBrowserContext())
}

// Tab opens a second tab with the same profile, and shows it.
func (w *Window) Tab() *Window {
	w.tb.Helper()
	return open(w.tb, w.ctx, 800, 600, "es-MX", chromedp.WithNewWindow(false))
}

func open(tb testing.TB, parent context.Context, width, height int, language string, options ...chromedp.ContextOption) *Window {
	tb.Helper()
	ctx, end := chromedp.NewContext(parent, options...)
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	tb.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			tb.Errorf("close a window: %v", err)
		}
		cancel()
		end()
	})
	w := &Window{tb, ctx}
	w.Resize(width, height)
	Send(w, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: "marcador test", AcceptLanguage: language})
	return w
}

// Context is what chromedp's own functions take for the window.
func (w *Window) Context() context.Context { return w.ctx }

// Send gives the browser a command about a window.
func Send[P, R any](w *Window, command cdp.Command[P, R], params P) R {
	w.tb.Helper()
	result, err := chromedp.Call(w.ctx, command, params)
	if err != nil {
		w.tb.Fatal(err)
	}
	return result
}

// Do does what chromedp's actions say.
func (w *Window) Do(actions ...chromedp.Action[chromedp.Void]) {
	w.tb.Helper()
	if err := chromedp.Do(w.ctx, actions...); err != nil {
		w.tb.Fatal(err)
	}
}

// Visit opens an address and waits until each condition holds.
func (w *Window) Visit(url string, conditions ...string) {
	w.tb.Helper()
	w.Do(chromedp.Navigate(url))
	for _, condition := range conditions {
		w.Until(condition)
	}
}

// Close closes the window before its test is over.
func (w *Window) Close() {
	w.tb.Helper()
	if err := chromedp.Cancel(w.ctx); err != nil {
		w.tb.Fatal(err)
	}
}

// Show brings the window to the front, in front of other tabs.
func (w *Window) Show() {
	w.tb.Helper()
	Send(w, target.ActivateTarget, target.ActivateTargetParams{TargetID: chromedp.FromContext(w.ctx).Target.TargetID})
}

// Leave shows a blank page instead.
func (w *Window) Leave() {
	w.tb.Helper()
	w.Visit("about:blank")
}

// Reload loads the page again.
func (w *Window) Reload() {
	w.tb.Helper()
	w.Do(chromedp.Reload())
}

// Click clicks on the element with that id.
func (w *Window) Click(id string) {
	w.tb.Helper()
	w.Do(chromedp.Click(chromedp.ID(id)))
}

// Press presses a key, as package kb names them.
func (w *Window) Press(key string) {
	w.tb.Helper()
	w.Do(chromedp.KeyEvent(key))
}

// Resize sets the size of the viewport, in pixels.
func (w *Window) Resize(width, height int) {
	w.tb.Helper()
	w.Do(chromedp.EmulateViewport(int64(width), int64(height)))
}

// Prefer sets what the reader's system prefers: media features and their values, in pairs.
func (w *Window) Prefer(features ...string) {
	w.tb.Helper()
	var params emulation.SetEmulatedMediaParams
	for i := 0; i+1 < len(features); i += 2 {
		params.Features = append(params.Features, &emulation.MediaFeature{Name: features[i], Value: features[i+1]})
	}
	Send(w, emulation.SetEmulatedMedia, params)
}

// Beforehand runs JavaScript in each document of the window, before its own scripts.
func (w *Window) Beforehand(source string) {
	w.tb.Helper()
	Send(w, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: source})
}

// Eval returns the value of a JavaScript expression, or of the promise that it is.
func Eval[T any](w *Window, expression string) T {
	w.tb.Helper()
	v, err := chromedp.Run(w.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		w.tb.Fatal(err)
	}
	return v
}

// Script runs JavaScript statements.
func (w *Window) Script(body string) {
	w.tb.Helper()
	Eval[bool](w, "(() => {"+body+"; return true })()")
}

// Expect compares the value of a JavaScript expression with want.
func Expect[T comparable](w *Window, what, expression string, want T) {
	w.tb.Helper()
	if got := Eval[T](w, expression); got != want {
		w.tb.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// Until waits for a JavaScript condition to hold. It asks from outside, so it does not depend on
// the page's own timers.
func (w *Window) Until(condition string) {
	w.tb.Helper()
	var holds bool
	var err error
	for late := time.Now().Add(testkit.Patience); time.Now().Before(late) && w.ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
		if holds, err = chromedp.Run(w.ctx, chromedp.Evaluate[bool](condition)); err == nil && holds {
			return
		}
	}
	text, _ := chromedp.Run(w.ctx, chromedp.Evaluate[string](`document.body.innerText.slice(0, 600)`)) // for the message only
	w.tb.Fatalf("waiting for %s: %v; the page says %q", condition, err, text)
}

// Settle waits until every animation that ends has ended, and all pictures are there.
func (w *Window) Settle() {
	w.tb.Helper()
	w.Until(`[...document.images].every((image) => image.complete) &&
		document.getAnimations().every((one) => one.playState !== "running" || one.effect.getComputedTiming().endTime === Infinity)`)
	Eval[bool](w, `document.fonts.ready.then(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true)))))`)
}

// Hurry makes the window's timers of half a second and more go off fifty times as fast, so that
// five tries take less than half a minute.
func (w *Window) Hurry() {
	w.tb.Helper()
	w.Beforehand(`{
		const real = setTimeout;
		setTimeout = (what, ms, ...given) => real(what, ms >= 500 ? ms / 50 : ms, ...given);
		const random = Math.random;
		Math.random = () => random() / 50;
	}`)
}

// SignIn gives the window the cookie of a user. It has to show a page of the service.
func (w *Window) SignIn(user string) {
	w.tb.Helper()
	token := testkit.Token(w.tb, user, "")
	if got := Eval[int](w, fmt.Sprintf(`fetch("/v1/session", { method: "POST", headers: { Authorization: "Bearer %s" } }).then((r) => r.status)`, token)); got != 200 && got != 204 {
		w.tb.Fatalf("POST /v1/session = %d", got)
	}
}
