package api_test

import (
	"net/http"
	"strings"
	"testing"
)

// Pupils who have moved to another class can read the closed periods of the class that they were
// in, with their own entry. They can't read periods that ended before they came or after they left.
func TestArchive_moved(t *testing.T) {
	f := newFixture(t, nil)
	f.school("7a", "ana", "leo")
	f.school("8a", "ana", "eva")
	f.execute(`
		INSERT INTO closings VALUES (1, 'daily', 1000, 2000, 'ordinal', 2, 1), (2, 'daily', 2000, 3000, 'ordinal', 2, 1);
		INSERT INTO finals SELECT number, 1, 1, 1, 0, 9, 9, 0 FROM closings UNION ALL SELECT number, 2, 2, 2, 0, 5, 5, 0 FROM closings;
		INSERT INTO places SELECT number, 1, 1 FROM closings UNION ALL SELECT number, 2, 2 FROM closings;
		UPDATE memberships SET since = 0, until = iif(until IS NULL, NULL, 2500) WHERE group_id = '7a';
		UPDATE memberships SET since = 2500 WHERE group_id = '8a'`)
	for _, c := range []struct {
		who, board, start string
		status            int
	}{
		{"ana", "school:7a", "1970-01-01T00:00:01Z", http.StatusOK},
		{"ana", "school:7a", "1970-01-01T00:00:02Z", http.StatusForbidden},
		{"ana", "school:8a", "1970-01-01T00:00:01Z", http.StatusForbidden},
		{"ana", "school:8a", "1970-01-01T00:00:02Z", http.StatusOK},
		{"leo", "school:7a", "1970-01-01T00:00:02Z", http.StatusOK},
		{"eva", "school:7a", "1970-01-01T00:00:01Z", http.StatusForbidden},
		{"eva", "school:7a", "1970-01-01T00:01:00Z", http.StatusForbidden}, // no period is closed then
		{"ana", "school:7a", "1970-01-01T00:01:00Z", http.StatusNotFound},
	} {
		a := f.do(f.token(c.who, ""), http.MethodGet, "/v1/leaderboards/"+c.board+"/archive?start="+c.start, "")
		if a.status != c.status {
			t.Errorf("%s reads %s from %s: %d %s, want %d", c.who, c.board, c.start, a.status, a.body, c.status)
		}
		if c.status == http.StatusOK && !strings.Contains(string(a.body), `"me":{"rank":`) {
			t.Errorf("%s has no entry on %s: %s", c.who, c.board, a.body)
		}
	}
	for who, want := range map[string]int{"ana": 1, "leo": 2, "eva": -1} {
		a := f.do(f.token(who, ""), http.MethodGet, "/v1/leaderboards/school:7a/archive", "")
		if want < 0 {
			a.wantProblem(t, http.StatusForbidden, "not_a_member", "board")
		} else if n := strings.Count(string(a.body), `"period":`); n != want {
			t.Errorf("%s is told of %d periods, want %d: %s", who, n, want, a.body)
		}
	}
}
