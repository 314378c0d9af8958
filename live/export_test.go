package live

import "testing"

// ForgetProfiles makes the next page read its profiles from the database.
func ForgetProfiles(s *Service) { s.profiles.forgetAll() }

// Kept returns the first page of n entries that is kept, to be compared.
func Kept(s *Service, n int) any {
	s.global.pagesMu.Lock()
	defer s.global.pagesMu.Unlock()
	if p, ok := s.global.pages.Peek(pageKey{1, n}); ok {
		return p
	}
	return nil
}

// MakeSnapshot makes the state of the global board as after a write and returns
// the size of its entries.
func MakeSnapshot(tb testing.TB, s *Service) int {
	tb.Helper()
	s.global.pagesMu.Lock()
	s.global.pages.Purge()
	s.global.pagesMu.Unlock()
	p, err := s.global.snapshot(s.ctx, func() {})
	if err != nil {
		tb.Fatal(err)
	}
	return len(p.Snapshot().Data)
}

// HoldProfiles stops whoever makes a page until the function it returns is called,
// as a slow disk would.
func HoldProfiles(s *Service) (proceed func()) {
	s.profiles.mu.Lock()
	return s.profiles.mu.Unlock
}

// RankBefore is the rank that the user had at a version, as the ledger has it.
func RankBefore(s *Service, user string, version int64) int {
	then, err := s.global.standAt(s.ctx, user, version)
	if err != nil || then == nil {
		return -1
	}
	return then.rank
}
