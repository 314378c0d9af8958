package api_test

import (
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"marcador/api"
	"marcador/live"
	"marcador/store"
)

func (f *fixture) school(id string, members ...string) {
	f.t.Helper()
	for _, m := range members {
		f.must(nil, http.MethodPut, "/v1/users/"+m, fmt.Sprintf(`{"username":"name of %s","groups":{"school":[%q]}}`, m, id))
	}
}

// execute changes the database as another program would.
func (f *fixture) execute(query string) {
	f.t.Helper()
	db, err := sql.Open("sqlite", "file:"+f.db+"?_pragma=busy_timeout(5000)")
	if err == nil {
		_, err = db.ExecContext(f.t.Context(), query)
		err = errors.Join(err, db.Close())
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

// Only members, and admins, read or follow a group's board; friends' boards are their
// owner's alone.
func TestBoards_access(t *testing.T) {
	f := newFixture(t, func(o *api.Options) { o.Public = true })
	f.school("42", "ana")
	f.school("7", "leo")
	tokens := map[string]string{"ana": f.token("ana", ""), "leo": f.token("leo", ""), "writer": f.token("svc", "users:write xp:write"), "admin": f.admin, "nobody": ""}
	for _, c := range []struct {
		board string
		may   string
	}{
		{"global", "ana leo writer admin nobody"},
		{"school:42", "ana admin"},
		{"school:none", "admin"},
		{"friends:ana", "ana admin"},
		{"friends:nobody", "admin"},
	} {
		for who, token := range tokens {
			for _, path := range []string{"/v1/leaderboards/" + c.board + "?period=weekly", "/v1/leaderboards/" + c.board + "/archive", "/v1/leaderboards/" + c.board + "/trend", "/v1/events?period=daily&board=" + c.board} {
				method := http.MethodGet
				if strings.Contains(path, "events") {
					method = http.MethodHead // a stream goes on
				}
				got := f.do(token, method, path, "").status
				want := http.StatusForbidden
				switch {
				case strings.Contains(c.may, who):
					want = http.StatusOK
				case token == "":
					want = http.StatusUnauthorized
				}
				if got != want {
					t.Errorf("%s as %s = %d, want %d", path, who, got, want)
				}
			}
		}
	}
	a := f.do(tokens["leo"], http.MethodGet, "/v1/leaderboards/school:42", "")
	a.wantProblem(t, http.StatusForbidden, "not_a_member", "board")
	if got := a.header.Get("WWW-Authenticate"); !strings.Contains(got, `scope="admin"`) {
		t.Errorf("challenge = %s", got)
	}
	// One that may not be followed spoils the whole stream.
	f.do(tokens["ana"], http.MethodGet, "/v1/events?board=global&board=school:7", "").wantProblem(t, http.StatusForbidden, "not_a_member", "board")
	// Who changes the school changes what they may read.
	f.school("42", "leo")
	if a := f.do(tokens["leo"], http.MethodGet, "/v1/leaderboards/school:42", ""); a.status != http.StatusOK {
		t.Errorf("after the move: %d %s", a.status, a.body)
	}
}

// A pupil who has moved reads the closed periods of the class in which they were, as
// themselves, and none that ended before they came or after they left.
func TestArchive_moved(t *testing.T) {
	f := newFixture(t, nil)
	f.school("7a", "ana", "leo")
	f.school("8a", "ana", "eva")
	f.execute(`
		INSERT INTO closings VALUES (1, 'daily', 1000, 2000, 'ordinal', 2, 1), (2, 'daily', 2000, 3000, 'ordinal', 2, 1);
		INSERT INTO finals SELECT number, 1, 1, 1, 0, 9, 9, 0 FROM closings UNION ALL SELECT number, 2, 2, 2, 0, 5, 5, 0 FROM closings;
		INSERT INTO places SELECT number, 1, 1 FROM closings UNION ALL SELECT number, 2, 2 FROM closings;
		UPDATE memberships SET since = 0, until = iif(until IS NULL, NULL, 2500) WHERE group_id = '7a';
		UPDATE memberships SET since = 2500 WHERE group_id = '8a'`)
	for _, c := range []struct {
		who, board, start string
		status            int
	}{
		{"ana", "school:7a", "1970-01-01T00:00:01Z", http.StatusOK},
		{"ana", "school:7a", "1970-01-01T00:00:02Z", http.StatusForbidden},
		{"ana", "school:8a", "1970-01-01T00:00:01Z", http.StatusForbidden},
		{"ana", "school:8a", "1970-01-01T00:00:02Z", http.StatusOK},
		{"leo", "school:7a", "1970-01-01T00:00:02Z", http.StatusOK},
		{"eva", "school:7a", "1970-01-01T00:00:01Z", http.StatusForbidden},
		{"eva", "school:7a", "1970-01-01T00:01:00Z", http.StatusForbidden}, // no period is closed there
		{"ana", "school:7a", "1970-01-01T00:01:00Z", http.StatusNotFound},
	} {
		a := f.do(f.token(c.who, ""), http.MethodGet, "/v1/leaderboards/"+c.board+"/archive?start="+c.start, "")
		if a.status != c.status {
			t.Errorf("%s reads %s from %s: %d %s, want %d", c.who, c.board, c.start, a.status, a.body, c.status)
		}
		if c.status == http.StatusOK && !strings.Contains(string(a.body), `"me":{"rank":`) {
			t.Errorf("%s is nobody on %s: %s", c.who, c.board, a.body)
		}
	}
	for who, want := range map[string]int{"ana": 1, "leo": 2, "eva": -1} {
		a := f.do(f.token(who, ""), http.MethodGet, "/v1/leaderboards/school:7a/archive", "")
		if want < 0 {
			a.wantProblem(t, http.StatusForbidden, "not_a_member", "board")
		} else if n := strings.Count(string(a.body), `"period":`); n != want {
			t.Errorf("%s is told of %d periods, want %d: %s", who, n, want, a.body)
		}
	}
}

// A stream of a group's board ends when its user is no member any more.
func TestEvents_forbidden(t *testing.T) {
	f := newFixture(t, nil)
	f.school("42", "ana")
	_, _, end := f.open(f.token("ana", ""), "board=school:42")
	defer end()
	f.school("7", "ana")
	for began := time.Now(); f.streams.Streams() > 0; time.Sleep(time.Millisecond) {
		if time.Since(began) > 10*time.Second {
			t.Fatal("the stream goes on")
		}
	}
	if n := f.streams.Stats().Disconnects["forbidden"]; n != 1 {
		t.Errorf("%d streams ended as forbidden", n)
	}
}

func TestBoards_pages(t *testing.T) {
	f := newFixture(t, nil)
	f.school("42", "ana", "leo", "eva", "max")
	for i, id := range []string{"ana", "leo", "eva", "max"} {
		f.must(nil, http.MethodPost, "/v1/users/"+id+"/xp", fmt.Sprintf(`{"xp":%d}`, 100-i))
	}
	var p live.PageBody
	ids := func() (s string) {
		for _, e := range p.Entries {
			s += fmt.Sprintf("%d %s ", e.Rank, e.UserID)
		}
		return s
	}
	ask := func(query, want string) {
		t.Helper()
		p = live.PageBody{}
		f.must(&p, http.MethodGet, "/v1/leaderboards/school:42"+query, "", "Authorization", "Bearer "+f.token("eva", ""))
		if got := ids(); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	ask("?period=daily&limit=2", "1 ana 2 leo ")
	if p.Type != "school" || p.Board != "school:42" || p.Period != "daily" || p.TotalEntries != 4 || p.ResetsAt == nil || !p.ResetsAt.After(time.Now()) {
		t.Errorf("page = %+v", p)
	}
	if p.Me.Rank != 3 || p.Me.Percentile != 25 || *p.Me.PointsToNext != 2 || p.Me.ChangeType != "new" {
		t.Errorf("me = %+v", p.Me)
	}
	ask("?around=me&neighbours=1", "2 leo 3 eva 4 max ")
	ask("?around=ana&neighbours=1", "1 ana 2 leo ")
	ask("?offset=3", "4 max ")
	for query, field := range map[string]string{
		"?around=me&offset=1": "around", "?period=yearly": "period", "?neighbours=-1": "neighbours", "?neighbors=1": "neighbors",
	} {
		f.do(f.admin, http.MethodGet, "/v1/leaderboards/school:42"+query, "").wantProblem(t, http.StatusUnprocessableEntity, "invalid_input", field)
	}
	f.do(f.admin, http.MethodGet, "/v1/leaderboards/school:42?around=nobody", "").wantProblem(t, http.StatusNotFound, "not_on_board", "around")

	f.must(nil, http.MethodPut, "/v1/leaderboards/school:42/limit", `{"top":2}`)
	ask("", "1 ana 2 leo ")
	ask("?around=me", "3 eva ")
	var limit struct{ Top *int }
	f.must(&limit, http.MethodGet, "/v1/leaderboards/school:42/limit", "")
	if limit.Top == nil || *limit.Top != 2 {
		t.Errorf("limit = %v", limit.Top)
	}
	f.must(nil, http.MethodGet, "/v1/leaderboards/school:42", "") // the admin sees all
	f.must(&limit, http.MethodDelete, "/v1/leaderboards/school:42/limit", "")
	if limit.Top != nil {
		t.Errorf("limit = %v", *limit.Top)
	}
	ask("?limit=3", "1 ana 2 leo 3 eva ")
	f.do(f.token("ana", ""), http.MethodPut, "/v1/leaderboards/school:42/limit", `{"top":2}`).wantProblem(t, http.StatusForbidden, "insufficient_scope", "")
	f.do(f.admin, http.MethodPut, "/v1/leaderboards/school:42/limit", `{"top":0}`).wantProblem(t, http.StatusUnprocessableEntity, "invalid_input", "top")
	f.do(f.admin, http.MethodPut, "/v1/leaderboards/School:42/limit", `{"top":1}`).wantProblem(t, http.StatusNotFound, "unknown_board", "board")

	// A group's id may have anything in it.
	f.must(nil, http.MethodPut, "/v1/users/ana", `{"username":"Ana","groups":{"club":["a:b/c d","ñ"]}}`)
	for _, name := range []string{"club:a:b%2Fc%20d", "club:%C3%B1"} {
		f.must(&p, http.MethodGet, "/v1/leaderboards/"+name, "")
		if len(p.Entries) != 1 {
			t.Errorf("%s = %+v", name, p)
		}
	}
}

// A friendship counts once both have asked for it; until then neither sees the other, and
// nothing tells the one who asks whether there is such another user.
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
			t.Errorf("%s %s is answered with %d %q", method, path, a.status, a.body)
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
	for range 2 { // to end what is not there changes nothing
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

// A user asks for so many friendships and no more, and past that nothing tells who exists.
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
	if a := put("u0"); a.status != http.StatusNoContent { // a repetition
		t.Errorf("%d %s", a.status, a.body)
	}
}

// A limit on friends:* limits each of these boards, but for one with a limit of its own.
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

// A user of an older database whose id is * leaves the limit of all boards of friends.
func TestLimit_ofKind_userOfBefore(t *testing.T) {
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
	var kept int
	err = db.QueryRowContext(t.Context(), `SELECT count(*) FROM limits WHERE board = 'friends:*'`).Scan(&kept)
	if got := f.live.Limit("friends:ana"); got != 1 || err != nil || kept != 1 {
		t.Errorf("the limit in memory is %d, and there are %d in the database (%v)", got, kept, err)
	}
}

func TestPrivacy(t *testing.T) {
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

func TestHistory(t *testing.T) {
	f := newFixture(t, nil)
	f.put("ana", "leo")
	for i := range 3 {
		f.must(nil, http.MethodPost, "/v1/users/ana/xp", fmt.Sprintf(`{"xp":%d,"reason":"exercise:%d"}`, i+1, i))
	}
	f.must(nil, http.MethodPost, "/v1/users/ana/xp", `{"mlCoins":4}`)
	type entries struct {
		Entries []struct {
			Seq, XP, XPAfter, MLCoinsAfter int64
			Reason                         string
			At                             time.Time
		}
	}
	var h entries
	f.must(&h, http.MethodGet, "/v1/users/ana/history?limit=2", "", "Authorization", "Bearer "+f.token("ana", ""))
	if len(h.Entries) != 2 || h.Entries[0].XP != 0 || h.Entries[0].MLCoinsAfter != 4 || h.Entries[1].XPAfter != 6 || h.Entries[1].Reason != "exercise:2" || time.Since(h.Entries[1].At) > time.Minute {
		t.Errorf("history = %+v", h)
	}
	var rest entries
	f.must(&rest, http.MethodGet, fmt.Sprintf("/v1/users/ana/history?before=%d", h.Entries[1].Seq), "")
	if len(rest.Entries) != 2 || rest.Entries[1].XPAfter != 1 {
		t.Errorf("the rest = %+v", rest)
	}
	f.do(f.token("leo", ""), http.MethodGet, "/v1/users/ana/history", "").wantProblem(t, http.StatusForbidden, "insufficient_scope", "")
	f.do(f.admin, http.MethodGet, "/v1/users/nobody/history", "").wantProblem(t, http.StatusNotFound, "user_not_found", "id")
	if a := f.do(f.admin, http.MethodGet, "/v1/users/leo/history", ""); !strings.Contains(string(a.body), `"entries":[]`) {
		t.Errorf("history of none = %s", a.body)
	}
}
