package main

import (
	"path/filepath"
	"strings"
	"testing"

	"marcador/store"
)

// verify names users and groups of an older database whose id is the sign for all.
func TestVerify_any(t *testing.T) {
	db := filepath.Join(t.TempDir(), "m.db")
	s, err := store.Open(t.Context(), db, store.Options{})
	if err == nil {
		_, err = s.PutProfiles(t.Context(), []store.Profile{{ID: "*", Username: "Ana", Groups: map[string][]string{"school": {"*"}}}})
	}
	if err == nil {
		err = s.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	want := "\nnote: the id of a user is *, which stands for all: a limit on friends:* counts for each board of the kind" +
		"\nnote: the id of a school is *, which stands for all: a limit on school:* counts for each board of the kind\nno difference\n"
	if got := printed(t, "verify", "--db", db); !strings.HasSuffix(got, want) {
		t.Errorf("verify says %q, want %q", got, want)
	}
}

// verify lists people of an older database whose ids look the same, and finds no
// difference for it.
func TestVerify_twins(t *testing.T) {
	db := filepath.Join(t.TempDir(), "m.db")
	s, err := store.Open(t.Context(), db, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.PutProfiles(t.Context(), []store.Profile{{ID: "A1", Username: "Ana"}, {ID: "A1\u00a0", Username: "Ana"}, {ID: "A2", Username: "Leo"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	want := "\nnote: user ids that look the same and are not: \"A1\", \"A1\\u00a0\"\nno difference\n"
	if got := printed(t, "verify", "--db", db); !strings.HasSuffix(got, want) {
		t.Errorf("verify says %q, want %q", got, want)
	}
}
