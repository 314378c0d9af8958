package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// elsewhere is a site with one board of the service at that address, by the README's two
// lines, under this policy.
func elsewhere(tb testing.TB, service, language, policy string) string {
	tb.Helper()
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if policy != "" {
			w.Header().Set("Content-Security-Policy", policy)
		}
		fmt.Fprintf(w, `<!doctype html><html lang="%s"><head><title>Escuela</title></head><body><main><h1>Escuela</h1>
<script type="module" src="%s/marcador/element.js"></script>
<marcador-board board="classroom:7a" period="weekly" rows="10"></marcador-board></main></body></html>`, language, service)
	}))
	tb.Cleanup(site.Close)
	return site.URL
}

// says waits until the element says each of these.
func says(tb testing.TB, ctx context.Context, texts ...string) {
	tb.Helper()
	until(tb, ctx, elementShown)
	for _, text := range texts {
		until(tb, ctx, fmt.Sprintf(`%s.includes(%q)`, elementText, text))
	}
}

// giveToken has the element's site give the token of a user.
func giveToken(tb testing.TB, ctx context.Context, token string) {
	tb.Helper()
	script(tb, ctx, fmt.Sprintf(`%s.getToken = async () => %q`, element, token))
}

// A teacher pastes the README's lines into the school's site: the element says what is
// still missing, one thing after the other, until the board is there.
func TestElement_saysWhatIsMissing(t *testing.T) {
	db, addr := filepath.Join(t.TempDir(), "m.db"), freeAddress(t)
	p := serveOn(t, addr, db)
	admin := tokenFor(t, "svc", "admin", time.Hour)
	p.call(admin, http.MethodPut, "/v1/users/ana", `{"username":"Ana","groups":{"classroom":["7a"]}}`, nil)
	p.call(admin, http.MethodPut, "/v1/users/leo", `{"username":"Leo","groups":{"classroom":["7b"]}}`, nil)
	p.points("ana", 50)
	site := elsewhere(t, p.url, "es", "")
	window := browser(t)
	ctx, english := window(390, 844, "es-MX"), window(800, 600, "en-US")
	must(t, ctx, chromedp.Navigate(site))
	says(t, ctx, "El servicio todavía no permite que este sitio muestre el marcador.", "--cors-origins "+site)
	for _, width := range []int64{240, 390, 1200} {
		must(t, ctx, chromedp.EmulateViewport(width, 844))
		axe(t, ctx, fmt.Sprintf("not allowed, %d px", width))
		expect(t, ctx, "wider than its place", `document.documentElement.scrollWidth > innerWidth`, false)
	}
	must(t, english, chromedp.Navigate(elsewhere(t, p.url, "en", "")))
	says(t, english, "The service does not let this site show the leaderboard yet.", "--cors-origins http")

	p.stop()
	serveOn(t, addr, db, "--cors-origins", site)
	script(t, ctx, element+`.retry()`)
	says(t, ctx, "Este marcador pide iniciar sesión.", "getToken")
	axe(t, ctx, "no token")
	giveToken(t, ctx, tokenFor(t, "ana", "", time.Hour)[:40]+".x.y")
	says(t, ctx, "El servicio no aceptó tu sesión.")
	giveToken(t, ctx, tokenFor(t, "leo", "", time.Hour))
	says(t, ctx, "Tu cuenta no puede ver este marcador.")
	script(t, ctx, element+`.getToken = async () => { throw new Error("no") }`)
	says(t, ctx, "Este sitio no pudo decir quién mira.")
	giveToken(t, ctx, tokenFor(t, "ana", "", time.Hour))
	until(t, ctx, elementLive)
	expect(t, ctx, "the board", elementRows+`[0].querySelector(".name").textContent`, "Ana")
}

// What is not the service's doing is not blamed on it: the page's own policy, and a
// service that is away.
func TestElement_othersAreNotBlamed(t *testing.T) {
	s := openSite(t, "--public")
	window := browser(t)
	ctx := window(800, 600, "es-MX")
	must(t, ctx, chromedp.Navigate(elsewhere(t, s.front, "es", "connect-src 'self'")))
	says(t, ctx, "La política de seguridad de esta página no permite el marcador.", s.front+" a connect-src")

	away := window(800, 600, "es-MX")
	must(t, away, chromedp.Navigate(elsewhere(t, s.front, "es", "")))
	says(t, away, "--cors-origins")
	s.down.Store(true)
	script(t, away, element+`.retry()`)
	says(t, away, "No se pudo leer el marcador.")
}
