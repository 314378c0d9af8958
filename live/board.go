package live

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"marcador/rank"
	"marcador/store"
)

// The kinds of boards that are not groups.
const (
	Global  = "global"
	Friends = store.Friends
)

const (
	// maxLoadedMembers bounds the places on boards that are loaded; past it those that nobody
	// uses, and were not used for longest, are loaded again when they are.
	maxLoadedMembers = 300_000

	// emptyBoardMembers is how many places take as much memory as a board without any.
	emptyBoardMembers = 50
)

// board is who competes: everybody, a group, or a user and their friends. The global
// one is always there; the others are loaded when they are asked for.
type board struct {
	s        *Service
	name     string
	kind     string
	rankings [store.Ending + 1]*ranking // by period

	members map[uint32]struct{} // guarded by s.mu; nil for the global one, whose members are all

	pins atomic.Int64 // who uses it; from 0 it rises with s.mu held only
	used atomic.Int64 // when it was pinned last, by Service.uses
	rows rowSize
}

// allOfKind is behind the kind in the name that stands for all boards of the kind.
const allOfKind = ":*"

// KindOf returns what a board's name says is its kind, or false for what can't be the
// name of a board.
func KindOf(name string) (kind string, ok bool) {
	kind, id, hasID := strings.Cut(name, ":")
	return kind, name == Global || hasID && kind != "" && kind != Global && id != ""
}

func newBoard(s *Service, name string) *board {
	kind, _ := KindOf(name)
	b := &board{s: s, name: name, kind: kind}
	if name != Global {
		b.members = map[uint32]struct{}{}
	}
	for p := range b.rankings {
		b.rankings[p] = newRanking(b, store.Period(p))
	}
	return b
}

// has reports whether the user is a member. It is called with s.mu held.
func (b *board) has(user uint32) bool {
	if b.members == nil {
		return true
	}
	_, is := b.members[user]
	return is
}

// put brings the board up to what the user has now, and returns the ranks of all time
// before and after. It is called with s.mu held.
func (b *board) put(user uint32, to totals) (before, after int) {
	hidden := b.s.people.isHidden(user)
	for p, r := range b.rankings {
		score, there := to.xp, true
		if p < store.Ending {
			score, there = to.scores[p].XP, to.scores[p].There
		}
		if !there {
			continue
		}
		before, after = r.rank.Put(user, score, to.reached)
		if before == 0 && hidden {
			r.rank.Hide(user)
			after = r.rank.Rank(user)
		}
		if hidden {
			r.changed(affectsUser)
		} else {
			r.changed(r.effectOfMove(before, after))
		}
	}
	return before, after
}

// join makes the user a member. It is called with s.mu held.
func (b *board) join(user uint32) {
	if b.has(user) {
		return
	}
	b.members[user] = struct{}{}
	b.s.loadedMembers++
	b.s.boardsOf[user] = append(b.s.boardsOf[user], b)
	for p, r := range b.rankings {
		if it, ok := b.s.global.rankings[p].rank.Item(user); ok {
			r.rank.Put(user, it.Score, it.Seq)
			if b.s.people.isHidden(user) {
				r.rank.Hide(user)
			}
		}
		r.changed(b.s.people.effectOf(user))
	}
}

// leave ends the user's membership. It is called with s.mu held.
func (b *board) leave(user uint32) {
	if b.members != nil {
		if !b.has(user) {
			return
		}
		delete(b.members, user)
		b.s.loadedMembers--
		b.s.boardsOf[user] = slices.DeleteFunc(b.s.boardsOf[user], func(other *board) bool { return other == b })
		if len(b.s.boardsOf[user]) == 0 {
			delete(b.s.boardsOf, user)
		}
	}
	for _, r := range b.rankings {
		r.rank.Remove(user)
		r.changed(b.s.people.effectOf(user))
	}
}

// hide takes the user out of others' sight, or shows them again. It is called with
// s.mu held.
func (b *board) hide(user uint32, hidden bool) {
	for _, r := range b.rankings {
		if hidden {
			r.rank.Hide(user) // also where the user is in the baseline alone
		} else if r.rank.Hidden(user) {
			r.rank.Show(user)
		}
		r.changed(affectsAll)
	}
}

// roster is who is on a board, as it is loaded.
type roster struct {
	members   []uint32
	now, then [store.Ending + 1][]rank.Item // by period: at present, and at the baseline
	seen      stamp                         // of the last points of a member who is not hidden, up to a version
}

// readRoster reads a board's members and its baseline from the database. Points count as
// seen up to the version.
func (s *Service) readRoster(ctx context.Context, name string, t runningPeriods, version int64) (*roster, error) {
	ros := &roster{}
	var seen []uint32
	err := s.store.Members(ctx, name, func(st *store.Standing) error {
		ros.members = append(ros.members, st.User)
		if !st.Hidden {
			seen = append(seen, st.User)
		}
		for p := range ros.then {
			if it, there := t.then(store.Period(p), st); there {
				ros.then[p] = append(ros.then[p], it)
			}
		}
		return nil
	})
	if err == nil && version > 0 {
		var last store.Stamp
		last, err = s.store.LastOf(ctx, seen, version)
		ros.seen = stampOf(last)
	}
	if err != nil {
		return nil, fmt.Errorf("load board %q: %w", name, err)
	}
	return ros, nil
}

// take notes what some of the members have at present. It is called with s.mu held.
func (ros *roster) take(s *Service, members []uint32) {
	for p := range ros.now {
		for _, user := range members {
			if it, ok := s.global.rankings[p].rank.Item(user); ok {
				ros.now[p] = append(ros.now[p], it)
			}
		}
	}
}

// rank puts the roster in order. O(n log n).
func (b *board) rank(ros *roster) {
	for p, r := range b.rankings {
		r.rank.Load(ros.now[p], ros.then[p])
	}
}

// enter makes those on the roster members of the board, in which they stand already.
// What others see is of the stamp, or of when the period began. It is called with s.mu held.
func (b *board) enter(ros *roster, as stamp) {
	for _, user := range ros.members {
		b.members[user] = struct{}{}
		b.s.boardsOf[user] = append(b.s.boardsOf[user], b)
		if b.s.people.isHidden(user) {
			for _, r := range b.rankings {
				r.rank.Hide(user)
			}
		}
	}
	b.dated(as)
}

// dated says of which change the board is that others see, or of its period's beginning,
// where that came later. It is called with s.mu held.
func (b *board) dated(as stamp) {
	for p, r := range b.rankings {
		from := Period(p)
		if from == AllTime {
			from = b.s.opts.Baseline
		}
		r.stamp = as
		if begun := b.s.periods.starts[from]; r.stamp.at.Before(begun) {
			r.stamp.at = begun.UTC()
		}
		r.seen = r.stamp
	}
}
