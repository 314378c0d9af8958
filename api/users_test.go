package api_test

import (
	"net/http"
	"testing"

	"marcador/live"
)

// Others see a pseudonym instead of name and avatar, and do not see a hidden user.
func TestUsers_pseudonymAndHidden(t *testing.T) {
	f := newFixture(t, nil)
	f.put("ana", "leo")
	f.must(nil, http.MethodPut, "/v1/users/ana", `{"username":"Ana Pech","avatar":"https://x/ana.png","pseudonym":"Jaguar","groups":{}}`)
	f.must(nil, http.MethodPut, "/v1/users/leo", `{"username":"Leo","hidden":true}`)
	var p live.PageBody
	f.must(&p, http.MethodGet, "/v1/leaderboards/global", "", "Authorization", "Bearer "+f.token("leo", ""))
	if len(p.Entries) != 1 || p.Entries[0].Username != "Jaguar" || p.Entries[0].Avatar != "" || p.Me == nil || p.Me.UserID != "leo" || p.Me.Rank != 2 {
		t.Errorf("page = %+v, me = %+v", p, p.Me)
	}
	var u struct {
		Username, Pseudonym string
		Hidden              bool
	}
	f.must(&u, http.MethodGet, "/v1/users/ana", "")
	if u.Username != "Ana Pech" || u.Pseudonym != "Jaguar" || u.Hidden {
		t.Errorf("user = %+v", u)
	}
	f.do(f.admin, http.MethodPut, "/v1/users/ana", `{"username":"Ana","pseudonym":"a\nb"}`).wantProblem(t, http.StatusUnprocessableEntity, "invalid_input", "pseudonym")
}

// A user can be created, read, given points and erased under any id.
func TestUsers(t *testing.T) {
	f := newFixture(t, nil)
	var u struct {
		UserID, Username, Avatar, RankBadge string
		Groups                              map[string][]string
		XP, MLCoins                         int64
		Ranks                               map[string]map[string]int
	}
	const path = "/v1/users/a%2Fb%20%C3%A9%3F" // "a/b é?"
	profile := `{"username":"Ana","email":"a@b.c","avatar":"data:image/png;base64,AA","groups":{"school":["42"],"classroom":["7a"]}}`
	if a := f.do(f.admin, http.MethodPut, path, profile); a.status != http.StatusCreated {
		t.Fatalf("first PUT = %d %s", a.status, a.body)
	}
	if a := f.do(f.admin, http.MethodPut, path, profile); a.status != http.StatusOK {
		t.Fatalf("second PUT = %d %s", a.status, a.body)
	}
	f.must(nil, http.MethodPost, path+"/xp", `{"xp":5000,"mlCoins":3}`)
	f.must(&u, http.MethodGet, path, "")
	if u.UserID != "a/b é?" || u.Username != "Ana" || u.XP != 5000 || u.MLCoins != 3 || u.RankBadge != "Nacom" ||
		u.Groups["school"][0] != "42" || u.Ranks["global"]["all-time"] != 1 {
		t.Errorf("user = %+v", u)
	}
	if a := f.do(f.token("a/b é?", ""), http.MethodGet, path, ""); a.status != http.StatusOK {
		t.Errorf("a user may not read their own profile: %d %s", a.status, a.body)
	}
	if a := f.do(f.admin, http.MethodDelete, path, ""); a.status != http.StatusNoContent {
		t.Errorf("DELETE = %d %s", a.status, a.body)
	}
	f.do(f.admin, http.MethodGet, path, "").wantProblem(t, 404, "user_not_found", "id")

	var list struct{ Users []struct{ UserID string } }
	f.must(&list, http.MethodPost, "/v1/users", `{"users":[{"id":"u1","username":"x"},{"id":"u2","username":"y"}]}`)
	if len(list.Users) != 2 || list.Users[1].UserID != "u2" {
		t.Errorf("POST /v1/users = %+v", list)
	}
}
