package verify_test

import (
	"fmt"
	"testing"

	"marcador/command/verify"
)

// Twins lists ids that look the same, and no others.
func TestDB_Twins(t *testing.T) {
	w := newWorld(t, "UTC")
	for i, id := range []string{
		"A1", "A1 ", " A1\u00a0", "A2", "A3 ", "Jos\u00e9", "Jose\u0301", "Mu\u00f1oz", "a\u200bb", "ab", "x\u200by", "1\u00a02", "1 2",
	} {
		w.exec(`INSERT INTO users (number, id, username, avatar, email, created_at) VALUES (?, ?, 'U', '', '', 0)`, 100+i, id)
	}
	for i, group := range []string{"7a", "7a ", "8b\u00a0"} {
		w.exec(`INSERT INTO memberships (user, kind, group_id, since) VALUES (?, 'classroom', ?, 0)`, 100+i, group)
	}
	w.exec(`INSERT INTO memberships (user, kind, group_id, since) VALUES (100, 'school', '7a ', 0)`)
	w.exec(`INSERT INTO memberships (user, kind, group_id, since, until) VALUES (100, 'classroom', '8b', 0, 5)`)
	twins, err := w.open(verify.Options{}).Twins(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`user ids that look the same and are not: "1 2", "1\u00a02"`,
		`user ids that look the same and are not: "A1", " A1\u00a0", "A1 "`,
		`user ids that look the same and are not: "Jos\u00e9", "Jose\u0301"`,
		`user ids that look the same and are not: "ab", "a\u200bb"`,
		`classroom ids that look the same and are not: "7a", "7a "`,
	}
	if got := fmt.Sprint(twins); got != fmt.Sprint(want) {
		t.Errorf("Twins() = %v, want %v", got, want)
	}
}
