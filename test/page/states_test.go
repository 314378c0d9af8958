package page_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"marcador/test/testkit"
	"marcador/test/testkit/browser"
	"marcador/test/testkit/proxy"
	"marcador/test/testkit/site"
)

// middling is a user whose row is far below the window's edge.
const middling = `[...` + site.Rows + `].at(-2).dataset.userId`

// state is a state that the page can be in. open takes a new window into it, where it stays until
// something is pressed.
type state struct {
	name string
	open func(tb testing.TB, window *browser.Window)
}

// servers are what the page's states need. Each starts when it is first needed, and ends with its
// test.
type servers struct {
	school, demo, empty, closed func() *testkit.Program
	unreliable                  func() *proxy.Unreliable // in front of the school
}

func newServers(tb testing.TB) servers {
	tb.Helper()
	school := sync.OnceValue(func() *testkit.Program { return site.School(tb, 24, false) })
	return servers{
		school:     school,
		demo:       sync.OnceValue(func() *testkit.Program { return site.School(tb, 24, true) }),
		empty:      sync.OnceValue(func() *testkit.Program { return testkit.Serve(tb, "--public") }),
		closed:     sync.OnceValue(func() *testkit.Program { return testkit.Serve(tb) }),
		unreliable: sync.OnceValue(func() *proxy.Unreliable { return proxy.NewUnreliable(tb, school()) }),
	}
}

// states returns all states that the page can be in. Their servers end with tb.
func states(tb testing.TB) []state {
	tb.Helper()
	s := newServers(tb)
	return []state{
		{"live", func(_ testing.TB, window *browser.Window) {
			site.VisitAtNoon(window, s.school().URL, site.Live)
		}},
		{"own", func(_ testing.TB, window *browser.Window) {
			site.VisitAtNoon(window, s.school().URL, site.Live)
			window.SignIn(browser.Eval[string](window, middling))
			window.Reload()
			window.Until(site.Live)
			window.Until(site.DockOn)
		}},
		{"demo", func(_ testing.TB, window *browser.Window) {
			site.VisitAtNoon(window, s.demo().URL, site.Live)
			site.VisitAtNoon(window, s.demo().URL+"/?student="+browser.Eval[string](window, middling), site.Live, site.DockOn)
		}},
		{"loading", func(tb testing.TB, window *browser.Window) {
			tb.Helper()
			during(tb, &s.unreliable().Holding)
			site.VisitAtNoon(window, s.unreliable().URL, site.Status("connecting"), site.Waiting)
		}},
		{"empty", func(_ testing.TB, window *browser.Window) {
			site.VisitAtNoon(window, s.empty().URL, site.Status("live"), site.NoticeOn)
		}},
		{"closed", func(_ testing.TB, window *browser.Window) {
			site.VisitAtNoon(window, s.closed().URL, site.Status("readonly"), site.NoticeOn)
		}},
		{"offline", func(tb testing.TB, window *browser.Window) {
			tb.Helper()
			window.Hurry()
			site.VisitAtNoon(window, s.unreliable().URL, site.Live)
			during(tb, &s.unreliable().Refusing)
			s.unreliable().Cut()
			window.Until(site.Status("offline"))
		}},
		{"lost", func(tb testing.TB, window *browser.Window) {
			tb.Helper()
			window.Hurry()
			during(tb, &s.unreliable().Refusing)
			site.VisitAtNoon(window, s.unreliable().URL, site.Status("offline"), site.NoticeOn)
		}},
		{"readonly", func(_ testing.TB, window *browser.Window) {
			site.VisitAtNoon(window, s.demo().URL+"/?student=-", site.Status("readonly"), site.Rows+`.length > 0`)
		}},
		{"kiosk", func(_ testing.TB, window *browser.Window) {
			site.VisitAtNoon(window, s.school().URL+"/?kiosk", site.Live)
		}},
	}
}

// during sets a flag until the test is over.
func during(tb testing.TB, flag *atomic.Bool) {
	tb.Helper()
	flag.Store(true)
	tb.Cleanup(func() { flag.Store(false) })
}
