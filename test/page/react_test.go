package page_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"

	"marcador/test/testkit"
	"marcador/test/testkit/browser"
	"marcador/test/testkit/site"
)

// ofReact are the files of React that a page in development loads, with the names under which they
// require each other.
var ofReact = []struct{ name, file string }{
	{"react", "react/cjs/react.development.js"},
	{"react/jsx-runtime", "react/cjs/react-jsx-runtime.development.js"},
	{"scheduler", "scheduler/cjs/scheduler.development.js"},
	{"react-dom", "react-dom/cjs/react-dom.development.js"},
	{"react-dom/client", "react-dom/cjs/react-dom-client.development.js"},
}

// reactPage is the page's head, in front of React's own files.
const reactPage = `<!doctype html><html lang="es"><title>React</title><div id="root"></div>
<script>const modules = {}, process = { env: { NODE_ENV: "development" } }, require = (name) => modules[name];
window.complaints = []; for (const kind of ["warn", "error"]) console[kind] = (...text) => complaints.push(text.join(" "))</script>
<script type="importmap">{"imports":{"marcador":"%s/marcador.js","react":"/react.js","react/jsx-runtime":"/jsx.js"}}</script>
`

// reactMain mounts the example in strict mode and counts how often it renders.
const reactMain = `import { Leaderboard } from "/example.js";
	const { createElement, Profiler, StrictMode } = modules["react"];
	const root = modules["react-dom/client"].createRoot(document.querySelector("#root"));
	window.renders = 0;
	window.show = (props) => root.render(createElement(StrictMode, null,
		createElement(Profiler, { id: "board", onRender: () => { renders++ } }, props && createElement(Leaderboard, props))));
	show({ board: "global", baseUrl: "%s" });`

// openReact opens a site whose page shows the example.
func openReact(t *testing.T) *site.Site {
	t.Helper()
	out := t.TempDir()
	tsc := exec.CommandContext(t.Context(), testkit.Path("node_modules/.bin/tsc"), "--ignoreConfig", "--allowJs", "--jsx", "react-jsx",
		"--module", "esnext", "--target", "es2022", "--outDir", out, "examples/react.jsx")
	tsc.Dir = testkit.Path("")
	if text, err := tsc.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	s := site.Open(t, "--public")
	page := fmt.Sprintf(reactPage, s.Front)
	for i, one := range ofReact {
		path := fmt.Sprintf("/part%d.js", i)
		source := testkit.Read(t, testkit.Path("node_modules/"+one.file))
		s.Serve(path, "text/javascript", fmt.Sprintf("{ const exports = modules[%q] = {};\n%s\n}", one.name, source))
		page += `<script src="` + path + `"></script>` + "\n"
	}
	s.Serve("/example.js", "text/javascript", string(testkit.Read(t, filepath.Join(out, "react.js"))))
	s.Serve("/react.js", "text/javascript", `export const { useMemo, useSyncExternalStore } = modules["react"]`)
	s.Serve("/jsx.js", "text/javascript", `export const { jsx, jsxs } = modules["react/jsx-runtime"]`)
	s.Serve("/main.js", "text/javascript", fmt.Sprintf(reactMain, s.Front))
	s.Serve("/{$}", "text/html", page+`<script type="module" src="/main.js"></script></html>`)
	return s
}

// The example works as it is with the real React, which mounts everything twice in development and
// complains of a snapshot that is never the same.
func TestReact(t *testing.T) {
	t.Parallel()
	s := openReact(t)
	s.Service.Crowd(3)
	window := browser.Open(t, 600, 400, "es-MX")
	list := `document.querySelector("#root").innerText`
	window.Visit(s.URL, list+` === "User 1: 30\nUser 2: 20\nUser 3: 10"`)
	s.Streams.Await(t, 1) // the first mount's stream is closed
	before := browser.Eval[int](window, `renders`)
	s.Service.Give("u3", 25)
	window.Until(list + ` === "User 3: 35\nUser 1: 30\nUser 2: 20"`)
	if got := browser.Eval[int](window, `renders`) - before; got < 1 || got > 2 {
		t.Errorf("an update renders %d times", got)
	}
	window.Script(`show({ board: "global", period: "weekly", baseUrl: "` + s.Front + `" })`)
	window.Until(list + ` === "User 3: 35\nUser 1: 30\nUser 2: 20"`)
	s.Streams.Await(t, 1)
	window.Script(`show(null)`)
	s.Streams.Await(t, 0)
	browser.Expect(window, "complaints of React", `complaints.join("\n")`, "")
}
