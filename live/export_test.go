package live

import (
	"testing"
	"time"
)

// TrendTimes are the moments of a trend.
func TrendTimes(p Period, start, until time.Time, n int) []time.Time {
	return trendTimes(p, start, until, n)
}

// MaxRivals is how many are compared in a trend.
const MaxRivals = maxRivals

// ForgetProfiles makes the next page read its profiles from the database.
func ForgetProfiles(s *Service) { s.profiles.forgetAll() }

// CachedPage returns the page that is kept of all of the global board, to be compared.
func CachedPage(s *Service) any {
	s.mu.RLock()
	defer s.mu.RUnlock()
	r := s.global.rankings[AllTime]
	if p := r.cachedPage(pageKey{1, r.rank.Len()}); p != nil {
		return p
	}
	return nil
}

// MakeSnapshot makes the state of the global board as after a write and returns
// the size of its entries.
func MakeSnapshot(tb testing.TB, s *Service) int {
	tb.Helper()
	r := s.global.rankings[AllTime]
	s.cache.drop(r)
	p, err := r.snapshot(s.ctx, func() {})
	if err != nil {
		tb.Fatal(err)
	}
	return len(p.Snapshot().Data)
}

// BeginOverduePeriods begins the periods that have begun, as a job does each minute.
func BeginOverduePeriods(s *Service) { s.beginOverduePeriods() }

// HoldProfiles stops whoever makes a page until the function it returns is called,
// as a slow disk would.
func HoldProfiles(s *Service) (proceed func()) {
	s.profiles.mu.Lock()
	return s.profiles.mu.Unlock
}

// RankBefore is the rank that the user had at a version, as the ledger has it.
func RankBefore(s *Service, user string, version int64) int {
	then, err := s.global.rankings[AllTime].followed().history.placeAt(s.ctx, user, version)
	if err != nil || then == nil {
		return -1
	}
	return then.rank
}

// People are the users by their ids.
type People struct{ p *people }

func NewPeople() People { return People{newPeople()} }

func (p People) Know(number uint32, id string) bool { return p.p.know(number, id) }
func (p People) Forget(number uint32)               { p.p.forget(number) }
func (p People) Number(id string) (uint32, bool)    { return p.p.number(id) }

// Shown is a page of the global board of all time, as a broadcast shows it.
type Shown struct{ p *page }

func Snapshot(tb testing.TB, s *Service) Shown {
	tb.Helper()
	p, err := s.global.rankings[AllTime].snapshot(s.ctx, func() {})
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

// MaxCacheBytes bounds what is kept, in bytes, and CacheBytes is how many are.
const MaxCacheBytes = maxCacheBytes

func CacheBytes(s *Service) int { return s.cache.bytes() }

// ForgetFinals has places of closed periods be read again.
func ForgetFinals(s *Service) { s.forgetFinals() }

// DropPages lets go of the pages of the global board in a period.
func DropPages(s *Service, p Period) { s.cache.drop(s.global.rankings[p]) }
