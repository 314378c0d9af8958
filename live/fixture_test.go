package live_test

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"marcador/internal/schematest"
	"marcador/live"
	"marcador/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fixture is a service on a real database. In a bubble, time is virtual: it begins at midnight UTC
// on 1 January 2000.
type fixture struct {
	*live.Service

	t    *testing.T
	path string
	log  *logBuffer
}

// logBuffer collects the log. Safe for concurrent use.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// inBubble runs a test in a bubble of virtual time, with an open service.
func inBubble(t *testing.T, opts live.Options, test func(t *testing.T, f *fixture)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "m.db")
	synctest.Test(t, func(t *testing.T) {
		f := &fixture{t: t, path: path, log: &logBuffer{}}
		f.open(opts)
		test(t, f)
		f.close()
	})
}

// open opens the service, for the first time or again.
func (f *fixture) open(opts live.Options) {
	f.t.Helper()
	opts.Log = slog.New(slog.NewTextHandler(io.MultiWriter(f.log, f.t.Output()), nil))
	opts.Schema = schematest.Text(f.t)
	s, err := live.Open(f.t.Context(), f.path, opts)
	if err != nil {
		f.t.Fatal(err)
	}
	f.Service = s
}

// close closes the service.
func (f *fixture) close() {
	f.t.Helper()
	if err := f.Close(); err != nil {
		f.t.Error(err)
	}
}

// put stores profiles without groups.
func (f *fixture) put(ids ...string) {
	f.t.Helper()
	var profiles []store.Profile
	for _, id := range ids {
		profiles = append(profiles, store.Profile{ID: id, Username: "name of " + id})
	}
	if _, err := f.PutProfiles(f.t.Context(), profiles); err != nil {
		f.t.Fatal(err)
	}
}

// in makes users members of a school, and of no other group. With an empty school, they have none.
func (f *fixture) in(school string, ids ...string) {
	f.t.Helper()
	var profiles []store.Profile
	for _, id := range ids {
		p := store.Profile{ID: id, Username: "name of " + id}
		if school != "" {
			p.Groups = map[string][]string{"school": {school}}
		}
		profiles = append(profiles, p)
	}
	if _, err := f.PutProfiles(f.t.Context(), profiles); err != nil {
		f.t.Fatal(err)
	}
}

// enrol stores a profile whose user is a member of the school. The name is the id.
func (f *fixture) enrol(p store.Profile, school string) {
	f.t.Helper()
	p.Username, p.Groups = p.ID, map[string][]string{"school": {school}}
	if _, err := f.PutProfiles(f.t.Context(), []store.Profile{p}); err != nil {
		f.t.Fatal(err)
	}
}

// hide hides the user from others, or shows them again.
func (f *fixture) hide(id string, hidden bool) {
	f.t.Helper()
	if _, err := f.PutProfiles(f.t.Context(), []store.Profile{{ID: id, Username: "name of " + id, Hidden: hidden}}); err != nil {
		f.t.Fatal(err)
	}
}

// befriend makes two users friends.
func (f *fixture) befriend(a, b string) {
	f.t.Helper()
	if err := f.Befriend(f.t.Context(), a, b, true); err != nil {
		f.t.Fatal(err)
	}
}

// unfriend ends a friendship.
func (f *fixture) unfriend(a, b string) {
	f.t.Helper()
	if err := f.Unfriend(f.t.Context(), a, b); err != nil {
		f.t.Fatal(err)
	}
}

// give gives the user points.
func (f *fixture) give(id string, xp int64) live.Result {
	f.t.Helper()
	results, err := f.AddPoints(f.t.Context(), []store.Write{{Updates: []store.Update{{UserID: id, XP: xp}}}})
	if err != nil {
		f.t.Fatal(err)
	}
	return results[0]
}

// coins gives the user coins and no points.
func (f *fixture) coins(id string, n int64) {
	f.t.Helper()
	if _, err := f.AddPoints(f.t.Context(), []store.Write{{Updates: []store.Update{{UserID: id, MLCoins: n}}}}); err != nil {
		f.t.Fatal(err)
	}
}

// page returns a page of the global board of all time.
func (f *fixture) page(offset, limit int, caller string) live.PageBody {
	f.t.Helper()
	return f.ask(live.Query{Board: live.Global, Period: store.AllTime, Offset: offset, Limit: limit, Caller: caller})
}

// ask returns a page, once all goroutines are idle.
func (f *fixture) ask(q live.Query) live.PageBody {
	f.t.Helper()
	synctest.Wait()
	body, err := f.Page(f.t.Context(), q)
	if err != nil {
		f.t.Fatal(err)
	}
	var p live.PageBody
	if err := json.Unmarshal(body, &p); err != nil {
		f.t.Fatalf("%v: %s", err, body)
	}
	return p
}

// daily returns the user's own entry on the page of the day.
func (f *fixture) daily(who string) *live.OwnEntry {
	f.t.Helper()
	return f.ask(live.Query{Board: live.Global, Period: store.Daily, Limit: 1, Caller: who}).Me
}

// changes returns how the users of a board have moved since the baseline.
func (f *fixture) changes(board string, period store.Period) (s string) {
	f.t.Helper()
	for _, e := range f.ask(live.Query{Board: board, Period: period, Limit: 10}).Entries {
		s += fmt.Sprint(e.UserID, " ", e.ChangeType, e.Change, " ")
	}
	return s
}

// brief returns rank, user and score of every entry.
func brief(entries []live.Entry) string {
	s := ""
	for _, e := range entries {
		s += fmt.Sprintf("%d %s:%d ", e.Rank, e.UserID, e.Score)
	}
	return s
}

// wantPage checks the entries of the global board of all time.
func (f *fixture) wantPage(want string) {
	f.t.Helper()
	if got := brief(f.page(0, 100, "").Entries); got != want {
		f.t.Errorf("page = %s, want %s", got, want)
	}
}

// wantBoard checks the entries of a board.
func (f *fixture) wantBoard(board string, period store.Period, want string) {
	f.t.Helper()
	if got := brief(f.ask(live.Query{Board: board, Period: period, Limit: 100}).Entries); got != want {
		f.t.Errorf("%s %s = %s, want %s", board, period, got, want)
	}
}

// sql runs a statement on the database, as another program would.
func (f *fixture) sql(query string) {
	f.t.Helper()
	db, err := sql.Open("sqlite", f.path)
	if err == nil {
		_, err = db.ExecContext(f.t.Context(), query)
	}
	if err == nil {
		err = db.Close()
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

// count returns the number that a query of the database returns.
func (f *fixture) count(query string) (n int) {
	f.t.Helper()
	db, err := sql.Open("sqlite", f.path)
	if err == nil {
		err = db.QueryRowContext(f.t.Context(), query).Scan(&n)
	}
	if err == nil {
		err = db.Close()
	}
	if err != nil {
		f.t.Fatal(err)
	}
	return n
}
