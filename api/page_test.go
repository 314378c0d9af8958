package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"marcador/live"
)

// A page has the entries that its parameters ask for. A limit hides the others, but for the
// caller's own.
func TestPage(t *testing.T) {
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
	f.must(nil, http.MethodGet, "/v1/leaderboards/school:42", "") // an admin sees all
	f.must(&limit, http.MethodDelete, "/v1/leaderboards/school:42/limit", "")
	if limit.Top != nil {
		t.Errorf("limit = %v", *limit.Top)
	}
	ask("?limit=3", "1 ana 2 leo 3 eva ")
	f.do(f.token("ana", ""), http.MethodPut, "/v1/leaderboards/school:42/limit", `{"top":2}`).wantProblem(t, http.StatusForbidden, "insufficient_scope", "")
	f.do(f.admin, http.MethodPut, "/v1/leaderboards/school:42/limit", `{"top":0}`).wantProblem(t, http.StatusUnprocessableEntity, "invalid_input", "top")
	f.do(f.admin, http.MethodPut, "/v1/leaderboards/School:42/limit", `{"top":1}`).wantProblem(t, http.StatusNotFound, "unknown_board", "board")
}

// The id of a group may contain almost any character.
func TestPage_groupIDs(t *testing.T) {
	f := newFixture(t, nil)
	var p live.PageBody
	f.must(nil, http.MethodPut, "/v1/users/ana", `{"username":"Ana","groups":{"club":["a:b/c d","ñ"]}}`)
	for _, name := range []string{"club:a:b%2Fc%20d", "club:%C3%B1"} {
		f.must(&p, http.MethodGet, "/v1/leaderboards/"+name, "")
		if len(p.Entries) != 1 {
			t.Errorf("%s = %+v", name, p)
		}
	}
}

// A caller without points in the period has a null rank and a null score, in JSON and in
// MessagePack, as the OpenAPI document says.
func TestPage_meWithoutPoints(t *testing.T) {
	f := newFixture(t, nil)
	f.put("ana", "leo")
	f.do(f.admin, http.MethodPost, "/v1/users/leo/xp", `{"xp":50}`)
	token, path := f.token("ana", ""), "/v1/leaderboards/global?period=weekly"
	a := f.do(token, http.MethodGet, path, "")
	for _, want := range []string{`"me":{"rank":null,"userId":"ana"`, `"score":null`, `"pointsToNext":51,"nextRank":1`, `"ranks":"ordinal"`} {
		if !strings.Contains(string(a.body), want) {
			t.Errorf("the page lacks %s: %s", want, a.body)
		}
	}
	packed := f.do(token, http.MethodGet, path, "", "Accept", "application/msgpack")
	body, _ := packed.decoded(t).(map[string]any)
	me, _ := body["me"].(map[string]any)
	if rank, there := me["rank"]; !there || rank != nil || me["nextRank"] != 1.0 {
		t.Errorf("MessagePack says me is %v", me)
	}
	if a := f.do(token, http.MethodGet, "/v1/leaderboards/global?period=all-time", ""); !strings.Contains(string(a.body), `"me":{"rank":2,`) {
		t.Errorf("the all-time board ranks everybody, but: %s", a.body)
	}
	if a := f.do(f.token("nobody", ""), http.MethodGet, path, ""); !strings.Contains(string(a.body), `"me":null`) {
		t.Errorf("the page of a caller who is not on the board: %s", a.body)
	}

	var doc struct {
		Components struct {
			Schemas map[string]struct{ Properties map[string]json.RawMessage }
		}
	}
	f.must(&doc, http.MethodGet, "/openapi.json", "")
	for _, name := range []string{"rank", "score"} {
		if got := string(doc.Components.Schemas["OwnEntry"].Properties[name]); !strings.Contains(got, `["integer","null"]`) {
			t.Errorf("the document says of %s in me: %s", name, got)
		}
		if got := string(doc.Components.Schemas["Entry"].Properties[name]); strings.Contains(got, "null") {
			t.Errorf("the document says of %s in an entry: %s", name, got)
		}
	}
	hello, _, _ := f.open(token, "")
	if hello["ranks"] != "ordinal" {
		t.Errorf("authenticated = %v", hello)
	}
}
