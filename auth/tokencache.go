package auth

import (
	"crypto/sha256"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

const (
	// maxCached bounds the tokens in the cache. Past it, the token that has not been shown for the
	// longest is dropped. With maxCallerBytes, the cache uses 12 MB at most.
	maxCached = 8192

	// maxCallerBytes bounds the texts of a caller in the cache, in bytes. A token with longer ones
	// is verified each time.
	maxCallerBytes = 1 << 10
)

// tokenCache remembers good tokens, because verifying the signature of a public key costs many
// times as much as everything else about a token. It does not remember bad tokens, so that nobody
// can drive good ones out of it without having a good one. It is safe for concurrent use.
type tokenCache struct {
	tokens *lru.Cache[[sha256.Size]byte, cachedCaller]
}

// cachedCaller is the caller of a good token.
type cachedCaller struct {
	caller Caller
	set    *[]key    // the set of the JWKS that the token was verified with
	until  time.Time // when the token is no longer accepted, with the leeway
}

func newTokenCache() *tokenCache {
	tokens, err := lru.New[[sha256.Size]byte, cachedCaller](maxCached)
	if err != nil {
		panic(err) // only a size below 1 is an error
	}
	return &tokenCache{tokens}
}

// get returns the caller of a token that was verified with this set and has not expired.
func (c *tokenCache) get(token string, set *[]key, now time.Time) (Caller, bool) {
	cached, ok := c.tokens.Get(sha256.Sum256([]byte(token)))
	if !ok || cached.set != set || !now.Before(cached.until) {
		return Caller{}, false
	}
	return cached.caller, true
}

// put remembers a token that was verified with this set.
func (c *tokenCache) put(token string, set *[]key, caller Caller) {
	size := len(caller.UserID) + len(caller.Email) + len(caller.Name)
	for _, scope := range caller.Scopes {
		size += len(scope) + 16 // the string's own header
	}
	if size > maxCallerBytes {
		return
	}
	c.tokens.Add(sha256.Sum256([]byte(token)), cachedCaller{caller, set, caller.Expires.Add(leeway)})
}
