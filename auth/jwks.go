package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/MicahParks/jwkset"
)

// maxKeys bounds the keys of a JWKS. An answer with more is not taken.
const maxKeys = 64

// How long a JWKS is good, at the least and at the most, whatever its server
// says, and where it says nothing.
const (
	leastAge = 5 * time.Minute
	mostAge  = 24 * time.Hour
	someAge  = time.Hour
)

// CheckJWKS says what is wrong with Options.JWKS, if anything, in one line.
func CheckJWKS(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return errors.New("it is not an address; give one such as https://login.example.org/.well-known/jwks.json")
	}
	return checkURL(u)
}

// checkURL lets through what nobody on the way can change: https, or this machine.
func checkURL(u *url.URL) error {
	if u.User != nil {
		return errors.New("there is a user name in it; keys are public, so leave it out")
	}
	if u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()) {
		return nil
	}
	return errors.New("it must begin with https://, since who changes the keys on the way can sign tokens; http:// is for this machine alone (127.0.0.1)")
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// follow is a client's CheckRedirect: it goes a few steps, and never from what is
// encrypted to what is not.
func follow(r *http.Request, via []*http.Request) error {
	if len(via) > 3 {
		return errors.New("it redirects more than three times")
	}
	if via[0].URL.Scheme == "https" && r.URL.Scheme != "https" {
		return errors.New("it redirects from https to http")
	}
	return checkURL(r.URL)
}

// parseSet returns the keys of a JWKS that tokens may be signed with, and why each
// of the others is left out. A set of none is one all the same: its server has
// taken them back.
func parseSet(body []byte) (keys []key, out []error, err error) {
	var set struct {
		Keys *[]json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil || set.Keys == nil {
		return nil, nil, errors.New("the answer is not a JWKS, a JSON object with a list of keys")
	}
	if n := len(*set.Keys); n > maxKeys {
		return nil, nil, fmt.Errorf("the answer has %d keys; at most %d are taken", n, maxKeys)
	}
	for i, text := range *set.Keys {
		k, err := parseJWK(text)
		if err != nil {
			out = append(out, fmt.Errorf("key %d: %w", i+1, err))
			continue
		}
		keys = append(keys, k)
	}
	return keys, out, nil
}

func parseJWK(text []byte) (key, error) {
	var m jwkset.JWKMarshal
	if err := json.Unmarshal(text, &m); err != nil {
		return key{}, errors.New("it is not a JWK")
	}
	switch {
	case m.K != "":
		return key{}, errors.New("it is a secret, which a public set must not have")
	case m.D != "":
		return key{}, errors.New("its private half is in the set, so anybody may have signed with it")
	case m.USE != "" && m.USE != jwkset.UseSig:
		return key{}, fmt.Errorf("it is not for signatures (use %q)", m.USE)
	case len(m.KEYOPS) > 0 && !slices.Contains(m.KEYOPS, jwkset.KeyOpsVerify):
		return key{}, errors.New("it is not for verifying (key_ops)")
	}
	// Certificates beside a key say nothing that is looked at, nor are they fetched.
	m.X5U, m.X5C, m.X5T, m.X5TS256 = "", nil, "", ""
	jwk, err := jwkset.NewJWKFromMarshal(m, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
	if err != nil {
		return key{}, fmt.Errorf("it can't be read: %w", err)
	}
	k, err := keyOf(jwk.Key())
	if err != nil {
		return key{}, err
	}
	if m.ALG != "" && m.ALG.String() != k.method.Alg() {
		return key{}, fmt.Errorf("it is for %q; tokens are verified with %s by such a key", m.ALG, k.method.Alg())
	}
	k.id = m.KID
	return k, nil
}

// ageOf is how long an answer is good.
func ageOf(h http.Header) time.Duration {
	age := someAge
	for directive := range strings.SplitSeq(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(directive)), "=")
		switch name {
		case "no-store", "no-cache":
			return leastAge
		case "max-age":
			seconds, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31)
			if err != nil {
				return leastAge // also one that no number holds
			}
			age = time.Duration(seconds) * time.Second
		}
	}
	if old, err := strconv.ParseUint(h.Get("Age"), 10, 31); err == nil {
		age -= time.Duration(old) * time.Second
	}
	return min(max(age, leastAge), mostAge)
}
