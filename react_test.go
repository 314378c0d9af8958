package main

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

// ofReact are the files of React that a page in development loads, by the names that they
// require each other by.
var ofReact = []struct{ name, file string }{
	{"react", "react/cjs/react.development.js"},
	{"react/jsx-runtime", "react/cjs/react-jsx-runtime.development.js"},
	{"scheduler", "scheduler/cjs/scheduler.development.js"},
	{"react-dom", "react-dom/cjs/react-dom.development.js"},
	{"react-dom/client", "react-dom/cjs/react-dom-client.development.js"},
}

// The example is used as it stands in a page with the real React, which has everything
// mounted twice, and complains of a snapshot that is never the same.
func TestReact(t *testing.T) {
	out := t.TempDir()
	tsc := exec.CommandContext(t.Context(), "node_modules/.bin/tsc", "--ignoreConfig", "--allowJs", "--jsx", "react-jsx",
		"--module", "esnext", "--target", "es2022", "--outDir", out, "examples/react.jsx")
	if text, err := tsc.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	s := openSite(t, "--public")
	p := s.service
	p.crowd(3)
	script := func(path, before, file, after string) {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s.mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
			fmt.Fprintf(w, "%s%s%s", before, body, after)
		})
	}
	page := `<!doctype html><html lang="es"><title>React</title><div id="root"></div>
<script>const modules = {}, process = { env: { NODE_ENV: "development" } }, require = (name) => modules[name];
window.complaints = []; for (const kind of ["warn", "error"]) console[kind] = (...text) => complaints.push(text.join(" "))</script>
<script type="importmap">{"imports":{"marcador":"` + s.front + `/marcador.js","react":"/react.js","react/jsx-runtime":"/jsx.js"}}</script>
`
	for i, one := range ofReact {
		path := fmt.Sprintf("/part%d.js", i)
		script(path, "{ const exports = modules["+fmt.Sprintf("%q", one.name)+"] = {};\n", filepath.Join("node_modules", one.file), "\n}")
		page += `<script src="` + path + `"></script>` + "\n"
	}
	script("/example.js", "", filepath.Join(out, "react.js"), "")
	for path, text := range map[string]string{
		"/react.js": `export const { useMemo, useSyncExternalStore } = modules["react"]`,
		"/jsx.js":   `export const { jsx, jsxs } = modules["react/jsx-runtime"]`,
		"/main.js": `import { Leaderboard } from "/example.js";
			const { createElement, Profiler, StrictMode } = modules["react"];
			const root = modules["react-dom/client"].createRoot(document.querySelector("#root"));
			window.renders = 0;
			window.show = (props) => root.render(createElement(StrictMode, null,
				createElement(Profiler, { id: "board", onRender: () => { renders++ } }, props && createElement(Leaderboard, props))));
			show({ board: "global", baseUrl: "` + s.front + `" });`,
	} {
		s.mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/javascript")
			fmt.Fprint(w, text)
		})
	}
	s.mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, page+`<script type="module" src="/main.js"></script></html>`)
	})

	ctx := browser(t)(600, 400, "es-MX")
	must(t, ctx, chromedp.Navigate(s.URL))
	list := `document.querySelector("#root").innerText`
	until(t, ctx, list+` === "User 1: 30\nUser 2: 20\nUser 3: 10"`)
	untilStreams(t, &s.streams, 1) // that of the first mount is closed
	before := eval[int](t, ctx, `renders`)
	p.points("u3", 25)
	until(t, ctx, list+` === "User 3: 35\nUser 1: 30\nUser 2: 20"`)
	if got := eval[int](t, ctx, `renders`) - before; got < 1 || got > 2 {
		t.Errorf("an update renders %d times", got)
	}
	eval[any](t, ctx, `show({ board: "global", period: "weekly", baseUrl: "`+s.front+`" })`)
	until(t, ctx, list+` === "User 3: 35\nUser 1: 30\nUser 2: 20"`)
	untilStreams(t, &s.streams, 1)
	eval[any](t, ctx, `show(null)`)
	untilStreams(t, &s.streams, 0)
	expect(t, ctx, "complaints of React", `complaints.join("\n")`, "")
}
