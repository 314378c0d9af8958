package main

import (
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"
)

// strays are what a window has asked for outside of the path, or without success.
const strays = `performance.getEntriesByType("resource")
	.filter((one) => !one.name.startsWith(location.origin + "/points/") || one.responseStatus >= 400)
	.map((one) => one.responseStatus + " " + one.name)`

// Behind nginx, which puts the service under a path of a school's site, the page, the
// documents, the client and the element find all that they need.
func TestPrefix_page(t *testing.T) {
	p := proxiedUnder(quietSchool(t, 24, true), "/points/")
	ctx := browser(t)(1280, 900, "en-US")
	student := "?student=ixchel-perez"
	for _, address := range []string{p.url + "/" + student, p.url + student} { // nginx adds the slash
		must(t, ctx, chromedp.Navigate(address))
		until(t, ctx, isLive+` && document.querySelector("tr.own") !== null && document.querySelectorAll("canvas").length > 0`)
	}
	must(t, ctx, chromedp.Click(chromedp.ID("exercise")))
	until(t, ctx, `document.querySelector("#toast").classList.contains("shown")`)
	script(t, ctx, `document.querySelector('#periods a[href*="daily"]').click()`)
	until(t, ctx, isLive+` && location.pathname === "/points/" && location.search.includes("daily")`)
	expect(t, ctx, "asked for elsewhere", strays+`.join()`, "")

	expect(t, ctx, "the client by itself", `import("./marcador.js").then(({ connect }) => new Promise((resolve) => {
		const board = connect({ period: "weekly" });
		board.subscribe(() => board.getSnapshot().status === "live" && (board.close(), resolve("live")));
	}))`, "live")
	script(t, ctx, `import("./marcador/element.js"); document.querySelector("main").append(document.createElement("marcador-board"))`)
	until(t, ctx, elementLive)
	expect(t, ctx, "asked for elsewhere", strays+`.join()`, "")

	expect(t, ctx, "what the API's description calls its server",
		`fetch("openapi.json").then(async (r) => new URL((await r.json()).servers[0].url + "/v1/badges", r.url).pathname)`, "/points/v1/badges")

	must(t, ctx, chromedp.Navigate(p.url+"/docs"))
	until(t, ctx, `document.styleSheets[0]?.cssRules.length > 0`)
	expect(t, ctx, "asked for elsewhere by the documents", strays+`.join()`, "")
	expect(t, ctx, "links of the documents", `[...document.links].filter((one) => !one.href.startsWith(location.origin + "/points/")).join()`, "")
}

// A redirect stays under the path, and nothing that browsers look for by themselves is
// missing.
func TestPrefix_redirects(t *testing.T) {
	p := proxiedUnder(start(t, "demo", "--addr", "127.0.0.1:0", "--students", "5"), "/points/")
	for path, want := range map[string]string{
		"/docs/?a=b":       "/points/docs?a=b",
		"/docs":            "/points/docs",
		"/favicon.ico":     "/points/favicon.ico",
		"/v1/badges?x=%2F": "/points/v1/badges?x=%2F",
		"":                 "/points/",
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+path, nil)
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
