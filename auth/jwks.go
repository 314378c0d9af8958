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

// maxKeys bounds the keys of a JWKS. One with more is not accepted.
const maxKeys = 64

// How long a JWKS is fresh: at least, at most, and if its server does not say.
const (
	minFresh     = 5 * time.Minute
	maxFresh     = 24 * time.Hour
	defaultFresh = time.Hour
)

// CheckJWKS returns nil if Options.JWKS may have this value. Otherwise the error says in one line
// what is wrong.
func CheckJWKS(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return errors.New("it is not an address; give one such as https://login.example.org/.well-known/jwks.json")
	}
	return checkURL(u)
}

// checkURL returns an error unless nobody on the way can change the answer: the address must be
// https, or on this machine.
func checkURL(u *url.URL) error {
	if u.User != nil {
		return errors.New("it contains a user name; keys are public, so leave it out")
	}
	if u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()) {
		return nil
	}
	return errors.New("it must begin with https://, since anybody who can change the keys on the way can sign tokens; http:// is only allowed for this machine (127.0.0.1)")
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// checkRedirect is for http.Client. It follows up to three redirects, none of them from https to
// http.
func checkRedirect(r *http.Request, via []*http.Request) error {
	if len(via) > 3 {
		return errors.New("it redirects more than three times")
	}
	if via[0].URL.Scheme == "https" && r.URL.Scheme != "https" {
		return errors.New("it redirects from https to http")
	}
	return checkURL(r.URL)
}

// parseSet returns the usable keys of a JWKS, and for every other key an error that says why it
// can't be used. A set without keys is valid: its server has withdrawn them.
func parseSet(body []byte) (keys []key, unusable []error, err error) {
	var set struct {
		Keys *[]json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil || set.Keys == nil {
		return nil, nil, errors.New("the answer is not a JWKS, a JSON object with a list of keys")
	}
	if n := len(*set.Keys); n > maxKeys {
		return nil, nil, fmt.Errorf("the answer has %d keys; at most %d are accepted", n, maxKeys)
	}
	for i, text := range *set.Keys {
		k, err := parseJWK(text)
		if err != nil {
			unusable = append(unusable, fmt.Errorf("key %d: %w", i+1, err))
			continue
		}
		keys = append(keys, k)
	}
	return keys, unusable, nil
}

func parseJWK(text []byte) (key, error) {
	var m jwkset.JWKMarshal
	if err := json.Unmarshal(text, &m); err != nil {
		return key{}, errors.New("it is not a JWK")
	}
	switch {
	case m.K != "":
		return key{}, errors.New("it is a secret, which a public set must not contain")
	case m.D != "":
		return key{}, errors.New("its private half is in the set too, so anybody can sign with it")
	case m.USE != "" && m.USE != jwkset.UseSig:
		return key{}, fmt.Errorf("it is not for signatures (use %q)", m.USE)
	case len(m.KEYOPS) > 0 && !slices.Contains(m.KEYOPS, jwkset.KeyOpsVerify):
		return key{}, errors.New("it is not for verifying (key_ops)")
	}
	// Certificates of a key are ignored, and not fetched.
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
		return key{}, fmt.Errorf("it is for %q, but tokens are verified with such a key by %s", m.ALG, k.method.Alg())
	}
	k.id = m.KID
	return k, nil
}

// freshFor returns how long an answer with these headers is fresh.
func freshFor(h http.Header) time.Duration {
	fresh := defaultFresh
	for directive := range strings.SplitSeq(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(directive)), "=")
		switch name {
		case "no-store", "no-cache":
			return minFresh
		case "max-age":
			seconds, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31)
			if err != nil {
				return minFresh // also if the number is too large
			}
			fresh = time.Duration(seconds) * time.Second
		}
	}
	if age, err := strconv.ParseUint(h.Get("Age"), 10, 31); err == nil {
		fresh -= time.Duration(age) * time.Second
	}
	return min(max(fresh, minFresh), maxFresh)
}
