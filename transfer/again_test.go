package transfer_test

import (
	"testing"

	"marcador/verify"
)

// checked fails where the totals are not what the ledger says.
func checked(tb testing.TB, path string) {
	tb.Helper()
	d, err := verify.Open(tb.Context(), path, verify.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	if found, err := d.Totals(tb.Context()); found != "" || err != nil {
		tb.Errorf("Totals() = %q, %v", found, err)
	}
	if err := d.Close(); err != nil {
		tb.Error(err)
	}
}

// A file is known by what it says, also after its first part was about one person alone
// who is erased since: nobody's points come back, and nobody else's count twice.
func TestImport_afterErasure(t *testing.T) {
	s, path := open(t)
	const people = `{"id":"a","username":"A"}` + "\n" + `{"id":"b","username":"B"}` + "\n"
	const first = `{"userId":"a","xp":10}` + "\n"
	const file = first + `{"userId":"b","xp":10}` + "\n" + `{"userId":"b","xp":20}` + "\n"
	load(t, s, people+first)
	load(t, s, people+file)
	if err := s.Erase(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	checked(t, path)
	if c := load(t, s, people+file); c.Points != 0 || c.Already != 3 {
		t.Errorf("counts = %+v", c)
	}
	if a, b := totals(t, s, "a"), totals(t, s, "b"); a[0] != 0 || b[0] != 30 {
		t.Errorf("a has %d, want 0; b has %d, want 30", a[0], b[0])
	}
	checked(t, path)
}
