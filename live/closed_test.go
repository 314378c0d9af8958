package live_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"marcador/live"
	"marcador/rank"
	"marcador/store"
)

// closedDays makes four closed days, and returns when the first of them began. The first two have
// points. On the first day, shy was hidden. After the second day had begun, b changed schools, and
// the service was closed. It was opened on the fifth day, and gone was erased. The retention is
// five days.
func (f *fixture) closedDays() (began time.Time) {
	f.t.Helper()
	f.in("1", "a", "b", "gone")
	f.in("2", "c", "shy")
	began = time.Now()
	f.give("gone", 90)
	f.give("a", 50)
	f.give("c", 70)
	f.give("shy", 60)
	f.enrol(store.Profile{ID: "shy", Hidden: true}, "2")
	time.Sleep(24 * time.Hour)
	synctest.Wait()
	f.give("b", 7)
	f.give("a", 7)
	f.in("2", "b")
	f.close()
	time.Sleep(72 * time.Hour)
	f.open(live.Options{Ranks: rank.Competition, Retention: 5 * 24 * time.Hour})
	if err := f.Erase(f.t.Context(), "gone"); err != nil {
		f.t.Fatal(err)
	}
	synctest.Wait()
	return began
}

// final returns a page of a closed day.
func (f *fixture) final(board string, day time.Time, caller string) live.FinalPage {
	f.t.Helper()
	q := live.Query{Board: board, Period: store.Daily, Limit: 100, Caller: caller}
	p, err := f.Final(f.t.Context(), q, day)
	if err != nil {
		f.t.Errorf("%s on %v: %v", board, day, err)
	}
	return p
}

// Final ranks are those at the end of the period, whether or not the service was running then.
func TestService_Final_entries(t *testing.T) {
	inBubble(t, live.Options{Ranks: rank.Competition}, func(t *testing.T, f *fixture) {
		began := f.closedDays()
		for _, c := range []struct {
			board string
			day   int
			want  string
			total int
		}{
			{live.Global, 0, "2 c:70 3 a:50 ", 3}, // rank 1 is erased, and shy had none
			{live.Global, 1, "1 b:7 1 a:7 ", 2},
			{live.Global, 2, "", 0},
			{"school:1", 0, "2 a:50 ", 2}, // the same
			{"school:2", 0, "1 c:70 ", 1},
			{"school:2", 1, "1 b:7 ", 1}, // b was a member at the end of that day
			{"friends:a", 0, "1 a:50 ", 1},
		} {
			p := f.final(c.board, began.AddDate(0, 0, c.day), "")
			if got := brief(p.Entries); got != c.want || p.TotalEntries != c.total {
				t.Errorf("%s on day %d = %s of %d, want %s of %d", c.board, c.day, got, p.TotalEntries, c.want, c.total)
			}
		}
		if me := f.final(live.Global, began, "shy").Me; me == nil || me.Rank != 3 || me.Score != 60 || me.XP != 60 {
			t.Errorf("the hidden user had %+v, want rank 3", me)
		}
		if me := f.final("school:2", began, "shy").Me; me == nil || me.Rank != 2 {
			t.Errorf("the hidden user had %+v, want rank 2", me)
		}
		me := f.final("school:1", began.AddDate(0, 0, 1), "a").Me
		if me == nil || me.Rank != 1 || me.Change != 1 || me.ChangeType != "up" || me.XP != 57 {
			t.Errorf("a had %+v, want rank 1, up from rank 2", me)
		}
	})
}

// Closed periods are listed until they are older than the retention. Then nothing of them is left.
func TestService_Closed_untilRetention(t *testing.T) {
	inBubble(t, live.Options{Ranks: rank.Competition}, func(t *testing.T, f *fixture) {
		began := f.closedDays()
		closed, err := f.Closed(t.Context(), store.Daily, time.Now(), 10)
		if err != nil || len(closed) != 4 || !closed[3].Start.Equal(began) || !closed[0].End.Equal(began.AddDate(0, 0, 4)) {
			t.Errorf("closed = %v (%v)", closed, err)
		}
		for _, at := range []time.Time{began.Add(-time.Second), began.AddDate(0, 0, 4)} {
			if _, err := f.Final(t.Context(), live.Query{Board: live.Global, Period: store.Daily, Limit: 1}, at); !errors.Is(err, live.ErrNotClosed) {
				t.Errorf("%v: error = %v, want ErrNotClosed", at, err)
			}
		}
		time.Sleep(3 * 24 * time.Hour) // the first day is removed
		synctest.Wait()
		if closed, err = f.Closed(t.Context(), store.Daily, time.Now(), 10); err != nil || len(closed) != 6 || !closed[5].Start.Equal(began.AddDate(0, 0, 1)) {
			t.Errorf("closed = %v (%v), want the last five days and the day in which they began", closed, err)
		}
		if n := f.count(`
			SELECT (SELECT count(*) FROM finals WHERE closing NOT IN (SELECT number FROM closings))
			     + (SELECT count(*) FROM places WHERE closing NOT IN (SELECT number FROM closings))
			     + abs((SELECT count(*) FROM finals) - (SELECT count(*) FROM places))`); n != 0 {
			t.Errorf("%d rows of removed periods are left", n)
		}
	})
}

// Final ranks are the same numbers on the global board and on the board of a group with the same
// users. A user who was hidden has no final rank for others. Hiding, erasing or moving a user later
// changes nobody else's number, not even after a restart.
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
			f.enrol(store.Profile{ID: "shy", Hidden: true}, "1")
			if err := f.Befriend(t.Context(), "b", "a", true); err != nil {
				t.Fatal(err)
			}
			time.Sleep(24 * time.Hour)
			synctest.Wait()
			f.enrol(store.Profile{ID: "shy"}, "1") // visible now, but not when the day ended
			f.enrol(store.Profile{ID: "c", Hidden: true}, "1")
			f.enrol(store.Profile{ID: "f", Hidden: true}, "2")
			f.in("2", "g") // was a member when the day ended
			for _, id := range []string{"a", "d"} {
				if err := f.Erase(t.Context(), id); err != nil {
					t.Fatal(err)
				}
			}
			for range 2 {
				for _, board := range []string{live.Global, "school:1"} {
					p, err := f.Final(t.Context(), live.Query{Board: board, Period: store.Daily, Limit: 100, Caller: "c"}, began)
					if got := brief(p.Entries); err != nil || got != want || p.TotalEntries != 7 {
						t.Errorf("%s: %s says %s of %d (%v), want %s of 7", ranks, board, got, p.TotalEntries, err, want)
					}
					if p.Me == nil || p.Me.Rank != map[rank.Numbering]int{rank.Ordinal: 3, rank.Competition: 3, rank.Dense: 2}[ranks] {
						t.Errorf("%s: %s tells the user who is hidden now %+v", ranks, board, p.Me)
					}
					if p, err = f.Final(t.Context(), live.Query{Board: board, Period: store.Daily, Offset: 4, Limit: 1}, began); err != nil || brief(p.Entries) != want[len("2 b:50 "):len("2 b:50 5 e:30 ")] {
						t.Errorf("%s: %s has at position 5 %s (%v)", ranks, board, brief(p.Entries), err)
					}
					if p, err = f.Final(t.Context(), live.Query{Board: board, Period: store.Daily, Limit: 1, Caller: "shy"}, began); err != nil || p.Me == nil || p.Me.Rank != map[rank.Numbering]int{rank.Ordinal: 4, rank.Competition: 4, rank.Dense: 3}[ranks] {
						t.Errorf("%s: %s tells the user who was hidden then %+v (%v)", ranks, board, p.Me, err)
					}
				}
				p, err := f.Final(t.Context(), live.Query{Board: "friends:b", Period: store.Daily, Limit: 100}, began)
				if got := brief(p.Entries); err != nil || p.TotalEntries != 2 || got != fmt.Sprintf("%d b:50 ", map[rank.Numbering]int{rank.Ordinal: 2, rank.Competition: 1, rank.Dense: 1}[ranks]) {
					t.Errorf("%s: friends:b says %s of %d (%v)", ranks, got, p.TotalEntries, err)
				}
				f.close()
				f.open(live.Options{Ranks: ranks})
			}
			if n := f.count(`SELECT count(*) FROM gaps WHERE kind = 'school'`); n != 2 {
				t.Errorf("%d gaps are stored, want 2 for the day", n)
			}
		})
	}
}

// A group's closed period may be read by the users who were members at its end, also if they have
// left since. Users who joined later may not read it.
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
			listed, err := f.ClosedTo(t.Context(), c.board, c.who, store.Daily, time.Now(), 10)
			if ever := c.may[0] || c.may[1]; errors.Is(err, live.ErrNotMember) == ever {
				t.Errorf("the list of %s for %s: error = %v", c.board, c.who, err)
			}
			n := 0
			for i, may := range c.may {
				p, err := f.Final(t.Context(), live.Query{Board: c.board, Period: store.Daily, Limit: 9, Caller: c.who, AsMember: true}, began.AddDate(0, 0, i))
				if errors.Is(err, live.ErrNotMember) == may || may && (err != nil || p.Me == nil || p.Me.UserID != c.who) {
					t.Errorf("%s reads day %d of %s: %+v (%v), want allowed %v", c.who, i, c.board, p.Me, err, may)
				}
				if may {
					n++
				}
			}
			if len(listed) != n {
				t.Errorf("%s is listed %d days of %s, want %d", c.who, len(listed), c.board, n)
			}
		}
		if _, err := f.Final(t.Context(), live.Query{Board: "school:7a", Period: store.Daily, Caller: "other", AsMember: true}, time.Now()); !errors.Is(err, live.ErrNotMember) {
			t.Errorf("error = %v, want ErrNotMember", err)
		}
		if _, err := f.Final(t.Context(), live.Query{Board: "school:7a", Period: store.Daily, Caller: "mover", AsMember: true}, time.Now()); !errors.Is(err, live.ErrNotClosed) {
			t.Errorf("error = %v, want ErrNotClosed", err)
		}
	})
}

// A period that is longer than the retention is closed once, and not again and again.
func TestService_shortRetentionClosesOnce(t *testing.T) {
	inBubble(t, live.Options{Retention: 2 * 24 * time.Hour}, func(t *testing.T, f *fixture) {
		f.put("a")
		f.give("a", 30)
		for range 9 {
			time.Sleep(24 * time.Hour)
			f.give("a", 1)
		}
		synctest.Wait()
		if n := strings.Count(f.log.String(), "period=weekly"); n > 2 {
			t.Errorf("two weeks were closed %d times", n)
		}
	})
}
