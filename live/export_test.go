package live

import (
	"testing"
	"time"

	"marcador/store"
)

// TrendTimes returns the times of a trend.
func TrendTimes(p store.Period, start, until time.Time, n int) []time.Time {
	return trendTimes(p, start, until, n)
}

// MaxRivals is how many users a trend compares.
const MaxRivals = maxRivals

// ForgetProfiles makes the next page read its profiles from the database.
func ForgetProfiles(s *Service) { s.profiles.forgetAll() }

// CachedPage returns the cached page of the whole global board of all time, or nil. Tests compare
// it with an earlier one.
func CachedPage(s *Service) any {
	s.mu.RLock()
	defer s.mu.RUnlock()
	r := s.global.rankings[store.AllTime]
	if p := r.cachedPage(pageKey{1, r.rank.Len()}); p != nil {
		return p
	}
	return nil
}

// MakeSnapshot makes the first page of the global board, as a broadcast after a write does. It
// returns the size of the event in bytes.
func MakeSnapshot(tb testing.TB, s *Service) int {
	tb.Helper()
	r := s.global.rankings[store.AllTime]
	s.cache.drop(r)
	p, err := r.snapshot(s.ctx, func() {})
	if err != nil {
		tb.Fatal(err)
	}
	return len(p.Snapshot().Data)
}

// BeginOverduePeriods does what a job does every minute.
func BeginOverduePeriods(s *Service) { s.beginOverduePeriods() }

// HoldProfiles stops everybody who makes a page, as a slow disk would, until proceed is called.
func HoldProfiles(s *Service) (proceed func()) {
	s.profiles.mu.Lock()
	return s.profiles.mu.Unlock
}

// RankBefore returns the rank that the user had at a version according to the ledger, or -1 if it
// is not known.
func RankBefore(s *Service, user string, version int64) int {
	then, err := s.global.rankings[store.AllTime].followed().history.rankAt(s.ctx, user, version)
	if err != nil || then == nil {
		return -1
	}
	return then.rank
}

// People finds users by their ids.
type People struct{ p *people }

func NewPeople() People { return People{newPeople()} }

func (p People) Know(number uint32, id string) bool { return p.p.know(number, id) }
func (p People) Forget(number uint32)               { p.p.forget(number) }
func (p People) Number(id string) (uint32, bool)    { return p.p.number(id) }

// Shown is the first page of the global board of all time.
type Shown struct{ p *page }

func Snapshot(tb testing.TB, s *Service) Shown {
	tb.Helper()
	p, err := s.global.rankings[store.AllTime].snapshot(s.ctx, func() {})
	if err != nil {
		tb.Fatal(err)
	}
	return Shown{p}
}

func (s Shown) Whole() []byte              { return s.p.Snapshot().Data }
func (s Shown) Since(earlier Shown) []byte { return s.p.Since(earlier.p).Data }

// Loaded returns how many boards are in memory.
func Loaded(s *Service) int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.boards)
}

// MaxCacheBytes bounds the cache, and CacheBytes returns its present size.
const MaxCacheBytes = maxCacheBytes

func CacheBytes(s *Service) int { return s.cache.bytes() }

// ForgetFinals makes finals be read from the database again.
func ForgetFinals(s *Service) { s.forgetFinals() }

// DropPages drops the cached pages of the global board in a period.
func DropPages(s *Service, p store.Period) { s.cache.drop(s.global.rankings[p]) }
