package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// What people are called is shown as it is written and runs nowhere, nor does a
// picture of theirs; and the page keeps to its own policy.
func TestPage_hostile(t *testing.T) {
	p := serveOn(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "m.db"), "--public")
	admin := tokenFor(t, "svc", "admin", time.Hour)
	const run = `window.ran=(window.ran||0)+1`
	names := []string{
		`<img src=x onerror="` + run + `">`,
		`</script><script>` + run + `</script>`,
		`</td></tr></table><svg/onload=` + run + `>`,
		`{{constructor.constructor("` + run + `")()}}`,
		`javascript:` + run,
		`<svg><animate onbegin=` + run + ` attributeName=x dur=1s>`,
		`"><iframe srcdoc="<script>parent.` + run + `</script>">`,
		`&lt;img src=x onerror=` + run + `&gt;`,
	}
	svg := `data:image/svg+xml,` + url.PathEscape(`<svg xmlns="http://www.w3.org/2000/svg" onload="`+run+`"><script>`+run+`</script><foreignObject><img src="x" onerror="`+run+`"/></foreignObject></svg>`)
	avatars := []string{svg, "https://127.0.0.1:1/a.png?\"><script>" + run + "</script>", "data:image/png,\" onerror=\"" + run, ""}
	profile := func(name, avatar string) string {
		body, err := json.Marshal(map[string]any{"username": name, "avatar": avatar, "groups": map[string]any{"school": []string{names[0]}}})
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	for i, name := range names {
		p.call(admin, http.MethodPut, fmt.Sprintf("/v1/users/u%d", i), profile(name, avatars[i%len(avatars)]), nil)
		p.call(admin, http.MethodPost, fmt.Sprintf("/v1/users/u%d/xp", i), fmt.Sprintf(`{"xp":%d}`, 1000-i), nil)
	}
	for _, avatar := range []string{
		"javascript:" + run, "data:text/html,<script>" + run + "</script>", "http://127.0.0.1/a.png", "JAVASCRIPT:" + run,
		" https://x/a.png", "//x/a.png", "data:application/javascript," + run, "vbscript:x", "blob:https://x/1", "java\tscript:x", "https://x/\na.png",
	} {
		if status, body := p.try(admin, http.MethodPut, "/v1/users/u0", profile("x", avatar)); status != http.StatusUnprocessableEntity {
			t.Errorf("the avatar %q is taken: %d %s", avatar, status, body)
		}
	}

	// Letters that turn the direction of what follows would rearrange the row.
	if status, body := p.try(admin, http.MethodPut, "/v1/users/u0", profile("\u202eevil\u202d \u2066left", "")); status != http.StatusUnprocessableEntity {
		t.Errorf("a name that turns the direction is taken: %d %s", status, body)
	}

	ctx := browser(t)(800, 600, "es-MX")
	beforehand(t, ctx, `window.violations = [];
		addEventListener("securitypolicyviolation", (e) => violations.push(e.violatedDirective + " " + e.blockedURI + " " + e.sourceFile));
		addEventListener("error", (e) => e.message && violations.push(e.message));`)
	clean := func(where string) {
		t.Helper()
		if ran := eval[int](t, ctx, `window.ran || 0`); ran != 0 {
			t.Errorf("%s: %d scripts of others ran", where, ran)
		}
		if violations := eval[[]string](t, ctx, `violations`); len(violations) != 0 {
			t.Errorf("%s: the page breaks its policy: %q", where, violations)
		}
	}
	must(t, ctx, chromedp.Navigate(p.url))
	until(t, ctx, isLive)
	until(t, ctx, `[...document.images].every((i) => i.complete)`)
	shown := eval[[]string](t, ctx, `[...document.querySelectorAll("tr[data-user-id] .name")].map((e) => e.textContent)`)
	if fmt.Sprintf("%q", shown) != fmt.Sprintf("%q", names) {
		t.Errorf("shown are %q, want %q", shown, names)
	}
	clean("the board")
	p.call(admin, http.MethodPut, "/v1/users/u7", profile(names[1], svg), nil) // and on a stream
	until(t, ctx, `document.querySelector('tr[data-user-id="u7"] .name').textContent.startsWith("</script>")`)
	clean("after a broadcast")
	must(t, ctx, chromedp.Navigate(p.url+"/?board="+url.QueryEscape("school:"+names[0])+"&period=%3Cscript%3E"+run+"%3C/script%3E&student="+url.QueryEscape(names[0])))
	until(t, ctx, `document.querySelector("#board").textContent !== "Global" || !document.querySelector("#notice").hidden`)
	clean("a board by a hostile name")
	must(t, ctx, chromedp.Navigate(p.url+"/docs"))
	until(t, ctx, `document.querySelector("h1") !== null && getComputedStyle(document.body).fontFamily !== ""`)
	if eval[int](t, ctx, `document.styleSheets[0].cssRules.length`) == 0 {
		t.Error("/docs has no style")
	}
	clean("/docs")
}
