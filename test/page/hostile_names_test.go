package page_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"marcador/test/testkit"
	"marcador/test/testkit/browser"
	"marcador/test/testkit/site"
)

// ran is the script that hostile names and avatars try to run.
const ran = `window.ran=(window.ran||0)+1`

var hostileNames = []string{
	`<img src=x onerror="` + ran + `">`,
	`</script><script>` + ran + `</script>`,
	`</td></tr></table><svg/onload=` + ran + `>`,
	`{{constructor.constructor("` + ran + `")()}}`,
	`javascript:` + ran,
	`<svg><animate onbegin=` + ran + ` attributeName=x dur=1s>`,
	`"><iframe srcdoc="<script>parent.` + ran + `</script>">`,
	`&lt;img src=x onerror=` + ran + `&gt;`,
}

// hostilePicture is a picture that may be an avatar, with scripts that must not run.
var hostilePicture = `data:image/svg+xml,` + url.PathEscape(`<svg xmlns="http://www.w3.org/2000/svg" onload="`+ran+`"><script>`+ran+`</script><foreignObject><img src="x" onerror="`+ran+`"/></foreignObject></svg>`)

// profileOf returns the body of a profile, whose school has a hostile name, too.
func profileOf(t *testing.T, name, avatar string) string {
	t.Helper()
	body, err := json.Marshal(map[string]any{"username": name, "avatar": avatar, "groups": map[string]any{"school": []string{hostileNames[0]}}})
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// Names are shown as they are written. Neither a name nor an avatar runs as a script, and the page
// breaks nothing of its own policy.
func TestPage_hostileNames(t *testing.T) {
	p := testkit.Serve(t, "--public")
	admin := testkit.Token(t, "svc", "admin")
	avatars := []string{hostilePicture, "https://127.0.0.1:1/a.png?\"><script>" + ran + "</script>", "data:image/png,\" onerror=\"" + ran, ""}
	for i, name := range hostileNames {
		p.Call(admin, http.MethodPut, fmt.Sprintf("/v1/users/u%d", i), profileOf(t, name, avatars[i%len(avatars)]), nil)
		p.Give(fmt.Sprintf("u%d", i), 1000-i)
	}
	checkRefusedProfiles(t, p)

	window := browser.Open(t, 800, 600, "es-MX")
	window.Beforehand(`window.violations = [];
		addEventListener("securitypolicyviolation", (e) => violations.push(e.violatedDirective + " " + e.blockedURI + " " + e.sourceFile));
		addEventListener("error", (e) => e.message && violations.push(e.message));`)
	clean := func(where string) {
		t.Helper()
		if ran := browser.Eval[int](window, `window.ran || 0`); ran != 0 {
			t.Errorf("%s: %d hostile scripts ran", where, ran)
		}
		if violations := browser.Eval[[]string](window, `violations`); len(violations) != 0 {
			t.Errorf("%s: the page breaks its policy: %q", where, violations)
		}
	}
	window.Visit(p.URL, site.Live, `[...document.images].every((i) => i.complete)`)
	shown := browser.Eval[[]string](window, `[...document.querySelectorAll("tr[data-user-id] .name")].map((e) => e.textContent)`)
	if fmt.Sprintf("%q", shown) != fmt.Sprintf("%q", hostileNames) {
		t.Errorf("shown are %q, want %q", shown, hostileNames)
	}
	clean("the board")
	p.Call(admin, http.MethodPut, "/v1/users/u7", profileOf(t, hostileNames[1], hostilePicture), nil) // by a stream, too
	window.Until(`document.querySelector('tr[data-user-id="u7"] .name').textContent.startsWith("</script>")`)
	clean("after a broadcast")
	hostile := "/?board=" + url.QueryEscape("school:"+hostileNames[0]) + "&period=%3Cscript%3E" + ran + "%3C/script%3E&student=" + url.QueryEscape(hostileNames[0])
	window.Visit(p.URL+hostile, `document.querySelector("#board").textContent !== "Global" || !document.querySelector("#notice").hidden`)
	clean("a board by a hostile name")
	window.Visit(p.URL+"/docs", `document.querySelector("h1") !== null && getComputedStyle(document.body).fontFamily !== ""`)
	if browser.Eval[int](window, `document.styleSheets[0].cssRules.length`) == 0 {
		t.Error("/docs has no style")
	}
	clean("/docs")
}

// checkRefusedProfiles checks that avatars that are no pictures are refused, and names with letters
// that change the direction of text, which would rearrange a row.
func checkRefusedProfiles(t *testing.T, p *testkit.Program) {
	t.Helper()
	refused := []string{profileOf(t, "\u202eevil\u202d \u2066left", "")}
	for _, avatar := range []string{
		"javascript:" + ran, "data:text/html,<script>" + ran + "</script>", "http://127.0.0.1/a.png", "JAVASCRIPT:" + ran,
		" https://x/a.png", "//x/a.png", "data:application/javascript," + ran, "vbscript:x", "blob:https://x/1", "java\tscript:x", "https://x/\na.png",
	} {
		refused = append(refused, profileOf(t, "x", avatar))
	}
	for _, profile := range refused {
		if status, body := p.Try(testkit.Token(t, "svc", "admin"), http.MethodPut, "/v1/users/u0", profile); status != http.StatusUnprocessableEntity {
			t.Errorf("%s is taken: %d %s", profile, status, body)
		}
	}
}
