package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"marcador/api"
	"marcador/auth"
	"marcador/internal/schematest"
	"marcador/live"
	"marcador/sse"
)

// handled returns a function that has the API handle a request without a listener, which is a
// hundred times faster.
func handled(f *testing.F) func(method, path, body string) *httptest.ResponseRecorder {
	f.Helper()
	log := slog.New(slog.DiscardHandler)
	service, err := live.Open(f.Context(), filepath.Join(f.TempDir(), "m.db"), live.Options{Schema: schematest.Text(f), Throttle: -1, Log: log})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := service.Close(); err != nil {
			f.Error(err)
		}
	})
	verifier, err := auth.NewVerifier(auth.Options{Secret: []byte("0123456789abcdef0123456789abcdef")})
	if err != nil {
		f.Fatal(err)
	}
	token, err := verifier.Sign(auth.Caller{UserID: "svc", Scopes: []string{"admin"}}, 24*time.Hour)
	if err != nil {
		f.Fatal(err)
	}
	h := api.New(api.Options{Live: service, Streams: sse.NewServer(service.Hub(), sse.Options{}), Verifier: verifier, Log: log, Version: "test"})
	ctx := context.WithoutCancel(f.Context())
	return func(method, path, body string) *httptest.ResponseRecorder {
		u, err := url.ParseRequestURI(path)
		if err != nil {
			return nil // net/http would refuse it
		}
		r := (&http.Request{
			Method: method, URL: u, Host: "x", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, RequestURI: path,
			Header: http.Header{"Authorization": {"Bearer " + token}, "Content-Type": {"application/json"}}, Body: http.NoBody,
		}).WithContext(ctx)
		if body != "" {
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
}

// wantSound fails the test unless the answer is a success, a redirect or a problem that callers can
// do something about. A panic would be a 500.
func wantSound(t *testing.T, what string, w *httptest.ResponseRecorder) {
	t.Helper()
	if w.Code >= 300 && w.Code < 400 { // to the cleaned path
		return
	}
	if w.Code >= 500 || w.Code < 200 {
		t.Fatalf("%q = %d %s", what, w.Code, w.Body)
	}
	if w.Code >= 400 {
		var p struct{ Code string }
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Code == "" || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Fatalf("%q = %d %s", what, w.Code, w.Body)
		}
	}
}

// FuzzBody checks that every body is refused, or means the same to any other JSON reader.
func FuzzBody(f *testing.F) {
	calls := [][2]string{
		{http.MethodPost, "/v1/users/u1/xp"}, {http.MethodPost, "/v1/xp"}, {http.MethodPut, "/v1/users/u1"}, {http.MethodPost, "/v1/users"},
		{http.MethodPut, "/v1/badges"}, {http.MethodPut, "/v1/leaderboards/global/limit"}, {http.MethodPost, "/v1/events/x/token"},
	}
	for i, body := range []string{
		`{"xp":50,"mlCoins":-5,"reason":"exercise:123"}`, `{"updates":[{"userId":"u1","xp":1,"key":"k"},{"userId":"u1","mlCoins":1}]}`,
		`{"username":"Ana","avatar":"https://x/y","email":"a@b.c","groups":{"school":["42"]},"pseudonym":"x","hidden":true}`,
		`{"users":[{"id":"u1","username":"x"},{"id":"u2","username":"\ud83d\udc0d"}]}`, `{"badges":[{"minXp":0,"name":"x"},{"minXp":5,"name":"y"}]}`,
		`{"top":5}`, `{"token":"x"}`,
	} {
		f.Add(uint8(i), body)
	}
	for _, body := range []string{
		``, `null`, `[]`, `{`, `{"xp":1,"xp":2}`, `{"xp":1,"XP":2}`, `{"xp":1e400}`, `{"xp":1.0}`, "{\"xp\":1}\x00", "\ufeff{}", `{"xp":9007199254740993}`,
		`{"username":"\ud800"}`, "{\"username\":\"\xff\"}", strings.Repeat(`[`, 20_000), strings.Repeat(`{"a":`, 100), `{"updates":null}`, `{"groups":{"":[]}}`,
	} {
		for i := range calls {
			f.Add(uint8(i), body)
		}
	}
	do := handled(f)
	do(http.MethodPut, "/v1/users/u1", `{"username":"x"}`)
	f.Fuzz(func(t *testing.T, call uint8, body string) {
		c := calls[int(call)%len(calls)]
		w := do(c[0], c[1], body)
		wantSound(t, body, w)
		if w.Code < 300 && body != "" {
			canonical := jsontext.Value(bytes.Clone([]byte(body)))
			if err := canonical.Canonicalize(); err != nil {
				t.Fatalf("%q was accepted, and is not I-JSON: %v", body, err)
			}
			var lenient, strict any
			if json.Unmarshal([]byte(body), &lenient) != nil || json.Unmarshal(canonical, &strict) != nil || !reflect.DeepEqual(lenient, strict) {
				t.Fatalf("%q was accepted, and means %v or %v", body, lenient, strict)
			}
		}
		if w := do(http.MethodGet, "/v1/leaderboards/global", ""); w.Code != http.StatusOK || !json.Valid(w.Body.Bytes()) {
			t.Fatalf("after %q the board is %d %s", body, w.Code, w.Body)
		}
	})
}

// FuzzQuery checks that every address is answered, or refused with a problem.
func FuzzQuery(f *testing.F) {
	paths := []string{"/v1/leaderboards/global", "/v1/leaderboards/global/archive", "/v1/users/u1/history", "/v1/events", "/v1/leaderboards/", "/v1/users/"}
	for i := range paths {
		for _, query := range []string{
			"?period=weekly&limit=5&offset=1", "?around=me&neighbours=500", "?limit=-1", "?limit=9223372036854775808", "?limit=1&limit=2", "?board=global&board=school:1&mode=diff",
			"?start=2026-11-16&before=2026-11-16T00:00:00Z", "?last_event_id=x-1&format=msgpack", "?%00=%ff;&&=", "?around=%0a", "school:42", "%2e%2e/xp", "a%2fb?x", "friends:u1/limit",
			"?start=99999-01-01", "?before=18446744073709551616", "?last_event_id=-9223372036854775808",
		} {
			f.Add(uint8(i), query)
		}
	}
	do := handled(f)
	do(http.MethodPut, "/v1/users/u1", `{"username":"x"}`)
	f.Fuzz(func(t *testing.T, path uint8, query string) {
		if slices.ContainsFunc([]byte(query), func(b byte) bool { return b <= ' ' || b >= 0x7f || b == '#' }) {
			return // net/http would refuse it, or never see it
		}
		target, method := paths[int(path)%len(paths)]+query, http.MethodGet
		if strings.HasPrefix(target, "/v1/events") {
			method = http.MethodHead // a GET would not end
		}
		w := do(method, target, "")
		if w == nil || method == http.MethodHead && w.Code < 500 {
			return
		}
		wantSound(t, target, w)
	})
}
