package api_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"reflect"
	"testing"

	"github.com/tinylib/msgp/msgp"
)

// decoded returns the value of an answer in MessagePack, with the types that encoding/json uses.
func (a answer) decoded(tb testing.TB) any {
	tb.Helper()
	var text bytes.Buffer
	rest, err := msgp.UnmarshalAsJSON(&text, a.body)
	if err != nil || len(rest) > 0 {
		tb.Fatalf("not one value of MessagePack: %v, %d bytes after it: %q", err, len(rest), a.body)
	}
	var v any
	if err := json.Unmarshal(text.Bytes(), &v); err != nil {
		tb.Fatal(err)
	}
	return v
}

// Every answer says the same in MessagePack as in JSON.
func TestMessagePack(t *testing.T) {
	f := newFixture(t, nil)
	f.put("u1", "u2", "u3")
	f.must(nil, http.MethodPost, "/v1/users/u2/xp", `{"xp":5000,"mlCoins":300}`)
	for name, c := range map[string]struct{ method, path, body string }{
		"page":          {http.MethodGet, "/v1/leaderboards/global", ""},
		"page of none":  {http.MethodGet, "/v1/leaderboards/global?offset=100", ""},
		"user":          {http.MethodGet, "/v1/users/u2", ""},
		"profile":       {http.MethodPut, "/v1/users/u3", `{"username":"Zoë \"Z\" <3","groups":{"school":["42"]}}`},
		"write":         {http.MethodPost, "/v1/users/u1/xp", `{"xp":70000}`},
		"several":       {http.MethodPost, "/v1/xp", `{"updates":[{"userId":"u2","xp":-7},{"userId":"u3","xp":1}]}`},
		"session":       {http.MethodPost, "/v1/session", ""},
		"health, alive": {http.MethodGet, "/healthz", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var keyed []string // the second write repeats the first one
			if c.method == http.MethodPost && c.body != "" {
				keyed = []string{"Idempotency-Key", name}
			}
			plain := f.do(f.admin, c.method, c.path, c.body, keyed...)
			packed := f.do(f.admin, c.method, c.path, c.body, append(keyed, "Accept", "application/msgpack")...)
			if plain.status >= 300 || plain.status != packed.status {
				t.Fatalf("status %d %s, in MessagePack %d %s", plain.status, plain.body, packed.status, packed.body)
			}
			if got := plain.header.Get("Content-Type"); got != "application/json" {
				t.Errorf("content type %q, want JSON's", got)
			}
			if got := packed.header.Get("Content-Type"); got != "application/msgpack" {
				t.Errorf("content type %q, want MessagePack's", got)
			}
			for _, a := range []answer{plain, packed} {
				if got := a.header.Values("Vary"); !reflect.DeepEqual(got, []string{"Accept"}) {
					t.Errorf("Vary = %q", got)
				}
			}
			var want any
			if err := json.Unmarshal(plain.body, &want); err != nil {
				t.Fatal(err)
			}
			if got := packed.decoded(t); !reflect.DeepEqual(got, want) {
				t.Errorf("MessagePack says %v, JSON %v", got, want)
			}
		})
	}
}

// The Accept header chooses between JSON and MessagePack.
func TestMessagePack_negotiation(t *testing.T) {
	f := newFixture(t, nil)
	f.put("u1")
	const packed, plain = "application/msgpack", "application/json"
	for accept, want := range map[string]string{
		"":                                   plain,
		"*/*":                                plain,
		"text/html, */*;q=0.8":               plain,
		"application/x-msgpack":              packed,
		"Application/MsgPack":                packed,
		"application/json, " + packed:        plain,
		packed + ", application/json":        plain, // equally good, so the default
		packed + ", application/json;q=0.9":  packed,
		packed + ";q=0.5, application/json":  plain,
		packed + ";q=0":                      plain,
		"text/plain, " + packed + "; q=0.1":  packed,
		"application/vnd.msgpack, text/html": plain,
	} {
		for _, path := range []string{"/v1/users/u1", "/v1/leaderboards/global"} {
			if got := f.do(f.admin, http.MethodGet, path, "", "Accept", accept).header.Get("Content-Type"); got != want {
				t.Errorf("Accept: %s gets %q of %s, want %q", accept, got, path, want)
			}
		}
	}

	// Problems are always JSON, and so must bodies of requests be.
	f.do(f.admin, http.MethodGet, "/v1/users/nobody", "", "Accept", packed).wantProblem(t, 404, "user_not_found", "id")
	f.do("", http.MethodGet, "/v1/users/u1", "", "Accept", packed).wantProblem(t, 401, "token_missing", "")
	f.do(f.admin, http.MethodGet, "/v1/events?board=none", "", "Accept", packed).wantProblem(t, 404, "unknown_board", "board")
	f.do(f.admin, http.MethodPost, "/v1/users/u1/xp", "\x81\xa2xp\x05", "Content-Type", packed).wantProblem(t, 415, "unsupported_media_type", "")
}

// The OpenAPI document offers every answer in MessagePack too.
func TestMessagePack_document(t *testing.T) {
	f := newFixture(t, nil)
	var doc struct {
		Paths map[string]map[string]struct {
			RequestBody struct{ Content map[string]any }
			Responses   map[string]struct{ Content map[string]any }
		}
	}
	f.must(&doc, http.MethodGet, "/openapi.json", "")
	n := 0
	for path, methods := range doc.Paths {
		for method, op := range methods {
			for status, response := range op.Responses {
				if _, ok := response.Content["application/json"]; !ok {
					continue
				}
				n++
				if !reflect.DeepEqual(response.Content["application/msgpack"], response.Content["application/json"]) {
					t.Errorf("%s %s %s has %v", method, path, status, response.Content)
				}
			}
			if method == "patch" {
				delete(op.RequestBody.Content, "application/merge-patch+json")
			}
			if len(op.RequestBody.Content) > 1 {
				t.Errorf("%s %s takes %v", method, path, op.RequestBody.Content)
			}
		}
	}
	if got := doc.Paths["/v1/leaderboards/{board}"]["get"].Responses["200"].Content["application/msgpack"]; got == nil || n < 5 {
		t.Errorf("the page has %v; %d answers were seen", got, n)
	}
}
