package api_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"marcador/api"
)

// hostileInput is a request that is made to break something, and the problem that is expected.
type hostileInput struct {
	method, path, body string
	status             int
	code               string
	headers            []string
}

var hostileInputs = map[string]hostileInput{
	"deep":                     {post, xpPath, `{"xp":` + deep(10_000) + `}`, 400, "invalid_json", nil},
	"deeper":                   {post, xpPath, deep(200_000), 400, "invalid_json", nil},
	"deep and open":            {post, xpPath, strings.Repeat(`{"a":`, 100_000), 400, "invalid_json", nil},
	"a little deep":            {post, xpPath, `{"xp":` + deep(10) + `}`, 422, "invalid_input", nil},
	"twice":                    {post, xpPath, `{"xp":1,"xp":2}`, 400, "invalid_json", nil},
	"twice, escaped":           {post, xpPath, `{"xp":1,"\u0078p":2}`, 400, "invalid_json", nil},
	"twice, below":             {post, batchPath, `{"updates":[{"userId":"u1","xp":1,"userId":"u2"}]}`, 400, "invalid_json", nil},
	"twice, all":               {post, batchPath, `{"updates":[{"userId":"u1","xp":1}],"updates":[{"userId":"u2","xp":1}]}`, 400, "invalid_json", nil},
	"other case":               {post, xpPath, `{"XP":1}`, 422, "invalid_input", nil},
	"both cases":               {post, xpPath, `{"xp":1,"XP":2}`, 422, "invalid_input", nil},
	"prototype":                {post, xpPath, `{"xp":1,"__proto__":{}}`, 422, "invalid_input", nil},
	"two values":               {post, xpPath, `{"xp":1}{"xp":2}`, 400, "invalid_json", nil},
	"rest":                     {post, xpPath, `{"xp":1}x`, 400, "invalid_json", nil},
	"byte order mark":          {post, xpPath, "\ufeff{\"xp\":1}", 400, "invalid_json", nil},
	"UTF-16":                   {post, xpPath, "{\x00\"\x00x\x00p\x00\"\x00:\x001\x00}\x00", 400, "invalid_json", nil},
	"NUL":                      {post, xpPath, "{\"xp\":1}\x00", 400, "invalid_json", nil},
	"half a surrogate":         {put, userPath, `{"username":"\ud800"}`, 400, "invalid_json", nil},
	"surrogates swapped":       {put, userPath, `{"username":"\udc00\ud800"}`, 400, "invalid_json", nil},
	"overlong UTF-8":           {put, userPath, "{\"username\":\"\xc0\xaf\"}", 400, "invalid_json", nil},
	"UTF-8 in a name":          {put, userPath, "{\"\xff\":\"x\",\"username\":\"x\"}", 400, "invalid_json", nil},
	"NaN":                      {post, xpPath, `{"xp":NaN}`, 400, "invalid_json", nil},
	"hexadecimal":              {post, xpPath, `{"xp":0x10}`, 400, "invalid_json", nil},
	"leading zero":             {post, xpPath, `{"xp":01}`, 400, "invalid_json", nil},
	"plus":                     {post, xpPath, `{"xp":+1}`, 400, "invalid_json", nil},
	"exponent":                 {post, xpPath, `{"xp":1e2}`, 422, "invalid_input", nil},
	"beyond 64 bits":           {post, xpPath, `{"xp":18446744073709551617}`, 422, "invalid_input", nil},
	"beyond 53 bits":           {post, xpPath, `{"xp":9007199254740993}`, 422, "invalid_input", nil},
	"beyond, below 0":          {post, xpPath, `{"xp":-9223372036854775808}`, 422, "invalid_input", nil},
	"many digits":              {post, xpPath, `{"xp":` + strings.Repeat("9", 100_000) + `}`, 422, "invalid_input", nil},
	"sum overflows":            {post, batchPath, `{"updates":[{"userId":"u1","xp":9007199254740991},{"userId":"u1","xp":9007199254740991}]}`, 422, "total_too_large", nil},
	"comment":                  {post, xpPath, `{"xp":1/**/}`, 400, "invalid_json", nil},
	"line break in reason":     {post, xpPath, `{"xp":1,"reason":"a\nevent: x"}`, 422, "invalid_input", nil},
	"line separator":           {put, userPath, `{"username":"a\u2028b"}`, 422, "invalid_input", nil},
	"next line":                {put, userPath, `{"username":"a\u0085b"}`, 422, "invalid_input", nil},
	"return in group":          {put, userPath, `{"username":"x","groups":{"school":["a\rb"]}}`, 422, "invalid_input", nil},
	"line break in kind":       {put, userPath, `{"username":"x","groups":{"a\nb":["1"]}}`, 422, "invalid_input", nil},
	"line break in key":        {post, batchPath, `{"updates":[{"userId":"u1","xp":1,"key":"a\u0000b"}]}`, 422, "invalid_input", nil},
	"huge id":                  {put, "/v1/users/" + strings.Repeat("x", 20_000), `{"username":"x"}`, 422, "invalid_input", nil},
	"huge id in body":          {post, batchPath, `{"updates":[{"userId":"` + strings.Repeat("x", 500_000) + `","xp":1}]}`, 422, "invalid_input", nil},
	"NUL in id":                {put, "/v1/users/a%00b", `{"username":"x"}`, 422, "invalid_input", nil},
	"return in id":             {put, "/v1/users/a%0D%0Ab", `{"username":"x"}`, 422, "invalid_input", nil},
	"id of no UTF-8":           {put, "/v1/users/%ff", `{"username":"x"}`, 422, "invalid_input", nil},
	"id of a surrogate":        {put, "/v1/users/%ed%a0%80", `{"username":"x"}`, 422, "invalid_input", nil},
	"dots in path":             {put, "/v1/users/%2e%2e", `{"username":"x"}`, 422, "invalid_input", nil},
	"board of a break":         {get, "/v1/leaderboards/school:a%0Aevent:%20x", "", 404, "unknown_board", nil},
	"followed by a break":      {get, "/v1/events?board=school:a%0A%0Aevent:%20x", "", 404, "unknown_board", nil},
	"period of a break":        {get, "/v1/events?period=daily%0A%0A", "", 422, "invalid_input", nil},
	"many boards":              {get, "/v1/events?" + strings.Repeat("board=global&board=school:1&", 20) + "board=x", "", 404, "unknown_board", nil},
	"form":                     {post, xpPath, `xp=1`, 415, "unsupported_media_type", []string{"Content-Type", "application/x-www-form-urlencoded"}},
	"text":                     {post, xpPath, `{"xp":1}`, 415, "unsupported_media_type", []string{"Content-Type", "text/plain"}},
	"multipart":                {post, xpPath, `{"xp":1}`, 415, "unsupported_media_type", []string{"Content-Type", "multipart/form-data; boundary=x"}},
	"MessagePack":              {post, xpPath, "\x81\xa2xp\x01", 415, "unsupported_media_type", []string{"Content-Type", "application/msgpack"}},
	"compressed":               {post, xpPath, "\x1f\x8b\x08\x00", 415, "unsupported_media_type", []string{"Content-Encoding", "gzip"}},
	"a megabyte":               {post, xpPath, `{"xp":1}` + strings.Repeat(" ", 1<<20), 413, "body_too_large", nil},
	"ten megabytes":            {post, batchPath, strings.Repeat(" ", 10<<20), 413, "body_too_large", nil},
	"large token for a stream": {post, "/v1/events/x/token", `{"token":"` + strings.Repeat("x", 40<<10) + `"}`, 413, "body_too_large", nil},
	"key of bytes":             {post, xpPath, `{"xp":1}`, 422, "invalid_input", []string{"Idempotency-Key", "\xff"}},
	"key of tabs":              {post, xpPath, `{"xp":1}`, 422, "invalid_input", []string{"Idempotency-Key", "a\tb"}},
}

// deep returns n lists within each other.
func deep(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }

// Hostile bodies and ids are refused with a stable code, and change nothing.
func TestHostileInput(t *testing.T) {
	f := newFixture(t, nil)
	f.put("u1", "u2")
	f.must(nil, post, xpPath, `{"xp":50}`)
	before := f.state()
	for name, c := range hostileInputs {
		t.Run(name, func(t *testing.T) {
			f.do(f.admin, c.method, c.path, c.body, c.headers...).wantProblem(t, c.status, c.code, "")
		})
	}
	if after := f.state(); before != after {
		t.Errorf("something changed: %s, was %s", after, before)
	}
}

// Ids that only look hostile are ids like any other, and come back exactly as they were.
func TestHostileInput_harmlessIDs(t *testing.T) {
	f := newFixture(t, nil)
	for _, id := range []string{"50%25", "%252e%252e", "a%2Fb", "%F0%9F%90%8D", "a%20b", "%3Cimg%3E", "..a", "a'%22;--", "%2500", "C:%5Cx"} {
		f.must(nil, put, "/v1/users/"+id, `{"username":"x"}`)
		var u struct{ UserID string }
		f.must(&u, get, "/v1/users/"+id, "")
		f.must(nil, http.MethodDelete, "/v1/users/"+id, "")
		if want, err := url.PathUnescape(id); err != nil || u.UserID != want {
			t.Errorf("%s came back as %q, %v", id, u.UserID, err)
		}
	}
}

// raw sends the text. It returns the status of the first answer, and its body with everything that
// follows until the connection is closed.
func (f *fixture) raw(text string) (status int, rest string) {
	f.t.Helper()
	conn := f.dial()
	if _, err := io.WriteString(conn, text); err != nil {
		f.t.Log(err) // the service has refused it already
	}
	r := bufio.NewReader(conn)
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	body, _ := io.ReadAll(res.Body)
	if !res.Close {
		return res.StatusCode, string(body)
	}
	more, _ := io.ReadAll(r)
	return res.StatusCode, string(body) + string(more)
}

// smuggled are requests that two parsers may read differently. After <head> or a whole header each
// has <hidden>, a write that one of them would see as the next request.
var smuggled = map[string]struct {
	text   string
	status int
}{
	"two lengths":             {"<head>Content-Length: 0\r\nContent-Length: <length>\r\n\r\n<hidden>", 400},
	"list of lengths":         {"<head>Content-Length: 0, 5\r\n\r\n<hidden>", 400},
	"length below 0":          {"<head>Content-Length: -1\r\n\r\n<hidden>", 400},
	"length with a plus":      {"<head>Content-Length: +5\r\n\r\n<hidden>", 400},
	"hexadecimal length":      {"<head>Content-Length: 0x5\r\n\r\n<hidden>", 400},
	"huge length":             {"<head>Content-Length: 99999999999999999999\r\n\r\n<hidden>", 400},
	"unknown coding":          {"<head>Transfer-Encoding: xchunked\r\n\r\n<hidden>", 501},
	"two codings":             {"<head>Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n<hidden>", 501},
	"coding twice":            {"<head>Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n<hidden>", 501},
	"coding with a tab":       {"<head>Transfer-Encoding: chunked\x0b\r\n\r\n0\r\n\r\n<hidden>", 400},
	"space before the colon":  {"<head>Content-Length : 5\r\n\r\n<hidden>", 400},
	"NUL in a value":          {"<head>X: a\x00b\r\n\r\n<hidden>", 400},
	"return in a value":       {"<head>X: a\rContent-Length: 5\r\n\r\n<hidden>", 400},
	"no host":                 {"GET /healthz HTTP/1.1\r\n\r\n<hidden>", 400},
	"two hosts":               {"GET /healthz HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n<hidden>", 400},
	"escape of nothing":       {"GET /v1/users/%zz HTTP/1.1\r\nHost: x\r\n\r\n<hidden>", 400},
	"method of two words":     {"GET x /healthz HTTP/1.1\r\nHost: x\r\n\r\n<hidden>", 400},
	"version of the future":   {"GET /healthz HTTP/3.0\r\nHost: x\r\n\r\n<hidden>", 505},
	"huge header":             {"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 60<<10) + "\r\n\r\n<hidden>", 431},
	"many headers":            {"GET /healthz HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("X-Y: z\r\n", 10_000) + "\r\n<hidden>", 431},
	"huge address":            {"GET /healthz?" + strings.Repeat("x", 60<<10) + " HTTP/1.1\r\nHost: x\r\n\r\n<hidden>", 431},
	"chunk of another length": {"<head>Transfer-Encoding: chunked\r\n\r\n5\r\n<hidden>", 404},
}

// A request that two parsers may read differently is refused, and the write that is hidden behind
// it is not done.
func TestHostileInput_requestSmuggling(t *testing.T) {
	f := newFixture(t, func(o *api.Options) { o.Limits.Receive = 1 << 40 })
	f.put("u1")
	before := f.state()
	hidden := "POST /v1/users/u1/xp HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + f.admin +
		"\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n{\"xp\":1}"
	head := "POST /v1/nothing HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + f.admin + "\r\n"
	fill := strings.NewReplacer("<head>", head, "<hidden>", hidden, "<length>", strconv.Itoa(len(hidden)))
	for name, c := range smuggled {
		t.Run(name, func(t *testing.T) {
			if status, rest := f.raw(fill.Replace(c.text)); status != c.status || strings.Contains(rest, `"pointsGained"`) {
				t.Errorf("answer = %d %s, want %d alone", status, rest, c.status)
			}
		})
	}
	// If there are both a transfer coding and a length, the coding counts (RFC 9112, section 6.3):
	// the write is part of the body.
	text := head + "Connection: close\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" +
		fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(hidden), hidden)
	if status, rest := f.raw(text); status != 404 || strings.Contains(rest, `"pointsGained"`) {
		t.Errorf("with both a length and a coding %d %s", status, rest)
	}
	if after := f.state(); before != after {
		t.Errorf("something changed: %s, was %s", after, before)
	}
}
