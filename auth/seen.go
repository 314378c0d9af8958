package auth

import (
	"crypto/sha256"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

const (
	// maxSeen bounds the tokens that are remembered; the one that was shown longest ago
	// goes for a new one. With maxKept that is 12 MB at the most.
	maxSeen = 8192

	// maxKept bounds the texts of a caller that is remembered, in bytes. Others are
	// verified each time.
	maxKept = 1 << 10
)

// seen remembers good tokens, since a public key's signature costs many times what all
// else of a token does. Bad ones are not remembered, so nobody without a good one can
// drive others out. Safe for concurrent use.
type seen struct {
	tokens *lru.Cache[[sha256.Size]byte, proof]
}

// proof is what a token was good for.
type proof struct {
	caller Caller
	set    *[]key    // with which of the JWKS's sets
	until  time.Time // with the leeway
}

func newSeen() *seen {
	tokens, err := lru.New[[sha256.Size]byte, proof](maxSeen)
	if err != nil {
		panic(err) // only a bound below 1 is refused
	}
	return &seen{tokens}
}

// find returns the caller of a token that was good with the set, and is at this time.
func (s *seen) find(token string, set *[]key, now time.Time) (Caller, bool) {
	p, ok := s.tokens.Get(sha256.Sum256([]byte(token)))
	if !ok || p.set != set || !now.Before(p.until) {
		return Caller{}, false
	}
	return p.caller, true
}

// keep remembers a token that is good with the set.
func (s *seen) keep(token string, set *[]key, caller Caller) {
	kept := len(caller.UserID) + len(caller.Email) + len(caller.Name)
	for _, scope := range caller.Scopes {
		kept += len(scope) + 16 // its header
	}
	if kept > maxKept {
		return
	}
	p := proof{caller, set, caller.Expires.Add(leeway)}
	s.tokens.Add(sha256.Sum256([]byte(token)), p)
}
