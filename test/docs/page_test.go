package docs_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"marcador/test/testkit"
	"marcador/test/testkit/browser"
)

// standIns are what an example leaves to its reader: a function that gets a token, and one that
// draws a board.
const standIns = `<script>
const getToken = async () => (await fetch("/marcador-token")).text();
const render = (snapshot) => { window.rendered = snapshot };
</script>`

// shown is the condition that the example shows a board with Ana on it: by the tag, by the
// stand-in, or by elements of its own.
const shown = `[document.querySelector("marcador-board")?.snapshot, window.rendered].some((one) =>
	one?.status === "live" && one.entries.some((entry) => entry.userId === "ana")) ||
	document.querySelector("ol")?.textContent.includes("Ana Pech")`

// page opens HTML in a page of another site, whose server signs Ana's tokens.
func (d *document) page(b block) {
	d.t.Helper()
	var service *testkit.Program
	mux := http.NewServeMux()
	mux.HandleFunc("GET /marcador-token", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, testkit.Token(d.t, "ana", ""))
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		text := strings.ReplaceAll(b.text, "https://points.example.org", service.URL)
		fmt.Fprintf(w, "<!doctype html><title>%s</title><body>%s%s", d.path, standIns, text)
	})
	site := httptest.NewServer(mux)
	d.t.Cleanup(site.Close)
	service = testkit.Serve(d.t, "--public", "--cors-origins", site.URL)
	enrol(d.t, service)

	window := browser.Open(d.t, 800, 600, "en-US")
	window.Beforehand(`window.wrong = []; addEventListener("error", (event) => wrong.push(event.message))`)
	window.Visit(site.URL, `document.readyState === "complete"`)
	window.Script(`for (const one of document.querySelectorAll("marcador-board")) one.getToken ??= getToken`)
	window.Until(shown)
	browser.Expect(window, fmt.Sprintf("%s:%d: errors", d.path, b.line), `wrong.join()`, "")
}

// enrol makes Ana, who is in the groups of the documents and has points.
func enrol(tb testing.TB, service *testkit.Program) {
	tb.Helper()
	admin := testkit.Token(tb, "svc", "admin")
	service.Call(admin, http.MethodPut, "/v1/users/ana", `{"username":"Ana Pech","groups":{"school":["42"],"classroom":["7a"]}}`, nil)
	service.Call(admin, http.MethodPost, "/v1/users/ana/xp", `{"xp":75}`, nil)
}

// style has Chromium read CSS. It leaves out what it does not understand, so the rules and their
// declarations are counted.
func (d *document) style(b block) {
	d.t.Helper()
	window := browser.Open(d.t, 800, 600, "en-US")
	window.Visit("about:blank")
	declared := fmt.Sprintf(`(() => {
		const sheet = new CSSStyleSheet();
		sheet.replaceSync(%q);
		return [...sheet.cssRules].map((rule) => rule.style.length).join();
	})()`, b.text)
	var want []string
	text := regexp.MustCompile(`(?s)/\*.*?\*/`).ReplaceAllString(b.text, "")
	for rule := range strings.SplitSeq(text, "}") {
		if _, body, ok := strings.Cut(rule, "{"); ok {
			want = append(want, fmt.Sprint(strings.Count(body, ";")))
		}
	}
	browser.Expect(window, fmt.Sprintf("%s:%d: declarations of each rule", d.path, b.line), declared, strings.Join(want, ","))
}
