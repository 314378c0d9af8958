package page_test

import (
	"fmt"
	"testing"

	"marcador/test/testkit"
	"marcador/test/testkit/browser"
	"marcador/test/testkit/site"
)

// Page and element say how many points lead to the next place, as the service does, however equal
// scores are numbered. They are right after a broadcast, too.
func TestPlace_asTheServiceSays(t *testing.T) {
	for ranks, want := range map[string][2]string{"ordinal": {"41", "2"}, "competition": {"40", "1"}, "dense": {"40", "1"}} {
		t.Run(ranks, func(t *testing.T) {
			s := site.OpenElement(t, `rows="5"`, "--public", "--throttle", "0", "--ranks", ranks)
			p := s.Service
			p.Enrol(2)
			p.Give("u1", 100)
			p.Give("u2", 60)
			page, tag := browser.Open(t, 800, 600, "es-MX"), browser.Open(t, 800, 600, "es-MX")
			openAs(page, p, "u2")
			tag.Visit(s.URL, site.ElementLive)
			tag.Script(site.Element + `.getToken = async () => "` + testkit.Token(t, "u2", "") + `"`)
			says := func(points string) {
				t.Helper()
				page.Until(fmt.Sprintf(`/\b%s punto/.test(document.querySelector("#me-next").textContent)`, points))
				tag.Until(fmt.Sprintf(`/\b%s punto/.test(%s.querySelector(".me").innerText)`, points, site.Inside))
			}
			says(want[0])
			p.Give("u2", 39)
			says(want[1])
		})
	}
}

// A member without points in the period is told so, and how many points lead to which place. With
// points the member has a row.
func TestPlace_withoutPoints(t *testing.T) {
	s := site.OpenElement(t, `rows="5" period="weekly"`, "--public", "--throttle", "0")
	p := s.Service
	p.Enrol(3)
	page, tag := browser.Open(t, 390, 844, "es-MX"), browser.Open(t, 390, 844, "es-MX")
	openAs(page, p, "u3")
	page.Visit(p.URL + "?period=daily")
	tag.Visit(s.URL, site.ElementShown)
	tag.Script(site.Element + `.getToken = async () => "` + testkit.Token(t, "u3", "") + `"`)
	dock := `document.querySelector("#me").innerText.replace(/\s+/g, " ")`
	own := site.Inside + `.querySelector(".me").innerText.replace(/\s+/g, " ")`
	page.Until(site.DockOn + ` && ` + dock + `.includes("– Aún no tienes puntos hoy. Con 1 punto entras en 1.º")`)
	tag.Until(own + ` === "– User 3 tú – Aún no tienes puntos esta semana. Con 1 punto entras en 1.º"`)
	p.Give("u1", 80)
	p.Give("u2", 50)
	page.Until(dock + `.includes("Con 51 entras en 2.º")`)
	tag.Until(own + `.includes("Con 51 entras en 2.º")`)
	page.Axe("without points")
	tag.Axe("an element without points")
	browser.Expect(page, "the rank on the card", `document.querySelector("#card-rank").textContent + document.querySelector("#card").hidden`, "–false")
	p.Give("u3", 51)
	page.Until(site.Row("u3") + `?.querySelector(".rank").textContent === "2"`)
	tag.Until(site.ElementRows + `[1].classList.contains("own")`)
	browser.Expect(tag, "the way on", own, "Te faltan 30 puntos para el siguiente lugar")
}

// The race numbers the first ten as the table does.
func TestPlace_race(t *testing.T) {
	p := testkit.Serve(t, "--public", "--ranks", "competition")
	p.Enrol(4)
	for i, points := range []int{90, 90, 60, 50} {
		p.Give(fmt.Sprintf("u%d", i+1), points)
	}
	window := browser.Open(t, 1280, 900, "es-MX")
	site.VisitAtNoon(window, p.URL+"?period=daily", site.Live)
	window.Until(`document.querySelectorAll("#race-names li").length === 4`)
	browser.Expect(window, "numbers of the race and of the table",
		`[...document.querySelectorAll("#race-names li span:first-child")].map((e) => e.textContent).join() + " " + [...document.querySelectorAll("#rows .rank")].map((e) => e.textContent).join()`,
		"1,1,3,4 1,1,3,4")
}
