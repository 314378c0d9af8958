package api_test

import (
	"net/http"
	"strings"
	"testing"

	"marcador/live"
)

// A new table of badges counts at once, and a wrong one is refused.
func TestBadges(t *testing.T) {
	f := newFixture(t, nil)
	f.put("ana")
	f.must(nil, http.MethodPost, "/v1/users/ana/xp", `{"xp":10}`)
	put := `{"badges":[{"minXp":0,"name":"Semilla"},{"minXp":10,"name":"Flor"}]}`
	f.must(nil, http.MethodPut, "/v1/badges", put)
	var p live.PageBody
	f.must(&p, http.MethodGet, "/v1/leaderboards/global", "")
	if p.Entries[0].RankBadge != "Flor" {
		t.Errorf("entry = %+v", p.Entries[0])
	}
	if a := f.do(f.token("ana", ""), http.MethodGet, "/v1/badges", ""); strings.TrimSpace(string(a.body)) != put {
		t.Errorf("badges = %s", a.body)
	}
	f.do(f.token("svc", "users:write"), http.MethodPut, "/v1/badges", put).wantProblem(t, http.StatusForbidden, "insufficient_scope", "")
	for body, field := range map[string]string{
		`{"badges":[]}`:                       "badges",
		`{"badges":[{"minXp":1,"name":"a"}]}`: "badges[0].minXp",
		`{"badges":[{"minXp":0,"name":"a"},{"minXp":0,"name":"b"}]}`: "badges[1].minXp",
		`{"badges":[{"minXp":0,"name":" "}]}`:                        "badges[0].name",
	} {
		f.do(f.admin, http.MethodPut, "/v1/badges", body).wantProblem(t, http.StatusUnprocessableEntity, "invalid_input", field)
	}
}
