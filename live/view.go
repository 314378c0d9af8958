package live

import (
	"context"
	"errors"
	"fmt"
	"time"

	"marcador/rank"
	"marcador/store"
)

// ErrNotOnBoard is returned for a page around somebody who is not on the board, as
// far as others see.
var ErrNotOnBoard = errors.New("live: not on the board")

// Query is which page is asked for, and by whom.
type Query struct {
	Board  string
	Period store.Period

	Offset, Limit int    // others in front of the first entry, and how many entries at most
	Around        string // a user's id: the entries around them, instead
	Neighbours    int    // how many on each side

	Caller string // a user's id, or empty
	All    bool   // also those past the board's limit

	AsMember bool // of a closed period: for who was a member of the group at its end
}

// view is a page and, where it was asked for by a user on the board, what they
// are told of themselves, both as the same commit left them.
type view struct {
	*page

	me  []byte // JSON, null for others
	own string // the id of whose row is to be marked, or empty
}

// slice returns which positions the query asks for. It is called with s.mu held.
func (r *ranking) slice(q *Query) (key pageKey, err error) {
	first, last := q.Offset+1, q.Offset+q.Limit
	most := r.rank.Len()
	if limit := r.s.limitOf(r.b.name); limit > 0 && !q.All {
		most = min(most, limit)
	}
	if q.Around != "" {
		number, ok := r.s.people.number(q.Around)
		position := 0
		if ok && r.b.has(number) {
			position = r.rank.Position(number)
		}
		own := q.Around == q.Caller
		seen := position > 0 && position <= most && !r.rank.Hidden(number)
		switch {
		case !own && !seen:
			return key, fmt.Errorf("%w: %q", ErrNotOnBoard, q.Around)
		case position == 0:
			return pageKey{1, 0}, nil
		case position > most && position <= r.rank.Len() && !r.rank.Hidden(number):
			return pageKey{position, 1}, nil // past the limit one is shown oneself
		}
		first, last = position-q.Neighbours, position+q.Neighbours
		if r.rank.Hidden(number) {
			last-- // who has the position is the first of those behind
		}
	}
	first, last = max(first, 1), min(last, most)
	return pageKey{first, max(last-first+1, 0)}, nil
}

// view returns the page that the query asks for. meanwhile is called, with s.mu held,
// at the moment that the view is of; if more than once, the last time counts.
func (r *ranking) view(ctx context.Context, q *Query, meanwhile func()) (v view, err error) {
	const tries = 5 // somebody may be erased, or renamed, while their profile is read
	for try := range tries {
		if try > 1 {
			time.Sleep(time.Millisecond) // what was committed is not on the boards yet
		}
		var whole bool
		if v, whole, err = r.tryView(ctx, q, meanwhile); err != nil || whole {
			break
		}
	}
	return v, err
}

// tryView makes a view, and reports whether all the profiles were there, as of its version.
func (r *ranking) tryView(ctx context.Context, q *Query, meanwhile func()) (v view, whole bool, err error) {
	s := r.s
	v.me = []byte("null")
	s.mu.RLock()
	names := s.profiles.changes.Load()
	key, err := r.slice(q)
	if err != nil {
		s.mu.RUnlock()
		return v, false, err
	}
	p := &page{r: r, version: r.seen.version, updated: r.seen.at, stamp: r.stamp, names: names, total: r.rank.Len(), ends: s.periods.end(r.period)}
	earlier := r.cachedPage(key)
	if earlier != nil && earlier.version == p.version && earlier.stamp == p.stamp && earlier.names == names {
		v.page = earlier
	}
	var users []rankedUser
	if v.page == nil {
		var room [128]rank.Entry // most pages are no longer
		entries := r.rank.Page(room[:0], key.first, key.n)
		users = make([]rankedUser, len(entries))
		for i, e := range entries {
			users[i] = r.rankedUser(e)
		}
	}
	own := r.rankedCaller(q.Caller)
	seen := s.seen.version
	meanwhile()
	s.mu.RUnlock()

	numbers := make([]uint32, 0, len(users)+1)
	for _, u := range users {
		numbers = append(numbers, u.User)
	}
	if own != nil {
		numbers = append(numbers, own.User)
	}
	shown, changes, of, err := s.profiles.asOf(ctx, s.store, numbers)
	if err != nil {
		return v, false, err
	}
	whole = changes == names && of <= seen // else a name may be of a later version than the page
	for _, n := range numbers {
		_, ok := shown[n]
		whole = whole && ok
	}
	if v.page == nil {
		p.encode(users, shown, earlier)
		v.page = p
		if whole {
			r.cachePage(key, p)
		}
	}
	if own != nil {
		v.me = marshal(OwnEntry{own.entry(shown, true), own.percentile, own.pointsToNext, own.nextRank})
		v.own = own.id
	}
	return v, whole, nil
}
