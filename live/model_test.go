package live_test

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"marcador/command/verify"
	"marcador/live"
	"marcador/rank"
	"marcador/store"
)

// model is a service with an oracle. The oracle works out each board from the ledger in SQL, and
// shares no code with the service's ranking.
type model struct {
	*fixture

	t      *rapid.T
	now    atomic.Int64 // nanoseconds since 1970
	opts   live.Options
	oracle *verify.DB
	people []string                 // ids that may be in use
	last   map[string]live.PageBody // the last page of each board and period
	boards []string
}

var (
	periods      = []store.Period{store.Daily, store.Weekly, store.Monthly, store.AllTime}
	friendsRules = []store.FriendsRule{store.FriendsMutual, store.FriendsInGroup, store.FriendsOpen}
)

// Random things happen to a service, with restarts and the passing of periods. Every board, page,
// rank and change is what the oracle says.
func TestService_model(t *testing.T) {
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		_ = f.Value.Set("3") // each checks hundreds of boards; -rapid.checks=100 for more
	}
	folder := t.TempDir()
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		m := newModel(t, rt, filepath.Join(folder, strconv.Itoa(n)+".db"))
		m.open(m.opts)
		m.consult()
		defer func() {
			err := errors.Join(m.oracle.Close(), m.Close())
			if err == nil {
				err = os.Remove(m.path)
			}
			if err != nil {
				rt.Fatal(err)
			}
		}()
		m.enrol()
		rt.Repeat(map[string]func(*rapid.T){
			"give":     m.give,
			"give 2":   m.give,
			"enrol":    func(*rapid.T) { m.enrol() },
			"erase":    m.erase,
			"befriend": m.befriend,
			"sleep":    m.sleep,
			"limit":    m.limit,
			"restart":  m.restart,
			"":         m.compare,
		})
		for _, board := range m.boards {
			for _, p := range periods {
				m.compareBoard(board, p)
			}
		}
		if found, err := m.oracle.Totals(t.Context()); err != nil || found != "" {
			rt.Fatalf("%s (%v)", found, err)
		}
	})
}

// newModel returns a model with random options, which is not open yet. It begins shortly before a
// month ends and the clocks change in one of the time zones.
func newModel(t *testing.T, rt *rapid.T, path string) *model {
	t.Helper()
	zones := []string{"UTC", "America/Mexico_City", "Europe/Madrid", "Asia/Kathmandu"}
	zone, err := time.LoadLocation(rapid.SampledFrom(zones).Draw(rt, "zone"))
	if err != nil {
		rt.Fatal(err)
	}
	m := &model{
		fixture: &fixture{t: t, path: path, log: &logBuffer{}}, t: rt,
		opts: live.Options{
			Location: zone, CacheTTL: 1000 * time.Hour,
			Ranks:    rapid.SampledFrom(numberings).Draw(rt, "ranks"),
			Baseline: rapid.SampledFrom(periods[:3]).Draw(rt, "baseline"),
			Friends:  rapid.SampledFrom(friendsRules).Draw(rt, "friends"),
		},
		last:   map[string]live.PageBody{},
		people: []string{"ana", "Bea", "carl", "dé", "eva", "fin"},
		boards: []string{"global", "school:1", "school:2", "class:a:b", "friends:ana", "friends:eva", "club:none"},
	}
	m.now.Store(time.Date(2026, 3, 27, 20, 0, 0, 0, time.UTC).UnixNano())
	m.opts.Now = m.clock
	return m
}

func (m *model) clock() time.Time { return time.Unix(0, m.now.Load()) }

// ask does the work of fixture.ask outside of a bubble.
func (m *model) ask(q live.Query) (p live.PageBody) {
	m.t.Helper()
	body, err := m.Page(m.fixture.t.Context(), q)
	if err == nil {
		err = json.Unmarshal(body, &p)
	}
	if err != nil {
		m.t.Fatal(err)
	}
	return p
}

var numberings = []rank.Numbering{rank.Ordinal, rank.Competition, rank.Dense}

// somebody returns a random id.
func (m *model) somebody() string { return rapid.SampledFrom(m.people).Draw(m.t, "who") }

// allow fails the test unless there was no error, or a refusal with one of these codes.
func (m *model) allow(err error, codes ...store.Code) {
	var refusal *store.Error
	if err != nil && !(errors.As(err, &refusal) && slices.Contains(codes, refusal.Code)) {
		m.t.Fatal(err)
	}
}

// give gives points to some users at once, and checks the answer against the page.
func (m *model) give(t *rapid.T) {
	who := m.somebody()
	var updates []store.Update
	for range rapid.SampledFrom([]int{1, 1, 3}).Draw(t, "n") {
		updates = append(updates, store.Update{UserID: who, XP: rapid.Int64Range(-2, 4).Draw(t, "xp"), MLCoins: rapid.Int64Range(0, 1).Draw(t, "coins")})
		who = m.somebody()
	}
	results, err := m.AddPoints(m.fixture.t.Context(), []store.Write{{Updates: updates}})
	m.allow(err, store.UserNotFound, store.NegativeTotal, store.NothingToChange)
	if err != nil {
		return
	}
	last := results[len(results)-1]
	p := m.ask(live.Query{Board: live.Global, Period: store.AllTime, Limit: 1000, Caller: last.UserID})
	// The user is missing from the entries if the user is hidden.
	seen := slices.ContainsFunc(p.Entries, func(e live.Entry) bool { return e.UserID == last.UserID })
	if p.Me == nil || p.Me.Rank != last.NewRank || seen && p.Version != last.Version || !seen && p.Version == last.Version {
		t.Fatalf("the answer says rank %d at %d, the page %+v at %d", last.NewRank, last.Version, p.Me, p.Version)
	}
}

// enrol stores random profiles.
func (m *model) enrol() {
	var profiles []store.Profile
	for _, id := range rapid.SliceOfNDistinct(rapid.SampledFrom(m.people), 1, 4, rapid.ID[string]).Draw(m.t, "who") {
		groups := map[string][]string{}
		if school := rapid.SampledFrom([]string{"", "1", "2"}).Draw(m.t, "school"); school != "" {
			groups["school"] = []string{school}
		}
		if rapid.Bool().Draw(m.t, "in class") {
			groups["class"] = []string{"a:b"}
		}
		profiles = append(profiles, store.Profile{ID: id, Username: id, Groups: groups, Hidden: rapid.IntRange(0, 4).Draw(m.t, "hidden") == 0})
	}
	_, err := m.PutProfiles(m.fixture.t.Context(), profiles)
	m.allow(err)
}

// erase erases a user, who may not exist.
func (m *model) erase(*rapid.T) {
	m.allow(m.Erase(m.fixture.t.Context(), m.somebody()), store.UserNotFound)
}

// befriend begins or ends a friendship.
func (m *model) befriend(t *rapid.T) {
	var err error
	if a, b := m.somebody(), m.somebody(); rapid.IntRange(0, 3).Draw(t, "off") == 0 {
		err = m.Unfriend(m.fixture.t.Context(), a, b)
	} else {
		err = m.Befriend(m.fixture.t.Context(), a, b, rapid.Bool().Draw(t, "both"))
	}
	m.allow(err, store.UserNotFound, store.OwnFriend)
}

// limit sets a limit that hides nobody. It matters because with FriendsInGroup a limit decides
// which friendships count.
func (m *model) limit(t *rapid.T) {
	board := rapid.SampledFrom([]string{"school:1", "school:*", "class:a:b"}).Draw(t, "board")
	m.allow(m.PutLimit(m.fixture.t.Context(), board, rapid.SampledFrom([]int{0, 1000}).Draw(t, "top")))
}

// restart opens the service again. It may then show the same data another way.
func (m *model) restart(t *rapid.T) {
	m.close()
	m.opts.Friends = rapid.SampledFrom(friendsRules).Draw(t, "friends")
	m.opts.Ranks = rapid.SampledFrom(numberings).Draw(t, "ranks")
	m.opts.Baseline = rapid.SampledFrom(periods[:3]).Draw(t, "baseline")
	m.open(m.opts)
	if err := m.oracle.Close(); err != nil {
		t.Fatal(err)
	}
	m.consult()
}

// consult opens the oracle.
func (m *model) consult() {
	var err error
	m.oracle, err = verify.Open(m.fixture.t.Context(), m.path, verify.Options{
		Location: m.opts.Location, Baseline: verify.Period(m.opts.Baseline.String()), Numbering: m.opts.Ranks.String(), Friends: m.opts.Friends.String(),
	})
	if err != nil {
		m.t.Fatal(err)
	}
}

// sleep lets time pass, while the service runs or while it is closed.
func (m *model) sleep(t *rapid.T) {
	d := rapid.SampledFrom([]time.Duration{time.Minute, 5 * time.Hour, 24 * time.Hour, 3 * 24 * time.Hour, 8 * 24 * time.Hour, 33 * 24 * time.Hour}).Draw(t, "for")
	switch rapid.IntRange(0, 3).Draw(t, "how") {
	case 0:
		m.close()
		m.now.Add(int64(d))
		m.open(m.opts)
	case 1: // until the next day begins
		m.now.Store(store.Daily.Next(m.clock().In(m.opts.Location)).UnixNano())
	default:
		m.now.Add(int64(d))
	}
	live.BeginOverduePeriods(m.Service)
}
