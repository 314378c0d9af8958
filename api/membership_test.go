package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"marcador/api"
)

// Only members and admins can read or follow the board of a group, and only the owner and admins a
// board of friends.
func TestBoards_areForMembers(t *testing.T) {
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
					method = http.MethodHead // a GET would not end
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
	// A stream is refused if one of its boards is.
	f.do(tokens["ana"], http.MethodGet, "/v1/events?board=global&board=school:7", "").wantProblem(t, http.StatusForbidden, "not_a_member", "board")
	// After a change of school one may read the board of the new school.
	f.school("42", "leo")
	if a := f.do(tokens["leo"], http.MethodGet, "/v1/leaderboards/school:42", ""); a.status != http.StatusOK {
		t.Errorf("after the move: %d %s", a.status, a.body)
	}
}

// A stream of a group's board ends when its user leaves the group.
func TestEvents_endWithMembership(t *testing.T) {
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
