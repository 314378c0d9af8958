package verify_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"marcador/command/verify"
)

// page and entry are a service's answer.
type page struct {
	Version      int     `json:"version"`
	TotalEntries int     `json:"totalEntries"`
	Entries      []entry `json:"entries"`
}

type entry struct {
	Rank          int    `json:"rank"`
	UserID        string `json:"userId"`
	Username      string `json:"username"`
	Score         int    `json:"score"`
	XP            int    `json:"xp"`
	MLCoins       int    `json:"mlCoins"`
	Change        int    `json:"change"`
	ChangeType    string `json:"changeType"`
	RankBadge     string `json:"rankBadge"`
	IsCurrentUser bool   `json:"isCurrentUser"`
}

// right returns the page of a service that agrees with the ledger of school.
func right(tb testing.TB, board, period string) *page {
	tb.Helper()
	entries := []entry{}
	switch board + " " + period {
	case "school:4:2 daily":
		entries = []entry{{1, "bea", "B", 5, 115, 11, 0, "same", "Ajaw", false}, {2, "cid", "C", 5, 120, 7, 0, "same", "Ajaw", false}}
	case "school:4:2 weekly":
		entries = []entry{{1, "cid", "C", 70, 120, 7, 0, "new", "Ajaw", false}, {2, "bea", "B", 15, 115, 11, 0, "new", "Ajaw", false}}
	case "global monthly":
		entries = []entry{
			{1, "cid", "C", 70, 120, 7, 1, "up", "Ajaw", false}, {2, "bea", "B", 15, 115, 11, 1, "down", "Ajaw", false},
			{3, "ana", "A", 10, 110, 1, 0, "new", "Ajaw", false}, {4, "gus", "G", 5, 5, 0, 0, "new", "Ajaw", false},
			{5, "dan", "D", 0, 0, 0, 0, "new", "Ajaw", false},
		}
	case "a/b:c d? all-time":
		entries = []entry{{1, "fay", "F", 0, 0, 0, 0, "same", "Ajaw", false}}
	default:
		tb.Errorf("asked for %s of %q", period, board)
	}
	return &page{7, len(entries), entries}
}

// serve starts a service that answers with the right page after change has changed it. change gets
// the number of the request, from 1.
func serve(tb testing.TB, change func(n int, page *page)) *verify.Service {
	tb.Helper()
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		board, ok := strings.CutPrefix(r.URL.Path, "/v1/leaderboards/")
		if r.Header.Get("Authorization") != "Bearer good" || !ok || strings.Contains(strings.TrimPrefix(r.URL.EscapedPath(), "/v1/leaderboards/"), "/") {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		p := right(tb, board, r.FormValue("period"))
		change(int(asked.Add(1)), p)
		if err := json.NewEncoder(w).Encode(p); err != nil {
			tb.Error(err)
		}
	}))
	tb.Cleanup(server.Close)
	return &verify.Service{URL: server.URL + "/", Token: func() (string, error) { return "good", nil }, Client: server.Client()}
}

// Compare finds every wrong field, and is not misled by a board that changes meanwhile.
func TestDB_Compare(t *testing.T) {
	w := school(t, "UTC")
	w.join("2026-01-01 08:00", "fay", "a/b", "c d?")
	now := func() time.Time { return w.time("2026-03-11 12:00") }
	d := w.open(verify.Options{Now: now})
	for _, c := range []struct {
		name, board string
		period      verify.Period
		change      func(n int, p *page)
		want        string
	}{
		{"right", "school:4:2", verify.Daily, func(int, *page) {}, ""},
		{"right, all new", "school:4:2", verify.Weekly, func(int, *page) {}, ""},
		{"right, up and down", "global", verify.Monthly, func(int, *page) {}, ""},
		{"right, an id to escape in the URL", "a/b:c d?", verify.AllTime, func(int, *page) {}, ""},
		{"rank", "school:4:2", verify.Daily, func(_ int, p *page) { p.Entries[0].Rank = 2 }, `at place 1 user "bea" with rank 2`},
		{"user", "school:4:2", verify.Daily, func(_ int, p *page) { p.Entries[0].UserID = "bee" }, `user "bee"`},
		{"score", "school:4:2", verify.Daily, func(_ int, p *page) { p.Entries[0].Score = 6 }, `score 6`},
		{"xp", "school:4:2", verify.Daily, func(_ int, p *page) { p.Entries[0].XP = 6 }, `xp 6`},
		{"coins", "school:4:2", verify.Daily, func(_ int, p *page) { p.Entries[0].MLCoins = 6 }, `mlCoins 6`},
		{"badge", "school:4:2", verify.Daily, func(_ int, p *page) { p.Entries[0].RankBadge = "Nacom" }, `"Nacom"`},
		{"change", "school:4:2", verify.Daily, func(_ int, p *page) { p.Entries[0].Change = 1 }, `change 1 same`},
		{"change's direction", "school:4:2", verify.Daily, func(_ int, p *page) { p.Entries[0].ChangeType = "new" }, `change 0 new`},
		{"order", "school:4:2", verify.Daily, func(_ int, p *page) { slices.Reverse(p.Entries) }, `at place 1 user "cid"`},
		{"total", "school:4:2", verify.Daily, func(_ int, p *page) { p.TotalEntries = 3 }, `totalEntries of daily board "school:4:2" at seq 17 is 3; the ledger says 2`},
		{"an entry too few", "school:4:2", verify.Daily, func(_ int, p *page) { p.Entries = p.Entries[:1] }, `ends after place 1`},
		{"an entry too many", "school:4:2", verify.Daily, func(_ int, p *page) {
			p.Entries = append(p.Entries, p.Entries[0])
		}, `place 3; the ledger has 2 places`},
		{"ranked a moment late", "school:4:2", verify.Daily, func(n int, p *page) {
			if n <= 2 {
				p.Entries[0].Score = 0
			}
		}, ""},
		{"changes for a while", "school:4:2", verify.Daily, func(n int, p *page) {
			if p.Version = min(n, 4); n < 4 {
				p.Entries[0].Score = n
			}
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // each pauses between its attempts
			found, entries, err := d.Compare(t.Context(), serve(t, c.change), c.board, c.period)
			if err != nil || (found == "") != (c.want == "") || !strings.Contains(string(found), c.want) {
				t.Errorf("Compare() = %q, %v; want %q", found, err, c.want)
			}
			if entries == 0 {
				t.Error("compared no entry")
			}
		})
	}
}

// If the service refuses the token, Compare returns that as an error.
func TestDB_Compare_refused(t *testing.T) {
	d := school(t, "UTC").open(verify.Options{})
	s := serve(t, func(int, *page) {})
	s.Token = func() (string, error) { return "bad", nil }
	if found, _, err := d.Compare(t.Context(), s, "global", verify.Monthly); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("Compare() = %q, %v; want a 403", found, err)
	}
}

// A board that changes in every attempt is not compared.
func TestDB_Compare_moving(t *testing.T) {
	t.Parallel()
	w := school(t, "UTC")
	d := w.open(verify.Options{Now: func() time.Time { return w.time("2026-03-11 12:00") }})
	s := serve(t, func(n int, p *page) { p.Version = n; p.Entries[0].Score = n })
	found, _, err := d.Compare(t.Context(), s, "school:4:2", verify.Daily)
	if found != "" || !errors.Is(err, verify.ErrMoving) {
		t.Errorf("Compare() = %q, %v; want ErrMoving", found, err)
	}
}

// A board of several pages is read page by page.
func TestDB_Compare_pages(t *testing.T) {
	w := newWorld(t, "UTC")
	w.exec(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
	        INSERT INTO users (id, username, avatar, email, created_at, seen_since) SELECT printf('u%04d', i), '', '', '', 1, 1 FROM n`)
	var offsets []string
	s := serve(t, func(int, *page) {})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		offsets = append(offsets, r.FormValue("offset"))
		offset, err := strconv.Atoi(r.FormValue("offset"))
		if err != nil {
			t.Error(err)
		}
		p := page{1, 2000, []entry{}}
		for i := offset + 1; i <= min(offset+1000, 2000); i++ {
			p.Entries = append(p.Entries, entry{Rank: i, UserID: "u" + strconv.Itoa(10000 + i)[1:], RankBadge: "Ajaw", ChangeType: "same"})
		}
		if err := json.NewEncoder(w).Encode(p); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	s.URL, s.Client = server.URL, server.Client()
	found, entries, err := w.open(verify.Options{}).Compare(t.Context(), s, "global", verify.AllTime)
	if found != "" || err != nil || entries != 2000 {
		t.Errorf("Compare() = %q, %d, %v; want no difference in 2000", found, entries, err)
	}
	if want := []string{"0", "1000", "2000", "0", "1000", "2000"}; !slices.Equal(offsets, want) {
		t.Errorf("asked for offsets %v, want %v", offsets, want)
	}
}

// Boards returns the largest groups first, and no more than asked for.
func TestDB_Boards(t *testing.T) {
	w := school(t, "UTC")
	w.join("2026-01-01 08:00", "fay", "classroom", "7a")
	for most, want := range map[int][]string{
		9: {"school:4:2", "classroom:7a"}, 1: {"school:4:2"}, 0: nil, -1: nil,
	} {
		boards, err := w.open(verify.Options{}).Boards(t.Context(), most)
		if err != nil || !slices.Equal(boards, want) {
			t.Errorf("Boards(%d) = %q, %v; want %q", most, boards, err, want)
		}
	}
}
