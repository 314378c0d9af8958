package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// A caller without points in the period has no rank and no score, in JSON and in
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
		t.Errorf("all time ranks everybody: %s", a.body)
	}
	if a := f.do(f.token("nobody", ""), http.MethodGet, path, ""); !strings.Contains(string(a.body), `"me":null`) {
		t.Errorf("a caller who is not on the board: %s", a.body)
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
