package auth

import (
	"net/http"
	"strconv"
)

// ParseSet returns how many keys of a JWKS are usable and how many are not.
func ParseSet(body []byte) (usable, unusable int, err error) {
	keys, why, err := parseSet(body)
	return len(keys), len(why), err
}

// FreshFor returns for how many seconds an answer with these headers is fresh.
func FreshFor(h http.Header) float64 { return freshFor(h).Seconds() }

// Cached returns how many tokens are in the verifier's cache.
func (v *Verifier) Cached() int {
	if v.cache == nil {
		return 0
	}
	return v.cache.tokens.Len()
}

// CacheTokens puts n tokens into a cache and returns how many are in it then.
func CacheTokens(n int) int {
	c := newTokenCache()
	for i := range n {
		c.put(strconv.Itoa(i), nil, Caller{UserID: "u1"})
	}
	return c.tokens.Len()
}
