package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"marcador/auth"
	"marcador/sse"
)

// With each fresh token the rights are checked again. Boards that it may not follow end, in all
// periods, and the others go on.
func TestEvents_freshTokenWithoutTheRight(t *testing.T) {
	onBothTransports(t, sse.Options{}, func(t *testing.T, f *fixture) {
		f.school("1", "ana", "mal")
		f.school("2", "leo")
		f.school("3", "eva")
		query := "board=global&board=school:1&board=school:2&board=school:2&board=school:3&period=daily&period=daily&period=daily&period=weekly&period=daily"
		s := f.follow(f.token("mal", "admin"), query)
		path := "/v1/events/" + s.until("authenticated").SocketID + "/token"
		for range 5 {
			s.until("leaderboard:updated")
		}
		if a := f.do(f.token("mal", ""), http.MethodPost, path, ""); a.status != http.StatusOK {
			t.Fatalf("POST = %d %s", a.status, a.body)
		}
		for _, board := range []string{"school:2", "school:3"} {
			if e := s.next(); e.name != "error" || e.Code != "forbidden" || e.Board != board {
				t.Fatalf("event = %+v, want that %s is forbidden", e, board)
			}
		}
		f.must(nil, http.MethodPost, "/v1/users/leo/xp", `{"xp":5}`)
		f.must(nil, http.MethodPost, "/v1/users/ana/xp", `{"xp":7}`)
		for e := s.next(); e.Board != "school:1"; e = s.next() {
			if e.name == "" || e.name == "error" || e.Board != "global" {
				t.Fatalf("then came %+v", e)
			}
		}
		// The rights of an admin are gone, so the board now depends on membership.
		f.school("2", "mal")
		if e := s.until("error"); e.Code != "forbidden" || e.Board != "school:1" {
			t.Errorf("error = %+v", e)
		}
	})
}

// A token that expires sooner than the stream adds no rights to it. A stream without boards ends.
func TestEvents_olderToken(t *testing.T) {
	onBothTransports(t, sse.Options{}, func(t *testing.T, f *fixture) {
		f.school("1", "ana", "mal")
		short := func(scopes ...string) string {
			token, err := f.verifier.Sign(auth.Caller{UserID: "mal", Scopes: scopes}, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			return token
		}
		s := f.follow(f.token("mal", ""), "board=school:1")
		path := "/v1/events/" + s.until("authenticated").SocketID + "/token"
		if a := f.do(short("admin"), http.MethodPost, path, ""); a.status != http.StatusOK {
			t.Fatalf("POST = %d %s", a.status, a.body)
		}
		f.school("2", "mal") // with the admin's rights the stream would go on
		if e := s.until("error"); e.Code != "forbidden" || e.Board != "school:1" {
			t.Errorf("error = %+v", e)
		}
		if e := s.next(); e.name != "" {
			t.Errorf("then came %+v", e)
		}
		admin := f.follow(f.token("mal", "admin"), "board=school:1")
		path = "/v1/events/" + admin.until("authenticated").SocketID + "/token"
		f.do(short(), http.MethodPost, path, "")
		if e := admin.until("error"); e.Code != "forbidden" || e.Board != "school:1" {
			t.Errorf("error = %+v", e)
		}
		f.untilStreams(0)
	})
}

// A fresh token, in the body or of the request itself, extends the stream of the same user.
func TestEvents_freshToken(t *testing.T) {
	f := newFixture(t, nil)
	hello, _, _ := f.open(f.token("u1", ""), "")
	path := fmt.Sprintf("/v1/events/%s/token", hello["socketId"])
	fresh, err := f.verifier.Sign(auth.Caller{UserID: "u1"}, 2*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ token, body string }{
		{fresh, ""}, // the token of the request
		{f.token("u1", ""), `{"token":"` + fresh + `"}`}, // a token in the body
	} {
		a := f.do(c.token, http.MethodPost, path, c.body)
		var extended struct{ SocketID, ExpiresAt string }
		if err := json.Unmarshal(a.body, &extended); a.status != 200 || err != nil || extended.SocketID != hello["socketId"] {
			t.Errorf("with body %q: %d %s", c.body, a.status, a.body)
		}
		if at, err := time.Parse(time.RFC3339, extended.ExpiresAt); err != nil || time.Until(at) < 90*time.Minute {
			t.Errorf("with body %q the stream goes on until %s", c.body, extended.ExpiresAt)
		}
	}
	f.do("", http.MethodPost, path, "").wantProblem(t, 401, "token_missing", "")
	f.do(f.token("u1", ""), http.MethodPost, path, `{"token":"forged"}`).wantProblem(t, 401, "token_invalid", "")
	f.do(f.token("u1", ""), http.MethodPost, path, `{"token":"`+f.token("u2", "")+`"}`).wantProblem(t, 403, "other_user", "token")
	f.do(f.token("u2", ""), http.MethodPost, path, "").wantProblem(t, 404, "unknown_stream", "socketId")
	f.do(fresh, http.MethodPost, "/v1/events/nothing/token", "").wantProblem(t, 404, "unknown_stream", "socketId")
	f.do(fresh, http.MethodPost, path, `{"token":`).wantProblem(t, 400, "invalid_json", "")
}
