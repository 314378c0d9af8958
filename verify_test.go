package main

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cli "marcador/command"
)

func TestVerify(t *testing.T) {
	db := filepath.Join(t.TempDir(), "marcador.db")
	p := serveOn(t, "127.0.0.1:0", db)
	p.enrol(3)
	p.call(tokenFor(t, "svc", "admin", time.Hour), "POST", "/v1/users/u2/xp", `{"xp":30,"mlCoins":2}`, nil)

	var out bytes.Buffer
	if err := run(t.Context(), []string{"verify", "--db", db}, &out, io.Discard); err != nil {
		t.Fatalf("verify: %v\n%s", err, &out)
	}
	for _, want := range []string{"\n1 rows of the ledger, in order\n", "\n3 totals, sums of the ledger\n"} {
		if !strings.Contains(out.String(), want) || !strings.HasSuffix(out.String(), "\nno difference\n") {
			t.Errorf("verify says %q; want %q in it and no difference", &out, want)
		}
	}

	damage(t, db, `UPDATE totals SET xp = 31 WHERE xp = 30`)
	out.Reset()
	if err := run(t.Context(), []string{"verify", "--db", db}, &out, io.Discard); !errors.Is(err, cli.ErrDifference) {
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
			db := filepath.Join(t.TempDir(), "marcador.db")
			p := serveOn(t, "127.0.0.1:0", db, "--ranks", ranks, "--timezone", "America/Mexico_City", "--change-baseline", "weekly")
			admin := tokenFor(t, "svc", "admin", time.Hour)
			for i, name := range []string{"ana", "leo", "eva", "max", "sol"} {
				p.call(admin, "PUT", "/v1/users/"+name, fmt.Sprintf(`{"username":%q,"hidden":%v,"groups":{"school":["%d"],"club":["a:b/c d"]}}`, name, i == 3, i%2), nil)
				p.call(admin, "POST", "/v1/users/"+name+"/xp", fmt.Sprintf(`{"xp":%d}`, 10+i/2), nil)
			}
			var out bytes.Buffer
			args := []string{"verify", "--db", db, "--url", p.url, "--ranks", ranks, "--timezone", "America/Mexico_City", "--change-baseline", "weekly"}
			if err := run(t.Context(), args, &out, io.Discard); err != nil {
				t.Fatalf("verify: %v\n%s", err, &out)
			}
			if want := "4 all-time boards, with 12 entries\nno difference\n"; !strings.HasSuffix(out.String(), want) {
				t.Errorf("verify says %q, want %q at the end", &out, want)
			}
			// A page as it was is kept until somebody looks at the file.
			damage(t, db, `UPDATE users SET hidden = 0`)
			out.Reset()
			if err := run(t.Context(), args, &out, io.Discard); !errors.Is(err, cli.ErrDifference) || !strings.Contains(out.String(), `board "global"`) {
				t.Errorf("verify: %v, %s", err, &out)
			}
		})
	}
}

func damage(tb testing.TB, path, query string) {
	tb.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		tb.Fatal(err)
	}
	_, err = db.ExecContext(tb.Context(), query)
	if err := errors.Join(err, db.Close()); err != nil {
		tb.Fatal(err)
	}
}

func TestVerify_flags(t *testing.T) {
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
		err := run(t.Context(), append([]string{"verify"}, strings.Fields(c.args)...), io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("verify %s: %v; want %q", c.args, err, c.want)
		}
	}
}
