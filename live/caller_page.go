package live

import (
	"context"
	"fmt"
	"time"

	"marcador/rank"
	"marcador/store"
)

// Query says which page is asked for, and by whom.
type Query struct {
	Board  string
	Period store.Period

	// Offset is how many visible entries come before the first entry of the page. Limit is the
	// greatest number of entries.
	Offset, Limit int

	// Around, if set, is a user's id. The page then has that user with Neighbours entries on each
	// side, whatever Offset and Limit are.
	Around     string
	Neighbours int

	Caller string // the id of the user who asks, or empty
	All    bool   // the board's limit does not apply to the caller

	// AsMember is for a closed period: the caller may read it only if the caller was a member of
	// the group at its end.
	AsMember bool
}

// Page returns a page as JSON; PageBody has its form. Errors are ErrUnknownBoard; ErrNotOnBoard
// if the caller can't see the user of Around on the board; and those of reading the database.
//
// The page is at least as new as the caller's own last write. A page that has not changed since
// it was last asked for costs a copy.
func (s *Service) Page(ctx context.Context, q Query) ([]byte, error) {
	if err := s.checkIfUncached(ctx); err != nil {
		return nil, err
	}
	b, err := s.pin(ctx, q.Board)
	if err != nil {
		return nil, err
	}
	defer b.unpin()
	v, err := b.rankings[q.Period].pageFor(ctx, &q, func() {})
	if err != nil {
		return nil, fmt.Errorf("make page of board %q: %w", q.Board, err)
	}
	as := v.readable(q.All)
	body := append([]byte(`{"type":`), quote(b.kind)...)
	body = append(append(body, ','), v.r.names...)
	body = v.appendEntries(append(body, `,"entries":`...), v.own)
	body = appendField(body, "totalEntries", int64(v.total))
	body = append(append(body, `,"me":`...), v.me...)
	body = append(append(body, `,"ranks":`...), quote(s.Ranks())...)
	body = appendTime(append(body, `,"lastUpdated":`...), as.at)
	body = appendField(body, "version", as.version)
	if body = append(body, `,"resetsAt":`...); v.ends == nil {
		return append(body, `null}`...), nil
	}
	return append(appendTime(body, *v.ends), '}'), nil
}

// checkIfUncached checks the database for changes by other programs, if Options.CacheTTL says
// that every read must.
func (s *Service) checkIfUncached(ctx context.Context) error {
	if s.opts.CacheTTL >= 0 {
		return nil
	}
	if err := s.store.Check(ctx); err != nil {
		return fmt.Errorf("look for changes by other programs: %w", err)
	}
	return nil
}

// callerPage is a page, with what its caller alone is told. Both show the same commit.
type callerPage struct {
	*page

	me  []byte // the caller's own entry as JSON; null if the caller is not on the board
	own string // the caller's id, if the caller is on the board: that row is the caller's own
}

// slice returns which entries the query asks for. s.mu must be held.
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
			return pageKey{position, 1}, nil // below the limit, callers see their own row alone
		}
		first, last = position-q.Neighbours, position+q.Neighbours
		if r.rank.Hidden(number) {
			last-- // the visible entry at this position is already a neighbour
		}
	}
	first, last = max(first, 1), min(last, most)
	return pageKey{first, max(last-first+1, 0)}, nil
}

// pageFor returns the page that the query asks for. At the moment that the page shows, it calls
// underLock with s.mu held. If it calls underLock again, the earlier calls do not count.
//
// The page and its profiles are read one after the other. If a profile changes in between, the
// page is made again, for a limited number of times.
func (r *ranking) pageFor(ctx context.Context, q *Query, underLock func()) (v callerPage, err error) {
	const tries = 5
	for try := range tries {
		if try > 1 {
			time.Sleep(time.Millisecond) // the change is committed, but the boards lack it still
		}
		var complete bool
		if v, complete, err = r.tryPageFor(ctx, q, underLock); err != nil || complete {
			break
		}
	}
	return v, err
}

// tryPageFor makes the page once. It is complete if all profiles were found and none of them is
// newer than the page's version.
func (r *ranking) tryPageFor(ctx context.Context, q *Query, underLock func()) (v callerPage, complete bool, err error) {
	s := r.s
	v.me = []byte("null")
	s.mu.RLock()
	names := s.profiles.changes.Load()
	key, err := r.slice(q)
	if err != nil {
		s.mu.RUnlock()
		return v, false, err
	}
	p := &page{
		r: r, version: r.seen.version, updated: r.seen.at, stamp: r.stamp, names: names,
		total: r.rank.Len(), ends: s.periods.end(r.period),
	}
	earlier := r.cachedPage(key)
	var users []rankedUser
	if earlier != nil && earlier.version == p.version && earlier.stamp == p.stamp && earlier.names == names {
		v.page = earlier
	} else {
		users = r.rankedUsers(key)
	}
	own := r.rankedCaller(q.Caller)
	seen := s.seen.version
	underLock()
	s.mu.RUnlock()

	numbers := make([]uint32, 0, len(users)+1)
	for _, u := range users {
		numbers = append(numbers, u.User)
	}
	if own != nil {
		numbers = append(numbers, own.User)
	}
	shown, changes, profilesSeen, err := s.profiles.asOf(ctx, s.store, numbers)
	if err != nil {
		return v, false, err
	}
	complete = changes == names && profilesSeen <= seen
	for _, n := range numbers {
		_, ok := shown[n]
		complete = complete && ok
	}
	if v.page == nil {
		p.encode(users, shown, earlier)
		v.page = p
		if complete {
			r.cachePage(key, p)
		}
	}
	if own != nil {
		v.me = marshal(OwnEntry{own.entry(shown, true), own.percentile, own.pointsToNext, own.nextRank})
		v.own = own.id
	}
	return v, complete, nil
}

// rankedUsers returns the entries of a page. s.mu must be held.
func (r *ranking) rankedUsers(key pageKey) []rankedUser {
	var room [128]rank.Entry // most pages are no longer
	entries := r.rank.Page(room[:0], key.first, key.n)
	users := make([]rankedUser, len(entries))
	for i, e := range entries {
		users[i] = r.rankedUser(e)
	}
	return users
}
