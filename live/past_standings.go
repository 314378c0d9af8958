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
	// maxPastMoments bounds the number of moments in memory. Above it, the least recently used one
	// is dropped.
	maxPastMoments = 96

	// maxPastUsers bounds the number of users of one moment, at about 60 bytes each. Above it, all
	// of them are dropped.
	maxPastUsers = 2048
)

// pastStandings caches past standings: the totals that users had at the ends of hours and days.
// They never change, so each of them is read from the ledger only once. The cache may still have
// users who were erased later. Safe for concurrent use.
type pastStandings struct {
	store *store.Store

	mu     sync.Mutex
	byTime *simplelru.LRU[int64, *momentStandings] // guarded by mu: by Unix milliseconds
}

// momentStandings has the past standings of one moment.
type momentStandings struct {
	seq   int64                         // the last row of the ledger before the moment
	users map[uint32]store.PastStanding // guarded by pastStandings.mu; zero for one without points
}

func newPastStandings(s *store.Store) *pastStandings {
	byTime, err := simplelru.NewLRU[int64, *momentStandings](maxPastMoments, nil)
	if err != nil {
		panic(err) // the size is positive
	}
	return &pastStandings{store: s, byTime: byTime}
}

// at returns the users' past standings right before a time, and the seq of the last row of
// the ledger before it. Users who had no points then are missing. The caller must know that no
// earlier row can still be committed.
func (ps *pastStandings) at(ctx context.Context, t time.Time, users []uint32) (then map[uint32]store.PastStanding, seq int64, err error) {
	key := t.UnixMilli()
	then = make(map[uint32]store.PastStanding, len(users))
	var missing []uint32
	ps.mu.Lock()
	moment, ok := ps.byTime.Get(key)
	for _, user := range users {
		if !ok {
			break
		}
		if p, known := moment.users[user]; !known {
			missing = append(missing, user)
		} else if p.Reached > 0 {
			then[user] = p
		}
	}
	ps.mu.Unlock()
	if !ok {
		moment, missing = &momentStandings{users: map[uint32]store.PastStanding{}}, users
		if moment.seq, err = ps.store.LastSeqBefore(ctx, t); err != nil {
			return nil, 0, err
		}
	}
	if len(missing) == 0 {
		return then, moment.seq, nil
	}
	err = ps.store.PastStandings(ctx, missing, moment.seq, func(p store.PastStanding) { then[p.User] = p })
	if err != nil {
		return nil, 0, err
	}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if len(moment.users)+len(missing) > maxPastUsers {
		clear(moment.users)
	}
	for _, user := range missing {
		moment.users[user] = then[user]
	}
	ps.byTime.Add(key, moment)
	return then, moment.seq, nil
}

// trendTimes returns the times of a trend, oldest first: the ends of days between start and
// until, or the ends of hours if the period is Daily, and until itself. If there are more than n,
// it returns the latest n. Days and hours are those of until's location.
func trendTimes(p store.Period, start, until time.Time, n int) []time.Time {
	before := func(t time.Time) time.Time { return store.Daily.Start(t.Add(-time.Nanosecond)) }
	if p == store.Daily {
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
