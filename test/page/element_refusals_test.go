package page_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"marcador/test/testkit"
	"marcador/test/testkit/browser"
	"marcador/test/testkit/site"
)

// elsewhere serves a site with one board of the service at that address, by the README's two lines
// and under this policy, and returns its address.
func elsewhere(tb testing.TB, service, language, policy string) string {
	tb.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if policy != "" {
			w.Header().Set("Content-Security-Policy", policy)
		}
		fmt.Fprintf(w, `<!doctype html><html lang="%s"><head><title>Escuela</title></head><body><main><h1>Escuela</h1>
<script type="module" src="%s/marcador/element.js"></script>
<marcador-board board="classroom:7a" period="weekly" rows="10"></marcador-board></main></body></html>`, language, service)
	}))
	tb.Cleanup(server.Close)
	return server.URL
}

// says waits until the element says each of these.
func says(tb testing.TB, window *browser.Window, texts ...string) {
	tb.Helper()
	window.Until(site.ElementShown)
	for _, text := range texts {
		window.Until(fmt.Sprintf(`%s.includes(%q)`, site.ElementText, text))
	}
}

// giveToken gives the element a user's token, as its site does.
func giveToken(tb testing.TB, window *browser.Window, token string) {
	tb.Helper()
	window.Script(fmt.Sprintf(`%s.getToken = async () => %q`, site.Element, token))
}

// The element says what its site still lacks, one thing after the other, until the board shows.
func TestElement_saysWhatIsMissing(t *testing.T) {
	t.Parallel()
	db, addr := testkit.Database(t), testkit.FreeAddress(t)
	p := testkit.ServeOn(t, addr, db)
	admin := testkit.Token(t, "svc", "admin")
	p.Call(admin, http.MethodPut, "/v1/users/ana", `{"username":"Ana","groups":{"classroom":["7a"]}}`, nil)
	p.Call(admin, http.MethodPut, "/v1/users/leo", `{"username":"Leo","groups":{"classroom":["7b"]}}`, nil)
	p.Give("ana", 50)
	school := elsewhere(t, p.URL, "es", "")
	window, english := browser.Open(t, 390, 844, "es-MX"), browser.Open(t, 800, 600, "en-US")
	window.Hurry()
	english.Hurry()
	window.Visit(school)
	says(t, window, "El servicio todavía no permite que este sitio muestre el marcador.", "--cors-origins "+school)
	for _, width := range []int{240, 390, 1200} {
		window.Resize(width, 844)
		window.Axe(fmt.Sprintf("not allowed, %d px", width))
		browser.Expect(window, "wider than the window", `document.documentElement.scrollWidth > innerWidth`, false)
	}
	english.Visit(elsewhere(t, p.URL, "en", ""))
	says(t, english, "The service does not let this site show the leaderboard yet.", "--cors-origins http")

	p.Stop()
	testkit.ServeOn(t, addr, db, "--cors-origins", school)
	window.Script(site.Element + `.retry()`)
	says(t, window, "Este marcador pide iniciar sesión.", "getToken")
	window.Axe("no token")
	giveToken(t, window, testkit.Token(t, "ana", "")[:40]+".x.y")
	says(t, window, "El servicio no aceptó tu sesión.")
	giveToken(t, window, testkit.Token(t, "leo", ""))
	says(t, window, "Tu cuenta no puede ver este marcador.")
	window.Script(site.Element + `.getToken = async () => { throw new Error("no") }`)
	says(t, window, "Este sitio no pudo decir quién mira.")
	giveToken(t, window, testkit.Token(t, "ana", ""))
	window.Until(site.ElementLive)
	browser.Expect(window, "the board", site.ElementRows+`[0].querySelector(".name").textContent`, "Ana")
}

// The element names the page's own policy, or a service that is away, as the cause, and not the
// service's settings.
func TestElement_othersAreNotBlamed(t *testing.T) {
	t.Parallel()
	s := site.Open(t, "--public")
	window := browser.Open(t, 800, 600, "es-MX")
	window.Hurry()
	window.Visit(elsewhere(t, s.Front, "es", "connect-src 'self'"))
	says(t, window, "La política de seguridad de esta página no permite el marcador.", s.Front+" a connect-src")

	away := browser.Open(t, 800, 600, "es-MX")
	away.Hurry()
	away.Visit(elsewhere(t, s.Front, "es", ""))
	says(t, away, "--cors-origins")
	s.Away.Store(true)
	away.Script(site.Element + `.retry()`)
	says(t, away, "No se pudo leer el marcador.")
}
