package api_test

import (
	"bytes"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"marcador/sse"
)

// Each board of a stream has its own period, or all boards have the same.
func TestEvents_periods(t *testing.T) {
	f := newFixture(t, nil)
	f.school("42", "ana")
	ana := f.token("ana", "")
	for query, want := range map[string]string{
		"":                              "global all-time",
		"period=daily":                  "global daily",
		"board=global&board=school:42":  "global all-time, school:42 all-time",
		"period=weekly&board=school:42": "school:42 weekly",
		"board=global&board=school:42&period=weekly":              "global weekly, school:42 weekly",
		"board=school:42&board=global&period=weekly&period=daily": "global daily, school:42 weekly",
		"board=global&board=global&period=weekly&period=daily":    "global daily, global weekly",
		"board=global&board=global&period=weekly&period=weekly":   "global weekly",
		"board=global&period=weekly&period=daily&board=school:42": "global weekly, school:42 daily",
		"board=global&board=global&board=global&period=monthly":   "global monthly",
	} {
		t.Run(query, func(t *testing.T) {
			s := f.follow(ana, query)
			defer s.end()
			hello := s.next()
			parts := strings.Split(want, ", ")
			var got, boards []string
			for range parts {
				e := s.until("leaderboard:updated")
				got = append(got, e.Board+" "+e.Period)
				boards = append(boards, e.Board)
			}
			slices.Sort(got)
			slices.Sort(boards)
			if !slices.Equal(got, parts) || !slices.Equal(hello.Boards, slices.Compact(boards)) {
				t.Errorf("the stream follows %v and says %v; want %s", got, hello.Boards, want)
			}
		})
	}
	for query, field := range map[string]string{
		"period=daily&period=weekly": "period",
		"board=global&board=school:42&period=daily&period=weekly&period=monthly":             "period",
		"board=global&board=school:42&board=school:42&period=daily&period=weekly":            "period",
		"board=" + strings.Repeat("global&board=", 32) + "global&period=daily&period=weekly": "period",
	} {
		f.do(ana, http.MethodGet, "/v1/events?"+query, "").wantProblem(t, 422, "invalid_input", field)
	}
	a := f.do(ana, http.MethodGet, "/v1/events?board=global&board=school:42&period=daily&period=hourly", "")
	a.wantProblem(t, 422, "invalid_input", "period[1]")
	if !bytes.Contains(a.body, []byte("weekly")) {
		t.Errorf("the answer does not say what to do: %s", a.body)
	}
}

// When somebody leaves a group, their stream loses its board in all periods, and keeps the other
// boards.
func TestEvents_forbiddenBoard(t *testing.T) {
	onBothTransports(t, sse.Options{}, func(t *testing.T, f *fixture) {
		f.school("42", "ana", "leo")
		s := f.follow(f.token("ana", ""), "board=school:42&board=school:42&board=global&period=daily&period=weekly&period=all-time")
		for range 3 {
			s.until("leaderboard:updated")
		}
		f.school("7", "ana")
		if e := s.until("error"); e.Code != "forbidden" || e.Board != "school:42" || !strings.Contains(e.Message, "school:42") {
			t.Errorf("error = %+v", e)
		}
		f.must(nil, http.MethodPost, "/v1/users/leo/xp", `{"xp":5}`)
		for e := s.next(); ; e = s.next() {
			if e.name == "error" || e.Board == "school:42" || e.name == "" {
				t.Fatalf("then came %+v", e)
			}
			if e.name == "leaderboard:updated" && e.Entries[0].UserID == "leo" {
				break
			}
		}
	})
}

// A user's newest stream replaces the oldest, which is told so. When that client comes back by
// itself, it has to wait.
func TestEvents_replaced(t *testing.T) {
	onBothTransports(t, sse.Options{}, func(t *testing.T, f *fixture) {
		ana := f.token("ana", "")
		first := f.follow(ana, "")
		first.until("leaderboard:updated")
		for range 10 {
			if s := f.follow(ana, ""); s.status != http.StatusOK || s.next().name != "authenticated" {
				t.Fatalf("the answer to another stream is %d", s.status)
			}
		}
		if e := first.until("error"); e.Code != "replaced" || e.Board != "" || first.retry != "60000" {
			t.Errorf("error = %+v, retry %s", e, first.retry)
		}
		back := f.follow(ana, "", "Last-Event-ID", first.id)
		if e := back.next(); back.status != http.StatusOK || e.Code != "replaced" || back.retry != "60000" {
			t.Errorf("a stream that comes back by itself: %d %+v, retry %s", back.status, e, back.retry)
		}
		again := f.follow(ana, "last_event_id="+url.QueryEscape(first.id))
		if e := again.next(); e.Code != "replaced" {
			t.Errorf("a stream that comes back by itself: %d %+v", again.status, e)
		}
		f.untilStreams(8)
	})
}

// A stream that comes back is told which of its boards it may no longer follow, and goes on with
// the others. It is refused if none is left. A new stream is refused even if others are left.
func TestEvents_comesBackWithoutABoard(t *testing.T) {
	onBothTransports(t, sse.Options{}, func(t *testing.T, f *fixture) {
		f.school("42", "ana", "leo")
		ana, query := f.token("ana", ""), "board=global&board=school:42&board=school:42&period=daily&period=daily&period=weekly"
		s := f.follow(ana, query)
		for range 3 {
			s.until("leaderboard:updated")
		}
		s.end()
		f.school("7", "ana")
		back := f.follow(ana, query, "Last-Event-ID", s.id)
		if e := back.next(); e.name != "authenticated" || !slices.Equal(e.Boards, []string{"global"}) {
			t.Fatalf("event = %+v", e)
		}
		if e := back.next(); e.Code != "forbidden" || e.Board != "school:42" {
			t.Fatalf("event = %+v", e)
		}
		if e := back.next(); e.name != "leaderboard:updated" || e.Board != "global" {
			t.Fatalf("event = %+v", e)
		}
		f.must(nil, http.MethodPost, "/v1/users/leo/xp", `{"xp":5}`)
		if e := back.until("leaderboard:updated"); e.Board != "global" {
			t.Errorf("event = %+v", e)
		}
		a := f.do(ana, http.MethodGet, "/v1/events?"+query, "")
		a.wantProblem(t, http.StatusForbidden, "not_a_member", "board")
		if !bytes.Contains(a.body, []byte("school:42 is for its members")) {
			t.Errorf("the answer does not name the board: %s", a.body)
		}
		f.do(ana, http.MethodGet, "/v1/events?board=school:42", "", "Last-Event-ID", s.id).wantProblem(t, http.StatusForbidden, "not_a_member", "board")
	})
}
