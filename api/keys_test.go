package api_test

import (
	"bytes"
	"net/http"
	"testing"
)

// Two courses that both call their write week-1 count both, in a header and in a batch. The
// caller is the user that the token names, whichever token it is.
func TestIdempotencyKey_callers(t *testing.T) {
	f := newFixture(t, nil)
	f.put("u1")
	maths, music := f.token("maths", "xp:write"), f.token("music", "xp:write admin")
	post := func(token, path, body, key string) answer {
		t.Helper()
		var a answer
		if key == "" {
			a = f.do(token, http.MethodPost, path, body)
		} else {
			a = f.do(token, http.MethodPost, path, body, "Idempotency-Key", key)
		}
		if a.status != http.StatusOK {
			t.Fatalf("%s = %d %s", body, a.status, a.body)
		}
		return a
	}
	const batch = `{"updates":[{"userId":"u1","xp":3,"key":"week-2"}]}`
	for range 2 {
		for _, token := range []string{maths, music} {
			post(token, "/v1/users/u1/xp", `{"xp":50}`, "week-1")
			post(token, "/v1/xp", batch, "")
			post(token, "/v1/xp", `{"updates":[{"userId":"u1","xp":7}]}`, "week-3")
		}
	}
	first := post(maths, "/v1/users/u1/xp", `{"xp":50}`, "week-1")
	if again := post(f.token("maths", "admin"), "/v1/users/u1/xp", `{"xp":50}`, "week-1"); !bytes.Equal(again.body, first.body) {
		t.Errorf("again = %s, want %s", again.body, first.body)
	}
	var u struct{ XP int64 }
	if f.must(&u, http.MethodGet, "/v1/users/u1", ""); u.XP != 2*(50+3+7) {
		t.Errorf("xp = %d, want %d", u.XP, 2*(50+3+7))
	}
}
