package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	weblog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// firstPaint is how many bytes may come over the wire before something is seen.
const firstPaint = 60_000

// traffic is what a window loads, and what it complains of. Safe for concurrent use.
type traffic struct {
	mu       sync.Mutex
	requests map[network.RequestID]*answer // guarded by mu
	first    cdp.MonotonicTime             // guarded by mu; when the document was asked for
	problems []string                      // guarded by mu; errors in the console
}

// answer is one of the server's.
type answer struct {
	url    string
	blocks bool              // nothing is painted before it is there
	bytes  int               // head and body, as they came
	ended  cdp.MonotonicTime // 0 while it comes
}

// listenTo returns a window's traffic from now on.
func listenTo(tb testing.TB, ctx context.Context) *traffic {
	tb.Helper()
	all := &traffic{requests: make(map[network.RequestID]*answer)}
	if err := chromedp.Listen(ctx, all.take); err != nil {
		tb.Fatal(err)
	}
	send(tb, ctx, network.Enable, network.EnableParams{})
	send(tb, ctx, weblog.Enable, cdp.Empty{})
	return all
}

func (a *traffic) take(event any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if a.first == 0 {
			a.first = e.Timestamp
		}
		blocks := strings.Contains(string(e.RenderBlockingBehavior), "locking") && !strings.HasPrefix(string(e.RenderBlockingBehavior), "Non")
		a.requests[e.RequestID] = &answer{url: e.Request.URL, blocks: blocks}
	case *network.EventLoadingFinished:
		if one := a.requests[e.RequestID]; one != nil {
			one.bytes, one.ended = int(e.EncodedDataLength), e.Timestamp
		}
	case *weblog.EventEntryAdded:
		if e.Entry.Level == weblog.EntryLevelError {
			a.problems = append(a.problems, e.Entry.Text+" "+e.Entry.URL)
		}
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError && len(e.Args) > 0 {
			a.problems = append(a.problems, fmt.Sprint("console.error: ", e.Args[0].Description, string(e.Args[0].Value)))
		}
	case *runtime.EventExceptionThrown:
		a.problems = append(a.problems, e.ExceptionDetails.Text)
	}
}

// until returns the bytes of what had come, or was still waited for, when that
// many seconds had passed since the document was asked for, and of everything.
func (a *traffic) until(seconds float64) (before, whole int, list []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, one := range a.requests {
		whole += one.bytes
		if one.blocks || one.ended != 0 && float64(one.ended-a.first) <= seconds {
			before += one.bytes
			list = append(list, fmt.Sprintf("%6d %s", one.bytes, one.url))
		}
	}
	slices.Sort(list)
	return before, whole, list
}

// The page is light, comes from one host, breaks nothing of its strict policy, says
// no error, and nothing on it jumps.
func TestPage_wire(t *testing.T) {
	p := quietSchool(t, 150, true)
	res, err := http.Head(p.url)
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		t.Error(err)
	}
	http.DefaultClient.CloseIdleConnections()
	if policy := res.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
		t.Errorf("the policy is %q, want one without exceptions", policy)
	}
	for _, width := range []int{390, 1440} {
		ctx := browser(t)(width, 844, "es-MX")
		atNoon(t, ctx)
		beforehand(t, ctx, `
			window.violations = [];
			addEventListener("securitypolicyviolation", (e) => violations.push(e.violatedDirective + " " + e.blockedURI + " " + e.sourceFile + ":" + e.lineNumber));
			window.shifts = [];
			new PerformanceObserver((list) => {
				for (const one of list.getEntries()) {
					if (!one.hadRecentInput) shifts.push(one.value.toFixed(4) + " " + one.sources.map(({ node }) => node && (node.id || node.className || node.nodeName)).join());
				}
			}).observe({ type: "layout-shift", buffered: true });`)
		loaded := listenTo(t, ctx)
		must(t, ctx, chromedp.Navigate(p.url))
		until(t, ctx, isLive)
		script(t, ctx, `document.querySelector("#student").selectedIndex = 40; document.querySelector("#student").dispatchEvent(new Event("change"))`)
		until(t, ctx, isLive+` && `+dockOn)
		settle(t, ctx)
		painted := eval[float64](t, ctx, `performance.getEntriesByName("first-contentful-paint")[0].startTime / 1000`)
		before, whole, list := loaded.until(painted)
		t.Logf("%d px: %d bytes until the first paint, %d in all", width, before, whole)
		if before > firstPaint || before == 0 {
			t.Errorf("%d px: %d bytes come before the first paint, want at most %d:\n%s", width, before, firstPaint, strings.Join(list, "\n"))
		}
		loaded.mu.Lock()
		for _, one := range loaded.requests {
			if !strings.HasPrefix(one.url, p.url+"/") && !strings.HasPrefix(one.url, "data:") {
				t.Errorf("%d px: it asks another host: %s", width, one.url)
			}
		}
		if len(loaded.problems) > 0 {
			t.Errorf("%d px: errors in the console: %q", width, loaded.problems)
		}
		loaded.mu.Unlock()
		if got := eval[[]string](t, ctx, `violations`); len(got) > 0 {
			t.Errorf("%d px: the page breaks its policy: %q", width, got)
		}
		if got := eval[[]string](t, ctx, `shifts`); len(got) > 0 {
			t.Errorf("%d px: the page jumps: %q", width, got)
		}
	}
}
