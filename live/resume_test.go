package live_test

import (
	"cmp"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"marcador/live"
	"marcador/sse"
	"marcador/store"
)

// roamer is a client of several boards that leaves and comes back.
type roamer struct {
	t        *testing.T
	user     string
	id       string
	versions map[string]int64 // by board
	ranks    map[string]int   // the user's own, by board; 0 for none
}

// take applies what a stream sent, up to its last id.
func (w *roamer) take(fl *client) {
	w.t.Helper()
	w.id = cmp.Or(fl.lastID(), w.id) // a stream without news sends no id
	fl.mu.Lock()
	defer fl.mu.Unlock()
	for _, event := range fl.heard {
		name, data, _ := strings.Cut(event, " ")
		var e struct {
			Board            string
			From, Version    int64
			OldRank, NewRank int
		}
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			w.t.Fatal(err)
		}
		switch name {
		case "rank_changed":
			if e.OldRank != w.ranks[e.Board] {
				w.t.Fatalf("%s was sent to a client that was told rank %d", data, w.ranks[e.Board])
			}
			w.ranks[e.Board] = e.NewRank
		case "position_change":
			if e.From != w.versions[e.Board] {
				w.t.Fatalf("%s was sent to a client that has version %d", data, w.versions[e.Board])
			}
			w.versions[e.Board] = e.Version
		default:
			w.versions[e.Board] = e.Version
		}
	}
}

// A stream of several boards goes on with differences each time, under any throttle, and tells each
// move of the user's own rank. It does not matter within which board's window it breaks.
func TestService_resumeThrottled(t *testing.T) {
	for _, throttle := range []time.Duration{-1, 50 * time.Millisecond, 400 * time.Millisecond, 3 * time.Second} {
		inBubble(t, live.Options{Throttle: throttle, Top: 3}, func(t *testing.T, f *fixture) {
			seed := rand.Uint64()
			t.Logf("throttle %v, seed %d", throttle, seed)
			random := rand.New(rand.NewPCG(seed, 0))
			people := []string{"a", "b", "c", "d", "e"}
			f.in("1", "a", "b")
			f.in("2", "c")
			f.in("3", "d")
			both := store.Profile{ID: "e", Username: "e", Groups: map[string][]string{"school": {"1", "2"}}}
			if _, err := f.PutProfiles(t.Context(), []store.Profile{both}); err != nil {
				t.Fatal(err)
			}
			f.enrol(store.Profile{ID: "hid", Hidden: true}, "1")
			for _, id := range people {
				f.give(id, 20)
			}
			time.Sleep(time.Minute)
			w := &roamer{t: t, user: "e", versions: map[string]int64{}, ranks: map[string]int{}}
			var boards []live.Follow
			page := func(board string) live.PageBody {
				return f.ask(live.Query{Board: board, Period: store.AllTime, Limit: 9, Caller: w.user})
			}
			for _, board := range []string{live.Global, "school:1", "school:2"} {
				boards = append(boards, live.Follow{Board: board, Period: store.AllTime, User: w.user})
				w.ranks[board] = page(board).Me.Rank
			}
			others := f.followBoards("", 0, live.Follow{Board: "school:1", Period: store.AllTime, User: "a"})
			defer others.leave()
			for round := range 173 {
				fl := f.followBoards(w.id, sse.Diff, boards...)
				for range random.IntN(4) {
					time.Sleep(time.Duration(random.IntN(300)) * time.Millisecond)
					f.give(append(people, "hid")[random.IntN(6)], int64(1+random.IntN(5)))
				}
				w.take(fl)
				fl.leave()
				if !fl.recovered && round > 0 {
					t.Fatalf("throttle %v: round %d is not resumed", throttle, round)
				}
				if random.IntN(2) == 0 {
					f.give(people[random.IntN(5)], int64(1+random.IntN(5)))
				}
			}
			fl := f.followBoards(w.id, sse.Diff, boards...)
			time.Sleep(time.Minute)
			w.take(fl)
			fl.leave()
			for board, rank := range w.ranks {
				if p := page(board); p.Me.Rank != rank || len(p.Entries) <= 3 && p.Version != w.versions[board] {
					t.Errorf("throttle %v: of %s the client has rank %d and version %d, the page has %d and %d", throttle, board, rank, w.versions[board], p.Me.Rank, p.Version)
				}
			}
		})
	}
}

// A process with a copy of the file does not know what the first process has shown. It sends whole
// pages to a client of the first process, and works out the client's earlier rank from the ledger.
func TestService_foreignID(t *testing.T) {
	inBubble(t, live.Options{Throttle: -1}, func(t *testing.T, f *fixture) {
		f.in("1", "ana", "leo", "eva")
		f.in("2", "bob")
		f.give("ana", 30)
		f.close()
		file, err := os.ReadFile(f.path)
		if err != nil {
			t.Fatal(err)
		}
		copied := &fixture{t: t, path: filepath.Join(t.TempDir(), "copy.db"), log: &logBuffer{}}
		if err := os.WriteFile(copied.path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		f.open(live.Options{Throttle: -1})
		copied.open(live.Options{Throttle: 4 * time.Second})
		defer copied.close()
		boards := []live.Follow{{Board: "school:1", Period: store.AllTime, User: "ana"}, {Board: "school:2", Period: store.AllTime, User: "ana"}}
		theirs := copied.followBoards("", sse.Diff, boards...) // makes the copy's windows begin
		defer theirs.leave()
		fl := f.followBoards("", sse.Diff, boards...)
		for _, s := range []*fixture{f, copied} {
			s.give("ana", 10)
			s.give("leo", 20)
			s.give("bob", 5)
		}
		id := fl.lastID()
		fl.leave()
		copied.give("leo", 50)
		back := copied.followBoards(id, sse.Diff, boards...)
		defer back.leave()
		back.want("0s: rank 1>2 +0", "0s: 1 bob:5 ", "0s: 1 leo:70 2 ana:40 3 eva:0 ")
		if back.recovered {
			t.Error("the stream goes on from the id of another process")
		}
		again := f.followBoards(id, sse.Diff, boards...)
		defer again.leave()
		if again.want(); !again.recovered {
			t.Error("the stream does not go on from its own id")
		}
	})
}
