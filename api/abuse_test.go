package api_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"marcador/api"
	"marcador/auth"
)

// state is what the database has, as far as anybody can see it.
func (f *fixture) state() string {
	f.t.Helper()
	var all []byte
	for _, path := range []string{"/v1/leaderboards/global?limit=1000", "/v1/users/u1", "/v1/users/u1/history", "/v1/badges"} {
		var raw json.RawMessage
		f.must(&raw, http.MethodGet, path, "")
		all = append(all, raw...)
	}
	return string(all)
}

// Bodies and ids that are made to break something are refused by name, and change
// nothing.
func TestAbuse(t *testing.T) {
	f := newFixture(t, nil)
	f.put("u1", "u2")
	f.must(nil, http.MethodPost, "/v1/users/u1/xp", `{"xp":50}`)
	before := f.state()
	const post, put = http.MethodPost, http.MethodPut
	const xp, batch, user = "/v1/users/u1/xp", "/v1/xp", "/v1/users/u9"
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for name, c := range map[string]struct {
		method, path, body string
		status             int
		code               string
		headers            []string
	}{
		"deep":                     {post, xp, `{"xp":` + deep(10_000) + `}`, 400, "invalid_json", nil},
		"deeper":                   {post, xp, deep(200_000), 400, "invalid_json", nil},
		"deep and open":            {post, xp, strings.Repeat(`{"a":`, 100_000), 400, "invalid_json", nil},
		"a little deep":            {post, xp, `{"xp":` + deep(10) + `}`, 422, "invalid_input", nil},
		"twice":                    {post, xp, `{"xp":1,"xp":2}`, 400, "invalid_json", nil},
		"twice, escaped":           {post, xp, `{"xp":1,"\u0078p":2}`, 400, "invalid_json", nil},
		"twice, below":             {post, batch, `{"updates":[{"userId":"u1","xp":1,"userId":"u2"}]}`, 400, "invalid_json", nil},
		"twice, all":               {post, batch, `{"updates":[{"userId":"u1","xp":1}],"updates":[{"userId":"u2","xp":1}]}`, 400, "invalid_json", nil},
		"other case":               {post, xp, `{"XP":1}`, 422, "invalid_input", nil},
		"both cases":               {post, xp, `{"xp":1,"XP":2}`, 422, "invalid_input", nil},
		"prototype":                {post, xp, `{"xp":1,"__proto__":{}}`, 422, "invalid_input", nil},
		"two values":               {post, xp, `{"xp":1}{"xp":2}`, 400, "invalid_json", nil},
		"rest":                     {post, xp, `{"xp":1}x`, 400, "invalid_json", nil},
		"byte order mark":          {post, xp, "\ufeff{\"xp\":1}", 400, "invalid_json", nil},
		"UTF-16":                   {post, xp, "{\x00\"\x00x\x00p\x00\"\x00:\x001\x00}\x00", 400, "invalid_json", nil},
		"NUL":                      {post, xp, "{\"xp\":1}\x00", 400, "invalid_json", nil},
		"half a surrogate":         {put, user, `{"username":"\ud800"}`, 400, "invalid_json", nil},
		"surrogates swapped":       {put, user, `{"username":"\udc00\ud800"}`, 400, "invalid_json", nil},
		"overlong UTF-8":           {put, user, "{\"username\":\"\xc0\xaf\"}", 400, "invalid_json", nil},
		"UTF-8 in a name":          {put, user, "{\"\xff\":\"x\",\"username\":\"x\"}", 400, "invalid_json", nil},
		"NaN":                      {post, xp, `{"xp":NaN}`, 400, "invalid_json", nil},
		"hexadecimal":              {post, xp, `{"xp":0x10}`, 400, "invalid_json", nil},
		"leading zero":             {post, xp, `{"xp":01}`, 400, "invalid_json", nil},
		"plus":                     {post, xp, `{"xp":+1}`, 400, "invalid_json", nil},
		"exponent":                 {post, xp, `{"xp":1e2}`, 422, "invalid_input", nil},
		"beyond 64 bits":           {post, xp, `{"xp":18446744073709551617}`, 422, "invalid_input", nil},
		"beyond 53 bits":           {post, xp, `{"xp":9007199254740993}`, 422, "invalid_input", nil},
		"beyond, below 0":          {post, xp, `{"xp":-9223372036854775808}`, 422, "invalid_input", nil},
		"many digits":              {post, xp, `{"xp":` + strings.Repeat("9", 100_000) + `}`, 422, "invalid_input", nil},
		"sum overflows":            {post, batch, `{"updates":[{"userId":"u1","xp":9007199254740991},{"userId":"u1","xp":9007199254740991}]}`, 422, "total_too_large", nil},
		"comment":                  {post, xp, `{"xp":1/**/}`, 400, "invalid_json", nil},
		"line break in reason":     {post, xp, `{"xp":1,"reason":"a\nevent: x"}`, 422, "invalid_input", nil},
		"line separator":           {put, user, `{"username":"a\u2028b"}`, 422, "invalid_input", nil},
		"next line":                {put, user, `{"username":"a\u0085b"}`, 422, "invalid_input", nil},
		"return in group":          {put, user, `{"username":"x","groups":{"school":["a\rb"]}}`, 422, "invalid_input", nil},
		"line break in kind":       {put, user, `{"username":"x","groups":{"a\nb":["1"]}}`, 422, "invalid_input", nil},
		"line break in key":        {post, batch, `{"updates":[{"userId":"u1","xp":1,"key":"a\u0000b"}]}`, 422, "invalid_input", nil},
		"huge id":                  {put, "/v1/users/" + strings.Repeat("x", 20_000), `{"username":"x"}`, 422, "invalid_input", nil},
		"huge id in body":          {post, batch, `{"updates":[{"userId":"` + strings.Repeat("x", 500_000) + `","xp":1}]}`, 422, "invalid_input", nil},
		"NUL in id":                {put, "/v1/users/a%00b", `{"username":"x"}`, 422, "invalid_input", nil},
		"return in id":             {put, "/v1/users/a%0D%0Ab", `{"username":"x"}`, 422, "invalid_input", nil},
		"id of no UTF-8":           {put, "/v1/users/%ff", `{"username":"x"}`, 422, "invalid_input", nil},
		"id of a surrogate":        {put, "/v1/users/%ed%a0%80", `{"username":"x"}`, 422, "invalid_input", nil},
		"dots in path":             {put, "/v1/users/%2e%2e", `{"username":"x"}`, 422, "invalid_input", nil},
		"board of a break":         {http.MethodGet, "/v1/leaderboards/school:a%0Aevent:%20x", "", 404, "unknown_board", nil},
		"followed by a break":      {http.MethodGet, "/v1/events?board=school:a%0A%0Aevent:%20x", "", 404, "unknown_board", nil},
		"period of a break":        {http.MethodGet, "/v1/events?period=daily%0A%0A", "", 422, "invalid_input", nil},
		"many boards":              {http.MethodGet, "/v1/events?" + strings.Repeat("board=global&board=school:1&", 20) + "board=x", "", 404, "unknown_board", nil},
		"form":                     {post, xp, `xp=1`, 415, "unsupported_media_type", []string{"Content-Type", "application/x-www-form-urlencoded"}},
		"text":                     {post, xp, `{"xp":1}`, 415, "unsupported_media_type", []string{"Content-Type", "text/plain"}},
		"multipart":                {post, xp, `{"xp":1}`, 415, "unsupported_media_type", []string{"Content-Type", "multipart/form-data; boundary=x"}},
		"MessagePack":              {post, xp, "\x81\xa2xp\x01", 415, "unsupported_media_type", []string{"Content-Type", "application/msgpack"}},
		"compressed":               {post, xp, "\x1f\x8b\x08\x00", 415, "unsupported_media_type", []string{"Content-Encoding", "gzip"}},
		"a megabyte":               {post, xp, `{"xp":1}` + strings.Repeat(" ", 1<<20), 413, "body_too_large", nil},
		"ten megabytes":            {post, batch, strings.Repeat(" ", 10<<20), 413, "body_too_large", nil},
		"large token for a stream": {post, "/v1/events/x/token", `{"token":"` + strings.Repeat("x", 40<<10) + `"}`, 413, "body_too_large", nil},
		"key of bytes":             {post, xp, `{"xp":1}`, 422, "invalid_input", []string{"Idempotency-Key", "\xff"}},
		"key of tabs":              {post, xp, `{"xp":1}`, 422, "invalid_input", []string{"Idempotency-Key", "a\tb"}},
	} {
		t.Run(name, func(t *testing.T) {
			f.do(f.admin, c.method, c.path, c.body, c.headers...).wantProblem(t, c.status, c.code, "")
		})
	}
	if after := f.state(); before != after {
		t.Errorf("something changed: %s, was %s", after, before)
	}

	// What only looks like trouble is an id as any other, and comes back as it went.
	for _, id := range []string{"50%25", "%252e%252e", "a%2Fb", "%F0%9F%90%8D", "a%20b", "%3Cimg%3E", "..a", "a'%22;--", "%2500", "C:%5Cx"} {
		f.must(nil, put, "/v1/users/"+id, `{"username":"x"}`)
		var u struct{ UserID string }
		f.must(&u, http.MethodGet, "/v1/users/"+id, "")
		f.must(nil, http.MethodDelete, "/v1/users/"+id, "")
		if want, err := url.PathUnescape(id); err != nil || u.UserID != want {
			t.Errorf("%s came back as %q, %v", id, u.UserID, err)
		}
	}
}

// raw sends the text and returns the first answer, with what follows until the
// connection is closed.
func (f *fixture) raw(text string) (status int, rest string) {
	f.t.Helper()
	conn := f.dial()
	if _, err := io.WriteString(conn, text); err != nil {
		f.t.Log(err) // it is refused already
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

// Heads that two parsers may read in two ways are refused, and what hides behind
// them is not done.
func TestAbuse_heads(t *testing.T) {
	f := newFixture(t, func(o *api.Options) { o.Limits.Receive = 1 << 40 })
	f.put("u1")
	before := f.state()
	hidden := "POST /v1/users/u1/xp HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + f.admin + "\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n{\"xp\":1}"
	head := "POST /v1/nothing HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + f.admin + "\r\n"
	for name, c := range map[string]struct {
		text   string
		status int
	}{
		"two lengths":             {head + "Content-Length: 0\r\nContent-Length: " + fmt.Sprint(len(hidden)) + "\r\n\r\n" + hidden, 400},
		"list of lengths":         {head + "Content-Length: 0, 5\r\n\r\n" + hidden, 400},
		"length below 0":          {head + "Content-Length: -1\r\n\r\n" + hidden, 400},
		"length with a plus":      {head + "Content-Length: +5\r\n\r\n" + hidden, 400},
		"hexadecimal length":      {head + "Content-Length: 0x5\r\n\r\n" + hidden, 400},
		"huge length":             {head + "Content-Length: 99999999999999999999\r\n\r\n" + hidden, 400},
		"unknown coding":          {head + "Transfer-Encoding: xchunked\r\n\r\n" + hidden, 501},
		"two codings":             {head + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + hidden, 501},
		"coding twice":            {head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden, 501},
		"coding with a tab":       {head + "Transfer-Encoding: chunked\x0b\r\n\r\n0\r\n\r\n" + hidden, 400},
		"space before the colon":  {head + "Content-Length : 5\r\n\r\n" + hidden, 400},
		"NUL in a value":          {head + "X: a\x00b\r\n\r\n" + hidden, 400},
		"return in a value":       {head + "X: a\rContent-Length: 5\r\n\r\n" + hidden, 400},
		"no host":                 {"GET /healthz HTTP/1.1\r\n\r\n" + hidden, 400},
		"two hosts":               {"GET /healthz HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n" + hidden, 400},
		"escape of nothing":       {"GET /v1/users/%zz HTTP/1.1\r\nHost: x\r\n\r\n" + hidden, 400},
		"method of two words":     {"GET x /healthz HTTP/1.1\r\nHost: x\r\n\r\n" + hidden, 400},
		"version of the future":   {"GET /healthz HTTP/3.0\r\nHost: x\r\n\r\n" + hidden, 505},
		"huge header":             {"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 60<<10) + "\r\n\r\n" + hidden, 431},
		"many headers":            {"GET /healthz HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("X-Y: z\r\n", 10_000) + "\r\n" + hidden, 431},
		"huge address":            {"GET /healthz?" + strings.Repeat("x", 60<<10) + " HTTP/1.1\r\nHost: x\r\n\r\n" + hidden, 431},
		"chunk of another length": {head + "Transfer-Encoding: chunked\r\n\r\n5\r\n" + hidden, 404}, // and closed
	} {
		t.Run(name, func(t *testing.T) {
			if status, rest := f.raw(c.text); status != c.status || strings.Contains(rest, `"pointsGained"`) {
				t.Errorf("answer = %d %s, want %d alone", status, rest, c.status)
			}
		})
	}
	// With both a coding and a length the coding counts, as RFC 9112, section 6.3, has
	// it: what is within it is body.
	if status, rest := f.raw(head + "Connection: close\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" +
		fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(hidden), hidden)); status != 404 || strings.Contains(rest, `"pointsGained"`) {
		t.Errorf("with both a length and a coding %d %s", status, rest)
	}
	if after := f.state(); before != after {
		t.Errorf("something changed: %s, was %s", after, before)
	}
}

// Nothing that anybody can name gets out of the data that it stands in.
func TestAbuse_events(t *testing.T) {
	f := newFixture(t, nil)
	const evil = "x\r\nevent: evil\ndata: {}\n\nid: 9\u2028"
	f.must(nil, http.MethodPut, "/v1/users/u1", `{"username":"event: evil","groups":{"school":["data: {}"]},"avatar":"data:image/png,\\n\\nevent: evil"}`)
	token, err := f.verifier.Sign(auth.Caller{UserID: "u1", Email: evil, Name: evil}, 1<<40)
	if err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{"snapshot", "diff"} {
		conn := f.dial()
		text := "GET /v1/events?mode=" + mode + "&board=global&board=school:data:%20%7B%7D&last_event_id=" + "x%0A%0Aevent:%20evil HTTP/1.1\r\nHost: x\r\n" +
			"Last-Event-ID: x event: evil\r\nAuthorization: Bearer " + token + "\r\n\r\n"
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReader(conn)
		res, err := http.ReadResponse(r, nil)
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("%v %v", res, err)
		}
		stream := bufio.NewReader(res.Body)
		events := func(n int) {
			t.Helper()
			for names := 0; n > 0; {
				line, err := stream.ReadBytes('\n')
				if err != nil {
					t.Fatal(err)
				}
				field, value, _ := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte(": "))
				switch string(field) {
				case "event":
					names++
					if bytes.Contains(value, []byte("evil")) {
						t.Errorf("an event by the name of %q", value)
					}
				case "data":
					if !json.Valid(value) {
						t.Errorf("data = %q", value)
					}
				case "id", "retry":
				case "":
					if names != 1 {
						t.Errorf("%d names of one event", names)
					}
					names, n = 0, n-1
				default:
					t.Errorf("a line %q", line)
				}
			}
		}
		events(3) // authenticated, and two boards
		f.must(nil, http.MethodPost, "/v1/users/u1/xp", `{"xp":1,"reason":"event: evil"}`)
		events(1)
		_ = conn.Close()
	}
}

// A write that a page of another site has a browser send with the cookie is refused;
// reading, and tokens that a page has to know, are not touched.
func TestAbuse_crossSite(t *testing.T) {
	f := newFixture(t, nil)
	f.put("u1")
	cookie := "marcador_token=" + f.admin
	host := strings.TrimPrefix(f.url, "http://")
	for name, c := range map[string]struct {
		headers []string
		refused bool
	}{
		"by a program":                  {nil, false},
		"own page":                      {[]string{"Sec-Fetch-Site", "same-origin", "Origin", f.url}, false},
		"typed":                         {[]string{"Sec-Fetch-Site", "none"}, false},
		"other site":                    {[]string{"Sec-Fetch-Site", "cross-site"}, true},
		"other host of the site":        {[]string{"Sec-Fetch-Site", "same-site"}, true},
		"unknown relation":              {[]string{"Sec-Fetch-Site", "friendly"}, true},
		"other site, own origin":        {[]string{"Sec-Fetch-Site", "cross-site", "Origin", f.url}, true},
		"old browser, own page":         {[]string{"Origin", f.url}, false},
		"old browser, other site":       {[]string{"Origin", "https://evil.example"}, true},
		"old browser, other port":       {[]string{"Origin", "http://127.0.0.1:1"}, true},
		"old browser, name as a prefix": {[]string{"Origin", f.url + ".evil.example"}, true},
		"old browser, host in path":     {[]string{"Origin", "https://evil.example/" + host}, true},
		"old browser, no origin":        {[]string{"Origin", "null"}, true},
		"old browser, not an origin":    {[]string{"Origin", "%%%"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			for _, op := range f.operations() {
				if op.method == http.MethodDelete && op.name == "DELETE /v1/users/{id}" {
					continue // it would be gone for the next
				}
				reads := op.method == http.MethodGet || op.method == http.MethodHead
				a := f.do("", op.method, op.path, op.body, append([]string{"Cookie", cookie}, c.headers...)...)
				if refused := bytes.Contains(a.body, []byte(`"cross_origin"`)); refused != (c.refused && !reads) {
					t.Errorf("%s by cookie = %d %s, want refused %t", op.name, a.status, a.body, c.refused && !reads)
				}
				if op.name != "POST /v1/xp" {
					continue
				}
				if a := f.do(f.admin, op.method, op.path, op.body, append([]string{"Cookie", cookie}, c.headers...)...); bytes.Contains(a.body, []byte(`"cross_origin"`)) {
					t.Errorf("%s by header = %d %s", op.name, a.status, a.body)
				}
			}
		})
	}
}
