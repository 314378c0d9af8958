package transfer_test

import (
	"fmt"
	"strings"
	"testing"

	"marcador/command/transfer"
	"marcador/store"
)

// Ids with extra spaces, or in another Unicode form, mean the users that they look like.
func TestImport_ids(t *testing.T) {
	s, _ := open(t)
	load(t, s, "id;username;groups\r\n\u00a0A1\u00a0 ;Ana\u00a0 Pech\u00a0;\"{\"\"classroom\"\":[\"\"7A\u00a0\"\"]}\"\r\n A2; Leo;\r\nJose\u0301;Jose\u0301;\r\n")
	for id, name := range map[string]string{"A1": "Ana\u00a0 Pech", "A2": "Leo", "Jos\u00e9": "Jos\u00e9"} {
		u, err := s.User(t.Context(), id)
		if err != nil || u.Username != name {
			t.Errorf("user = %+v, %v, want %q", u, err, name)
		}
	}
	if u, _ := s.User(t.Context(), "A1"); fmt.Sprint(u.Groups) != "map[classroom:[7A]]" {
		t.Errorf("groups = %v", u.Groups)
	}
	load(t, s, "userId,xp\nA1\u00a0,5\n")
	load(t, s, `{"type":"friends","userId":" A1","otherId":"A2 "}`+"\n"+`{"type":"limit","board":"classroom: 7A","top":3}`)
	if got := totals(t, s, "A1"); got[0] != 5 {
		t.Errorf("A1 has %d", got[0])
	}
	if limits, err := s.Limits(t.Context()); err != nil || fmt.Sprint(limits) != "[{classroom:7A 3}]" {
		t.Errorf("limits = %v, %v", limits, err)
	}
	for in, field := range map[string]string{
		"id,username\na\u200bb,Ana\n":        "id",
		"id,username\nA3,\u3164\n":           "username",
		"id,username,pseudonym\nA3,A,\u2800": "pseudonym",
		"userId,xp\nA1\u200b,5\n":            "userId",
	} {
		_, err := transfer.Import(t.Context(), s, strings.NewReader(in), transfer.Options{})
		if err == nil || !strings.Contains(err.Error(), "line 2: "+field+": ") {
			t.Errorf("%q: %v", in, err)
		}
	}
}

// A database from before ids were normalized has users whose ids differ in a space. Importing a
// file about them counts nothing twice and does not mix them up.
func TestImport_idsOfBefore(t *testing.T) {
	s, _ := open(t)
	if _, err := s.PutProfiles(t.Context(), []store.Profile{{ID: "A1 ", Username: "Twin"}, {ID: "A1", Username: "Ana"}}); err != nil {
		t.Fatal(err)
	}
	const file = `{"id":"A1 ","email":"a@x.mx"}` + "\n" + `{"userId":"A1 ","xp":5}` + "\n"
	for range 2 {
		load(t, s, file)
	}
	if a, b := totals(t, s, "A1 "), totals(t, s, "A1"); a[0] != 5 || b[0] != 0 {
		t.Errorf("they have %d and %d", a[0], b[0])
	}
}

// Importing an export into the same database changes nothing, even if its ids were never
// normalized.
func TestImport_exportOfBefore(t *testing.T) {
	for _, format := range []string{transfer.JSONL, transfer.CSV} {
		s, path := open(t)
		if _, err := s.PutProfiles(t.Context(), []store.Profile{
			{ID: "A1 ", Username: "Twin", Groups: map[string][]string{"school": {"4\u200b2", "43 "}}},
			{ID: "A1", Username: "Ana"},
		}); err != nil {
			t.Fatal(err)
		}
		if err := s.PutLimits(t.Context(), []store.Limit{
			{Board: "school:4\u200b2", Top: 3}, {Board: "school:43 ", Top: 4}, {Board: "friends:A1 ", Top: 5}, {Board: "friends:*", Top: 6},
		}); err != nil {
			t.Fatal(err)
		}
		before := export(t, path, format)
		load(t, s, before)
		if got := export(t, path, format); got != before {
			t.Errorf("%s: export = %q, want %q", format, got, before)
		}
	}
}
