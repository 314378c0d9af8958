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
	problems []string                      // guarded by mu; errors in the console
}

// answer is one of the server's.
type answer struct {
	url    string
	needed bool // the document asks for it, or nothing is painted before it is there
	bytes  int  // head and body, as they came
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
		// What a script asks for comes by itself; the modules that it imports are asked for by the document.
		needed := e.Initiator.Type != network.InitiatorTypeScript || strings.Contains(string(e.RenderBlockingBehavior), "locking") && !strings.HasPrefix(string(e.RenderBlockingBehavior), "Non")
		a.requests[e.RequestID] = &answer{url: e.Request.URL, needed: needed}
	case *network.EventLoadingFinished:
		if one := a.requests[e.RequestID]; one != nil {
			one.bytes = int(e.EncodedDataLength)
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

// needed returns the bytes that the first picture needs, and of everything.
func (a *traffic) needed() (first, whole int, list []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, one := range a.requests {
		whole += one.bytes
		if one.needed {
			first += one.bytes
			list = append(list, fmt.Sprintf("%6d %s", one.bytes, one.url))
		}
	}
	slices.Sort(list)
	return first, whole, list
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
			window.shifts = []; // but for that of a word in the mark that says "live"
			new PerformanceObserver((list) => {
				for (const one of list.getEntries()) {
					if (!one.hadRecentInput && one.value >= 0.001) shifts.push(one.value.toFixed(4) + " " + one.sources.map(({ node }) => node && (node.id || node.className || node.nodeName)).join());
				}
			}).observe({ type: "layout-shift", buffered: true });`)
		loaded := listenTo(t, ctx)
		must(t, ctx, chromedp.Navigate(p.url))
		until(t, ctx, isLive)
		script(t, ctx, `document.querySelector("#student").selectedIndex = 40; document.querySelector("#student").dispatchEvent(new Event("change"))`)
		until(t, ctx, isLive+` && `+dockOn)
		settle(t, ctx)
		first, whole, list := loaded.needed()
		t.Logf("%d px: %d bytes for the first paint, %d in all", width, first, whole)
		if first > firstPaint || first == 0 {
			t.Errorf("%d px: %d bytes come before the first paint, want at most %d:\n%s", width, first, firstPaint, strings.Join(list, "\n"))
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
