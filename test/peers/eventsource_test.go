package peers_test

import (
	"fmt"
	"testing"

	"marcador/test/testkit"
	"marcador/test/testkit/browser"
	"marcador/test/testkit/proxy"
)

// Chromium's own EventSource understands a compressed stream, and comes back by itself after the
// server was restarted.
func TestEventSource(t *testing.T) {
	for _, name := range []string{"direct", "nginx"} {
		t.Run(name, func(t *testing.T) {
			db, addr := testkit.Database(t), testkit.FreeAddress(t)
			p := testkit.ServeOn(t, addr, db, "--public")
			p.Enrol(3)
			through := p
			if name == "nginx" {
				through = proxy.Nginx(t, p)
			}
			window := browser.Open(t, 800, 600, "en-US")
			// The policy of the service's own page lets a script connect to the service.
			window.Visit(through.URL + "/")
			window.Script(`
				window.heard = [];
				const source = new EventSource("/v1/events?mode=diff");
				for (const type of ["authenticated", "leaderboard:updated", "position_change", "goodbye", "error"]) {
					source.addEventListener(type, (e) => { if (e.data) heard.push({ type, id: e.lastEventId, data: JSON.parse(e.data) }) });
				}
				fetch("/v1/events").then((r) => { window.coding = r.headers.get("Content-Encoding"); r.body.cancel() })`)
			window.Until(`heard.length === 2 && heard[1].type === "leaderboard:updated" && heard[1].data.version === 3`)
			window.Until(`window.coding === "gzip"`)
			for i := range 3 {
				p.Give("u2", 7)
				window.Until(fmt.Sprintf(`heard.length === %d && heard.at(-1).type === "position_change" && heard.at(-1).data.from === %d && heard.at(-1).id.includes("-%d.")`, 3+i, 3+i, 4+i))
			}
			p.Stop()
			window.Until(`heard.at(-1).type === "goodbye"`)
			p = testkit.ServeOn(t, addr, db, "--public")
			p.Give("u3", 70)
			window.Until(`heard.at(-1).type === "leaderboard:updated" && heard.at(-1).data.leaderboard[0].userId === "u3" && heard.at(-2).data.recovered === false`)
			// The stream goes on with differences.
			p.Give("u3", 1)
			window.Until(`heard.at(-1).type === "position_change"`)
		})
	}
}

// An EventSource that was replaced is told so, and goes on trying: it is not closed for good.
func TestEventSource_replaced(t *testing.T) {
	p := testkit.Serve(t, "--max-streams-per-user", "1")
	p.Enrol(1)
	window := browser.Open(t, 800, 600, "en-US")
	window.Visit(p.URL + "/")
	window.SignIn("u1")
	window.Script(`
		window.told = [];
		window.first = new EventSource("/v1/events");
		first.addEventListener("error", (e) => { if (e.data) told.push(JSON.parse(e.data).code + " " + e.lastEventId) });
		first.addEventListener("leaderboard:updated", () => { window.second ??= new EventSource("/v1/events") })`)
	window.Until(`told.length === 1 && told[0].startsWith("replaced ") && told[0].endsWith("!replaced")`)
	window.Until(`first.readyState === EventSource.CONNECTING && second.readyState === EventSource.OPEN`)
}
