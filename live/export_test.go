package live

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
