package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// update is the answer to a write.
type update struct {
	UserID                    string
	XP, MLCoins, PointsGained int64
	OldRank, NewRank          *int
	RankBadge                 string
	Version                   int64
}

func (u update) String() string {
	b, _ := json.Marshal(u)
	return string(b)
}

// The answer to an update says the totals and ranks that came of it.
func TestPoints(t *testing.T) {
	f := newFixture(t, nil)
	f.put("u1", "u2")
	var got update
	f.must(&got, http.MethodPost, "/v1/users/u2/xp", `{"xp":50,"mlCoins":5,"reason":"exercise:123"}`)
	if s := got.String(); s != `{"UserID":"u2","XP":50,"MLCoins":5,"PointsGained":50,"OldRank":2,"NewRank":1,"RankBadge":"Ajaw","Version":3}` {
		t.Errorf("answer = %s", s)
	}
	f.must(&got, http.MethodPost, "/v1/users/u2/xp", `{"mlCoins":-5}`)
	if got.XP != 50 || got.MLCoins != 0 || got.PointsGained != 0 {
		t.Errorf("answer = %s", got)
	}
	var batch struct{ Results []update }
	f.must(&batch, http.MethodPost, "/v1/xp", `{"updates":[{"userId":"u1","xp":60},{"userId":"u2","xp":20},{"userId":"u1","xp":-60}]}`)
	var ranks []string
	for _, r := range batch.Results {
		ranks = append(ranks, fmt.Sprint(r.UserID, *r.OldRank, *r.NewRank, r.XP))
	}
	if got := strings.Join(ranks, ", "); got != "u12 1 60, u22 1 70, u12 2 0" {
		t.Errorf("batch = %s", got)
	}
}
