package api_test

import (
	"bytes"
	"net/http"
	"testing"
)

// The same key again is answered like the first time and changes nothing. With another body it is
// refused.
func TestIdempotencyKey(t *testing.T) {
	f := newFixture(t, nil)
	f.put("u1", "u2")
	post := func(path, body, key string) answer {
		t.Helper()
		return f.do(f.admin, http.MethodPost, path, body, "Idempotency-Key", key)
	}
	first := post("/v1/users/u1/xp", `{"xp":50}`, "k1")
	f.must(nil, http.MethodPost, "/v1/users/u2/xp", `{"xp":500}`)
	if again := post("/v1/users/u1/xp", ` { "xp" : 50 } `, "k1"); again.status != 200 || !bytes.Equal(again.body, first.body) {
		t.Errorf("again = %d %s, want %s", again.status, again.body, first.body)
	}
	post("/v1/users/u1/xp", `{"xp":51}`, "k1").wantProblem(t, 422, "key_reused", "Idempotency-Key")
	post("/v1/users/u2/xp", `{"xp":50}`, "k1").wantProblem(t, 422, "key_reused", "Idempotency-Key")
	// A refused write does not use up its key.
	post("/v1/users/u1/xp", `{"xp":-999}`, "k2").wantProblem(t, 422, "negative_total", "xp")
	if a := post("/v1/users/u1/xp", `{"xp":1}`, "k2"); a.status != 200 {
		t.Errorf("after a refusal: %d %s", a.status, a.body)
	}
	const two = `{"updates":[{"userId":"u1","xp":1},{"userId":"u2","xp":2}]}`
	whole := post("/v1/xp", two, "k3")
	if again := post("/v1/xp", two, "k3"); again.status != 200 || !bytes.Equal(again.body, whole.body) {
		t.Errorf("batch again = %d %s, want %s", again.status, again.body, whole.body)
	}
	post("/v1/xp", `{"updates":[{"userId":"u1","xp":1}]}`, "k3").wantProblem(t, 422, "key_reused", "Idempotency-Key")
	post("/v1/xp", `{"updates":[{"userId":"u1","xp":1,"key":"x"}]}`, "k4").wantProblem(t, 422, "invalid_input", "updates[0].key")

	// Each update of a batch may have a key of its own.
	var list struct{ Results []update }
	f.must(&list, http.MethodPost, "/v1/xp", `{"updates":[{"userId":"u1","xp":7,"key":"a"}]}`)
	f.must(&list, http.MethodPost, "/v1/xp", `{"updates":[{"userId":"u1","xp":7,"key":"a"},{"userId":"u1","xp":7,"key":"b"},{"userId":"u1","xp":7,"key":"a"}]}`)
	if r := list.Results; r[0].Version != r[2].Version || r[1].XP != r[0].XP+7 {
		t.Errorf("results = %v", r)
	}
	f.do(f.admin, http.MethodPost, "/v1/xp", `{"updates":[{"userId":"u2","xp":1},{"userId":"u1","xp":8,"key":"a"}]}`).
		wantProblem(t, 422, "key_reused", "updates[1].key")
	var u struct{ XP int64 }
	if f.must(&u, http.MethodGet, "/v1/users/u1", ""); u.XP != 50+1+1+7+7 {
		t.Errorf("u1 has %d", u.XP)
	}
}

// A key belongs to its caller: when two courses both use the key week-1, both writes count, in a
// header and in a batch. The caller is the user that the token names, in whatever token.
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
