package testkit

import (
	"fmt"
	"net/http"
	"strings"
)

// Enrol creates users u1 to un.
func (p *Program) Enrol(n int) {
	p.tb.Helper()
	admin := Token(p.tb, "svc", "admin")
	for i := range n {
		p.Call(admin, http.MethodPut, fmt.Sprintf("/v1/users/u%d", i+1), fmt.Sprintf(`{"username":"User %d"}`, i+1), nil)
	}
}

// EnrolWithAvatars creates users u1 to un whose avatars have addresses of so many bytes and a
// few more, so that their pages are long.
func (p *Program) EnrolWithAvatars(n, bytes int) {
	p.tb.Helper()
	admin := Token(p.tb, "svc", "admin")
	body := `{"username":"x","avatar":"https://x/` + strings.Repeat("x", bytes) + `"}`
	for i := range n {
		p.Call(admin, http.MethodPut, fmt.Sprintf("/v1/users/u%d", i+1), body, nil)
	}
}

// Give gives a user points, or takes some if xp is below 0.
func (p *Program) Give(user string, xp int) {
	p.tb.Helper()
	p.Call(Token(p.tb, "svc", "xp:write"), http.MethodPost, "/v1/users/"+user+"/xp", fmt.Sprintf(`{"xp":%d}`, xp), nil)
}

// GiveAll gives users u1 to un points in one write: u1 the most, and each 100 more than the next.
func (p *Program) GiveAll(n int) {
	p.tb.Helper()
	var updates []string
	for i := range n {
		updates = append(updates, fmt.Sprintf(`{"userId":"u%d","xp":%d}`, i+1, (n-i)*100))
	}
	p.Call(Token(p.tb, "svc", "xp:write"), http.MethodPost, "/v1/xp", `{"updates":[`+strings.Join(updates, ",")+`]}`, nil)
}

// Crowd creates users u1 to un, and gives each ten points more than the next.
func (p *Program) Crowd(n int) {
	p.tb.Helper()
	p.Enrol(n)
	for i := range n {
		p.Give(fmt.Sprintf("u%d", i+1), 10*(n-i))
	}
}
