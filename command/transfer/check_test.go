package transfer_test

import (
	"strings"
	"testing"
)

// wantFaults imports the lines and fails unless the faults begin exactly like the wanted ones.
func wantFaults(t *testing.T, in []string, want ...string) {
	t.Helper()
	s, _ := open(t)
	got, _ := faultsOf(t, s, strings.Join(in, "\n"))
	if len(got) != len(want) {
		t.Fatalf("faults are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for n := range want {
		if !strings.HasPrefix(got[n], want[n]) {
			t.Errorf("fault %d is %q, want %q", n, got[n], want[n])
		}
	}
}

// A record without an id does not affect the check of other records.
func TestImport_faultWithoutID(t *testing.T) {
	const fault = `line 1: id: is empty`
	for name, first := range map[string]string{
		"no id":       `{"username":"Somebody"}`,
		"an empty id": `{"type":"user","id":"","username":"Somebody"}`,
		"white space": `{"id":" ","username":"Somebody"}`,
	} {
		t.Run(name, func(t *testing.T) {
			wantFaults(t, []string{
				first, `{"id":"ana","username":"Ana"}`, `{"id":"leo","username":"Leo"}`, `{"id":"eva"}`,
				`{"userId":"ana","xp":5}`, `{"userId":"ghost","xp":5}`, `{"userId":"ana","xp":-6}`,
				`{"type":"friends","userId":"ana","otherId":"leo"}`, `{"type":"friends","userId":"ana","otherId":"nobody"}`,
			}, fault, "line 4: username: is missing", `line 6: userId: there is no user "ghost"`,
				"line 7: xp: -6 would take the total of 5 below 0", `line 9: otherId: there is no user "nobody"`)
		})
	}
}

// A row with a fault still counts as a row of its key.
func TestImport_faultAmongRowsOfAKey(t *testing.T) {
	wantFaults(t, []string{
		`{"id":"ana","username":"Ana"}`,
		`{"userId":"ana","xp":1,"key":"k","rows":3}`, `{"userId":"ana","xp":0}`, `{"userId":"ana","xp":1}`,
		`{"userId":"ana","xp":1,"key":"l"}`, `{"userId":"ghost","xp":1}`,
	}, "line 3: xp: is missing or 0", `line 6: userId: there is no user "ghost"`)
}
