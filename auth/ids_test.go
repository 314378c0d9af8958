package auth_test

import (
	"errors"
	"testing"
	"time"

	"marcador/auth"
)

// A sub is an id like any other: it is brought into its canonical form, refused if it has something
// invisible in it, and not changed if the database has it exactly like that.
func TestVerifier_Verify_ids(t *testing.T) {
	v, err := auth.NewVerifier(auth.Options{
		Secret: []byte("0123456789abcdef0123456789abcdef"),
		Known:  func(id string) bool { return id == "old " || id == "o\u200bld" },
	})
	if err != nil {
		t.Fatal(err)
	}
	verify := func(sub string) (auth.Caller, error) {
		t.Helper()
		token, err := v.Sign(auth.Caller{UserID: sub}, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return v.Verify(t.Context(), token)
	}
	for sub, want := range map[string]string{
		"ana": "ana", " ana\u00a0": "ana", "Jose\u0301": "Jos\u00e9", "old ": "old ", "o\u200bld": "o\u200bld", " old": "old",
	} {
		if c, err := verify(sub); err != nil || c.UserID != want {
			t.Errorf("sub %q is %q, %v; want %q", sub, c.UserID, err, want)
		}
	}
	for _, sub := range []string{"a\u200bna", "\u3164", "\u00a0", "a\u00a0b"} {
		if _, err := verify(sub); !errors.Is(err, auth.ErrInvalidToken) {
			t.Errorf("sub %q: %v", sub, err)
		}
	}
}
