package main

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// Two tabs of one browser show the same; when the one that came first is closed,
// the other goes on.
func TestPage_twoTabs(t *testing.T) {
	p, give := few(t)
	one := browser(t)(800, 600, "es-MX")
	must(t, one, chromedp.Navigate(p.url))
	until(t, one, isLive)
	two := tab(t, one)
	must(t, two, chromedp.Navigate(p.url))
	until(t, two, isLive)
	give("u2", 500)
	until(t, one, leads("u2", 800))
	until(t, two, leads("u2", 800))
	must(t, one, chromedp.Navigate("about:blank"))
	give("u3", 900)
	until(t, two, leads("u3", 1100))
	until(t, two, isLive)
}

// A board of a thousand is shown whole, each person once, and moves as a small one does.
func TestPage_thousand(t *testing.T) {
	p := serveOn(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "m.db"), "--public", "--top", "1000")
	admin := tokenFor(t, "svc", "admin", time.Hour)
	var users, updates []string
	for i := range 1000 {
		users = append(users, fmt.Sprintf(`{"id":"p%d","username":"Person %d"}`, i, i))
		updates = append(updates, fmt.Sprintf(`{"userId":"p%d","xp":%d}`, i, 2000-i))
	}
	p.call(admin, http.MethodPost, "/v1/users", `{"users":[`+strings.Join(users, ",")+`]}`, nil)
	p.call(admin, http.MethodPost, "/v1/xp", `{"updates":[`+strings.Join(updates, ",")+`]}`, nil)
	ctx := browser(t)(1440, 900, "es-MX")
	must(t, ctx, chromedp.Navigate(p.url))
	signIn(t, ctx, "p950")
	must(t, ctx, chromedp.Navigate(p.url+"/?rows=1000"))
	until(t, ctx, isLive+` && `+rowsOf+`.length === 1000 && `+dockOn)
	p.call(admin, http.MethodPost, "/v1/users/p999/xp", `{"xp":5000}`, nil)
	until(t, ctx, leads("p999", 6001))
	if got := eval[int](t, ctx, `new Set([...`+rowsOf+`].map((row) => row.dataset.userId)).size`); got != 1000 {
		t.Errorf("%d people are shown, want 1000", got)
	}
	if got := eval[string](t, ctx, `[...`+rowsOf+`].map((row) => row.querySelector(".rank").textContent.replace(/\D/g, "")).join()`); got != numbers(1000) {
		t.Error("the places are not 1 to 1000, in order")
	}
	// One's own row is far away, and one press shows it.
	must(t, ctx, chromedp.Click(chromedp.ID("me-show")))
	until(t, ctx, fmt.Sprintf(`(() => {
		const { top, bottom } = %s.getBoundingClientRect();
		return top >= 0 && bottom <= innerHeight;
	})()`, rowOf("p950")))
}

// numbers are 1 to n, with commas in between.
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
