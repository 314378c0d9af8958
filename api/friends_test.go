package api_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"marcador/live"
)

// A friendship counts once both users have asked for it. Until then neither sees the other, and the
// answers do not tell whether the other user exists.
func TestFriends(t *testing.T) {
	f := newFixture(t, nil)
	f.put("ana", "leo", "eva")
	f.must(nil, http.MethodPut, "/v1/users/hid", `{"username":"Hidden","hidden":true,"groups":{}}`)
	ana, leo := f.token("ana", ""), f.token("leo", "")
	friends := func(of string) string {
		t.Helper()
		var p live.PageBody
		f.must(&p, http.MethodGet, "/v1/leaderboards/friends:"+of, "", "Authorization", "Bearer "+f.token(of, ""))
		var ids []string
		for _, e := range p.Entries {
			ids = append(ids, e.UserID)
		}
		slices.Sort(ids)
		return strings.Join(ids, " ")
	}
	ask := func(token, method, path string) {
		t.Helper()
		if a := f.do(token, method, path, ""); a.status != http.StatusNoContent || len(a.body) > 0 {
			t.Errorf("the answer to %s %s is %d %q", method, path, a.status, a.body)
		}
	}
	for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodPut} {
		for _, other := range []string{"leo", "hid", "nobody", "leo"} {
			ask(ana, method, "/v1/users/ana/friends/"+other)
		}
	}
	if a, l := friends("ana"), friends("leo"); a != "ana" || l != "leo" {
		t.Errorf("one has asked, and ana sees %s, leo %s", a, l)
	}
	ask(leo, http.MethodPut, "/v1/users/leo/friends/ana")
	if a, l := friends("ana"), friends("leo"); a != "ana leo" || l != "ana leo" {
		t.Errorf("both have asked, and ana sees %s, leo %s", a, l)
	}
	var u struct{ Ranks map[string]map[string]int }
	f.must(&u, http.MethodGet, "/v1/users/leo", "")
	if u.Ranks["friends:leo"]["all-time"] != 2 {
		t.Errorf("ranks = %v", u.Ranks)
	}
	f.do(ana, http.MethodPut, "/v1/users/leo/friends/eva", "").wantProblem(t, http.StatusForbidden, "insufficient_scope", "")
	f.do(ana, http.MethodPut, "/v1/users/ana/friends/ana", "").wantProblem(t, http.StatusUnprocessableEntity, "own_friend", "other")
	for range 2 { // ending it again changes nothing
		ask(leo, http.MethodDelete, "/v1/users/leo/friends/ana")
	}
	if a, l := friends("ana"), friends("leo"); a != "ana" || l != "leo" {
		t.Errorf("it has ended, and ana sees %s, leo %s", a, l)
	}
	ask(f.token("svc", "users:write"), http.MethodPut, "/v1/users/ana/friends/eva")
	if a, e := friends("ana"), friends("eva"); a != "ana eva" || e != "ana eva" {
		t.Errorf("users:write has made them friends, and ana sees %s, eva %s", a, e)
	}
}

// A user may ask for 500 friendships. The refusal of another one does not tell whether the other
// user exists.
func TestFriends_bound(t *testing.T) {
	f := newFixture(t, nil)
	const most = 500
	var list []string
	for i := range most + 1 {
		list = append(list, fmt.Sprintf(`{"id":"u%d","username":"u"}`, i))
	}
	f.put("ana")
	f.must(nil, http.MethodPost, "/v1/users", `{"users":[`+strings.Join(list, ",")+`]}`)
	ana := f.token("ana", "")
	put := func(other string) answer {
		return f.do(ana, http.MethodPut, "/v1/users/ana/friends/"+other, "")
	}
	for i := range most {
		if a := put(fmt.Sprint("u", i)); a.status != http.StatusNoContent {
			t.Fatalf("%d: %d %s", i, a.status, a.body)
		}
	}
	for _, other := range []string{fmt.Sprint("u", most), "nobody"} {
		put(other).wantProblem(t, http.StatusUnprocessableEntity, "too_many_friends", "id")
	}
	if a := put("u0"); a.status != http.StatusNoContent { // asked for already
		t.Errorf("%d %s", a.status, a.body)
	}
}
