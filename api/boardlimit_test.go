package api_test

import (
	"database/sql"
	"fmt"
	"net/http"
	"testing"

	"marcador/live"
	"marcador/store"
)

// A limit of friends:* holds for all boards of friends, except those with a limit of their own.
func TestLimit_ofKind(t *testing.T) {
	f := newFixture(t, nil)
	f.put("ana", "leo", "eva")
	for other, xp := range map[string]int{"leo": 30, "eva": 20} {
		f.must(nil, http.MethodPut, "/v1/users/ana/friends/"+other, "")
		f.must(nil, http.MethodPost, "/v1/users/"+other+"/xp", fmt.Sprintf(`{"xp":%d}`, xp))
	}
	ana := f.token("ana", "")
	want := func(n int) {
		t.Helper()
		var p live.PageBody
		f.must(&p, http.MethodGet, "/v1/leaderboards/friends:ana", "", "Authorization", "Bearer "+ana)
		if len(p.Entries) != n || p.Me == nil || p.Me.Rank != 3 {
			t.Errorf("%d entries, want %d; me %+v", len(p.Entries), n, p.Me)
		}
	}
	want(3)
	f.must(nil, http.MethodPut, "/v1/leaderboards/friends:*/limit", `{"top":1}`)
	want(1)
	f.must(nil, http.MethodPut, "/v1/leaderboards/friends:ana/limit", `{"top":2}`)
	want(2)
	f.must(nil, http.MethodDelete, "/v1/leaderboards/friends:ana/limit", "")
	f.must(nil, http.MethodDelete, "/v1/leaderboards/friends:*/limit", "")
	want(3)
}

// A name that stands for all boards of a kind is the name of no board that can be read.
func TestLimit_ofKind_isNoBoard(t *testing.T) {
	f := newFixture(t, nil)
	f.school("42", "ana")
	admin := f.token("svc", "admin")
	for _, path := range []string{"/v1/leaderboards/school:*", "/v1/leaderboards/friends:*/trend", "/v1/events?board=school:*"} {
		f.do(admin, http.MethodGet, path, "").wantProblem(t, http.StatusNotFound, "unknown_board", "")
	}
}

// Erasing a user of an older database whose id is * does not remove the limit of all boards of
// friends.
func TestLimit_ofKind_survivesUserWithThatID(t *testing.T) {
	f := newFixture(t, nil)
	if _, err := f.live.PutProfiles(t.Context(), []store.Profile{{ID: "*", Username: "Star"}}); err != nil {
		t.Fatal(err)
	}
	f.must(nil, http.MethodPut, "/v1/leaderboards/friends:*/limit", `{"top":1}`)
	f.must(nil, http.MethodDelete, "/v1/users/*", "")
	db, err := sql.Open("sqlite", "file:"+f.db+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	var rows int
	err = db.QueryRowContext(t.Context(), `SELECT count(*) FROM limits WHERE board = 'friends:*'`).Scan(&rows)
	if got := f.live.Limit("friends:ana"); got != 1 || err != nil || rows != 1 {
		t.Errorf("the limit in memory is %d, and there are %d in the database (%v)", got, rows, err)
	}
}
