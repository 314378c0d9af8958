package api_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"marcador/store"
)

// An id is the same with white space around it, and with composed or separate accents: in paths,
// bodies, queries, boards and tokens.
func TestIDs_everywhere(t *testing.T) {
	f := newFixture(t, nil)
	const id, spelled = "Jos\u00e9", " Jose\u0301\u00a0"
	path := "/v1/users/" + url.PathEscape(spelled)
	f.must(nil, http.MethodPut, path, `{"username":" Jose\u0301 ","groups":{"classroom":[" 7a\u00a0"]}}`)
	f.must(nil, http.MethodPost, "/v1/users", `{"users":[{"id":"`+spelled+`","pseudonym":" Jaguar "},{"id":"ana ","username":"Ana","groups":{"classroom":["7a"]}}]}`)
	f.must(nil, http.MethodPatch, path, `{"hidden":false}`)
	f.must(nil, http.MethodPost, path+"/xp", `{"xp":5}`)
	f.must(nil, http.MethodPost, "/v1/xp", `{"updates":[{"userId":"`+spelled+`","xp":7}]}`)
	var u struct {
		UserID, Username, Pseudonym string
		XP                          int64
		Groups                      map[string][]string
	}
	self := f.token(spelled, "")
	a := f.do(self, http.MethodGet, path, "")
	if err := json.Unmarshal(a.body, &u); err != nil || a.status != 200 {
		t.Fatalf("GET of oneself = %d %s", a.status, a.body)
	}
	if u.UserID != id || u.Username != id || u.Pseudonym != "Jaguar" || u.XP != 12 || !slices.Equal(u.Groups["classroom"], []string{"7a"}) {
		t.Errorf("user = %+v", u)
	}
	for _, get := range []string{
		"/v1/leaderboards/" + url.PathEscape(" classroom: 7a\u00a0"),
		"/v1/leaderboards/classroom:7a?around=" + url.QueryEscape(spelled),
		"/v1/leaderboards/" + url.PathEscape("friends:"+spelled),
		"/v1/leaderboards/" + url.PathEscape("classroom: 7a") + "/trend",
		path + "/history",
	} {
		if a := f.do(self, http.MethodGet, get, ""); a.status != 200 {
			t.Errorf("%s = %d %s", get, a.status, a.body)
		}
	}
	var page struct {
		Board string
		Me    struct{ UserID string }
	}
	a = f.do(self, http.MethodGet, "/v1/leaderboards/"+url.PathEscape(" classroom: 7a"), "")
	if err := json.Unmarshal(a.body, &page); err != nil || page.Board != "classroom:7a" || page.Me.UserID != id {
		t.Errorf("page = %s", a.body)
	}
	f.must(nil, http.MethodPut, path+"/friends/"+url.PathEscape(" ana"), "")
	f.must(nil, http.MethodPut, "/v1/leaderboards/"+url.PathEscape("classroom: 7a")+"/limit", `{"top":1}`)
	if a := f.do(f.admin, http.MethodGet, "/v1/leaderboards/classroom:7a/limit", ""); !strings.Contains(string(a.body), `"top":1`) {
		t.Errorf("limit = %s", a.body)
	}
	if a := f.do(f.admin, http.MethodDelete, path, ""); a.status != http.StatusNoContent {
		t.Errorf("erase = %d %s", a.status, a.body)
	}
	f.do(f.admin, http.MethodGet, "/v1/users/"+url.PathEscape(id), "").wantProblem(t, 404, "user_not_found", "id")
}

// Ids with invisible characters are refused everywhere.
func TestIDs_refused(t *testing.T) {
	f := newFixture(t, nil)
	f.put("u1")
	const bad = "u\u200b1"
	at := url.PathEscape(bad)
	for _, c := range []struct{ method, path, body, field string }{
		{http.MethodGet, "/v1/users/" + at, "", "id"},
		{http.MethodGet, "/v1/users/%C2%A0", "", "id"},
		{http.MethodPut, "/v1/users/*", `{"username":"x"}`, "id"},
		{http.MethodPatch, "/v1/users/u1", `{"groups":{"school":["*"]}}`, "groups.school[0]"},
		{http.MethodPut, "/v1/users/" + at, `{"username":"x"}`, "id"},
		{http.MethodPut, "/v1/users/u1/friends/" + at, "", "other"},
		{http.MethodPost, "/v1/users", `{"users":[{"id":"` + bad + `","username":"x"}]}`, "users[0].id"},
		{http.MethodPost, "/v1/users", `{"users":[{"id":"u2","username":"x"},{"id":" u2","username":"x"}]}`, "users[1].id"},
		{http.MethodPost, "/v1/users", `{"users":[{"id":"u2","username":"\u3164"}]}`, "users[0].username"},
		{http.MethodPut, "/v1/users/u1", `{"username":"\u2800"}`, "username"},
		{http.MethodPatch, "/v1/users/u1", `{"pseudonym":"\u3164"}`, "pseudonym"},
		{http.MethodPatch, "/v1/users/u1", `{"groups":{"school":["4\u200b2"]}}`, "groups.school[0]"},
		{http.MethodPost, "/v1/xp", `{"updates":[{"userId":"` + bad + `","xp":7}]}`, "updates[0].userId"},
		{http.MethodGet, "/v1/leaderboards/global?around=" + at, "", "around"},
		{http.MethodPut, "/v1/badges", `{"badges":[{"minXp":0,"name":"\u2800"}]}`, "badges[0].name"},
	} {
		f.do(f.admin, c.method, c.path, c.body).wantProblem(t, 422, "invalid_input", c.field)
	}
	f.do(f.admin, http.MethodGet, "/v1/leaderboards/school:"+at, "").wantProblem(t, 404, "unknown_board", "board")
	f.do(f.admin, http.MethodGet, "/v1/events?board=friends:"+at, "").wantProblem(t, 404, "unknown_board", "board")
	f.do(f.token(bad, "admin"), http.MethodGet, "/v1/badges", "").wantProblem(t, 401, "token_invalid", "")
}

// Users and groups of an older database may have ids that would be changed or refused today. They
// can be read, changed and erased under these ids, and are not confused with others.
func TestIDs_ofOlderDatabases(t *testing.T) {
	f := newFixture(t, nil)
	f.must(nil, http.MethodPut, "/v1/users/A1", `{"username":"Ana"}`)
	if _, err := f.live.PutProfiles(t.Context(), []store.Profile{
		{ID: "A1\u00a0", Username: "Twin", Groups: map[string][]string{"school": {"42 "}}},
		{ID: "b\u200bc", Username: "Unseen", Groups: map[string][]string{"school": {"4\u200b2", "43 "}}},
	}); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"A1\u00a0", "b\u200bc"} {
		path := "/v1/users/" + url.PathEscape(id)
		f.must(nil, http.MethodPost, path+"/xp", `{"xp":5}`)
		f.must(nil, http.MethodPost, "/v1/xp", `{"updates":[{"userId":"`+id+`","xp":7}]}`)
		f.must(nil, http.MethodPost, "/v1/users", `{"users":[{"id":"`+id+`","email":"x@y.z"}]}`)
		var u struct {
			UserID string
			XP     int64
		}
		if f.must(&u, http.MethodGet, path, ""); u.UserID != id || u.XP != 12 {
			t.Errorf("user = %+v", u)
		}
	}
	var page struct{ TotalEntries int }
	if f.must(&page, http.MethodGet, "/v1/leaderboards/"+url.PathEscape("school:42 "), ""); page.TotalEntries != 1 {
		t.Errorf("the group with the old id has %d members, want 1", page.TotalEntries)
	}
	f.givesBack("A1\u00a0", "b\u200bc")
	var u struct{ XP int64 }
	if f.must(&u, http.MethodGet, "/v1/users/%20A1", ""); u.XP != 0 {
		t.Errorf("another user has their points: %d", u.XP)
	}
	f.must(nil, http.MethodDelete, "/v1/users/A1%C2%A0", "")
	f.must(nil, http.MethodGet, "/v1/users/A1%C2%A0", "") // now the same as A1
}

// givesBack fails the test if a profile changes when it is put, or patched, exactly as it was read.
func (f *fixture) givesBack(ids ...string) {
	f.t.Helper()
	for _, id := range ids {
		path := "/v1/users/" + url.PathEscape(id)
		before := f.do(f.admin, http.MethodGet, path, "")
		f.must(nil, http.MethodPut, path, string(before.body))
		var groups struct{ Groups json.RawMessage }
		if err := json.Unmarshal(before.body, &groups); err != nil {
			f.t.Fatal(err)
		}
		f.must(nil, http.MethodPatch, path, `{"groups":`+string(groups.Groups)+`}`)
		f.must(nil, http.MethodPost, "/v1/users", `{"users":[{"id":"`+id+`","groups":`+string(groups.Groups)+`}]}`)
		if after := f.do(f.admin, http.MethodGet, path, ""); string(after.body) != string(before.body) {
			f.t.Errorf("%q was %s and is %s", id, before.body, after.body)
		}
	}
}
