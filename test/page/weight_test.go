package page_test

import (
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

	"marcador/test/testkit/browser"
	"marcador/test/testkit/site"
)

// firstPaint is how many bytes the page may load before it shows something.
const firstPaint = 60_000

// traffic is what a window loads, and the errors in its console. Safe for concurrent use.
type traffic struct {
	mu       sync.Mutex
	requests map[network.RequestID]*answer // guarded by mu
	problems []string                      // guarded by mu; errors in the console
}

// answer is a response of the server.
type answer struct {
	url    string
	needed bool // the document asks for it, or nothing is painted before it is there
	bytes  int  // head and body, as they came
}

// listenTo records a window's traffic from now on.
func listenTo(tb testing.TB, window *browser.Window) *traffic {
	tb.Helper()
	all := &traffic{requests: make(map[network.RequestID]*answer)}
	if err := chromedp.Listen(window.Context(), all.take); err != nil {
		tb.Fatal(err)
	}
	browser.Send(window, network.Enable, network.EnableParams{})
	browser.Send(window, weblog.Enable, cdp.Empty{})
	return all
}

func (a *traffic) take(event any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		// Scripts' own requests are not needed. The document requests modules that they import.
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

// needed returns how many bytes the first paint needs, how many there are in all, and a list of
// what the first paint needs.
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

// The page is light, loads from one host only, keeps to its strict policy, logs no error, and
// nothing on it jumps.
func TestPage_lightAndStrict(t *testing.T) {
	p := site.School(t, 150, true)
	if policy := p.Ask(http.MethodHead, "").Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
		t.Errorf("the policy is %q, want one without exceptions", policy)
	}
	for _, width := range []int{390, 1440} {
		window := browser.Open(t, width, 844, "es-MX")
		site.AtNoon(window)
		window.Beforehand(`
			window.violations = [];
			addEventListener("securitypolicyviolation", (e) => violations.push(e.violatedDirective + " " + e.blockedURI + " " + e.sourceFile + ":" + e.lineNumber));
			window.shifts = []; // of more than a word in the status
			new PerformanceObserver((list) => {
				for (const one of list.getEntries()) {
					if (!one.hadRecentInput && one.value >= 0.001) shifts.push(one.value.toFixed(4) + " " + one.sources.map(({ node }) => node && (node.id || node.className || node.nodeName)).join());
				}
			}).observe({ type: "layout-shift", buffered: true });`)
		loaded := listenTo(t, window)
		window.Visit(p.URL, site.Live, `document.querySelectorAll("#student option").length > 40`)
		window.Script(`document.querySelector("#student").selectedIndex = 40; document.querySelector("#student").dispatchEvent(new Event("change"))`)
		window.Until(site.Live + ` && ` + site.DockOn)
		window.Settle()
		first, whole, list := loaded.needed()
		t.Logf("%d px: %d bytes for the first paint, %d in all", width, first, whole)
		if first > firstPaint || first == 0 {
			t.Errorf("%d px: %d bytes come before the first paint, want at most %d:\n%s", width, first, firstPaint, strings.Join(list, "\n"))
		}
		loaded.mu.Lock()
		for _, one := range loaded.requests {
			if !strings.HasPrefix(one.url, p.URL+"/") && !strings.HasPrefix(one.url, "data:") {
				t.Errorf("%d px: it asks another host: %s", width, one.url)
			}
		}
		if len(loaded.problems) > 0 {
			t.Errorf("%d px: errors in the console: %q", width, loaded.problems)
		}
		loaded.mu.Unlock()
		if got := browser.Eval[[]string](window, `violations`); len(got) > 0 {
			t.Errorf("%d px: the page breaks its policy: %q", width, got)
		}
		if got := browser.Eval[[]string](window, `shifts`); len(got) > 0 {
			t.Errorf("%d px: the page jumps: %q", width, got)
		}
	}
}
