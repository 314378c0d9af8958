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
	// maxPastStandings bounds the number of past standings in memory. Above it, the one that was
	// not asked for for longest is dropped.
	maxPastStandings = 96

	// maxPastUsers bounds the number of users in a past standing, at about 60 bytes each. Above
	// it, all of them are dropped.
	maxPastUsers = 2048
)

// pastStandings caches the totals that users had at the ends of hours and days. Past totals never
// change, so each of them is read from the ledger only once. The cache may still have users who
// were erased later. Safe for concurrent use.
type pastStandings struct {
	store *store.Store

	mu     sync.Mutex
	byTime *simplelru.LRU[int64, *pastStanding] // guarded by mu: by Unix milliseconds
}

// pastStanding has users' totals at one moment.
type pastStanding struct {
	seq   int64                         // the last row of the ledger before the moment
	users map[uint32]store.PastStanding // guarded by pastStandings.mu; zero for a user without points then
}

func newPastStandings(s *store.Store) *pastStandings {
	byTime, err := simplelru.NewLRU[int64, *pastStanding](maxPastStandings, nil)
	if err != nil {
		panic(err) // the size is positive
	}
	return &pastStandings{store: s, byTime: byTime}
}

// at returns the totals that the users had right before a time, and the seq of the last row of
// the ledger before it. Users who had no points then are missing. No row with an earlier time may
// be committed any more.
func (ps *pastStandings) at(ctx context.Context, t time.Time, users []uint32) (then map[uint32]store.PastStanding, seq int64, err error) {
	key := t.UnixMilli()
	then = make(map[uint32]store.PastStanding, len(users))
	var missing []uint32
	ps.mu.Lock()
	standing, ok := ps.byTime.Get(key)
	for _, user := range users {
		if !ok {
			break
		}
		if p, known := standing.users[user]; !known {
			missing = append(missing, user)
		} else if p.Reached > 0 {
			then[user] = p
		}
	}
	ps.mu.Unlock()
	if !ok {
		standing, missing = &pastStanding{users: map[uint32]store.PastStanding{}}, users
		if standing.seq, err = ps.store.LastSeqBefore(ctx, t); err != nil {
			return nil, 0, err
		}
	}
	if len(missing) == 0 {
		return then, standing.seq, nil
	}
	err = ps.store.PastStandings(ctx, missing, standing.seq, func(p store.PastStanding) { then[p.User] = p })
	if err != nil {
		return nil, 0, err
	}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if len(standing.users)+len(missing) > maxPastUsers {
		clear(standing.users)
	}
	for _, user := range missing {
		standing.users[user] = then[user]
	}
	ps.byTime.Add(key, standing)
	return then, standing.seq, nil
}

// trendTimes returns the times of a trend, oldest first: the ends of days between start and
// until, or the ends of hours if the period is Daily, and until itself. If there are more than n,
// it returns the latest n. Days and hours are those of until's location.
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

// hourOf returns the start of the hour that contains t, by the clock of t's location.
func hourOf(t time.Time) time.Time {
	return t.Add(-time.Duration(t.Minute())*time.Minute - time.Duration(t.Second())*time.Second - time.Duration(t.Nanosecond()))
}
