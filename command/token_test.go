package command_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"marcador/auth"
	"marcador/test/testkit"
)

// The token that the command prints names its user and scopes, and is good for as long as --ttl
// says.
func TestToken(t *testing.T) {
	verifier, err := auth.NewVerifier(auth.Options{Secret: []byte(testkit.Secret)})
	if err != nil {
		t.Fatal(err)
	}
	token := func(flags ...string) string {
		args := append([]string{"token", "--sub", "u1", "--email", "u1@school.mx"}, flags...)
		return strings.TrimSpace(testkit.Run(t, args...))
	}
	caller, err := verifier.Verify(t.Context(), token("--scope", "xp:write admin", "--ttl", "1m"))
	if err != nil || caller.UserID != "u1" || caller.Email != "u1@school.mx" || !caller.May("xp:write") || time.Until(caller.Expires) > time.Minute {
		t.Errorf("caller = %+v, %v", caller, err)
	}
	if _, err := verifier.Verify(t.Context(), token("--ttl=-1h")); !errors.Is(err, auth.ErrInvalidToken) {
		t.Errorf("a token that ended an hour ago: %v", err)
	}
}
