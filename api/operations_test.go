package api_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"marcador/api"
)

// rule says who may call an operation for the user u1, or for the board of the school of u1, and
// with which status it is answered. The callers are nobody (no token), self (u1), other (u2), and
// services with the scopes xp, users and admin.
type rule struct {
	body   string
	may    string
	status int

	public      bool // nobody may call it for the global board if the service is public
	noRateLimit bool // it changes nothing in the database
}

const (
	anyone  = "nobody self other xp users admin"
	someone = "self other xp users admin"
	members = "self admin"
)

// rules has every operation of the API, so that nobody forgets to decide who may call a new one.
var rules = map[string]rule{
	"GET /healthz": {may: anyone, status: 200},
	"GET /readyz":  {may: anyone, status: 200},

	"GET /v1/badges": {may: someone, status: 200, public: true},
	"PUT /v1/badges": {may: "admin", status: 200, body: `{"badges":[{"minXp":0,"name":"x"}]}`},

	"GET /v1/leaderboards/{board}":          {may: members, status: 200, public: true},
	"GET /v1/leaderboards/{board}/archive":  {may: members, status: 200, public: true},
	"GET /v1/leaderboards/{board}/trend":    {may: members, status: 200, public: true},
	"GET /v1/leaderboards/{board}/limit":    {may: "users admin", status: 200},
	"PUT /v1/leaderboards/{board}/limit":    {may: "users admin", status: 200, body: `{"top":5}`},
	"DELETE /v1/leaderboards/{board}/limit": {may: "users admin", status: 200},

	"GET /v1/events":                   {may: members, status: 200, public: true},
	"POST /v1/events/{socketId}/token": {may: someone, status: 404, noRateLimit: true},

	"POST /v1/users":                        {may: "users admin", status: 200, body: `{"users":[{"id":"u1","username":"x"}]}`},
	"GET /v1/users/{id}":                    {may: "self users admin", status: 200},
	"PUT /v1/users/{id}":                    {may: "users admin", status: 200, body: `{"username":"x"}`},
	"PATCH /v1/users/{id}":                  {may: "users admin", status: 200, body: `{"avatar":null}`},
	"DELETE /v1/users/{id}":                 {may: "users admin", status: 204},
	"GET /v1/users/{id}/history":            {may: "self users admin", status: 200},
	"PUT /v1/users/{id}/friends/{other}":    {may: "self users admin", status: 204},
	"DELETE /v1/users/{id}/friends/{other}": {may: "self users admin", status: 204},

	"POST /v1/users/{id}/xp": {may: "xp admin", status: 200, body: `{"xp":1}`},
	"POST /v1/xp":            {may: "xp admin", status: 200, body: `{"updates":[{"userId":"u1","xp":1}]}`},

	"POST /v1/session":   {may: someone, status: 200, noRateLimit: true},
	"DELETE /v1/session": {may: anyone, status: 204, noRateLimit: true},
}

// operation is a call of the API.
type operation struct {
	rule

	name, method, path string
}

// operations returns a call of each operation in the OpenAPI document.
func (f *fixture) operations() (list []operation) {
	f.t.Helper()
	var doc struct {
		Paths map[string]map[string]json.RawMessage
	}
	f.must(&doc, http.MethodGet, "/openapi.json", "")
	for path, methods := range doc.Paths {
		for method := range methods {
			method = strings.ToUpper(method)
			name := method + " " + path
			r, known := rules[name]
			if !known {
				f.t.Errorf("%s is new: add it to rules, and say who may call it", name)
				continue
			}
			filled := strings.NewReplacer("{id}", "u1", "{other}", "u2", "{board}", "school:42", "{socketId}", "none").Replace(path)
			if path == "/v1/events" {
				method, filled = http.MethodHead, filled+"?board=school:42" // a GET would not end
			}
			list = append(list, operation{r, name, method, filled})
		}
	}
	slices.SortFunc(list, func(a, b operation) int { return strings.Compare(a.name, b.name) })
	if len(list) != len(rules) {
		f.t.Errorf("%d operations, %d rules", len(list), len(rules))
	}
	return list
}

// boardsAndUsers returns the state that calls of operations change.
func (f *fixture) boardsAndUsers() (state []byte) {
	f.t.Helper()
	for _, path := range []string{"/v1/leaderboards/global", "/v1/users/u1", "/v1/badges", "/v1/leaderboards/school:42/limit"} {
		var raw json.RawMessage
		f.must(&raw, get, path, "")
		state = append(state, raw...)
	}
	return state
}

// wantRefused fails the test unless the answer says what the caller lacks.
func (op operation) wantRefused(t *testing.T, who, token string, a answer) {
	t.Helper()
	status, codes := http.StatusForbidden, []string{"insufficient_scope", "not_a_member"}
	switch {
	case token == "":
		status, codes = http.StatusUnauthorized, []string{"token_missing"}
	case who == "forged":
		status, codes = http.StatusUnauthorized, []string{"token_invalid"}
	}
	var p struct{ Code string }
	if op.method != http.MethodHead {
		if err := json.Unmarshal(a.body, &p); err != nil {
			t.Errorf("%s as %s = %q", op.name, who, a.body)
		}
	} else {
		p.Code = codes[0]
	}
	if a.status != status || !slices.Contains(codes, p.Code) || a.header.Get("WWW-Authenticate") == "" {
		t.Errorf("%s as %s = %d %s, want %d", op.name, who, a.status, a.body, status)
	}
}

// renew restores the users that operations have changed or erased.
func (f *fixture) renew() {
	f.t.Helper()
	f.school("42", "u1")
	f.put("u2")
}

// callers returns a token of each caller in rules.
func (f *fixture) callers() map[string]string {
	f.t.Helper()
	return map[string]string{
		"nobody": "", "self": f.token("u1", ""), "other": f.token("u2", ""),
		"xp": f.token("svc", "xp:write"), "users": f.token("svc", "users:write"), "admin": f.admin,
	}
}

// Every operation refuses callers who may not call it. It tells them what they lack, and changes
// nothing.
func TestOperations_refuse(t *testing.T) {
	f := newFixture(t, nil)
	f.renew()
	before := f.boardsAndUsers()
	for _, op := range f.operations() {
		for who, token := range f.callers() {
			if !slices.Contains(strings.Fields(op.may), who) {
				op.wantRefused(t, who, token, f.do(token, op.method, op.path, op.body))
			}
		}
		if !strings.Contains(op.may, "nobody") {
			op.wantRefused(t, "forged", "forged", f.do(f.token("u1", "admin")+"x", op.method, op.path, op.body))
		}
	}
	if after := f.boardsAndUsers(); !bytes.Equal(before, after) {
		t.Errorf("refused calls changed something: %s, was %s", after, before)
	}
}

// Every operation answers the callers who may call it.
func TestOperations_answer(t *testing.T) {
	f := newFixture(t, nil)
	f.renew()
	for _, op := range f.operations() {
		for who, token := range f.callers() {
			if !slices.Contains(strings.Fields(op.may), who) {
				continue
			}
			if a := f.do(token, op.method, op.path, op.body); a.status != op.status {
				t.Errorf("%s as %s = %d %s, want %d", op.name, who, a.status, a.body, op.status)
			}
			if op.method != http.MethodGet && op.method != http.MethodHead {
				f.renew()
			}
		}
	}
}

// In a public service the global board, and what it consists of, is for everybody. Nothing else is.
func TestOperations_public(t *testing.T) {
	f := newFixture(t, func(o *api.Options) { o.Public = true })
	f.renew()
	for _, op := range f.operations() {
		if strings.Contains(op.may, "nobody") {
			continue
		}
		if a := f.do("", op.method, strings.ReplaceAll(op.path, "school:42", "global"), op.body); op.public != (a.status == http.StatusOK) {
			t.Errorf("%s as nobody, in public = %d %s", op.name, a.status, a.body)
		}
		if strings.Contains(op.path, "school:42") || !op.public {
			op.wantRefused(t, "nobody", "", f.do("", op.method, op.path, op.body))
		}
	}
}
