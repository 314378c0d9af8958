package page_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"marcador/test/testkit"
	"marcador/test/testkit/browser"
	"marcador/test/testkit/site"
)

// Two tabs of one browser show the same, and the second goes on when the first is closed.
func TestPage_twoTabs(t *testing.T) {
	p := few(t)
	one := browser.Open(t, 800, 600, "es-MX")
	one.Visit(p.URL, site.Live)
	two := one.Tab()
	two.Visit(p.URL, site.Live)
	p.Give("u2", 500)
	one.Until(site.Leads("u2", 800))
	two.Until(site.Leads("u2", 800))
	one.Leave()
	p.Give("u3", 900)
	two.Until(site.Leads("u3", 1100))
	two.Until(site.Live)
}

// A board of a thousand shows each person once, in order, and moves as a small one does.
func TestPage_thousand(t *testing.T) {
	p := testkit.Serve(t, "--public", "--top", "1000")
	admin := testkit.Token(t, "svc", "admin")
	var users, updates []string
	for i := range 1000 {
		users = append(users, fmt.Sprintf(`{"id":"p%d","username":"Person %d"}`, i, i))
		updates = append(updates, fmt.Sprintf(`{"userId":"p%d","xp":%d}`, i, 2000-i))
	}
	p.Call(admin, http.MethodPost, "/v1/users", `{"users":[`+strings.Join(users, ",")+`]}`, nil)
	p.Call(admin, http.MethodPost, "/v1/xp", `{"updates":[`+strings.Join(updates, ",")+`]}`, nil)
	window := browser.Open(t, 1440, 900, "es-MX")
	window.Visit(p.URL)
	window.SignIn("p950")
	window.Visit(p.URL+"/?rows=1000", site.Live+` && `+site.Rows+`.length === 1000 && `+site.DockOn)
	p.Give("p999", 5000)
	window.Until(site.Leads("p999", 6001))
	if got := browser.Eval[int](window, `new Set([...`+site.Rows+`].map((row) => row.dataset.userId)).size`); got != 1000 {
		t.Errorf("%d people are shown, want 1000", got)
	}
	if got := browser.Eval[string](window, `[...`+site.Rows+`].map((row) => row.querySelector(".rank").textContent.replace(/\D/g, "")).join()`); got != numbers(1000) {
		t.Error("the places are not 1 to 1000, in order")
	}
	// One's own row is far away, and one press shows it.
	window.Click("me-show")
	window.Until(fmt.Sprintf(`(() => {
		const { top, bottom } = %s.getBoundingClientRect();
		return top >= 0 && bottom <= innerHeight;
	})()`, site.Row("p950")))
}

// numbers returns 1 to n with commas in between.
func numbers(n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprint(&b, i+1)
	}
	return b.String()
}
