package demo_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"marcador/auth"
	"marcador/command/demo"
	"marcador/internal/schematest"
	"marcador/live"
	"marcador/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type fixture struct {
	live     *live.Service
	verifier *auth.Verifier
	handler  http.Handler
}

func newFixture(t *testing.T, students int) *fixture {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	clock := demo.NewClock()
	service, err := live.Open(t.Context(), filepath.Join(t.TempDir(), "m.db"), live.Options{Schema: schematest.Text(t), Now: clock.Now, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := service.Close(); err != nil {
			t.Error(err)
		}
	})
	verifier, err := auth.NewVerifier(auth.Options{Secret: []byte("0123456789abcdef0123456789abcdef")})
	if err != nil {
		t.Fatal(err)
	}
	school := demo.New(service, verifier, log, students)
	if err := school.Fill(t.Context(), clock); err != nil {
		t.Fatal(err)
	}
	if behind := time.Since(clock.Now()); behind > time.Second {
		t.Errorf("the clock is %v behind after Fill", behind)
	}
	return &fixture{service, verifier, school.Handler()}
}

func (f *fixture) do(t *testing.T, method, path, body, token string, into any) int {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	if into != nil {
		if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
			t.Fatalf("%s %s = %d %s: %v", method, path, w.Code, w.Body, err)
		}
	}
	return w.Code
}

// After Fill, students have moved on the board, and nobody is new on it.
func TestSchool_Fill(t *testing.T) {
	const n = 300
	f := newFixture(t, n)
	body, err := f.live.Page(t.Context(), live.Query{Board: live.Global, Period: store.AllTime, Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	var page live.PageBody
	if err := json.Unmarshal(body, &page); err != nil {
		t.Fatal(err)
	}
	names, badges := map[string]bool{}, map[string]bool{}
	for _, e := range page.Entries {
		names[e.Username], badges[e.RankBadge] = true, true
		if e.ChangeType == "new" {
			t.Errorf("%s is new", e.UserID)
		}
		if e.Avatar != "" {
			t.Errorf("%s has a picture from elsewhere: %s", e.UserID, e.Avatar)
		}
	}
	near := 0 // how many of the first will soon have a new badge
	for _, e := range page.Entries[:30] {
		for _, b := range f.live.Badges() {
			if lacks := b.MinXP - e.XP; lacks > 0 && lacks < 1000 {
				near++
			}
		}
	}
	if near < 5 {
		t.Errorf("%d of the first 30 will soon have a new badge, want 5 or more", near)
	}
	if len(page.Entries) != n || len(names) != n || len(badges) < 3 {
		t.Errorf("%d students, %d names, badges %v", len(page.Entries), len(names), badges)
	}
}

// A visitor picks a student, gets the student's token without scopes, and completes an exercise.
func TestSchool_Handler(t *testing.T) {
	f := newFixture(t, 20)
	var list struct {
		Students []struct{ UserID, Username, School, Classroom string }
		Boards   map[string]string
	}
	if f.do(t, http.MethodGet, "/demo/students", "", "", &list) != http.StatusOK || len(list.Students) != 20 {
		t.Fatalf("students = %+v", list)
	}
	if len(list.Boards) != 15 || list.Boards["school:benito-juarez"] != "Benito Juárez" || list.Boards["classroom:benito-juarez-4a"] != "4A, Benito Juárez" {
		t.Errorf("boards = %v", list.Boards)
	}
	id := list.Students[0].UserID
	token := f.token(t, id)
	caller, err := f.verifier.Verify(t.Context(), token)
	if err != nil || caller.UserID != id || len(caller.Scopes) > 0 {
		t.Errorf("caller = %+v, %v; want %s without scopes", caller, err, id)
	}
	before, err := f.live.User(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	friends := "friends:" + id
	for board, ranks := range before.Ranks {
		if board != "global" && board != friends && list.Boards[board] == "" || ranks["all-time"] == 0 {
			t.Errorf("the board %s has no title, or no rank: %v", board, ranks)
		}
	}
	if len(before.Ranks[friends]) == 0 {
		t.Errorf("%s has no friends: %v", id, before.Ranks)
	}
	var done struct {
		UserID           string
		XP, PointsGained int64
		OldRank, NewRank int
	}
	if code := f.do(t, http.MethodPost, "/demo/exercise", "", token, &done); code != http.StatusOK {
		t.Fatalf("exercise: %d", code)
	}
	if done.UserID != id || done.PointsGained < 20 || done.XP != before.XP+done.PointsGained || done.NewRank == 0 {
		t.Errorf("exercise = %+v, before %d", done, before.XP)
	}
}

// token gets the token of a student, as a visitor does.
func (f *fixture) token(t *testing.T, id string) string {
	t.Helper()
	var grant struct {
		Token     string
		ExpiresAt time.Time
	}
	if code := f.do(t, http.MethodPost, "/demo/token", `{"userId":"`+id+`"}`, "", &grant); code != http.StatusOK {
		t.Fatalf("token: %d", code)
	}
	return grant.Token
}

func TestSchool_Handler_refuses(t *testing.T) {
	f := newFixture(t, 20)
	for name, c := range map[string]struct {
		path, body, token string
		want              int
	}{
		"unknown student":        {"/demo/token", `{"userId":"nobody"}`, "", http.StatusNotFound},
		"not JSON":               {"/demo/token", `userId`, "", http.StatusBadRequest},
		"exercise without token": {"/demo/exercise", "", "", http.StatusUnauthorized},
		"exercise, forged token": {"/demo/exercise", "", "forged", http.StatusUnauthorized},
	} {
		if code := f.do(t, http.MethodPost, c.path, c.body, c.token, nil); code != c.want {
			t.Errorf("%s: %d, want %d", name, code, c.want)
		}
	}
}
