package main

import (
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"marcador/store"
)

// verify names users and groups of an older database whose id is the sign for all.
func TestVerify_any(t *testing.T) {
	db := filepath.Join(t.TempDir(), "m.db")
	s, err := store.Open(t.Context(), db, store.Options{Schema: schema})
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
	s, err := store.Open(t.Context(), db, store.Options{Schema: schema})
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

// The browser client follows a board of an older database whose id is spelled otherwise
// than ids are now, and in any spelling one whose id is spelled as ids are.
func TestClient_olderBoard(t *testing.T) {
	const decomposed, composed = "Jose\u0301", "Jos\u00e9"
	for _, kept := range []string{decomposed, composed} {
		db := filepath.Join(t.TempDir(), "m.db")
		s, err := store.Open(t.Context(), db, store.Options{Schema: schema})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.PutProfiles(t.Context(), []store.Profile{{ID: "ana", Username: "Ana", Groups: map[string][]string{"school": {kept}}}})
		if err := errors.Join(err, s.Close()); err != nil {
			t.Fatal(err)
		}
		p := serveOn(t, "127.0.0.1:0", db)
		node := exec.CommandContext(t.Context(), "node", "--input-type=module", "-e", `
			import { connect } from "./static/marcador.js";
			const [baseUrl, token, board] = process.argv.slice(1);
			const followed = connect({ baseUrl, board, getToken: async () => token });
			followed.subscribe(() => {
				const { status, version, totalEntries, error } = followed.getSnapshot();
				if (error === null && (status !== "live" || version === null)) return;
				console.log(status, totalEntries, error?.message ?? "");
				process.exit();
			});`, "--", p.url, tokenFor(t, "ana", "", time.Hour), "school:"+decomposed)
		if out, err := node.CombinedOutput(); err != nil || string(out) != "live 1 \n" {
			t.Errorf("a board that is kept as %+q: %v, %s", kept, err, out)
		}
	}
}
