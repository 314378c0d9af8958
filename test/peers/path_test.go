package peers_test

import (
	"net/http"
	"testing"

	"marcador/test/testkit"
	"marcador/test/testkit/browser"
	"marcador/test/testkit/proxy"
	"marcador/test/testkit/site"
)

// strays are what a window has asked for outside of the path, or without success.
const strays = `performance.getEntriesByType("resource")
	.filter((one) => !one.name.startsWith(location.origin + "/points/") || one.responseStatus >= 400)
	.map((one) => one.responseStatus + " " + one.name)`

// Page, documents, client and element find everything behind nginx that puts the service under a
// path of a school's site.
func TestPath_page(t *testing.T) {
	p := proxy.NginxUnder(t, site.School(t, 24, true), "/points/")
	window := browser.Open(t, 1280, 900, "en-US")
	student := "?student=ixchel-perez"
	for _, address := range []string{p.URL + "/" + student, p.URL + student} { // nginx adds the slash
		window.Visit(address, site.Live+` && document.querySelector("tr.own") !== null && document.querySelectorAll("canvas").length > 0`)
	}
	window.Click("exercise")
	window.Until(`document.querySelector("#toast").classList.contains("shown")`)
	window.Script(`document.querySelector('#periods a[href*="daily"]').click()`)
	window.Until(site.Live + ` && location.pathname === "/points/" && location.search.includes("daily")`)
	browser.Expect(window, "asked for elsewhere", strays+`.join()`, "")

	browser.Expect(window, "the client by itself", `import("./marcador.js").then(({ connect }) => new Promise((resolve) => {
		const board = connect({ period: "weekly" });
		board.subscribe(() => board.getSnapshot().status === "live" && (board.close(), resolve("live")));
	}))`, "live")
	window.Script(`import("./marcador/element.js"); document.querySelector("main").append(document.createElement("marcador-board"))`)
	window.Until(site.ElementLive)
	browser.Expect(window, "asked for elsewhere", strays+`.join()`, "")

	browser.Expect(window, "what the API's description calls its server",
		`fetch("openapi.json").then(async (r) => new URL((await r.json()).servers[0].url + "/v1/badges", r.url).pathname)`, "/points/v1/badges")

	window.Visit(p.URL+"/docs", `document.styleSheets[0]?.cssRules.length > 0`)
	browser.Expect(window, "asked for elsewhere by the documents", strays+`.join()`, "")
	browser.Expect(window, "links of the documents", `[...document.links].filter((one) => !one.href.startsWith(location.origin + "/points/")).join()`, "")
}

// A redirect stays under the path, and nothing is missing that browsers look for by themselves.
func TestPath_redirects(t *testing.T) {
	p := proxy.NginxUnder(t, testkit.Start(t, "demo", "--addr", testkit.AnyPort, "--students", "5"), "/points/")
	for path, want := range map[string]string{
		"/docs/?a=b":       "/points/docs?a=b",
		"/docs":            "/points/docs",
		"/favicon.ico":     "/points/favicon.ico",
		"/v1/badges?x=%2F": "/points/v1/badges?x=%2F",
		"":                 "/points/",
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if err := res.Body.Close(); err != nil {
			t.Error(err)
		}
		if got := res.Request.URL.RequestURI(); got != want || res.StatusCode != http.StatusOK {
			t.Errorf("%s leads to %s, %s, want %s", path, got, res.Status, want)
		}
	}
}
