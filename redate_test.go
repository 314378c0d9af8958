package main

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A service does not start on a database that lies ahead of the clock, says why in one line,
// and starts when it was redated.
func TestRedate_serviceOf(t *testing.T) {
	db := filepath.Join(t.TempDir(), "m.db")
	p := serveOn(t, "127.0.0.1:0", db)
	p.enrol(1)
	p.call(tokenFor(t, "svc", "admin", time.Hour), "POST", "/v1/users/u1/xp", `{"xp":7}`, nil)
	refuses(t, "stop it first", "redate", "--db", db)
	p.stop()
	later := time.Now().AddDate(10, 0, 0).UnixMilli()
	ahead, err := sql.Open("sqlite", "file:"+db)
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range []string{`UPDATE state SET at = ?`, `UPDATE totals SET day = ?`} {
		if _, err := ahead.ExecContext(t.Context(), change, later); err != nil {
			t.Fatal(err)
		}
	}
	if err := ahead.Close(); err != nil {
		t.Fatal(err)
	}
	refuses(t, "run marcador redate", "serve", "--addr", "127.0.0.1:0", "--db", db)
	refuses(t, "lies in the future", "redate", "--db", db, "--at", "2999-01-01T00:00:00Z")
	refuses(t, "is not a time", "redate", "--db", db, "--at", "yesterday")
	if got := told(t, "redate", "--db", db); !strings.HasPrefix(got, "redated: 0 ledger rows") || !strings.Contains(got, "what was there is kept as "+db+".replaced-") {
		t.Errorf("redate says %q", got)
	}
	if got := told(t, "verify", "--db", db); !strings.HasSuffix(got, "\nno difference\n") {
		t.Errorf("verify says %q", got)
	}
	p = serveOn(t, "127.0.0.1:0", db)
	var user struct{ XP int64 }
	p.call(tokenFor(t, "svc", "admin", time.Hour), "GET", "/v1/users/u1", "", &user)
	if user.XP != 7 {
		t.Errorf("u1 has %d points, want 7", user.XP)
	}
}
