package command_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"marcador/command"
	"marcador/internal/schematest"
	"marcador/store"
	"marcador/test/testkit"
)

// verify says what it compared, and names a total that differs from the ledger.
func TestVerify(t *testing.T) {
	db := testkit.Database(t)
	p := testkit.ServeOn(t, testkit.AnyPort, db)
	p.Enrol(3)
	p.Call(testkit.Token(t, "svc", "admin"), "POST", "/v1/users/u2/xp", `{"xp":30,"mlCoins":2}`, nil)

	var out bytes.Buffer
	if err := testkit.RunTo(t, &out, io.Discard, "verify", "--db", db); err != nil {
		t.Fatalf("verify: %v\n%s", err, &out)
	}
	for _, want := range []string{"\n1 rows of the ledger, in order\n", "\n3 totals, sums of the ledger\n"} {
		if !strings.Contains(out.String(), want) || !strings.HasSuffix(out.String(), "\nno difference\n") {
			t.Errorf("verify says %q; want %q in it and no difference", &out, want)
		}
	}

	testkit.Change(t, db, `UPDATE totals SET xp = 31 WHERE xp = 30`)
	out.Reset()
	if err := testkit.RunTo(t, &out, io.Discard, "verify", "--db", db); !errors.Is(err, command.ErrDifference) {
		t.Errorf("verify: %v of a damaged database", err)
	}
	if want := `difference: totals.xp of user "u2" is 31; the ledger says 30`; !strings.Contains(out.String(), want) {
		t.Errorf("verify says %q; want %q in it", &out, want)
	}
}

// A running service's boards are compared too, and a wrong one is named.
func TestVerify_boards(t *testing.T) {
	for _, ranks := range []string{"ordinal", "competition", "dense"} {
		t.Run(ranks, func(t *testing.T) {
			db := testkit.Database(t)
			p := testkit.ServeOn(t, testkit.AnyPort, db, "--ranks", ranks, "--timezone", "America/Mexico_City", "--change-baseline", "weekly")
			admin := testkit.Token(t, "svc", "admin")
			for i, name := range []string{"ana", "leo", "eva", "max", "sol"} {
				p.Call(admin, "PUT", "/v1/users/"+name, fmt.Sprintf(`{"username":%q,"hidden":%v,"groups":{"school":["%d"],"club":["a:b/c d"]}}`, name, i == 3, i%2), nil)
				p.Call(admin, "POST", "/v1/users/"+name+"/xp", fmt.Sprintf(`{"xp":%d}`, 10+i/2), nil)
			}
			var out bytes.Buffer
			args := []string{"verify", "--db", db, "--url", p.URL, "--ranks", ranks, "--timezone", "America/Mexico_City", "--change-baseline", "weekly"}
			if err := testkit.RunTo(t, &out, io.Discard, args...); err != nil {
				t.Fatalf("verify: %v\n%s", err, &out)
			}
			if want := "4 all-time boards, with 12 entries\nno difference\n"; !strings.HasSuffix(out.String(), want) {
				t.Errorf("verify says %q, want %q at the end", &out, want)
			}
			// The service goes on showing the old page until it looks at the file.
			testkit.Change(t, db, `UPDATE users SET hidden = 0`)
			out.Reset()
			if err := testkit.RunTo(t, &out, io.Discard, args...); !errors.Is(err, command.ErrDifference) || !strings.Contains(out.String(), `board "global"`) {
				t.Errorf("verify: %v, %s", err, &out)
			}
		})
	}
}

// A flag that makes no sense is named in the error.
func TestVerify_flags(t *testing.T) {
	t.Setenv("MARCADOR_JWT_SECRET", "")
	for _, c := range []struct {
		args string
		want string
	}{
		{"--db missing.db", "there is no database"},
		{"--timezone Mars/Olympus", "--timezone"},
		{"--ranks roman", "--ranks"},
		{"--change-baseline all-time", "--change-baseline"},
		{"--url localhost:8080", "--url"},
		{"--url http://localhost:8080", "MARCADOR_JWT_SECRET"},
	} {
		err := testkit.RunTo(t, io.Discard, io.Discard, append([]string{"verify"}, strings.Fields(c.args)...)...)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("verify %s: %v; want %q", c.args, err, c.want)
		}
	}
}

// verify remarks on users and groups whose id is the sign for all. Only an older database has them.
func TestVerify_any(t *testing.T) {
	db := testkit.Database(t)
	s, err := store.Open(t.Context(), db, store.Options{Schema: schematest.Text(t)})
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
	if got := testkit.RunBinary(t, "verify", "--db", db); !strings.HasSuffix(got, want) {
		t.Errorf("verify says %q, want %q", got, want)
	}
}

// verify remarks on users whose ids look the same, which are no difference. Only an older database
// has them.
func TestVerify_twins(t *testing.T) {
	db := testkit.Database(t)
	s, err := store.Open(t.Context(), db, store.Options{Schema: schematest.Text(t)})
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
	if got := testkit.RunBinary(t, "verify", "--db", db); !strings.HasSuffix(got, want) {
		t.Errorf("verify says %q, want %q", got, want)
	}
}
