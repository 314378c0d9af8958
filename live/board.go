package live

import (
	"slices"
	"strings"
	"sync/atomic"

	"marcador/store"
)

// Kinds of boards that are not groups. Global is also the name of the global board.
const (
	Global  = "global"
	Friends = store.Friends
)

// board is a set of users who compete: all users, the members of a group, or a user with their
// friends. The global board is always in memory. Other boards are loaded when they are asked
// for.
type board struct {
	s        *Service
	name     string
	kind     string
	rankings [store.Ending + 1]*ranking // by period

	// members is nil for the global board, which has all users. Guarded by s.mu.
	members map[uint32]struct{}

	pins atomic.Int64 // how many callers use the board; it rises from 0 only with s.mu held
	used atomic.Int64 // the value of Service.uses when the board was last pinned
	rows rowSize
}

// allOfKind follows a kind in the name that stands for all boards of that kind: "school:*".
const allOfKind = ":*"

// KindOf returns the kind of a board, which is the first part of its name. ok is false if the
// name can't be the name of a board.
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

// has reports whether the user is a member. s.mu must be held.
func (b *board) has(user uint32) bool {
	if b.members == nil {
		return true
	}
	_, ok := b.members[user]
	return ok
}

// put gives a member new totals, and returns the ranks of all time before and after. 0 means no
// rank. s.mu must be held.
func (b *board) put(user uint32, to totals) (before, after int) {
	hidden := b.s.people.isHidden(user)
	for p, r := range b.rankings {
		score, scored := to.xp, true
		if p < store.Ending {
			score, scored = to.scores[p].XP, to.scores[p].There
		}
		if !scored {
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

// join makes the user a member. s.mu must be held.
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

// leave removes a member. s.mu must be held.
func (b *board) leave(user uint32) {
	if b.members != nil {
		if !b.has(user) {
			return
		}
		delete(b.members, user)
		b.s.loadedMembers--
		b.s.forgetBoardOf(user, b)
	}
	for _, r := range b.rankings {
		r.rank.Remove(user)
		r.changed(b.s.people.effectOf(user))
	}
}

// forgetBoardOf removes the board from those that the user is on. mu must be held.
func (s *Service) forgetBoardOf(user uint32, b *board) {
	rest := slices.DeleteFunc(s.boardsOf[user], func(other *board) bool { return other == b })
	if len(rest) == 0 {
		delete(s.boardsOf, user)
	} else {
		s.boardsOf[user] = rest
	}
}

// hide hides the user from all others, or shows them again. s.mu must be held.
func (b *board) hide(user uint32, hidden bool) {
	for _, r := range b.rankings {
		if hidden {
			r.rank.Hide(user) // also if the user has no score now: the baseline may have one
		} else if r.rank.Hidden(user) {
			r.rank.Show(user)
		}
		r.changed(affectsAll)
	}
}

// affectAll records that the current commit may have changed everything on the board.
func (b *board) affectAll() {
	for _, r := range b.rankings {
		r.changed(affectsAll)
	}
}

// setStamp sets the stamp of every ranking, as if the change had just been applied. If a
// ranking's period began after the change, the beginning is the later change, so the stamp has
// its time. s.mu must be held.
func (b *board) setStamp(as stamp) {
	for p, r := range b.rankings {
		from := store.Period(p)
		if from == store.AllTime {
			from = b.s.opts.Baseline
		}
		r.stamp = as
		if begun := b.s.periods.starts[from]; r.stamp.at.Before(begun) {
			r.stamp.at = begun.UTC()
		}
		r.seen = r.stamp
	}
}
