package live

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"marcador/store"
)

const (
	// maxPastStandings bounds the moments that are remembered; past it the one that was not
	// asked for for longest is looked up again when it is.
	maxPastStandings = 96

	// maxPastUsers bounds the users that are remembered of one of them, some 60 bytes each;
	// past it they are all looked up again.
	maxPastUsers = 2048
)

// pastStandings are where users stood at the ends of hours and days. That does not change any
// more, so the ledger is asked once. Who is erased since may still be in it. Safe for
// concurrent use.
type pastStandings struct {
	store *store.Store

	mu    sync.Mutex
	known *simplelru.LRU[int64, *pastStanding] // guarded by mu: by Unix milliseconds
}

// pastStanding is where users stood once.
type pastStanding struct {
	seq  int64                 // that the ledger was at
	then map[uint32]store.Past // guarded by pastStandings.mu; zero for who had no points yet
}

func newPastStandings(s *store.Store) *pastStandings {
	known, err := simplelru.NewLRU[int64, *pastStanding](maxPastStandings, nil)
	if err != nil {
		panic(err) // the size is positive
	}
	return &pastStandings{store: s, known: known}
}

// at returns where the users stood right before a time, up to which all is committed
// already, and the seq that the ledger was at then. Who had no points yet is missing.
func (m *pastStandings) at(ctx context.Context, t time.Time, users []uint32) (then map[uint32]store.Past, seq int64, err error) {
	key := t.UnixMilli()
	then = make(map[uint32]store.Past, len(users))
	var missing []uint32
	m.mu.Lock()
	one, ok := m.known.Get(key)
	for _, user := range users {
		if !ok {
			break
		}
		if p, known := one.then[user]; !known {
			missing = append(missing, user)
		} else if p.Reached > 0 {
			then[user] = p
		}
	}
	m.mu.Unlock()
	if !ok {
		one, missing = &pastStanding{then: map[uint32]store.Past{}}, users
		if one.seq, err = m.store.SeqBefore(ctx, t); err != nil {
			return nil, 0, err
		}
	}
	if len(missing) == 0 {
		return then, one.seq, nil
	}
	err = m.store.StoodAt(ctx, missing, one.seq, func(p store.Past) { then[p.User] = p })
	if err != nil {
		return nil, 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(one.then)+len(missing) > maxPastUsers {
		clear(one.then)
	}
	for _, user := range missing {
		one.then[user] = then[user]
	}
	m.known.Add(key, one)
	return then, one.seq, nil
}

// trendTimes returns the ends of days, of Daily those of hours, between the start and
// the time until, and that itself as the last; at most n, the latest. They are those of
// until's location.
func trendTimes(p Period, start, until time.Time, n int) []time.Time {
	before := func(t time.Time) time.Time { return Daily.Start(t.Add(-time.Nanosecond)) }
	if p == Daily {
		before = func(t time.Time) time.Time { return hourOf(t.Add(-time.Nanosecond)) }
	}
	list := []time.Time{until}
	for t := before(until); len(list) < n && t.After(start); t = before(t) {
		list = append(list, t)
	}
	slices.Reverse(list)
	return list
}

// hourOf returns when the hour began that t lies in, by the clock of its location.
func hourOf(t time.Time) time.Time {
	return t.Add(-time.Duration(t.Minute())*time.Minute - time.Duration(t.Second())*time.Second - time.Duration(t.Nanosecond()))
}
