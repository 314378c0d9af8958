package live_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"marcador/live"
	"marcador/rank"
)

// Closed places are final, by one rule for everybody's board and a group's of the same
// people: who was hidden then had none; who is hidden, erased or moved later leaves the
// others' numbers as they are, also after a restart.
func TestService_Final_numbers(t *testing.T) {
	for ranks, want := range map[rank.Numbering]string{
		rank.Ordinal:     "2 b:50 5 e:30 7 g:10 ",
		rank.Competition: "1 b:50 4 e:30 7 g:10 ",
		rank.Dense:       "1 b:50 3 e:30 5 g:10 ",
	} {
		inBubble(t, live.Options{Ranks: ranks}, func(t *testing.T, f *fixture) {
			f.in("1", "a", "b", "c", "shy", "d", "e", "f", "g")
			began := time.Now()
			for i, xp := range []int64{50, 50, 40, 35, 30, 30, 20, 10} {
				f.give([]string{"a", "b", "c", "shy", "d", "e", "f", "g"}[i], xp)
			}
			f.enrol(live.Profile{ID: "shy", Hidden: true}, "1")
			if err := f.Befriend(t.Context(), "b", "a", true); err != nil {
				t.Fatal(err)
			}
			time.Sleep(24 * time.Hour)
			synctest.Wait()
			f.enrol(live.Profile{ID: "shy"}, "1") // is seen now, and had no place then
			f.enrol(live.Profile{ID: "c", Hidden: true}, "1")
			f.enrol(live.Profile{ID: "f", Hidden: true}, "2")
			f.in("2", "g") // was a member then
			for _, id := range []string{"a", "d"} {
				if err := f.Erase(t.Context(), id); err != nil {
					t.Fatal(err)
				}
			}
			for range 2 {
				for _, board := range []string{live.Global, "school:1"} {
					p, err := f.Final(t.Context(), live.Query{Board: board, Period: live.Daily, Limit: 100, Caller: "c"}, began)
					if got := brief(p.Entries); err != nil || got != want || p.TotalEntries != 7 {
						t.Errorf("%s: %s says %s of %d (%v), want %s of 7", ranks, board, got, p.TotalEntries, err, want)
					}
					if p.Me == nil || p.Me.Rank != map[rank.Numbering]int{rank.Ordinal: 3, rank.Competition: 3, rank.Dense: 2}[ranks] {
						t.Errorf("%s: %s tells who is hidden now %+v", ranks, board, p.Me)
					}
					if p, err = f.Final(t.Context(), live.Query{Board: board, Period: live.Daily, Offset: 4, Limit: 1}, began); err != nil || brief(p.Entries) != want[len("2 b:50 "):len("2 b:50 5 e:30 ")] {
						t.Errorf("%s: %s has at place 5 %s (%v)", ranks, board, brief(p.Entries), err)
					}
					if p, err = f.Final(t.Context(), live.Query{Board: board, Period: live.Daily, Limit: 1, Caller: "shy"}, began); err != nil || p.Me == nil || p.Me.Rank != map[rank.Numbering]int{rank.Ordinal: 4, rank.Competition: 4, rank.Dense: 3}[ranks] {
						t.Errorf("%s: %s tells who was hidden then %+v (%v)", ranks, board, p.Me, err)
					}
				}
				p, err := f.Final(t.Context(), live.Query{Board: "friends:b", Period: live.Daily, Limit: 100}, began)
				if got := brief(p.Entries); err != nil || p.TotalEntries != 2 || got != fmt.Sprintf("%d b:50 ", map[rank.Numbering]int{rank.Ordinal: 2, rank.Competition: 1, rank.Dense: 1}[ranks]) {
					t.Errorf("%s: friends:b says %s of %d (%v)", ranks, got, p.TotalEntries, err)
				}
				f.close()
				f.open(live.Options{Ranks: ranks})
			}
			if n := f.count(`SELECT count(*) FROM gaps WHERE kind = 'school'`); n != 2 {
				t.Errorf("%d gaps are kept, want 2 of the day", n)
			}
		})
	}
}

// enrol puts a profile in a school.
func (f *fixture) enrol(p live.Profile, school string) {
	f.t.Helper()
	p.Username, p.Groups = p.ID, map[string][]string{"school": {school}}
	if _, err := f.PutProfiles(f.t.Context(), []live.Profile{p}); err != nil {
		f.t.Fatal(err)
	}
}

// A group's closed period is for who was a member at its end: also for who has left since,
// and not for who has come.
func TestService_Final_members(t *testing.T) {
	inBubble(t, live.Options{}, func(t *testing.T, f *fixture) {
		f.in("7a", "mover", "stays")
		f.in("8a", "other")
		began := time.Now()
		day := func() {
			for _, id := range []string{"mover", "stays", "other"} {
				f.give(id, 5)
			}
			time.Sleep(24 * time.Hour)
			synctest.Wait()
		}
		day()
		f.in("8a", "mover")
		day()
		for _, c := range []struct {
			board, who string
			may        [2]bool
		}{
			{"school:7a", "stays", [2]bool{true, true}}, {"school:7a", "mover", [2]bool{true, false}}, {"school:7a", "other", [2]bool{}},
			{"school:8a", "other", [2]bool{true, true}}, {"school:8a", "mover", [2]bool{false, true}}, {"school:8a", "nobody", [2]bool{}},
		} {
			listed, err := f.ClosedTo(t.Context(), c.board, c.who, live.Daily, time.Now(), 10)
			if ever := c.may[0] || c.may[1]; errors.Is(err, live.ErrNotMember) == ever {
				t.Errorf("the list of %s is given to %s: %v", c.board, c.who, err)
			}
			n := 0
			for i, may := range c.may {
				p, err := f.Final(t.Context(), live.Query{Board: c.board, Period: live.Daily, Limit: 9, Caller: c.who, AsMember: true}, began.AddDate(0, 0, i))
				if errors.Is(err, live.ErrNotMember) == may || may && (err != nil || p.Me == nil || p.Me.UserID != c.who) {
					t.Errorf("%s reads day %d of %s: %+v (%v), want %v", c.who, i, c.board, p.Me, err, may)
				}
				if may {
					n++
				}
			}
			if len(listed) != n {
				t.Errorf("%s is told of %d days of %s, want %d", c.who, len(listed), c.board, n)
			}
		}
		if _, err := f.Final(t.Context(), live.Query{Board: "school:7a", Period: live.Daily, Caller: "other", AsMember: true}, time.Now()); !errors.Is(err, live.ErrNotMember) {
			t.Errorf("error = %v, want ErrNotMember", err)
		}
		if _, err := f.Final(t.Context(), live.Query{Board: "school:7a", Period: live.Daily, Caller: "mover", AsMember: true}, time.Now()); !errors.Is(err, live.ErrNotClosed) {
			t.Errorf("error = %v, want ErrNotClosed", err)
		}
	})
}
