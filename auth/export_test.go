package auth

import (
	"net/http"
	"strconv"
)

// ParseSet returns how many keys of a JWKS can be used and how many can't.
func ParseSet(body []byte) (in, out int, err error) {
	keys, why, err := parseSet(body)
	return len(keys), len(why), err
}

// Age is how many seconds an answer with the headers is good.
func Age(h http.Header) float64 { return ageOf(h).Seconds() }

// Seen is how many tokens are remembered.
func (v *Verifier) Seen() int {
	if v.seen == nil {
		return 0
	}
	return v.seen.tokens.Len()
}

// Remember returns how many of n tokens are remembered.
func Remember(n int) int {
	s := newSeen()
	for i := range n {
		s.keep(strconv.Itoa(i), nil, Caller{UserID: "u1"})
	}
	return s.tokens.Len()
}
