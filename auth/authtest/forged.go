package authtest

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// The issuer and the audience that services demand of the tokens of Forged and Accepted.
const (
	Iss = "https://login.example.org/"
	Aud = "marcador"
)

// Case is a token. If it has to be refused, Why is a part of the error.
type Case struct {
	Name, Token, Why string
}

// Parts of the errors.
const (
	form      = "is not a JWT"
	signature = "signature or algorithm"
	claimed   = "not a JSON object as RFC 7519"
	missing   = "lacks a required claim"
	times     = "before 1970 or after the year 9999"
)

type change = jwt.MapClaims

// ours returns good claims for a service that demands Iss and Aud, with changes.
func ours(changes change) jwt.MapClaims {
	c := change{"iss": Iss, "aud": Aud, "scope": "admin"}
	maps.Copy(c, changes)
	return Claims(c)
}

// in returns the time that many seconds from now, as a claim.
func in(seconds int) int64 { return time.Now().Unix() + int64(seconds) }

// Accepted returns tokens that a service must accept if it knows all keys of Good and demands Iss
// and Aud.
func Accepted(tb testing.TB) []Case {
	tb.Helper()
	good := Good()
	var cases []Case
	add := func(name, token string) { cases = append(cases, Case{Name: name, Token: token}) }
	for _, alg := range Algorithms {
		add(alg, good.Token(tb, alg, ours(nil), nil))
		add(alg+", no kid", good.Token(tb, alg, ours(nil), map[string]any{"kid": nil}))
	}
	for name, c := range map[string]change{
		"just expired":     {"exp": in(-20)},
		"nbf nearly":       {"nbf": in(20)},
		"iat nearly":       {"iat": in(20)},
		"exp a fraction":   {"exp": float64(in(100)) + 0.5},
		"audience of two":  {"aud": []string{"others", Aud}},
		"scope missing":    {"scope": nil},
		"unknown claims":   {"roles": []string{"x"}, "SUB": "admin", "Exp": "never"},
		"sub with letters": {"sub": "auth0|José 7"},
	} {
		add(name, good.Token(tb, EdDSA, ours(c), nil))
	}
	for _, typ := range []any{nil, "at+jwt", "application/at+JWT", "jwt"} {
		add(fmt.Sprint("typ ", typ), good.Token(tb, ES256, ours(nil), map[string]any{"typ": typ}))
	}
	// In ECDSA each signature has a counterpart, which is as good.
	token := good.Token(tb, ES256, ours(nil), nil)
	signed, sig := cut(tb, token)
	s := new(big.Int).SetBytes(sig[32:])
	s.Sub(good.EC.Params().N, s).FillBytes(sig[32:])
	add("ES256 by the other s", signed+"."+b64(sig))
	return cases
}

// Forged returns tokens that no service may accept that knows all keys of Good and demands Iss and
// Aud. Each of them claims to be an administrator's, apart from the claims that its name mentions.
func Forged(tb testing.TB) []Case {
	tb.Helper()
	return slices.Concat(
		forgedAlgorithms(tb), forgedSecrets(tb), forgedKeys(tb), forgedKeyIDs(tb), forgedSignatures(tb),
		forgedForms(tb), forgedClaims(tb), forgedPayloads(tb),
	)
}

// forgedAlgorithms returns tokens whose header names an algorithm that verifies nothing.
func forgedAlgorithms(tb testing.TB) []Case {
	tb.Helper()
	good := Good()
	var cases []Case
	add := func(name, token, why string) { cases = append(cases, Case{name, token, why}) }
	payload := b64(marshal(tb, ours(nil)))
	unsigned := func(header map[string]any) string { return b64(marshal(tb, header)) + "." + payload }

	for _, alg := range []any{"none", "None", "NONE", "nOnE", "", nil, "HS255", "hs256", "RS256 ", "HS384", "PS256", "dir"} {
		header := map[string]any{"typ": "JWT", "alg": alg}
		add(fmt.Sprintf("alg %v", alg), unsigned(header)+".", signature)
		header["kid"] = RS256
		_, sig := cut(tb, good.Token(tb, RS256, ours(nil), nil))
		add(fmt.Sprintf("alg %v, signed", alg), unsigned(header)+"."+b64(sig), signature)
	}
	for _, alg := range []any{7, []string{"HS256"}, map[string]any{}, true} {
		add(fmt.Sprintf("alg %v", alg), unsigned(map[string]any{"alg": alg})+".", form)
	}
	add("no alg", unsigned(map[string]any{"typ": "JWT"})+".", signature)
	return cases
}

// forgedSecrets returns HS256 tokens made with a public key, or with nothing, as the secret.
func forgedSecrets(tb testing.TB) []Case {
	tb.Helper()
	good := Good()
	var cases []Case
	add := func(name, token string) { cases = append(cases, Case{name, token, signature}) }
	for alg, public := range good.Public() {
		der, err := x509.MarshalPKIXPublicKey(public)
		if err != nil {
			tb.Fatal(err)
		}
		text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		for name, secret := range map[string][]byte{
			"PEM": text, "PEM without line break": text[:len(text)-1], "DER": der, "JWK": marshal(tb, good.JWK(alg, nil)),
			"base64": []byte(base64.StdEncoding.EncodeToString(der)), "JWKS": Set(good.JWK(alg, nil)),
		} {
			for _, kid := range []any{nil, alg} {
				token := (&Issuer{Secret: secret}).Token(tb, HS256, ours(nil), map[string]any{"kid": kid})
				add(fmt.Sprintf("HS256 by the %s of %s, kid %v", name, alg, kid), token)
			}
		}
	}
	add("HS256 by nothing", (&Issuer{}).Token(tb, HS256, ours(nil), nil))
	add("HS256 by zeros", (&Issuer{Secret: make([]byte, 64)}).Token(tb, HS256, ours(nil), nil))
	return cases
}

// forgedKeys returns tokens that are signed with the key of somebody else, or of another algorithm.
func forgedKeys(tb testing.TB) []Case {
	tb.Helper()
	good, evil := Good(), Evil()
	var cases []Case
	add := func(name, token string) { cases = append(cases, Case{name, token, signature}) }
	for _, alg := range Algorithms {
		add(alg+" by another key", evil.Token(tb, alg, ours(nil), nil))
		add(alg+" by another key, no kid", evil.Token(tb, alg, ours(nil), map[string]any{"kid": nil}))
		for _, other := range Algorithms {
			if other != alg {
				add(alg+" called "+other, good.Token(tb, alg, ours(nil), map[string]any{"alg": other, "kid": other}))
			}
		}
	}
	// Keys that the token brings along.
	for _, alg := range []string{RS256, ES256, EdDSA} {
		jwk := evil.JWK(alg, nil)
		for _, kid := range []any{nil, alg, "mine"} {
			for name, value := range map[string]any{
				"jwk": jwk, "jku": "http://127.0.0.1:1/keys", "x5u": "http://127.0.0.1:1/key.pem", "x5c": []string{b64([]byte("MIIB"))},
			} {
				token := evil.Token(tb, alg, ours(nil), map[string]any{name: value, "kid": kid})
				add(fmt.Sprintf("%s by its own %s, kid %v", alg, name, kid), token)
			}
		}
	}
	return cases
}

// forgedKeyIDs returns tokens whose key id attacks whatever looks up keys.
func forgedKeyIDs(tb testing.TB) []Case {
	tb.Helper()
	good, evil := Good(), Evil()
	var cases []Case
	add := func(name, token string) { cases = append(cases, Case{name, token, signature}) }
	for name, kid := range map[string]any{
		"up": "../../../../etc/passwd", "down": "/dev/null", "SQL": "' UNION SELECT 'key' --", "shell": "$(id)|id;`id`", "long": strings.Repeat("k", 4000),
		"URL": "http://127.0.0.1:1/", "NUL": "RS256\x00", "spaces": " RS256 ", "other letters": "rs256", "line": "a\nSet-Cookie: x=1",
	} {
		for _, alg := range []string{RS256, HS256} {
			add(fmt.Sprintf("%s by another key, kid %s", alg, name), evil.Token(tb, alg, ours(nil), map[string]any{"kid": kid}))
		}
		// The secret of a verifier that reads it from an empty file, or gets it from an empty
		// query.
		add("HS256 by nothing, kid "+name, (&Issuer{}).Token(tb, HS256, ours(nil), map[string]any{"kid": kid}))
	}
	add("kid of another key", good.Token(tb, RS256, ours(nil), map[string]any{"kid": ES256}))
	return cases
}

// forgedSignatures returns good tokens whose signatures were changed.
func forgedSignatures(tb testing.TB) []Case {
	tb.Helper()
	good := Good()
	var cases []Case
	add := func(name, token string) { cases = append(cases, Case{name, token, signature}) }
	for _, alg := range Algorithms {
		signed, sig := cut(tb, good.Token(tb, alg, ours(nil), nil))
		flipped := append([]byte(nil), sig...)
		flipped[len(sig)/2] ^= 1
		for name, s := range map[string][]byte{
			"none": nil, "cut": sig[:len(sig)-1], "cut in front": sig[1:], "half": sig[:len(sig)/2], "longer": append(slices.Clip(sig), 0),
			"longer in front": append([]byte{0}, sig...), "twice": append(slices.Clip(sig), sig...), "zeros": make([]byte, len(sig)),
			"ones": []byte(strings.Repeat("\xff", len(sig))), "one bit": flipped,
		} {
			add(alg+", signature "+name, signed+"."+b64(s))
		}
		other, _ := cut(tb, good.Token(tb, alg, ours(change{"sub": "root"}), nil))
		add(alg+", signature of another", other+"."+b64(sig))
		header, _, _ := strings.Cut(signed, ".")
		add(alg+", other claims", header+"."+b64(marshal(tb, ours(change{"sub": "root"})))+"."+b64(sig))
	}
	signed, sig := cut(tb, good.Token(tb, ES256, ours(nil), nil))
	hash := sha256.Sum256([]byte(signed))
	der, err := ecdsa.SignASN1(rand.Reader, good.EC, hash[:])
	if err != nil {
		tb.Fatal(err)
	}
	n := good.EC.Params().N.Bytes()
	half := func(r, s []byte) string { return signed + "." + b64(append(append([]byte(nil), r...), s...)) }
	zero, one := make([]byte, 32), append(make([]byte, 31), 1)
	add("ES256 in DER", signed+"."+b64(der))
	add("ES256, r 0", half(zero, sig[32:]))
	add("ES256, s 0", half(sig[:32], zero))
	add("ES256, r and s 1", half(one, one))
	add("ES256, r and s the order", half(n, n))
	add("ES256, r and s swapped", half(sig[32:], sig[:32]))
	add("ES256, x as r", half(good.EC.X.FillBytes(make([]byte, 32)), one))
	signed, sig = cut(tb, good.Token(tb, EdDSA, ours(nil), nil))
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	add("EdDSA, s and the order", signed+"."+b64(append(sig[:32:32], littleEndian(sig[32:], order)...)))
	return cases
}

// forgedForms returns tokens that are no JWT to the letter. Good has signed them.
func forgedForms(tb testing.TB) []Case {
	tb.Helper()
	good := Good()
	var cases []Case
	add := func(name, token, why string) { cases = append(cases, Case{name, token, why}) }
	token := good.Token(tb, RS256, ours(nil), nil)
	parts := strings.Split(token, ".")
	claims := string(marshal(tb, ours(nil)))

	for name, text := range map[string]string{
		"a word": "token", "a dot": ".", "two dots": "..", "three dots": "...", "many dots": strings.Repeat(".", 5000),
		"header alone": parts[0], "no signature part": parts[0] + "." + parts[1], "four parts": token + ".x", "five parts": token + ".x.y", "dot in front": "." + token,
		"JSON": claims, "JWS as JSON": `{"payload":"` + parts[1] + `","signatures":[{"protected":"` + parts[0] + `","signature":"` + parts[2] + `"}]}`,
		"header not base64": "!." + parts[1] + "." + parts[2], "signature not base64": parts[0] + "." + parts[1] + ".!!",
		"padding":             token + "==",
		"padding in front":    parts[0] + "=." + parts[1] + "." + parts[2],
		"base64, not url":     parts[0] + "." + parts[1] + "." + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("\xff\xfe", 128))),
		"line break within":   token[:20] + "\n" + token[20:],
		"line break behind":   token + "\r\n",
		"header a list":       b64([]byte(`["RS256"]`)) + "." + parts[1] + "." + parts[2],
		"header cut off":      b64([]byte(`{"alg":"RS256"`)) + "." + parts[1] + "." + parts[2],
		"header of NULs":      b64(make([]byte, 40)) + "." + parts[1] + "." + parts[2],
		"alg twice":           good.Raw(tb, RS256, `{"alg":"none","alg":"RS256"}`, claims),
		"alg twice, other":    good.Raw(tb, RS256, `{"alg":"RS256","alg":"none"}`, claims),
		"kid a number":        good.Raw(tb, RS256, `{"alg":"RS256","kid":7}`, claims),
		"kid a list":          good.Raw(tb, RS256, `{"alg":"RS256","kid":["RS256"]}`, claims),
		"typ a number":        good.Raw(tb, RS256, `{"alg":"RS256","typ":1}`, claims),
		"more behind":         good.Raw(tb, RS256, `{"alg":"RS256"}{}`, claims),
		"header not UTF-8":    good.Raw(tb, RS256, "{\"alg\":\"RS256\",\"x\":\"\xff\"}", claims),
		"header deep in deep": good.Raw(tb, HS256, `{"alg":"HS256","x":`+strings.Repeat("[", 3000)+`}`, "{}"),
	} {
		add(name, text, form)
	}
	// Some bits of the last character mean nothing, so another character decodes to the same bytes.
	last := strings.IndexByte(alphabet, token[len(token)-1])
	add("bits to spare", token[:len(token)-1]+string(alphabet[last^1]), form)
	add("huge", good.Token(tb, HS256, ours(change{"name": strings.Repeat("x", 8<<10)}), nil), "longer than 8192 bytes")
	add("huge garbage", strings.Repeat("a", 8193), "longer than 8192 bytes")
	for _, crit := range []any{[]string{"exp"}, []string{}, nil, "b64", true} {
		header := string(marshal(tb, map[string]any{"alg": RS256, "crit": crit, "b64": false}))
		add(fmt.Sprintf("crit %v", crit), good.Raw(tb, RS256, header, claims), "critical extension")
	}
	for _, typ := range []string{"logout+jwt", "dpop+jwt", "secevent+jwt", "JOSE", "JWE", "id_token"} {
		add("typ "+typ, good.Token(tb, RS256, ours(nil), map[string]any{"typ": typ}), "another kind of JWT")
	}
	return cases
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// cut returns the signed part of a token, and the signature.
func cut(tb testing.TB, token string) (string, []byte) {
	tb.Helper()
	dot := strings.LastIndexByte(token, '.')
	sig, err := base64.RawURLEncoding.DecodeString(token[dot+1:])
	if err != nil {
		tb.Fatal(err)
	}
	return token[:dot], sig
}

// littleEndian returns the sum of the little-endian number b and n, in as many bytes as b has.
func littleEndian(b []byte, n *big.Int) []byte {
	out := make([]byte, len(b))
	for i, c := range b {
		out[len(b)-1-i] = c
	}
	new(big.Int).Add(new(big.Int).SetBytes(out), n).FillBytes(out)
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out
}

func marshal(tb testing.TB, v any) []byte {
	tb.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}
