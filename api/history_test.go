package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// The history has a user's updates, newest first, in parts. Only the user and services may read it.
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
		t.Errorf("the second part = %+v", rest)
	}
	f.do(f.token("leo", ""), http.MethodGet, "/v1/users/ana/history", "").wantProblem(t, http.StatusForbidden, "insufficient_scope", "")
	f.do(f.admin, http.MethodGet, "/v1/users/nobody/history", "").wantProblem(t, http.StatusNotFound, "user_not_found", "id")
	if a := f.do(f.admin, http.MethodGet, "/v1/users/leo/history", ""); !strings.Contains(string(a.body), `"entries":[]`) {
		t.Errorf("history of none = %s", a.body)
	}
}
