package main

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
	"github.com/chromedp/chromedp"
)

// chromium is the path of the browser that pages are tested in.
func chromium() (string, error) {
	if path := os.Getenv("CHROMIUM"); path != "" {
		return path, nil
	}
	path, err := exec.LookPath("chromium")
	if err != nil {
		return "", fmt.Errorf("the page is tested in Chromium: install it, or name it in CHROMIUM (%w)", err)
	}
	return path, nil
}

// opened is the one Chromium of all tests, which starts when it is first needed:
// the context of a window that stays blank. TestMain ends it by closeBrowser.
var opened = sync.OnceValues(func() (context.Context, error) {
	path, err := chromium()
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
	closeChromium.Store(&closing)
	return first, chromedp.Do(first)
})

// closeChromium ends Chromium; nil where no test has needed it.
var closeChromium atomic.Pointer[func() error]

// closeBrowser ends Chromium, if it was started.
func closeBrowser() error {
	if closing := closeChromium.Load(); closing != nil {
		return (*closing)()
	}
	return nil
}

// browser returns what opens a window in Chromium. Each window has a profile of its
// own, as two people's browsers do, and is closed when the test is over.
func browser(tb testing.TB) func(width, height int, language string) context.Context {
	tb.Helper()
	first, err := opened()
	if err != nil {
		tb.Fatal(err)
	}
	return func(width, height int, language string) context.Context {
		tb.Helper()
		return prepare(tb, first, width, height, language, chromedp.WithNewBrowserContext())
	}
}

// tab opens a second tab beside one, with the same profile, and shows it.
func tab(tb testing.TB, ctx context.Context) context.Context {
	tb.Helper()
	return prepare(tb, ctx, 800, 600, "es-MX", chromedp.WithNewWindow(false))
}

func prepare(tb testing.TB, parent context.Context, width, height int, language string, options ...chromedp.ContextOption) context.Context {
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
	must(tb, ctx, chromedp.EmulateViewport(int64(width), int64(height)))
	send(tb, ctx, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: "marcador test", AcceptLanguage: language})
	return ctx
}

// send gives the browser a command about a window.
func send[P, R any](tb testing.TB, ctx context.Context, command cdp.Command[P, R], params P) R {
	tb.Helper()
	result, err := chromedp.Call(ctx, command, params)
	if err != nil {
		tb.Fatal(err)
	}
	return result
}

// beforehand runs JavaScript in each document of a window, before any of its own.
func beforehand(tb testing.TB, ctx context.Context, source string) {
	tb.Helper()
	send(tb, ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: source})
}

func must(tb testing.TB, ctx context.Context, actions ...chromedp.Action[chromedp.Void]) {
	tb.Helper()
	if err := chromedp.Do(ctx, actions...); err != nil {
		tb.Fatal(err)
	}
}

// eval returns what a JavaScript expression says, or what it promises.
func eval[T any](tb testing.TB, ctx context.Context, expression string) T {
	tb.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

// script runs JavaScript for what it does.
func script(tb testing.TB, ctx context.Context, body string) {
	tb.Helper()
	eval[bool](tb, ctx, "(() => {"+body+"; return true })()")
}

// until waits for a JavaScript condition to hold. It looks from outside, so that it
// does not hang on the page's own timers.
func until(tb testing.TB, ctx context.Context, condition string) {
	tb.Helper()
	var holds bool
	var err error
	for late := time.Now().Add(patient); time.Now().Before(late) && ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
		if holds, err = chromedp.Run(ctx, chromedp.Evaluate[bool](condition)); err == nil && holds {
			return
		}
	}
	text, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText.slice(0, 600)`)) // for the message only
	tb.Fatalf("waiting for %s: %v; the page says %q", condition, err, text)
}
