package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// firefox is the path of the second browser that the client is tested in.
func firefox(tb testing.TB) string {
	tb.Helper()
	if path := os.Getenv("FIREFOX"); path != "" {
		return path
	}
	for _, name := range []string{"firefox-esr", "firefox"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	tb.Fatal("the client is tested in Firefox: install it, or name it in FIREFOX")
	return ""
}

// driven is a browser of any make, in a process of its own.
type driven struct {
	in  io.Writer
	out *bufio.Scanner
}

// drive starts a browser, which ends with tb.
func drive(tb testing.TB, name, path, preferences string) *driven {
	tb.Helper()
	cmd := exec.CommandContext(tb.Context(), "node", "tools/browser.mjs", name, path, preferences)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	cmd.Cancel = in.Close // it closes the browser, then itself
	cmd.WaitDelay = patient
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = in.Close() // the context of a test ends before its clean-up
		_ = cmd.Wait()
	})
	b := &driven{in: in, out: bufio.NewScanner(out)}
	b.out.Buffer(nil, 1<<20)
	tb.Logf("%s", b.answer(tb))
	return b
}

// answer is what the browser says to the last command.
func (b *driven) answer(tb testing.TB) json.RawMessage {
	tb.Helper()
	if !b.out.Scan() {
		tb.Fatalf("the browser is gone: %v", b.out.Err())
	}
	var said struct {
		Value json.RawMessage
		Error string
	}
	if err := json.Unmarshal(b.out.Bytes(), &said); err != nil || said.Error != "" {
		tb.Fatalf("the browser says %s: %v", b.out.Bytes(), err)
	}
	return said.Value
}

func (b *driven) command(tb testing.TB, command map[string]any) json.RawMessage {
	tb.Helper()
	line, err := json.Marshal(command)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := fmt.Fprintf(b.in, "%s\n", line); err != nil {
		tb.Fatal(err)
	}
	return b.answer(tb)
}

// drivenPage is a page in it.
type drivenPage struct {
	b      *driven
	number json.RawMessage
}

// hurried makes a page's clock go twenty times as fast, and tries come soon.
const hurried = `{
	const { setTimeout } = window;
	window.setTimeout = (f, ms, ...rest) => setTimeout(f, ms / 20, ...rest);
}`

// open opens a page, which is closed with tb.
func (b *driven) open(tb testing.TB, address, before string) *drivenPage {
	tb.Helper()
	p := &drivenPage{b, b.command(tb, map[string]any{"do": "open", "url": address, "before": before})}
	tb.Cleanup(p.close)
	return p
}

func (p *drivenPage) close() {
	if p.number == nil {
		return
	}
	_, _ = fmt.Fprintf(p.b.in, `{"do":"close","page":%s}`+"\n", p.number)
	p.b.out.Scan()
	p.number = nil
}

// is tells whether a condition holds.
func (p *drivenPage) is(tb testing.TB, condition string) bool {
	tb.Helper()
	script := "(async () => Boolean(" + condition + "))()"
	return string(p.b.command(tb, map[string]any{"do": "eval", "page": p.number, "script": script})) == "true"
}

// until waits for a condition to hold.
func (p *drivenPage) until(tb testing.TB, condition string) {
	tb.Helper()
	for late := time.Now().Add(patient); !p.is(tb, condition); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(late) {
			says := p.b.command(tb, map[string]any{"do": "eval", "page": p.number, "script": `globalThis.board?.getSnapshot ? JSON.stringify(board.getSnapshot()).slice(0, 400) : document.body.innerText.slice(0, 600)`})
			tb.Fatalf("waiting for %s; the page says %s", condition, says)
		}
	}
}

func (p *drivenPage) do(tb testing.TB, script string) {
	tb.Helper()
	p.is(tb, "("+script+", true)")
}

// The client's states are the same in browsers of two makes: it is live, comes back
// from offline, reads pages where its stream is held back or was replaced, and shows
// seven boards and any number of tabs by one stream.
func TestBrowsers(t *testing.T) {
	path, err := chromium()
	if err != nil {
		t.Fatal(err)
	}
	s := openReaders(t, time.Hour, "--public", "--heartbeat", "1s", "--max-streams-per-user", "1")
	s.p.crowd(8)
	s.p.classes(7)
	for name, path := range map[string]string{"firefox": firefox(t), "chromium": path} {
		b := drive(t, name, path, "{}")
		t.Run(name+", a wall", func(t *testing.T) { wall(t, s, b) })
		t.Run(name+", held back", func(t *testing.T) { heldBack(t, s, b) })
		t.Run(name+", replaced", func(t *testing.T) { replaced(t, s, b) })
		t.Run(name+", seven boards", func(t *testing.T) { sevenBoards(t, s, b) })
		t.Run(name+", tabs of plain http", func(t *testing.T) { plainTabs(t, s, b) })
	}
}

// A wall whose service was away for longer than all quick tries comes back by itself.
func wall(t *testing.T, s *ofReaders, b *driven) {
	t.Helper()
	page := b.open(t, s.URL+"/?kiosk", hurried)
	page.until(t, isLive)
	page.do(t, `window.same = true`)
	s.away.Store(true)
	s.CloseClientConnections()
	page.until(t, statusIs("offline"))
	before := s.asked.Load()
	for late := time.Now().Add(patient); s.asked.Load() == before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(late) {
			t.Fatal("nobody asks for a stream any more")
		}
	}
	s.away.Store(false)
	page.until(t, isLive+` && window.same`)
	s.p.points("u8", 5000)
	page.until(t, leads("u8", 5010))
	s.p.points("u8", -5000)
}

// Behind something that keeps streams back, pages are read; a stream that delivers wins.
func heldBack(t *testing.T, s *ofReaders, b *driven) {
	t.Helper()
	gate := make(chan struct{})
	s.held.Store(&gate)
	page := b.open(t, s.URL+"/client", hurried)
	page.until(t, `board.getSnapshot().status === "polling" && board.getSnapshot().entries.length === 8`)
	s.p.points("u7", 1000)
	page.until(t, leadsOf("u7"))
	if !page.is(t, `board.getSnapshot().status === "polling"`) {
		t.Error("it is not polling any more")
	}
	s.held.Store(nil)
	close(gate)
	page.until(t, clientLive)
	s.p.points("u6", 2000)
	page.until(t, leadsOf("u6"))
	s.p.points("u7", -1000)
	s.p.points("u6", -2000)
}

func leadsOf(user string) string {
	return fmt.Sprintf(`board.getSnapshot().entries[0].userId === %q`, user)
}

// A stream whose place a newer one of the same user took reads pages, until somebody
// touches the page.
func replaced(t *testing.T, s *ofReaders, b *driven) {
	t.Helper()
	page := b.open(t, s.URL+"/client?user=u2", hurried)
	page.until(t, clientLive)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.p.url+"/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+tokenFor(t, "u2", "", time.Hour))
	newer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	page.until(t, `board.getSnapshot().status === "polling"`)
	s.p.points("u5", 3000)
	page.until(t, leadsOf("u5")+` && board.getSnapshot().status === "polling"`)
	s.p.points("u5", -3000)
	if err := newer.Body.Close(); err != nil {
		t.Error(err)
	}
	page.do(t, `dispatchEvent(new Event("pointerdown"))`)
	page.until(t, clientLive)
}

// Seven boards of one page have one stream, and leave room for the page's other requests.
func sevenBoards(t *testing.T, s *ofReaders, b *driven) {
	t.Helper()
	untilStreams(t, &s.streams, 0)
	page := b.open(t, s.URL+"/classes", "")
	page.until(t, `customElements.get("marcador-board") && [...document.querySelectorAll("marcador-board")].every(
		({ board, snapshot }) => snapshot?.status === "live" && snapshot.entries.length === 2 && snapshot.board === board)`)
	untilStreams(t, &s.streams, 1)
	page.until(t, `(await fetch("/healthz")).ok`)
	page.do(t, `document.querySelector("main").insertAdjacentHTML("beforeend", '<marcador-board id="one-more" board="global" period="weekly"></marcador-board>'),
		document.querySelector("#one-more").getToken = getToken`)
	page.until(t, `document.querySelector("#one-more").snapshot?.status === "live" && document.querySelector("#one-more").snapshot.entries.length === 8`)
	untilStreams(t, &s.streams, 1)
	page.until(t, `told.every((status) => status === "connecting" || status === "live")`)
}

// Tabs of a page of plain http, where there are no Web Locks, have one stream.
func plainTabs(t *testing.T, s *ofReaders, b *driven) {
	t.Helper()
	untilStreams(t, &s.streams, 0)
	address := strings.Replace(s.URL, "127.0.0.1", "school.example", 1) + "/client?user=u3"
	tabs := make([]*drivenPage, 9)
	for i := range tabs {
		tabs[i] = b.open(t, address, "")
		tabs[i].until(t, clientLive+` && !isSecureContext && navigator.locks === undefined`)
	}
	untilStreams(t, &s.streams, 1)
	s.p.points("u4", 4000)
	for _, tab := range tabs {
		tab.until(t, leadsOf("u4")+` && (await fetch("/healthz")).ok`)
	}
	tabs[0].close()
	s.p.points("u4", -4000)
	for _, tab := range tabs[1:] {
		tab.until(t, leadsOf("u1")+` && `+clientLive)
	}
	untilStreams(t, &s.streams, 1)
}

// A browser that blocks cookies forbids storages, channels and locks; all works without.
func TestBrowsers_cookiesBlocked(t *testing.T) {
	s := openReaders(t, time.Hour, "--public")
	s.p.crowd(8)
	demo := quietSchool(t, 24, true)
	b := drive(t, "firefox", firefox(t), `{"network.cookie.cookieBehavior":2}`)
	page := b.open(t, s.URL, "")
	page.until(t, isLive)
	page.until(t, `(() => { try { new BroadcastChannel("x"); return false } catch { return true } })()`)
	for range 2 {
		b.open(t, s.URL+"/client?user=u2", "").until(t, clientLive)
	}
	page = b.open(t, demo.url, "")
	page.until(t, isLive+` && document.querySelectorAll("#student option").length > 20`)
	page.do(t, `document.querySelector("#student").selectedIndex = 3,
		document.querySelector("#student").dispatchEvent(new Event("change"))`)
	page.until(t, isLive+` && document.querySelector("tr.own, tr[aria-current]") !== null`)
}

// classes enrols two pupils in each class, and a teacher in all.
func (p *program) classes(n int) {
	p.tb.Helper()
	var all, users []string
	for i := range n {
		all = append(all, fmt.Sprintf(`"c%d"`, i))
		users = append(users, fmt.Sprintf(`{"id":"pupil%d","username":"Pupil %d","groups":{"classroom":["c%d"]}}`, i, i, i))
	}
	users = append(users, fmt.Sprintf(`{"id":"teacher","username":"Teacher","groups":{"classroom":[%s]}}`, strings.Join(all, ",")))
	p.call(tokenFor(p.tb, "svc", "admin", time.Hour), http.MethodPost, "/v1/users", `{"users":[`+strings.Join(users, ",")+`]}`, nil)
}
