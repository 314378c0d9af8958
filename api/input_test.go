package api_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

const (
	get   = http.MethodGet
	post  = http.MethodPost
	put   = http.MethodPut
	patch = http.MethodPatch
)

// Paths of writes.
const (
	xpPath    = "/v1/users/u1/xp"
	batchPath = "/v1/xp"
	userPath  = "/v1/users/u9" // this user does not exist
)

// badInput is a request whose input is wrong, and the problem that is expected.
type badInput struct {
	method, path, body string
	status             int
	code, field        string
}

var badInputs = map[string]badInput{
	"unknown user":            {post, "/v1/users/nobody/xp", `{"xp":1}`, 404, "user_not_found", "id"},
	"unknown user in batch":   {post, batchPath, `{"updates":[{"userId":"u1","xp":1},{"userId":"nobody","xp":1}]}`, 404, "user_not_found", "updates[1].userId"},
	"empty id":                {post, "/v1/users//xp", `{"xp":1}`, 422, "invalid_input", "path"},
	"blank id":                {post, "/v1/users/%20/xp", `{"xp":1}`, 422, "invalid_input", "id"},
	"empty id in batch":       {post, batchPath, `{"updates":[{"userId":"u1","xp":1},{"userId":"","xp":1}]}`, 422, "invalid_input", "updates[1].userId"},
	"long id":                 {put, "/v1/users/" + strings.Repeat("x", 200), `{"username":"x"}`, 422, "invalid_input", "id"},
	"line break in id":        {put, "/v1/users/a%0Ab", `{"username":"x"}`, 422, "invalid_input", "id"},
	"zero xp":                 {post, xpPath, `{"xp":0}`, 422, "invalid_input", "xp"},
	"zero xp with coins":      {post, xpPath, `{"xp":0,"mlCoins":1}`, 422, "invalid_input", "xp"},
	"no xp":                   {post, xpPath, `{"reason":"x"}`, 422, "invalid_input", "xp"},
	"xp is text":              {post, xpPath, `{"xp":"5"}`, 422, "invalid_input", "xp"},
	"xp is null":              {post, xpPath, `{"xp":null}`, 422, "invalid_input", "xp"},
	"xp is a fraction":        {post, xpPath, `{"xp":1.5}`, 422, "invalid_input", "xp"},
	"xp is huge":              {post, xpPath, `{"xp":1e300}`, 422, "invalid_input", "xp"},
	"xp below 0":              {post, xpPath, `{"xp":-51}`, 422, "negative_total", "xp"},
	"coins below 0":           {post, xpPath, `{"xp":1,"mlCoins":-6}`, 422, "negative_total", "mlCoins"},
	"total too large":         {post, xpPath, `{"xp":9007199254740991}`, 422, "total_too_large", "xp"},
	"below 0 later in batch":  {post, batchPath, `{"updates":[{"userId":"u1","xp":-30},{"userId":"u1","xp":-30}]}`, 422, "negative_total", "updates[1].xp"},
	"unknown field":           {post, xpPath, `{"xp":1,"points":2}`, 422, "invalid_input", "points"},
	"unknown field in batch":  {post, batchPath, `{"updates":[{"userId":"u1","xp":1,"user":2}]}`, 422, "invalid_input", "updates[0].user"},
	"no updates":              {post, batchPath, `{"updates":[]}`, 422, "invalid_input", "updates"},
	"too many updates":        {post, batchPath, `{"updates":[` + strings.TrimSuffix(strings.Repeat(`{"userId":"u1","xp":1},`, 1001), ",") + `]}`, 422, "invalid_input", "updates"},
	"long reason":             {post, xpPath, `{"xp":1,"reason":"` + strings.Repeat("é", 501) + `"}`, 422, "invalid_input", "reason"},
	"not JSON":                {post, xpPath, `{"xp":`, 400, "invalid_json", "body"},
	"not an object":           {post, xpPath, `[1]`, 422, "invalid_input", "body"},
	"no body":                 {post, xpPath, ``, 400, "invalid_json", ""},
	"not UTF-8":               {put, userPath, "{\"username\":\"\xff\"}", 400, "invalid_json", "body"},
	"body over 1 MiB":         {post, xpPath, `{"xp":1,"reason":"` + strings.Repeat("x", 1<<20) + `"}`, 413, "body_too_large", ""},
	"no username":             {put, userPath, `{}`, 422, "invalid_input", "username"},
	"blank username":          {put, userPath, `{"username":" "}`, 422, "invalid_input", "username"},
	"unseen username":         {put, userPath, `{"username":"\u200b \u2060"}`, 422, "invalid_input", "username"},
	"xp with a fraction of 0": {post, xpPath, `{"xp":1.0}`, 422, "invalid_input", "xp"},
	"xp beyond numbers":       {post, xpPath, `{"xp":1e400}`, 422, "invalid_input", "xp"},
	"body is null":            {put, userPath, `null`, 422, "invalid_input", "body"},
	"wrong method on health":  {post, "/healthz", "{}", 405, "method_not_allowed", ""},
	"wrong method on docs":    {http.MethodDelete, "/docs", "", 405, "method_not_allowed", ""},
	"line break in username":  {put, userPath, `{"username":"a\nb"}`, 422, "invalid_input", "username"},
	"script as avatar":        {put, userPath, `{"username":"x","avatar":"javascript:alert(1)"}`, 422, "invalid_input", "avatar"},
	"unknown group kind":      {put, userPath, `{"username":"x","groups":{"global":["1"]}}`, 422, "invalid_input", "groups"},
	"empty group id":          {put, userPath, `{"username":"x","groups":{"school":[""]}}`, 422, "invalid_input", "groups.school[0]"},
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
	"wrong method":            {patch, "/v1/users/u1/xp", "{}", 405, "method_not_allowed", ""},
}

// Wrong input is refused with a stable code and the name of the field, and changes nothing.
func TestInput_refused(t *testing.T) {
	f := newFixture(t, nil)
	f.put("u1", "u2")
	f.must(nil, post, xpPath, `{"xp":50,"mlCoins":5}`)
	var before, after json.RawMessage
	f.must(&before, get, "/v1/leaderboards/global", "")
	for name, c := range badInputs {
		t.Run(name, func(t *testing.T) {
			f.do(f.admin, c.method, c.path, c.body).wantProblem(t, c.status, c.code, c.field)
		})
	}
	f.do(f.admin, post, xpPath, `{"xp":1}`, "Content-Type", "text/plain").wantProblem(t, 415, "unsupported_media_type", "")
	f.do(f.admin, post, xpPath, `{"xp":1}`, "Idempotency-Key", strings.Repeat("k", 256)).wantProblem(t, 422, "invalid_input", "Idempotency-Key")
	f.do(f.admin, post, xpPath, `{"xp":1}`, "Idempotency-Key", "").wantProblem(t, 422, "invalid_input", "Idempotency-Key")
	f.do(f.admin, post, xpPath, `{"xp":1}`, "Idempotency-Key", "a", "Idempotency-Key", "b").wantProblem(t, 422, "invalid_input", "Idempotency-Key")
	f.do(f.admin, post, batchPath, `{"updates":[{"userId":"u1","xp":1,"key":""}]}`).wantProblem(t, 422, "invalid_input", "")
	if f.must(&after, get, "/v1/leaderboards/global", ""); !bytes.Equal(before, after) {
		t.Errorf("bad input changed the board: %s, was %s", after, before)
	}
}
