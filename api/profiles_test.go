package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

const fullAna = `{"username":"Ana Pech","avatar":"https://x/a.png","email":"ana@x.mx","groups":{"classroom":["7a"],"school":["42"]},"pseudonym":"Jaguar","hidden":true}`

// known returns the profile of ana, without points and ranks.
func (f *fixture) known() string {
	f.t.Helper()
	var got map[string]any
	f.must(&got, http.MethodGet, "/v1/users/ana", "")
	for _, name := range []string{"userId", "xp", "mlCoins", "rankBadge", "ranks"} {
		delete(got, name)
	}
	b, err := json.Marshal(got)
	if err != nil {
		f.t.Fatal(err)
	}
	return string(b)
}

// canonical returns JSON with its fields sorted.
func canonical(t *testing.T, in string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(in), &v); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A nightly import of the school's roster does not remove fields that the school does not know.
func TestPostUsers_absentStays(t *testing.T) {
	f := newFixture(t, nil)
	f.must(nil, http.MethodPut, "/v1/users/ana", fullAna)
	want := strings.Replace(fullAna, "Ana Pech", "Ana María", 1)
	f.must(nil, http.MethodPost, "/v1/users", `{"users":[{"id":"ana","username":"Ana María"}]}`)
	if got := f.known(); got != canonical(t, want) {
		t.Errorf("profile = %s, want %s", got, want)
	}
	f.must(nil, http.MethodPost, "/v1/users", `{"users":[{"id":"ana"}]}`)
	if got := f.known(); got != canonical(t, want) {
		t.Errorf("profile = %s, want %s", got, want)
	}
	a := f.do(f.admin, http.MethodPost, "/v1/users", `{"users":[{"id":"ana"},{"id":"leo"},{"id":"eva","hidden":true}]}`)
	a.wantProblem(t, 422, "invalid_input", "users[1].username")
	if !strings.Contains(string(a.body), "users[2].username") {
		t.Errorf("only the first fault is named: %s", a.body)
	}
	a = f.do(f.admin, http.MethodPost, "/v1/users", `{"users":[{"id":"ana","email":"new@x.mx"}]}`)
	if !strings.Contains(string(a.body), `"email":"new@x.mx"`) || strings.Contains(string(a.body), "ranks") {
		t.Errorf("answer = %s", a.body)
	}
}

// A merge patch changes what it names, and null removes it.
func TestPatchUser(t *testing.T) {
	for patch, want := range map[string]string{
		`{}`:                         fullAna,
		`{"hidden":false}`:           strings.Replace(fullAna, `,"hidden":true`, "", 1),
		`{"hidden":null}`:            strings.Replace(fullAna, `,"hidden":true`, "", 1),
		`{"pseudonym":null}`:         strings.Replace(fullAna, `"pseudonym":"Jaguar",`, "", 1),
		`{"email":null}`:             strings.Replace(fullAna, `"email":"ana@x.mx",`, "", 1),
		`{"avatar":null}`:            strings.Replace(fullAna, `https://x/a.png`, "", 1),
		`{"groups":{}}`:              fullAna,
		`{"groups":null}`:            strings.Replace(fullAna, `{"classroom":["7a"],"school":["42"]}`, "{}", 1),
		`{"groups":{"school":null}}`: strings.Replace(fullAna, `,"school":["42"]`, "", 1),
		`{"groups":{"school":[]}}`:   strings.Replace(fullAna, `,"school":["42"]`, "", 1),
		`{"groups":{"club":["chess"],"classroom":["8a"]}}`: strings.Replace(fullAna, `"classroom":["7a"]`, `"club":["chess"],"classroom":["8a"]`, 1),
	} {
		for _, contentType := range []string{"application/json", "Application/Merge-Patch+JSON; charset=utf-8"} {
			t.Run(patch+" as "+contentType, func(t *testing.T) {
				f := newFixture(t, nil)
				f.must(nil, http.MethodPut, "/v1/users/ana", fullAna)
				if a := f.do(f.admin, http.MethodPatch, "/v1/users/ana", patch, "Content-Type", contentType); a.status != 200 {
					t.Fatalf("answer = %d %s", a.status, a.body)
				}
				if got := f.known(); got != canonical(t, want) {
					t.Errorf("profile = %s, want %s", got, want)
				}
			})
		}
	}
}

// A wrong patch, or a patch of another kind, is refused and changes nothing.
func TestPatchUser_refuses(t *testing.T) {
	f := newFixture(t, nil)
	f.must(nil, http.MethodPut, "/v1/users/ana", fullAna)
	patch := func(path, body string) answer { return f.do(f.admin, http.MethodPatch, path, body) }
	patch("/v1/users/ana", `{"username":null}`).wantProblem(t, 422, "invalid_input", "username")
	patch("/v1/users/ana", `{"username":""}`).wantProblem(t, 422, "invalid_input", "username")
	patch("/v1/users/ana", `{"usernam":"x"}`).wantProblem(t, 422, "invalid_input", "usernam")
	patch("/v1/users/ana", `{"hidden":"yes"}`).wantProblem(t, 422, "invalid_input", "hidden")
	patch("/v1/users/ana", `{"groups":{"global":["1"]}}`).wantProblem(t, 422, "invalid_input", "groups")
	patch("/v1/users/ana", `{"groups":{"school":[null]}}`).wantProblem(t, 422, "invalid_input", "groups.school[0]")
	patch("/v1/users/nobody", `{"username":"x"}`).wantProblem(t, 404, "user_not_found", "id")
	f.do(f.admin, http.MethodPut, "/v1/users/ana", `{}`, "Content-Type", "application/merge-patch+json").wantProblem(t, 415, "unsupported_media_type", "")
	f.do(f.admin, http.MethodPatch, "/v1/users/ana", `{}`, "Content-Type", "application/json-patch+json").wantProblem(t, 415, "unsupported_media_type", "")
	f.do(f.admin, http.MethodPost, "/v1/users", `{"users":[{"id":"ana","username":null}]}`).wantProblem(t, 422, "invalid_input", "users[0].username")
	if got := f.known(); got != canonical(t, fullAna) {
		t.Errorf("profile = %s, want %s", got, fullAna)
	}
}

// The answer of GET can be PUT back exactly as it is, and changes nothing.
func TestPutUser_whatGetReturned(t *testing.T) {
	f := newFixture(t, nil)
	f.must(nil, http.MethodPut, "/v1/users/ana", fullAna)
	f.must(nil, http.MethodPost, "/v1/users/ana/xp", `{"xp":5}`)
	before := f.do(f.admin, http.MethodGet, "/v1/users/ana", "")
	if a := f.do(f.admin, http.MethodPut, "/v1/users/ana", string(before.body)); a.status != 200 || string(a.body) != string(before.body) {
		t.Errorf("PUT = %d %s, want %s", a.status, a.body, before.body)
	}
	f.do(f.admin, http.MethodPut, "/v1/users/leo", string(before.body)).wantProblem(t, 422, "invalid_input", "userId")
	if a := f.do(f.admin, http.MethodPut, "/v1/users/ana", `{"username":"Ana","ranks":null,"stats":[1],"xp":"x"}`); a.status != 200 {
		t.Errorf("PUT = %d %s", a.status, a.body)
	}
	if got, want := f.known(), canonical(t, `{"username":"Ana","avatar":"","groups":{}}`); got != want {
		t.Errorf("profile = %s, want %s: PUT replaces it whole", got, want)
	}
}

// A refused batch names every fault, also the faults that only the database shows.
func TestBatch_namesEachFault(t *testing.T) {
	f := newFixture(t, nil)
	f.put("u1")
	for path, c := range map[string]struct {
		body   string
		status int
		code   string
		fields string
	}{
		"/v1/xp":    {`{"updates":[{"userId":"a","xp":1},{"userId":"u1","xp":-1},{"userId":"b","xp":1}]}`, 404, "user_not_found", "updates[0].userId updates[1].xp updates[2].userId"},
		"/v1/users": {`{"users":[{"id":"a"},{"id":"u1","avatar":null},{"id":"b"}]}`, 422, "invalid_input", "users[0].username users[2].username"},
	} {
		a := f.do(f.admin, http.MethodPost, path, c.body)
		a.wantProblem(t, c.status, c.code, "")
		var p struct{ Errors []struct{ Field string } }
		if err := json.Unmarshal(a.body, &p); err != nil {
			t.Fatal(err)
		}
		var fields []string
		for _, e := range p.Errors {
			fields = append(fields, e.Field)
		}
		if got := strings.Join(fields, " "); got != c.fields {
			t.Errorf("%s names %s, want %s", path, got, c.fields)
		}
	}
}
