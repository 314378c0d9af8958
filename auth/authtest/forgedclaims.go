package authtest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// claimCase is a change of good claims, for which a token has to be refused.
type claimCase struct {
	name string
	why  string
	with change
}

// forgedClaims returns tokens for other services, for another time, or of nobody. Good has signed
// them.
func forgedClaims(tb testing.TB) []Case {
	tb.Helper()
	good := Good()
	var cases []Case
	for _, c := range slices.Concat(wrongAddressees(), wrongTypes(), wrongSubjects()) {
		cases = append(cases, Case{c.name, good.Token(tb, ES256, ours(c.with), nil), c.why})
	}
	return cases
}

func wrongAddressees() []claimCase {
	return []claimCase{
		{"no exp", missing, change{"exp": nil}},
		{"expired", "has expired", change{"exp": in(-40)}},
		{"expired long ago", "has expired", change{"exp": 0}},
		{"expired, a fraction", "has expired", change{"exp": float64(in(-40)) + 0.5}},
		{"not yet", "not valid yet", change{"nbf": in(40)}},
		{"issued in the future", "issued in the future", change{"iat": in(40)}},
		{"no issuer", missing, change{"iss": nil}},
		{"empty issuer", missing, change{"iss": ""}},
		{"another issuer", "another issuer", change{"iss": "https://evil.example.org/"}},
		{"issuer without slash", "another issuer", change{"iss": strings.TrimSuffix(Iss, "/")}},
		{"issuer in capitals", "another issuer", change{"iss": strings.ToUpper(Iss)}},
		{"issuers", claimed, change{"iss": []string{Iss}}},
		{"no audience", missing, change{"aud": nil}},
		{"empty audience", missing, change{"aud": ""}},
		{"no audiences", missing, change{"aud": []string{}}},
		{"another audience", "another audience", change{"aud": "others"}},
		{"other audiences", "another audience", change{"aud": []string{"others", "marcado", "marcadores", ""}}},
		{"audience in capitals", "another audience", change{"aud": "MARCADOR"}},
		{"audience a number", claimed, change{"aud": 7}},
		{"audience within", claimed, change{"aud": []any{[]string{Aud}}}},
		{"audience an object", claimed, change{"aud": map[string]any{Aud: true}}},
	}
}

func wrongTypes() []claimCase {
	return []claimCase{
		{"exp text", claimed, change{"exp": "never"}},
		{"exp number as text", claimed, change{"exp": fmt.Sprint(in(1000))}},
		{"exp a list", claimed, change{"exp": []int64{in(1000)}}},
		{"exp true", claimed, change{"exp": true}},
		{"exp negative", times, change{"exp": -in(1000)}},
		{"exp 1e300", times, change{"exp": 1e300}},
		{"exp beyond int64", times, change{"exp": json.Number("9223372036854775808")}},
		{"exp 1e999", claimed, change{"exp": json.Number("1e999")}},
		{"exp in milliseconds", times, change{"exp": time.Now().Add(time.Hour).UnixMilli()}},
		{"nbf text", claimed, change{"nbf": "0"}},
		{"nbf -1e300", times, change{"nbf": -1e300}},
		{"iat an object", claimed, change{"iat": map[string]any{}}},
	}
}

func wrongSubjects() []claimCase {
	return []claimCase{
		{"no sub", "no sub", change{"sub": nil}},
		{"empty sub", "no sub", change{"sub": ""}},
		{"sub of dots", "can't be a user's id", change{"sub": ".."}},
		{"blank sub", "can't be a user's id", change{"sub": " \u00a0 "}},
		{"sub a number", claimed, change{"sub": 1}},
		{"sub a list", claimed, change{"sub": []string{"u1"}}},
		{"sub an object", claimed, change{"sub": map[string]any{"$ne": ""}}},
		{"sub true", claimed, change{"sub": true}},
		{"sub with line break", "can't be a user's id", change{"sub": "u1\nevent: authenticated"}},
		{"sub with CR", "can't be a user's id", change{"sub": "u1\r\nX: y"}},
		{"sub with NUL", "can't be a user's id", change{"sub": "u1\x00"}},
		{"sub with line separator", "can't be a user's id", change{"sub": "u1\u2028"}},
		{"sub too long", "can't be a user's id", change{"sub": strings.Repeat("é", 129)}},
		{"scopes", claimed, change{"scope": []string{"admin"}}},
		{"scope an object", claimed, change{"scope": map[string]any{"admin": true}}},
		{"name a list", claimed, change{"name": []string{"Ana"}}},
		{"e-mail a number", claimed, change{"email": 7}},
	}
}

// forgedPayloads returns tokens whose claims are no JSON object, or have a name twice. Good has
// signed them.
func forgedPayloads(tb testing.TB) []Case {
	tb.Helper()
	good := Good()
	var cases []Case
	until := in(1000)
	for name, payload := range map[string]string{
		"sub twice":           `{"sub":"u1","sub":"root",%s}`,
		"sub twice, escaped":  `{"sub":"u1","s\u0075b":"root",%s}`,
		"exp twice":           `{"sub":"u1","exp":1,%s}`,
		"scope twice":         `{"sub":"u1","scope":"","scope":"admin",%s}`,
		"unknown twice":       `{"sub":"u1","x":{"y":1,"y":2},%s}`,
		"sub not UTF-8":       "{\"sub\":\"u\xff\",%s}",
		"sub half a pair":     `{"sub":"u\ud800",%s}`,
		"sub raw line break":  "{\"sub\":\"u\n\",%s}",
		"claims with comment": `{"sub":"u1",/**/%s}`,
		"claims and more":     `{"sub":"u1",%s}{}`,
		"claims in a list":    `[{"sub":"u1",%s}]`,
		"claims cut off":      `{"sub":"u1",%s`,
		"claims with NaN":     `{"sub":"u1","nbf":NaN,%s}`,
	} {
		payload = fmt.Sprintf(payload, fmt.Sprintf(`"exp":%d,"iss":%q,"aud":%q`, until, Iss, Aud))
		cases = append(cases, Case{name, good.Raw(tb, ES256, `{"alg":"ES256"}`, payload), claimed})
	}
	for name, payload := range map[string]string{"SUB": `{"SUB":"u1",%s}`, "Sub": `{"Sub":"u1",%s}`, "sub null": `{"sub":null,%s}`} {
		payload = fmt.Sprintf(payload, fmt.Sprintf(`"exp":%d,"iss":%q,"aud":%q`, until, Iss, Aud))
		cases = append(cases, Case{name, good.Raw(tb, ES256, `{"alg":"ES256"}`, payload), "no sub"})
	}
	for name, payload := range map[string]string{"no claims": `{}`, "null": `null`, "EXP": fmt.Sprintf(`{"sub":"u1","EXP":%d,"iss":%q,"aud":%q}`, until, Iss, Aud)} {
		cases = append(cases, Case{name, good.Raw(tb, ES256, `{"alg":"ES256"}`, payload), missing})
	}
	for name, payload := range map[string]string{"empty claims": "", "text": `"u1"`, "a number": "1", "not JSON": "sub=u1"} {
		cases = append(cases, Case{"claims " + name, good.Raw(tb, ES256, `{"alg":"ES256"}`, payload), claimed})
	}
	return cases
}
