package auth

import (
	"slices"
	"time"
)

// Scopes that a token may have.
const (
	ScopeWriteXP    = "xp:write"    // give points to anyone
	ScopeWriteUsers = "users:write" // change profiles, groups and friendships, and erase people
	ScopeAdmin      = "admin"       // do everything, and read every board
)

// Caller is who sends a request. The zero value is an anonymous caller.
type Caller struct {
	UserID  string
	Email   string    // or empty
	Name    string    // or empty
	Scopes  []string  // must not be changed
	Expires time.Time // zero for an anonymous caller
}

// Anonymous reports whether the caller has shown no token.
func (c Caller) Anonymous() bool { return c.UserID == "" }

// May reports whether the caller has the scope, or admin, which includes it.
func (c Caller) May(scope string) bool {
	return slices.Contains(c.Scopes, scope) || slices.Contains(c.Scopes, ScopeAdmin)
}

// StreamUntil returns when a stream that begins now has to end: when the token expires. A token
// that has expired may still have been accepted because clocks differ. Its stream ends when that
// leeway is over.
func (c Caller) StreamUntil(now time.Time) time.Time {
	if c.Expires.IsZero() || c.Expires.After(now) {
		return c.Expires
	}
	return c.Expires.Add(leeway)
}
