package api_test

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"marcador/api"
)

// The trend has the past ranks of the best users and of the caller, in JSON and in MessagePack.
func TestTrend(t *testing.T) {
	f := newFixture(t, nil)
	f.put("u1", "u2")
	f.must(nil, http.MethodPost, "/v1/users/u2/xp", `{"xp":5000}`)
	f.must(nil, http.MethodPost, "/v1/users/u1/xp", `{"xp":7}`)
	type series struct {
		UserID, Username, RankBadge string
		Ranks                       []*int
		Scores                      []int64
	}
	var got struct {
		Type, Board, Period string
		Times               []time.Time
		Entries             []series
		Me                  *series
		Version             int64
	}
	a := f.do(f.token("u1", ""), http.MethodGet, "/v1/leaderboards/global/trend?points=3&limit=1", "")
	if err := json.Unmarshal(a.body, &got); err != nil || a.status != http.StatusOK {
		t.Fatalf("%d %s: %v", a.status, a.body, err)
	}
	one, two := 1, 2
	if want := []series{{"u2", "name of u2", "Nacom", []*int{nil, nil, &one}, []int64{0, 0, 5000}}}; !reflect.DeepEqual(got.Entries, want) {
		t.Errorf("entries of %s, want %+v", a.body, want)
	}
	if want := (&series{"u1", "name of u1", "Ajaw", []*int{nil, nil, &two}, []int64{0, 0, 7}}); !reflect.DeepEqual(got.Me, want) {
		t.Errorf("me of %s, want %+v", a.body, want)
	}
	if got.Type != "global" || got.Board != "global" || got.Period != "all-time" || got.Version != 4 || len(got.Times) != 3 {
		t.Errorf("trend = %s", a.body)
	}
	if since := time.Since(got.Times[2]); since < 0 || since > time.Minute || got.Times[1].Sub(got.Times[0]) != 24*time.Hour || !strings.Contains(string(a.body), `T00:00:00.000Z","`) {
		t.Errorf("times of %s", a.body)
	}
	if a := f.do(f.admin, http.MethodGet, "/v1/leaderboards/school:none/trend?period=weekly", ""); !strings.Contains(string(a.body), `"entries":[],"me":null,`) {
		t.Errorf("trend of an empty board = %d %s", a.status, a.body)
	}
	packed := f.do(f.admin, http.MethodGet, "/v1/leaderboards/global/trend?points=3", "", "Accept", "application/msgpack")
	if said, _ := packed.decoded(t).(map[string]any); len(said) != 7 || packed.header.Get("Content-Type") != "application/msgpack" {
		t.Errorf("in MessagePack = %v", said)
	}
	for query, field := range map[string]string{
		"limit=0": "limit", "limit=101": "limit", "points=1": "points", "points=32": "points", "period=yearly": "period", "offset=1": "offset",
	} {
		f.do(f.admin, http.MethodGet, "/v1/leaderboards/global/trend?"+query, "").wantProblem(t, http.StatusUnprocessableEntity, "invalid_input", field)
	}
	f.do(f.admin, http.MethodGet, "/v1/leaderboards/none/trend", "").wantProblem(t, http.StatusNotFound, "unknown_board", "board")
	public := newFixture(t, func(o *api.Options) { o.Public = true })
	if a := public.do("", http.MethodGet, "/v1/leaderboards/global/trend", ""); a.status != http.StatusOK {
		t.Errorf("in public = %d %s", a.status, a.body)
	}
}
