package command_test

import (
	"strings"
	"testing"
	"time"

	"marcador/test/testkit"
)

// A service does not start on a database whose last change is dated in the future. It says why in
// one line, and starts once the database was redated.
func TestRedate_command(t *testing.T) {
	db := testkit.Database(t)
	p := testkit.ServeOn(t, testkit.AnyPort, db)
	p.Enrol(1)
	p.Give("u1", 7)
	testkit.Refuses(t, "stop it first", "redate", "--db", db)
	p.Stop()
	later := time.Now().AddDate(10, 0, 0).UnixMilli()
	testkit.Change(t, db, `UPDATE state SET at = ?`, later)
	testkit.Change(t, db, `UPDATE totals SET day = ?`, later)
	testkit.Refuses(t, "run marcador redate", "serve", "--addr", testkit.AnyPort, "--db", db)
	testkit.Refuses(t, "lies in the future", "redate", "--db", db, "--at", "2999-01-01T00:00:00Z")
	testkit.Refuses(t, "is not a time", "redate", "--db", db, "--at", "yesterday")
	if got := testkit.Run(t, "redate", "--db", db); !strings.HasPrefix(got, "redated: 0 ledger rows") || !strings.Contains(got, "the former database is now "+db+".replaced-") {
		t.Errorf("redate says %q", got)
	}
	if got := testkit.Run(t, "verify", "--db", db); !strings.HasSuffix(got, "\nno difference\n") {
		t.Errorf("verify says %q", got)
	}
	p = testkit.ServeOn(t, testkit.AnyPort, db)
	var user struct{ XP int64 }
	p.Call(testkit.Token(t, "svc", "admin"), "GET", "/v1/users/u1", "", &user)
	if user.XP != 7 {
		t.Errorf("u1 has %d points, want 7", user.XP)
	}
}
