package page_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"

	"marcador/test/testkit"
	"marcador/test/testkit/browser"
	"marcador/test/testkit/site"
)

// Tabs of one person share a stream. When the tab that has it is closed or frozen, another tab
// takes over and no tab notices.
func TestClient_tabs(t *testing.T) {
	s := site.OpenClient(t, time.Hour)
	s.Service.Crowd(4)
	one := browser.Open(t, 800, 600, "es-MX")
	one.Visit(s.URL+"/client?user=u2", site.ClientLive)
	two, three := one.Tab(), one.Tab()
	two.Visit(s.URL+"/client?user=u2", site.ClientLive)
	three.Visit(s.URL+"/client?user=u2", site.ClientLive)
	if got := s.Streams.Asked(); got != 1 {
		t.Errorf("three tabs have asked for %d streams, want 1", got)
	}
	browser.Expect(three, "the user of a tab that follows", `board.getSnapshot().userId`, "u2")
	s.Service.Give("u4", 90)
	for _, window := range []*browser.Window{one, two, three} {
		window.Until(site.ClientLeads("u4", 100))
	}
	// Another person in the same browser has another stream.
	other := one.Tab()
	other.Visit(s.URL+"/client?user=u3", site.ClientLive)
	s.Streams.Await(t, 2)
	other.Leave()
	s.Streams.Await(t, 1)

	one.Leave()
	s.Service.Give("u3", 180)
	for _, window := range []*browser.Window{two, three} {
		window.Until(site.ClientLeads("u3", 200))
		window.Until(site.ClientLive)
		browser.Expect(window, "the statuses of a tab while another took the stream over", site.ClientStatuses, "connecting,live")
	}
	s.Streams.Await(t, 1)

	browser.Send(two, page.SetWebLifecycleState, page.SetWebLifecycleStateParams{State: page.SetWebLifecycleStateStateFrozen})
	s.Service.Give("u1", 260)
	three.Until(site.ClientLeads("u1", 300))
	three.Until(site.ClientLive)
	s.Streams.Await(t, 1)
	browser.Send(two, page.SetWebLifecycleState, page.SetWebLifecycleStateParams{State: page.SetWebLifecycleStateStateActive})
	two.Until(site.ClientLeads("u1", 300))
	two.Until(site.ClientLive)
	s.Streams.Await(t, 1)
}

// A tab that has the stream and does not answer is replaced by a new tab, and follows that one once
// it can again.
func TestClient_stuckLeader(t *testing.T) {
	t.Parallel()
	s := site.OpenClient(t, time.Hour)
	s.Service.Crowd(2)
	one := browser.Open(t, 800, 600, "es-MX")
	two := one.Tab()
	one.Visit(s.URL+"/client?user=u2", site.ClientLive)
	one.Script(`setTimeout(() => { for (const end = Date.now() + 5_000; Date.now() < end; ); })`)
	two.Visit(s.URL+"/client?user=u2", site.ClientLive)
	if got := s.Streams.Asked(); got != 2 {
		t.Errorf("%d streams were asked for, want a second one", got)
	}
	s.Service.Give("u2", 90)
	two.Until(site.ClientLeads("u2", 100))
	one.Until(site.ClientLeads("u2", 100))
	s.Streams.Await(t, 1)
	s.Service.Give("u1", 180)
	two.Until(site.ClientLeads("u1", 200))
	one.Until(site.ClientLeads("u1", 200))
}

// With a cookie, the tab that comes last gets the stream, since it knows who the cookie belongs to
// by now.
func TestClient_cookie(t *testing.T) {
	t.Parallel()
	s := site.OpenClient(t, time.Hour, "--public")
	s.Service.Crowd(3)
	one := browser.Open(t, 800, 600, "es-MX")
	one.Visit(s.URL+"/client", site.ClientLive)
	browser.Expect(one, "the user without a cookie", `board.getSnapshot().userId`, (*string)(nil))
	one.SignIn("u2")
	two := one.Tab()
	two.Visit(s.URL+"/client", site.ClientLive)
	for _, window := range []*browser.Window{two, one} {
		window.Until(`board.getSnapshot().userId === "u2" && board.getSnapshot().me.rank === 2`)
	}
	s.Streams.Await(t, 1)
}

// A stream goes on with the next token when its token expires.
func TestClient_expiry(t *testing.T) {
	t.Parallel()
	const lifetime = 8 * time.Second // of a token; a busy machine needs a second or two to renew it
	s := site.OpenClient(t, lifetime)
	s.Service.Crowd(2)
	window := browser.Open(t, 800, 600, "es-MX")
	window.Visit(s.URL+"/client?user=u2", site.ClientLive)
	began := time.Now()
	for late := began.Add(testkit.Patience); s.Extended.Load() < 2; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(late) {
			t.Fatalf("%d tokens were handed on; the client asked for %d", s.Extended.Load(), browser.Eval[int](window, `tokens`))
		}
	}
	if took := time.Since(began); took < lifetime {
		t.Errorf("two tokens of %s were replaced within %s", lifetime, took)
	}
	s.Service.Give("u2", 90)
	window.Until(site.ClientLeads("u2", 100))
	browser.Expect(window, "its statuses", site.ClientStatuses, "connecting,live")
	if got := s.Streams.Asked(); got != 1 {
		t.Errorf("%d streams were asked for, want 1", got)
	}
}

// Whatever is written, and however often streams break, the client holds the service's page: over
// fetch, over EventSource, and through another tab.
func TestClient_differences(t *testing.T) {
	t.Parallel()
	s := site.OpenClient(t, time.Hour, "--public", "--top", "8")
	s.Service.Crowd(12)
	fetching, sourcing := browser.Open(t, 800, 600, "es-MX"), browser.Open(t, 800, 600, "es-MX")
	for _, window := range []*browser.Window{fetching, sourcing} {
		window.Beforehand(`Math.random = () => 0.01`) // tries come soon
	}
	fetching.Visit(s.URL+"/client?user=u5", site.ClientLive)
	sourcing.Visit(s.URL+"/client", site.ClientLive)
	following := fetching.Tab()
	following.Visit(s.URL+"/client?user=u5", site.ClientLive)

	pages, last := writeAtRandom(t, s)
	if got := s.Streams.Asked(); got < 4 {
		t.Errorf("%d streams were asked for; none broke", got)
	}
	for name, window := range map[string]*browser.Window{"fetch": fetching, "EventSource": sourcing, "another tab": following} {
		window.Until(fmt.Sprintf(`board.getSnapshot().version >= %d`, last))
		var clients map[int][]map[string]any
		if err := json.Unmarshal([]byte(browser.Eval[string](window, `JSON.stringify(rows)`)), &clients); err != nil {
			t.Fatal(err)
		}
		compared := 0
		for version, rows := range clients {
			if want, known := pages[version]; known {
				compared++
				if !reflect.DeepEqual(rows, want) {
					t.Fatalf("%s had for version %d\n%v, the page was\n%v", name, version, rows, want)
				}
			}
		}
		if compared < 20 {
			t.Errorf("%s: only %d versions were seen", name, compared)
		}
	}
}

// writeAtRandom changes points, names and users, and breaks all streams now and then. It returns
// the service's pages by version, and the last version.
func writeAtRandom(t *testing.T, s *site.Client) (pages map[int][]map[string]any, last int) {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	admin := testkit.Token(t, "svc", "admin")
	pages = map[int][]map[string]any{}
	read := func() int {
		var page struct {
			Version int
			Entries []map[string]any
		}
		s.Service.Call(admin, http.MethodGet, "/v1/leaderboards/global?limit=8", "", &page)
		pages[page.Version] = page.Entries
		return page.Version
	}
	read()
	for step := range 150 {
		user := fmt.Sprintf("/v1/users/u%d", 1+random.IntN(12))
		switch dice := random.IntN(20); {
		case dice == 0:
			s.Service.Try(admin, http.MethodDelete, user, "")
		case dice < 3:
			s.Service.Try(admin, http.MethodPut, user, fmt.Sprintf(`{"username":"Name %d"}`, step))
		default:
			s.Service.Try(admin, http.MethodPost, user+"/xp", fmt.Sprintf(`{"xp":%d}`, random.IntN(60)-20))
		}
		read()
		if step%50 == 25 {
			s.CloseClientConnections()
		}
	}
	s.Service.Call(admin, http.MethodPut, "/v1/users/u99", `{"username":"The last"}`, nil)
	s.Service.Give("u99", 9999)
	return pages, read()
}
