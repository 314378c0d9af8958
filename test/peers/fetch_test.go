package peers_test

import (
	"testing"

	"marcador/test/testkit"
	"marcador/test/testkit/browser"
	"marcador/test/testkit/proxy"
)

// A stream read with fetch fails when the server is killed, and ends well after a goodbye: in Node
// and in Chromium, directly and through proxies.
func TestFetch_ends(t *testing.T) {
	fronts := map[string]func(*testing.T, *testkit.Program) *testkit.Program{
		"direct":  func(_ *testing.T, p *testkit.Program) *testkit.Program { return p },
		"nginx":   func(t *testing.T, p *testkit.Program) *testkit.Program { return proxy.Nginx(t, p) },
		"HAProxy": func(t *testing.T, p *testkit.Program) *testkit.Program { return proxy.HAProxy(t, p, "", "") },
	}
	for name, front := range fronts {
		for signal, want := range map[string]string{"killed": "(failure)", "goodbye": "(end)"} {
			t.Run(name+", "+signal, func(t *testing.T) {
				p := testkit.Spawn(t, testkit.Database(t), "--public")
				p.Enrol(3)
				through := front(t, p.Program)
				heard := fromNPM(t, "fetch", through.URL+"/v1/events")
				window := browser.Open(t, 800, 600, "en-US")
				window.Visit(through.URL + "/") // its policy lets a script connect to the service
				window.Script(`
					window.came = "";
					fetch("/v1/events").then(async (r) => {
						const text = r.body.pipeThrough(new TextDecoderStream()).getReader();
						for (let piece = await text.read(); !piece.done; piece = await text.read()) came += piece.value;
						came += "(end)";
					}).catch(() => { came += "(failure)"; })`)
				testkit.Later(t, heard, "leaderboard:updated")
				window.Until(`came.includes("leaderboard:updated")`)
				if signal == "killed" {
					p.Kill()
				} else {
					p.Terminate()
				}
				for event := ""; event != want; {
					m := <-heard
					if event = m.Event; event == "" || event[0] == '(' && event != want {
						t.Fatalf("Node: %q, want %q", event, want)
					}
				}
				window.Until(`came.endsWith(")")`)
				browser.Expect(window, "the end in Chromium", `came.endsWith("`+want+`")`, true)
			})
		}
	}
}
