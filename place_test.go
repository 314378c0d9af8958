package main

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// Page and element say how many points lead to the next place as the service does, however
// equal scores are numbered, also after a change that came on the stream.
func TestPlace_asTheServiceSays(t *testing.T) {
	for ranks, want := range map[string][2]string{"ordinal": {"41", "2"}, "competition": {"40", "1"}, "dense": {"40", "1"}} {
		t.Run(ranks, func(t *testing.T) {
			s := withElement(t, `rows="5"`, "--public", "--throttle", "0", "--ranks", ranks)
			p := s.service
			p.enrol(2)
			p.points("u1", 100)
			p.points("u2", 60)
			window := browser(t)
			page, site := window(800, 600, "es-MX"), window(800, 600, "es-MX")
			openAs(t, page, p, "u2")
			must(t, site, chromedp.Navigate(s.URL))
			until(t, site, elementLive)
			script(t, site, element+`.getToken = async () => "`+tokenFor(t, "u2", "", time.Hour)+`"`)
			says := func(points string) {
				t.Helper()
				until(t, page, fmt.Sprintf(`/\b%s punto/.test(document.querySelector("#me-next").textContent)`, points))
				until(t, site, fmt.Sprintf(`/\b%s punto/.test(%s.querySelector(".me").innerText)`, points, inside))
			}
			says(want[0])
			p.points("u2", 39)
			says(want[1])
		})
	}
}

// A member without points in the period is told so, and how many take them to which place;
// once they have some, they have their row.
func TestPlace_withoutPoints(t *testing.T) {
	s := withElement(t, `rows="5" period="weekly"`, "--public", "--throttle", "0")
	p := s.service
	p.enrol(3)
	window := browser(t)
	page, site := window(390, 844, "es-MX"), window(390, 844, "es-MX")
	openAs(t, page, p, "u3")
	must(t, page, chromedp.Navigate(p.url+"?period=daily"))
	must(t, site, chromedp.Navigate(s.URL))
	until(t, site, elementShown)
	script(t, site, element+`.getToken = async () => "`+tokenFor(t, "u3", "", time.Hour)+`"`)
	dock := `document.querySelector("#me").innerText.replace(/\s+/g, " ")`
	own := inside + `.querySelector(".me").innerText.replace(/\s+/g, " ")`
	until(t, page, dockOn+` && `+dock+`.includes("– Aún no tienes puntos hoy. Con 1 punto entras en 1.º")`)
	until(t, site, own+` === "– User 3 tú – Aún no tienes puntos esta semana. Con 1 punto entras en 1.º"`)
	p.points("u1", 80)
	p.points("u2", 50)
	until(t, page, dock+`.includes("Con 51 entras en 2.º")`)
	until(t, site, own+`.includes("Con 51 entras en 2.º")`)
	axe(t, page, "without points")
	axe(t, site, "an element without points")
	expect(t, page, "the card's place", `document.querySelector("#card-rank").textContent + document.querySelector("#card").hidden`, "–false")
	p.points("u3", 51)
	until(t, page, rowOf("u3")+`?.querySelector(".rank").textContent === "2"`)
	until(t, site, elementRows+`[1].classList.contains("own")`)
	expect(t, site, "the way on", own, "Te faltan 30 puntos para el siguiente lugar")
}

// The race numbers the first ten as the table does.
func TestPlace_race(t *testing.T) {
	p := serveOn(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "m.db"), "--public", "--ranks", "competition")
	p.enrol(4)
	for i, points := range []int{90, 90, 60, 50} {
		p.points(fmt.Sprintf("u%d", i+1), points)
	}
	ctx := browser(t)(1280, 900, "es-MX")
	visit(t, ctx, p.url+"?period=daily", isLive)
	until(t, ctx, `document.querySelectorAll("#race-names li").length === 4`)
	expect(t, ctx, "numbers of the race and of the table",
		`[...document.querySelectorAll("#race-names li span:first-child")].map((e) => e.textContent).join() + " " + [...document.querySelectorAll("#rows .rank")].map((e) => e.textContent).join()`,
		"1,1,3,4 1,1,3,4")
}
