package peers_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"marcador/test/testkit"
	"marcador/test/testkit/browser"
	"marcador/test/testkit/site"
)

// The client behaves the same in Firefox and Chromium: it is live, comes back from offline, reads
// pages while its stream is delayed or was replaced, and needs one stream for seven boards and for
// any number of tabs.
func TestBrowsers(t *testing.T) {
	path, err := browser.Chromium()
	if err != nil {
		t.Fatal(err)
	}
	s := site.OpenClient(t, time.Hour, "--public", "--heartbeat", "1s", "--max-streams-per-user", "1")
	s.Service.Crowd(8)
	enrolClasses(t, s.Service, 7)
	for name, path := range map[string]string{"firefox": browser.Firefox(t), "chromium": path} {
		b := browser.Drive(t, name, path, "{}")
		t.Run(name+", a wall", func(t *testing.T) { wall(t, s, b) })
		t.Run(name+", delayed", func(t *testing.T) { delayed(t, s, b) })
		t.Run(name+", replaced", func(t *testing.T) { replaced(t, s, b) })
		t.Run(name+", seven boards", func(t *testing.T) { sevenBoards(t, s, b) })
		t.Run(name+", tabs of plain http", func(t *testing.T) { plainTabs(t, s, b) })
	}
}

// A wall comes back by itself, even if the service was away for longer than all quick tries.
func wall(t *testing.T, s *site.Client, b *browser.Driven) {
	t.Helper()
	page := b.Open(t, s.URL+"/?kiosk", browser.Hurried)
	page.Until(site.Live)
	page.Do(`window.same = true`)
	s.Away.Store(true)
	s.CloseClientConnections()
	page.Until(site.Status("offline"))
	before := s.Streams.Asked()
	s.Streams.AwaitMore(t, before)
	s.Away.Store(false)
	page.Until(site.Live + ` && window.same`)
	s.Service.Give("u8", 5000)
	page.Until(site.Leads("u8", 5010))
	s.Service.Give("u8", -5000)
}

// Behind a proxy that delays streams the client reads pages, until the stream delivers.
func delayed(t *testing.T, s *site.Client, b *browser.Driven) {
	t.Helper()
	release := make(chan struct{})
	s.Delayed.Store(&release)
	page := b.Open(t, s.URL+"/client", browser.Hurried)
	page.Until(`board.getSnapshot().status === "polling" && board.getSnapshot().entries.length === 8`)
	s.Service.Give("u7", 1000)
	page.Until(leadsOf("u7"))
	if !page.Is(`board.getSnapshot().status === "polling"`) {
		t.Error("it is not polling any more")
	}
	s.Delayed.Store(nil)
	close(release)
	page.Until(site.ClientLive)
	s.Service.Give("u6", 2000)
	page.Until(leadsOf("u6"))
	s.Service.Give("u7", -1000)
	s.Service.Give("u6", -2000)
}

// leadsOf is the condition that a user is first on the client's board.
func leadsOf(user string) string {
	return fmt.Sprintf(`board.getSnapshot().entries[0].userId === %q`, user)
}

// A client whose stream was replaced by a newer one of its user reads pages, until somebody touches
// the page.
func replaced(t *testing.T, s *site.Client, b *browser.Driven) {
	t.Helper()
	page := b.Open(t, s.URL+"/client?user=u2", browser.Hurried)
	page.Until(site.ClientLive)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.Service.URL+"/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+testkit.Token(t, "u2", ""))
	newer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	page.Until(`board.getSnapshot().status === "polling"`)
	s.Service.Give("u5", 3000)
	page.Until(leadsOf("u5") + ` && board.getSnapshot().status === "polling"`)
	s.Service.Give("u5", -3000)
	if err := newer.Body.Close(); err != nil {
		t.Error(err)
	}
	page.Do(`dispatchEvent(new Event("pointerdown"))`)
	page.Until(site.ClientLive)
}

// Seven boards of a page share one stream, and leave connections for the page's other requests.
func sevenBoards(t *testing.T, s *site.Client, b *browser.Driven) {
	t.Helper()
	s.Streams.Await(t, 0)
	page := b.Open(t, s.URL+"/classes", "")
	page.Until(`customElements.get("marcador-board") && [...document.querySelectorAll("marcador-board")].every(
		({ board, snapshot }) => snapshot?.status === "live" && snapshot.entries.length === 2 && snapshot.board === board)`)
	s.Streams.Await(t, 1)
	page.Until(`(await fetch("/healthz")).ok`)
	page.Do(`document.querySelector("main").insertAdjacentHTML("beforeend", '<marcador-board id="one-more" board="global" period="weekly"></marcador-board>'),
		document.querySelector("#one-more").getToken = getToken`)
	page.Until(`document.querySelector("#one-more").snapshot?.status === "live" && document.querySelector("#one-more").snapshot.entries.length === 8`)
	s.Streams.Await(t, 1)
	page.Until(`told.every((status) => status === "connecting" || status === "live")`)
}

// Tabs of a page without TLS, where browsers have no Web Locks, share one stream.
func plainTabs(t *testing.T, s *site.Client, b *browser.Driven) {
	t.Helper()
	s.Streams.Await(t, 0)
	address := strings.Replace(s.URL, "127.0.0.1", "school.example", 1) + "/client?user=u3"
	tabs := make([]*browser.Page, 9)
	for i := range tabs {
		tabs[i] = b.Open(t, address, "")
		tabs[i].Until(site.ClientLive + ` && !isSecureContext && navigator.locks === undefined`)
	}
	s.Streams.Await(t, 1)
	s.Service.Give("u4", 4000)
	for _, tab := range tabs {
		tab.Until(leadsOf("u4") + ` && (await fetch("/healthz")).ok`)
	}
	tabs[0].Close()
	s.Service.Give("u4", -4000)
	for _, tab := range tabs[1:] {
		tab.Until(leadsOf("u1") + ` && ` + site.ClientLive)
	}
	s.Streams.Await(t, 1)
}

// A browser that blocks cookies forbids storage, channels and locks, and everything works without.
func TestBrowsers_cookiesBlocked(t *testing.T) {
	s := site.OpenClient(t, time.Hour, "--public")
	s.Service.Crowd(8)
	demo := site.School(t, 24, true)
	b := browser.Drive(t, "firefox", browser.Firefox(t), `{"network.cookie.cookieBehavior":2}`)
	page := b.Open(t, s.URL, "")
	page.Until(site.Live)
	page.Until(`(() => { try { new BroadcastChannel("x"); return false } catch { return true } })()`)
	for range 2 {
		b.Open(t, s.URL+"/client?user=u2", "").Until(site.ClientLive)
	}
	page = b.Open(t, demo.URL, "")
	page.Until(site.Live + ` && document.querySelectorAll("#student option").length > 20`)
	page.Do(`document.querySelector("#student").selectedIndex = 3,
		document.querySelector("#student").dispatchEvent(new Event("change"))`)
	page.Until(site.Live + ` && document.querySelector("tr.own, tr[aria-current]") !== null`)
}

// enrolClasses creates n classes with two members each: a pupil and the teacher of all classes.
func enrolClasses(t *testing.T, p *testkit.Program, n int) {
	t.Helper()
	var all, users []string
	for i := range n {
		all = append(all, fmt.Sprintf(`"c%d"`, i))
		users = append(users, fmt.Sprintf(`{"id":"pupil%d","username":"Pupil %d","groups":{"classroom":["c%d"]}}`, i, i, i))
	}
	users = append(users, fmt.Sprintf(`{"id":"teacher","username":"Teacher","groups":{"classroom":[%s]}}`, strings.Join(all, ",")))
	p.Call(testkit.Token(t, "svc", "admin"), http.MethodPost, "/v1/users", `{"users":[`+strings.Join(users, ",")+`]}`, nil)
}
