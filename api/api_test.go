package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"marcador/api"
	"marcador/auth"
	"marcador/internal/schematest"
	"marcador/live"
	"marcador/sse"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fixture is the whole of HTTP on a real database and a real listener.
type fixture struct {
	t        testing.TB
	url      string
	verifier *auth.Verifier
	live     *live.Service
	streams  *sse.Server
	admin    string // a token
	db       string // the database's file
	handler  http.Handler
	closed   atomic.Int64 // connections
}

func newFixture(tb testing.TB, change func(*api.Options)) *fixture {
	tb.Helper()
	log := slog.New(slog.DiscardHandler)
	f := &fixture{t: tb, db: filepath.Join(tb.TempDir(), "m.db")}
	service, err := live.Open(tb.Context(), f.db, live.Options{Schema: schematest.Text(tb), Throttle: -1, Log: log})
	if err != nil {
		tb.Fatal(err)
	}
	verifier, err := auth.NewVerifier(auth.Options{Secret: []byte("0123456789abcdef0123456789abcdef")})
	if err != nil {
		tb.Fatal(err)
	}
	opts := api.Options{Live: service, Streams: sse.NewServer(service.Hub(), sse.Options{}), Verifier: verifier, Log: log, Version: "test"}
	if change != nil {
		change(&opts)
	}
	f.handler = api.New(opts)
	server := httptest.NewUnstartedServer(f.handler)
	if err := server.Listener.Close(); err != nil {
		tb.Fatal(err)
	}
	if server.Listener, err = sse.Listen(tb.Context(), "tcp", "127.0.0.1:0"); err != nil {
		tb.Fatal(err)
	}
	server.Config.ConnContext = sse.ConnContext
	server.Config.MaxHeaderBytes = 32 << 10
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateClosed {
			f.closed.Add(1)
		}
	}
	server.Start()
	tb.Cleanup(func() {
		if err := opts.Streams.Drain(context.Background()); err != nil {
			tb.Error(err)
		}
		server.CloseClientConnections()
		server.Close()
		if err := service.Close(); err != nil {
			tb.Error(err)
		}
	})
	f.url, f.verifier, f.live, f.streams = server.URL, verifier, service, opts.Streams
	f.admin = f.token("svc", "admin")
	return f
}

func (f *fixture) token(sub, scope string) string {
	f.t.Helper()
	token, err := f.verifier.Sign(auth.Caller{UserID: sub, Email: sub + "@school.mx", Scopes: strings.Fields(scope)}, time.Hour)
	if err != nil {
		f.t.Fatal(err)
	}
	return token
}

// answer is a response, read.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// do sends a request with a token, or none, and headers in pairs.
func (f *fixture) do(token, method, path, body string, headers ...string) answer {
	f.t.Helper()
	req, err := http.NewRequestWithContext(f.t.Context(), method, f.url+path, strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(headers); i += 2 {
		if slices.Index(headers, headers[i]) == i {
			req.Header.Del(headers[i])
		}
		req.Header.Add(headers[i], headers[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		f.t.Fatal(err)
	}
	b, err := io.ReadAll(res.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		f.t.Error(err)
	}
	return answer{res.StatusCode, res.Header, b}
}

// must is do for what must succeed; it decodes the answer into v.
func (f *fixture) must(v any, method, path, body string, headers ...string) {
	f.t.Helper()
	a := f.do(f.admin, method, path, body, headers...)
	if a.status >= 300 {
		f.t.Fatalf("%s %s = %d %s", method, path, a.status, a.body)
	}
	if v != nil {
		if err := json.Unmarshal(a.body, v); err != nil {
			f.t.Fatalf("%s %s: %v: %s", method, path, err, a.body)
		}
	}
}

func (f *fixture) put(ids ...string) {
	f.t.Helper()
	for _, id := range ids {
		f.must(nil, http.MethodPut, "/v1/users/"+id, `{"username":"name of `+id+`"}`)
	}
}

// wantProblem fails unless the answer is a problem with that code, about that
// field, whose detail names it.
func (a answer) wantProblem(tb testing.TB, status int, code, field string) {
	tb.Helper()
	var p struct {
		Type, Title, Detail, Code string
		Status                    int
		Errors                    []struct{ Field, Message string }
	}
	if err := json.Unmarshal(a.body, &p); err != nil {
		tb.Fatalf("%d %q: %v", a.status, a.body, err)
	}
	if a.status != status || p.Status != status || p.Code != code || p.Title != http.StatusText(status) {
		tb.Errorf("answer = %d %s, want %d with code %s", a.status, a.body, status, code)
	}
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		tb.Errorf("content type = %s", got)
	}
	if field != "" && (len(p.Errors) == 0 || p.Errors[0].Field != field || !strings.Contains(p.Detail, field)) {
		tb.Errorf("answer = %s, want one about %s", a.body, field)
	}
	for _, secret := range []string{"SQL", "sqlite", "goroutine", ".go:", "Go struct", "float64"} {
		if bytes.Contains(a.body, []byte(secret)) {
			tb.Errorf("the answer shows internals: %s", a.body)
		}
	}
}

func TestBadInput(t *testing.T) {
	f := newFixture(t, nil)
	f.put("u1", "u2")
	f.must(nil, http.MethodPost, "/v1/users/u1/xp", `{"xp":50,"mlCoins":5}`)
	var before, after json.RawMessage
	f.must(&before, http.MethodGet, "/v1/leaderboards/global", "")
	const post, put, get = http.MethodPost, http.MethodPut, http.MethodGet
	xp, batch, user := "/v1/users/u1/xp", "/v1/xp", "/v1/users/u9"
	long := strings.Repeat("x", 200)
	manyUpdates := strings.Repeat(`{"userId":"u1","xp":1},`, 1001)
	for name, c := range map[string]struct {
		method, path, body string
		status             int
		code, field        string
	}{
		"unknown user":            {post, "/v1/users/nobody/xp", `{"xp":1}`, 404, "user_not_found", "id"},
		"unknown user in batch":   {post, batch, `{"updates":[{"userId":"u1","xp":1},{"userId":"nobody","xp":1}]}`, 404, "user_not_found", "updates[1].userId"},
		"empty id":                {post, "/v1/users//xp", `{"xp":1}`, 422, "invalid_input", "path"},
		"blank id":                {post, "/v1/users/%20/xp", `{"xp":1}`, 422, "invalid_input", "id"},
		"empty id in batch":       {post, batch, `{"updates":[{"userId":"u1","xp":1},{"userId":"","xp":1}]}`, 422, "invalid_input", "updates[1].userId"},
		"long id":                 {put, "/v1/users/" + long, `{"username":"x"}`, 422, "invalid_input", "id"},
		"line break in id":        {put, "/v1/users/a%0Ab", `{"username":"x"}`, 422, "invalid_input", "id"},
		"zero xp":                 {post, xp, `{"xp":0}`, 422, "invalid_input", "xp"},
		"zero xp with coins":      {post, xp, `{"xp":0,"mlCoins":1}`, 422, "invalid_input", "xp"},
		"no xp":                   {post, xp, `{"reason":"x"}`, 422, "invalid_input", "xp"},
		"xp is text":              {post, xp, `{"xp":"5"}`, 422, "invalid_input", "xp"},
		"xp is null":              {post, xp, `{"xp":null}`, 422, "invalid_input", "xp"},
		"xp is a fraction":        {post, xp, `{"xp":1.5}`, 422, "invalid_input", "xp"},
		"xp is huge":              {post, xp, `{"xp":1e300}`, 422, "invalid_input", "xp"},
		"xp below 0":              {post, xp, `{"xp":-51}`, 422, "negative_total", "xp"},
		"coins below 0":           {post, xp, `{"xp":1,"mlCoins":-6}`, 422, "negative_total", "mlCoins"},
		"total too large":         {post, xp, `{"xp":9007199254740991}`, 422, "total_too_large", "xp"},
		"below 0 later in batch":  {post, batch, `{"updates":[{"userId":"u1","xp":-30},{"userId":"u1","xp":-30}]}`, 422, "negative_total", "updates[1].xp"},
		"unknown field":           {post, xp, `{"xp":1,"points":2}`, 422, "invalid_input", "points"},
		"unknown field in batch":  {post, batch, `{"updates":[{"userId":"u1","xp":1,"user":2}]}`, 422, "invalid_input", "updates[0].user"},
		"no updates":              {post, batch, `{"updates":[]}`, 422, "invalid_input", "updates"},
		"too many updates":        {post, batch, `{"updates":[` + manyUpdates[:len(manyUpdates)-1] + `]}`, 422, "invalid_input", "updates"},
		"long reason":             {post, xp, `{"xp":1,"reason":"` + strings.Repeat("é", 501) + `"}`, 422, "invalid_input", "reason"},
		"not JSON":                {post, xp, `{"xp":`, 400, "invalid_json", "body"},
		"not an object":           {post, xp, `[1]`, 422, "invalid_input", "body"},
		"no body":                 {post, xp, ``, 400, "invalid_json", ""},
		"not UTF-8":               {put, user, "{\"username\":\"\xff\"}", 400, "invalid_json", "body"},
		"body over 1 MiB":         {post, xp, `{"xp":1,"reason":"` + strings.Repeat("x", 1<<20) + `"}`, 413, "body_too_large", ""},
		"no username":             {put, user, `{}`, 422, "invalid_input", "username"},
		"blank username":          {put, user, `{"username":" "}`, 422, "invalid_input", "username"},
		"unseen username":         {put, user, `{"username":"\u200b \u2060"}`, 422, "invalid_input", "username"},
		"xp with a fraction of 0": {post, xp, `{"xp":1.0}`, 422, "invalid_input", "xp"},
		"xp beyond numbers":       {post, xp, `{"xp":1e400}`, 422, "invalid_input", "xp"},
		"body is null":            {put, user, `null`, 422, "invalid_input", "body"},
		"wrong method on health":  {post, "/healthz", "{}", 405, "method_not_allowed", ""},
		"wrong method on docs":    {http.MethodDelete, "/docs", "", 405, "method_not_allowed", ""},
		"line break in username":  {put, user, `{"username":"a\nb"}`, 422, "invalid_input", "username"},
		"script as avatar":        {put, user, `{"username":"x","avatar":"javascript:alert(1)"}`, 422, "invalid_input", "avatar"},
		"unknown group kind":      {put, user, `{"username":"x","groups":{"global":["1"]}}`, 422, "invalid_input", "groups"},
		"empty group id":          {put, user, `{"username":"x","groups":{"school":[""]}}`, 422, "invalid_input", "groups.school[0]"},
		"dots as id":              {post, "/v1/users", `{"users":[{"id":"..","username":"x"}]}`, 422, "invalid_input", "users[0].id"},
		"user twice":              {post, "/v1/users", `{"users":[{"id":"u9","username":"x"},{"id":"u9","username":"y"}]}`, 422, "invalid_input", "users[1].id"},
		"one bad of two users":    {post, "/v1/users", `{"users":[{"id":"u9","username":"x"},{"id":"u8"}]}`, 422, "invalid_input", "users[1].username"},
		"unknown board":           {get, "/v1/leaderboards/planet", "", 404, "unknown_board", "board"},
		"unknown board kind":      {get, "/v1/leaderboards/Planet:9", "", 404, "unknown_board", "board"},
		"unknown board followed":  {get, "/v1/events?board=planet", "", 404, "unknown_board", "board"},
		"limit 0":                 {get, "/v1/leaderboards/global?limit=0", "", 422, "invalid_input", "limit"},
		"limit 1001":              {get, "/v1/leaderboards/global?limit=1001", "", 422, "invalid_input", "limit"},
		"limit is text":           {get, "/v1/leaderboards/global?limit=all", "", 422, "invalid_input", "limit"},
		"offset below 0":          {get, "/v1/leaderboards/global?offset=-1", "", 422, "invalid_input", "offset"},
		"unknown period":          {get, "/v1/leaderboards/global?period=hourly", "", 422, "invalid_input", "period"},
		"unknown parameter":       {get, "/v1/leaderboards/global?limt=5", "", 422, "invalid_input", "limt"},
		"unknown mode":            {get, "/v1/events?mode=loud", "", 422, "invalid_input", "mode"},
		"user that is gone":       {http.MethodDelete, "/v1/users/nobody", "", 404, "user_not_found", "id"},
		"no such path":            {get, "/v1/nothing", "", 404, "not_found", ""},
		"wrong method":            {http.MethodPatch, "/v1/users/u1/xp", "{}", 405, "method_not_allowed", ""},
	} {
		t.Run(name, func(t *testing.T) {
			f.do(f.admin, c.method, c.path, c.body).wantProblem(t, c.status, c.code, c.field)
		})
	}
	f.do(f.admin, post, xp, `{"xp":1}`, "Content-Type", "text/plain").wantProblem(t, 415, "unsupported_media_type", "")
	f.do(f.admin, post, xp, `{"xp":1}`, "Idempotency-Key", strings.Repeat("k", 256)).wantProblem(t, 422, "invalid_input", "Idempotency-Key")
	f.do(f.admin, post, xp, `{"xp":1}`, "Idempotency-Key", "").wantProblem(t, 422, "invalid_input", "Idempotency-Key")
	f.do(f.admin, post, xp, `{"xp":1}`, "Idempotency-Key", "a", "Idempotency-Key", "b").wantProblem(t, 422, "invalid_input", "Idempotency-Key")
	f.do(f.admin, post, "/v1/xp", `{"updates":[{"userId":"u1","xp":1,"key":""}]}`).wantProblem(t, 422, "invalid_input", "")
	if f.must(&after, http.MethodGet, "/v1/leaderboards/global", ""); !bytes.Equal(before, after) {
		t.Errorf("bad input changed the board: %s, was %s", after, before)
	}
}

func TestUsers(t *testing.T) {
	f := newFixture(t, nil)
	var u struct {
		UserID, Username, Avatar, RankBadge string
		Groups                              map[string][]string
		XP, MLCoins                         int64
		Ranks                               map[string]map[string]int
	}
	const path = "/v1/users/a%2Fb%20%C3%A9%3F" // "a/b é?"
	profile := `{"username":"Ana","email":"a@b.c","avatar":"data:image/png;base64,AA","groups":{"school":["42"],"classroom":["7a"]}}`
	if a := f.do(f.admin, http.MethodPut, path, profile); a.status != http.StatusCreated {
		t.Fatalf("first PUT = %d %s", a.status, a.body)
	}
	if a := f.do(f.admin, http.MethodPut, path, profile); a.status != http.StatusOK {
		t.Fatalf("second PUT = %d %s", a.status, a.body)
	}
	f.must(nil, http.MethodPost, path+"/xp", `{"xp":5000,"mlCoins":3}`)
	f.must(&u, http.MethodGet, path, "")
	if u.UserID != "a/b é?" || u.Username != "Ana" || u.XP != 5000 || u.MLCoins != 3 || u.RankBadge != "Nacom" ||
		u.Groups["school"][0] != "42" || u.Ranks["global"]["all-time"] != 1 {
		t.Errorf("user = %+v", u)
	}
	if a := f.do(f.token("a/b é?", ""), http.MethodGet, path, ""); a.status != http.StatusOK {
		t.Errorf("a user is refused themselves: %d %s", a.status, a.body)
	}
	if a := f.do(f.admin, http.MethodDelete, path, ""); a.status != http.StatusNoContent {
		t.Errorf("DELETE = %d %s", a.status, a.body)
	}
	f.do(f.admin, http.MethodGet, path, "").wantProblem(t, 404, "user_not_found", "id")

	var list struct{ Users []struct{ UserID string } }
	f.must(&list, http.MethodPost, "/v1/users", `{"users":[{"id":"u1","username":"x"},{"id":"u2","username":"y"}]}`)
	if len(list.Users) != 2 || list.Users[1].UserID != "u2" {
		t.Errorf("POST /v1/users = %+v", list)
	}
}

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
	// The key of a refused write is free.
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

	// Each update by a key of its own: what was made already is answered as then.
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
